package owlat_test

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"owlatsync/owlat"
)

type oneData struct {
	Data struct {
		ID        string
		FirstName string
	}
}

func TestDoReachesTheDeployment(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	const odd = "a/b?c#d%@example.com"
	made := d.create(t, "a+tag@example.com", "Ada")
	for _, c := range []struct {
		name string
		in   owlat.Request
		want int
	}{
		{"GET by id", owlat.Request{Method: "GET", Route: "/contacts/{contact}", Values: []string{made.ID}}, 200},
		{"GET by address", owlat.Request{Method: "GET", Route: "/contacts/{contact}", Values: []string{"a+tag@example.com"}}, 200},
		{"PUT", owlat.Request{Method: "PUT", Route: "/contacts/{contact}", Values: []string{made.ID}, Body: map[string]any{"firstName": "Ada"}}, 200},
		{"POST", owlat.Request{Method: "POST", Route: "/contacts", Body: map[string]any{"email": "grace@example.com", "firstName": "Ada"}}, 201},
	} {
		var out oneData
		resp, err := d.client.Do(t.Context(), c.in, &out)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if resp.StatusCode != c.want || out.Data.ID == "" || out.Data.FirstName != "Ada" || resp.RateLimit.Limit != 10 ||
			resp.Header.Get("Content-Type") == "" || !strings.HasPrefix(string(resp.Body), `{"data":{`) {
			t.Errorf("%s: got %+v and %+v", c.name, resp, out)
		}
	}
	var list struct {
		Data       []owlat.Contact
		Pagination struct{ TotalItems int }
	}
	_, err := d.client.Do(t.Context(), owlat.Request{Method: "GET", Route: "/contacts", Query: url.Values{"limit": {"1"}}}, &list)
	if err != nil || len(list.Data) != 1 || list.Pagination.TotalItems != 2 {
		t.Errorf("a list: got %+v, %v", list, err)
	}
	_, err = d.client.Do(t.Context(), owlat.Request{Method: "GET", Route: "/contacts/{contact}", Values: []string{odd}}, nil)
	if !errors.Is(err, owlat.ErrInvalidInput) && !errors.Is(err, owlat.ErrNotFound) || strings.Contains(err.Error(), "@") {
		t.Errorf("a value that is to be encoded: %v", err)
	}
	if _, err = d.client.Do(t.Context(), owlat.Request{Method: "PATCH", Route: "/nothing"}, nil); !errors.Is(err, owlat.ErrNoRoute) {
		t.Errorf("a route that Owlat does not have: %v", err)
	}
}

func TestDoSendsWhatItIsTold(t *testing.T) {
	t.Parallel()
	var sent *http.Request
	var body string
	client := connect(t, anyKey, roundTripper(func(r *http.Request) (*http.Response, error) {
		sent = r
		if r.Body != nil {
			read, _ := io.ReadAll(r.Body)
			body = string(read)
		}
		return reply(204, "", "X-Request-Id", "r1"), nil
	}))
	resp, err := client.Do(t.Context(), owlat.Request{
		Method: "POST", Route: "/a/{one}/b/{two}", Values: []string{"x/y", "Ä ?"}, Query: url.Values{"q": {"1 2"}},
		Header: http.Header{"idempotency-key": {"k1"}, "Accept": {"text/csv"}}, Body: []string{"<&>"},
	}, nil)
	if err != nil || resp.StatusCode != 204 || resp.RequestID() != "r1" || len(resp.Body) != 0 {
		t.Fatalf("got %+v, %v", resp, err)
	}
	if got := sent.Method + " " + sent.URL.RequestURI() + " " + strings.TrimSpace(body); got != "POST "+basePath+`/api/v1/a/x%2Fy/b/%C3%84%20%3F?q=1+2 ["<&>"]` {
		t.Errorf("sent %s", got)
	}
	for name, want := range map[string]string{
		"Idempotency-Key": "k1", "Accept": "text/csv", "Content-Type": "application/json", "Authorization": "Bearer " + anyKey, "User-Agent": "owlat-go",
	} {
		if got := sent.Header.Values(name); len(got) != 1 || got[0] != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestDoRefusesBeforeSending(t *testing.T) {
	t.Parallel()
	client := connect(t, anyKey, roundTripper(func(r *http.Request) (*http.Response, error) {
		t.Errorf("sent %s %s", r.Method, r.URL)
		return reply(200, oneContact), nil
	}))
	get := func(route string, values ...string) owlat.Request {
		return owlat.Request{Method: "GET", Route: route, Values: values}
	}
	header := func(name, value string) owlat.Request {
		return owlat.Request{Method: "GET", Route: "/contacts", Header: http.Header{name: {value}}}
	}
	var nowhere *oneData
	for name, c := range map[string]struct {
		in  owlat.Request
		out any
	}{
		"nothing":                {owlat.Request{}, nil},
		"no method":              {owlat.Request{Route: "/contacts"}, nil},
		"lower-case method":      {owlat.Request{Method: "get", Route: "/contacts"}, nil},
		"other method":           {owlat.Request{Method: "CONNECT", Route: "/contacts"}, nil},
		"no slash":               {get("contacts"), nil},
		"slash at the end":       {get("/contacts/"), nil},
		"double slash":           {get("//contacts"), nil},
		"only a slash":           {get("/"), nil},
		"a step up":              {get("/contacts/.."), nil},
		"query in the route":     {get("/contacts?limit=1"), nil},
		"fragment in the route":  {get("/contacts#a"), nil},
		"percent in the route":   {get("/contacts/a%2Fb"), nil},
		"address in the route":   {get("/contacts/ada@example.com"), nil},
		"umlaut in the route":    {get("/köntacts"), nil},
		"braces without a name":  {get("/contacts/{}", "x"), nil},
		"brace in the middle":    {get("/contacts/a{b}", "x"), nil},
		"brace that stays open":  {get("/contacts/{b", "x"), nil},
		"brace in a name":        {get("/contacts/{{b}}", "x"), nil},
		"value missing":          {get("/contacts/{contact}"), nil},
		"value too many":         {get("/contacts", "x"), nil},
		"empty value":            {get("/contacts/{contact}", " "), nil},
		"value that is a step":   {get("/contacts/{contact}", ".."), nil},
		"value that is no text":  {get("/contacts/{contact}", "\xff"), nil},
		"header of the client":   {header("authorization", "Bearer x"), nil},
		"header of the protocol": {header("Content-Length", "1"), nil},
		"header name":            {header("a b", "x"), nil},
		"empty header name":      {header("", "x"), nil},
		"header value":           {header("X-A", "x\r\nX-B: y"), nil},
		"out is no pointer":      {get("/contacts"), oneData{}},
		"out points to nothing":  {get("/contacts"), nowhere},
		"body":                   {owlat.Request{Method: "POST", Route: "/contacts", Body: func() {}}, nil},
	} {
		resp, err := client.Do(t.Context(), c.in, c.out)
		var refused *owlat.Error
		if resp != nil || !errors.As(err, &refused) || refused.StatusCode != 0 || !errors.Is(err, owlat.ErrInvalidInput) || owlat.OutcomeUnknown(err) {
			t.Errorf("%s: got %+v, %v", name, resp, err)
		}
	}
}

func TestDoRepeatsOnlyWhatMayBeRepeated(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"GET", "HEAD", "PUT", "DELETE", "POST", "PATCH"} {
		for status, want := range map[int]int{503: 3, 429: 3} {
			if status == 503 && strings.HasPrefix(method, "P") && method != "PUT" {
				want = 1
			}
			synctest.Test(t, func(t *testing.T) {
				s := &script{begin: time.Now(), steps: []roundTripper{always(status, "", "X-Request-Id", "r7")}}
				client := connect(t, anyKey, s, owlat.WithRate(10, 10))
				_, err := client.Do(t.Context(), owlat.Request{Method: method, Route: "/new"}, nil)
				var e *owlat.Error
				if !errors.As(err, &e) || e.StatusCode != status || e.Route != "/new" || e.RequestID() != "r7" || owlat.OutcomeUnknown(err) != (status == 503) {
					t.Errorf("%s, %d: %v", method, status, err)
				}
				if len(s.at) != want {
					t.Errorf("%s, %d: sent %d times, want %d", method, status, len(s.at), want)
				}
			})
		}
	}
}

func TestDoTellsAnUnreadableAnswer(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"", "null", "[]", "text", `{"data":`, `{"data":{"ID":5}}`} {
		client := connect(t, anyKey, always(200, body, "X-Request-Id", "r7"))
		var out oneData
		_, err := client.Do(t.Context(), owlat.Request{Method: "POST", Route: "/new"}, &out)
		var e *owlat.ParseError
		if !errors.As(err, &e) || !owlat.OutcomeUnknown(err) || e.RequestID() != "r7" || e.Route != "/new" {
			t.Errorf("%q: got %v", body, err)
		}
		if _, err := client.Do(t.Context(), owlat.Request{Method: "POST", Route: "/new"}, nil); err != nil {
			t.Errorf("%q, not to be read: %v", body, err)
		}
	}
}
