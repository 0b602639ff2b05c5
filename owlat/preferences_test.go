package owlat_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
)

const (
	linkSecret = "the-secret-of-links-0123456789"
	anyContact = "k5700000000000000000000000000000"
	noTopics   = `{"ok":true,"data":{"email":"ada@example.com","teamName":"Team","topics":[]}}`
)

func TestMembershipsAndOptOut(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	doi := d.AddTopic("Product news", true)
	ada := d.create(t, "ada@example.com", "Ada")
	for _, topic := range []string{d.topic, doi} {
		if _, err := d.client.Topics.Add(t.Context(), topic, owlat.AddMemberRequest{ContactID: ada.ID}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := d.client.Topics.Remove(t.Context(), d.topic, ada.ID); err != nil {
		t.Fatal(err)
	}
	before, _ := d.Contact(ada.ID)
	got, err := d.client.Preferences.Get(t.Context(), ada.ID)
	if err != nil {
		t.Fatal(err)
	}
	if got.Email != "ada@example.com" || got.FirstName != "Ada" || got.TeamName == "" || len(got.Topics) != 2 {
		t.Errorf("got %+v", got)
	}
	for id, want := range map[string][2]bool{d.topic: {false, true}, doi: {true, true}, anyContact: {false, false}} { // who is pending is on the topic
		if member, known := got.Subscribed(id); member != want[0] || known != want[1] {
			t.Errorf("topic %s: %v, %v", id, member, known)
		}
	}
	if after, _ := d.Contact(ada.ID); !cmp.Equal(before, after) {
		t.Errorf("looking changed the contact: %s", cmp.Diff(before, after))
	}
	for i, want := range []int{1, 0} {
		if out, err := d.client.Preferences.OptOut(t.Context(), ada.ID); err != nil || out.TopicsLeft != want || out.Message == "" {
			t.Errorf("opt-out %d: %+v, %v", i+1, out, err)
		}
		if c, _ := d.Contact(ada.ID); !c.Unsubscribed || len(c.Topics) != 0 {
			t.Errorf("after opt-out %d: %+v", i+1, c)
		}
	}
	stats := d.Stats()
	if stats.Total != 4 || stats.Links.Total != 3 || d.client.RateLimit().Limit != 10 {
		t.Errorf("%d requests to the API and %d by links, %+v", stats.Total, stats.Links.Total, d.client.RateLimit())
	}
}

func TestWithoutUnsubscribeSecret(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	bare, err := owlat.NewClient(baseURL, anyKey, owlat.WithTransport(d.Transport()))
	if err != nil {
		t.Fatal(err)
	}
	if bare.Preferences.Configured() || !d.client.Preferences.Configured() {
		t.Error("Configured is wrong")
	}
	_, err = bare.Preferences.Get(t.Context(), anyContact)
	_, err2 := bare.Preferences.OptOut(t.Context(), "no id")
	if !errors.Is(err, owlat.ErrNoUnsubscribeSecret) || !errors.Is(err2, owlat.ErrNoUnsubscribeSecret) || owlat.OutcomeUnknown(err) {
		t.Errorf("%v, %v", err, err2)
	}
	if got := d.Stats().Links.Total; got != 0 {
		t.Errorf("%d requests were sent", got)
	}
	for _, bad := range []owlat.Option{owlat.WithUnsubscribeSecret(""), owlat.WithPreferencesRate(0), owlat.WithPreferencesRate(-1), owlat.WithPreferencesRate(math.NaN())} {
		if _, err := bare.With(bad); err == nil {
			t.Error("a bad option was taken")
		}
	}
	with, err := bare.With(owlat.WithUnsubscribeSecret(linkSecret))
	if err != nil || !with.Preferences.Configured() || bare.Preferences.Configured() {
		t.Errorf("With: %v", err)
	}
}

// TestReasons has each refusal of a token as the contract has it, once at each endpoint.
func TestReasons(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		reason string
		want   owlat.PreferencesReason
		hint   string
	}{
		{"invalid_format", owlat.ReasonInvalidFormat, "a proxy"},
		{"missing_parts", owlat.ReasonMissingParts, "a proxy"},
		{"invalid_signature", owlat.ReasonInvalidSignature, "UNSUBSCRIBE_SECRET of this very deployment"},
		{"expired", owlat.ReasonExpired, "clock"},
		{"contact_not_found", owlat.ReasonContactNotFound, "it was deleted"},
		{"parse_error", "parse_error", "deployment's log"},
		{`a\nb ` + strings.Repeat("x", 100) + ` ada@example.com`, owlat.PreferencesReason("a b " + strings.Repeat("x", 60)), "deployment's log"},
	} {
		status, category := 400, "invalid_input"
		if c.reason == "contact_not_found" {
			status, category = 404, "not_found"
		}
		requests := 0
		client := connect(t, anyKey, roundTripper(func(r *http.Request) (*http.Response, error) {
			requests++
			if r.Method == http.MethodGet {
				return reply(200, `{"ok":false,"reason":"`+c.reason+`"}`), nil
			}
			return reply(status, `{"error":{"category":"`+category+`","message":"m","data":{"reason":"`+c.reason+`"}}}`), nil
		}))
		_, get := client.Preferences.Get(t.Context(), anyContact)
		_, opt := client.Preferences.OptOut(t.Context(), anyContact)
		for err, want := range map[error]int{get: 200, opt: status} {
			var refused *owlat.PreferencesError
			if !errors.As(err, &refused) || refused.Reason != c.want || refused.Status != want || owlat.OutcomeUnknown(err) {
				t.Errorf("%s: %#v", c.reason, err)
				continue
			}
			if errors.Is(err, owlat.ErrNotFound) != (c.want == owlat.ReasonContactNotFound) || errors.Is(err, owlat.ErrInvalidInput) || errors.Is(err, owlat.ErrNoRoute) {
				t.Errorf("%s matches wrongly", c.reason)
			}
			if text := err.Error(); !strings.Contains(text, c.hint) || strings.ContainsAny(text, "\n@") || strings.Contains(text, anyContact) {
				t.Errorf("%s: %s", c.reason, text)
			}
		}
		if requests != 2 {
			t.Errorf("%s: %d requests, a refusal is repeated", c.reason, requests)
		}
	}
}

// TestRefusalsOfTheEmulator is what can be wrong with a client, a contact or a deployment.
func TestRefusalsOfTheEmulator(t *testing.T) {
	t.Parallel()
	synctest.Test(t, testRefusalsOfTheEmulator)
}

func testRefusalsOfTheEmulator(t *testing.T) {
	d := deploy(t)
	gone, erased, merged := d.create(t, "gone@example.com", "").ID, d.create(t, "erased@example.com", "").ID, d.create(t, "merged@example.com", "").ID
	d.create(t, "winner@example.com", "")
	if err := errors.Join(d.client.Contacts.Delete(t.Context(), gone), d.SoftDelete(erased), d.Merge("winner@example.com", merged)); err != nil {
		t.Fatal(err)
	}
	other, err := d.client.With(owlat.WithUnsubscribeSecret("that of another deployment"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		client *owlat.Client
		id     string
		want   error
		reason owlat.PreferencesReason
	}{
		{"deleted", d.client, gone, owlat.ErrNotFound, owlat.ReasonContactNotFound},
		{"another secret", other, erased, nil, owlat.ReasonInvalidSignature},
		{"no id of a contact", d.client, d.topic, owlat.ErrInternal, ""},
		{"unknown", d.client, anyContact, owlat.ErrInternal, ""},
		{"erased", d.client, erased, nil, ""},
		{"merged", d.client, merged, nil, ""},
	} {
		got, get := c.client.Preferences.Get(t.Context(), c.id)
		_, opt := c.client.Preferences.OptOut(t.Context(), c.id)
		for _, err := range []error{get, opt} {
			var refused *owlat.PreferencesError
			if errors.As(err, &refused) != (c.reason != "") || refused != nil && refused.Reason != c.reason || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("%s: %v", c.name, err)
			}
			if c.want == nil && c.reason == "" && err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
		}
		if get == nil {
			if member, known := got.Subscribed(d.topic); member || !known {
				t.Errorf("%s is on a topic", c.name)
			}
		}
	}
	wrong, err := owlat.NewClient("https://owlat.example/elsewhere", anyKey, owlat.WithTransport(d.Transport()), owlat.WithUnsubscribeSecret(linkSecret))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := wrong.Preferences.Get(t.Context(), anyContact); !errors.Is(err, owlat.ErrNoRoute) || errors.As(err, new(*owlat.PreferencesError)) {
		t.Errorf("with a wrong base URL: %v", err)
	}
}

// TestClockOff has the machine's clock ahead of the deployment's and behind it.
func TestClockOff(t *testing.T) {
	t.Parallel()
	for ahead, want := range map[time.Duration]bool{-1000 * 24 * time.Hour: true, time.Hour: true, 89 * 24 * time.Hour: true, 91 * 24 * time.Hour: false} {
		d := deploy(t)
		d.ClockAhead = ahead
		ada := d.create(t, "ada@example.com", "Ada")
		_, err := d.client.Preferences.Get(t.Context(), ada.ID)
		var refused *owlat.PreferencesError
		if want && err != nil || !want && (!errors.As(err, &refused) || refused.Reason != owlat.ReasonExpired) {
			t.Errorf("the deployment's clock is %v ahead: %v", ahead, err)
		}
	}
}

// TestTokensAreNew asks for one contact again and again at once, and has attempts repeated.
func TestTokensAreNew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		seen := map[string]int{}
		refuse := 0
		rt := roundTripper(func(r *http.Request) (*http.Response, error) {
			mu.Lock()
			defer mu.Unlock()
			seen[r.URL.EscapedPath()]++
			if r.Header.Get("Authorization") != "" || !strings.HasPrefix(r.URL.EscapedPath(), basePath+"/") || strings.Contains(r.URL.EscapedPath(), "api/v1") || r.URL.RawQuery != "" {
				t.Errorf("%s %s with the key or under the API", r.Method, r.URL)
			}
			if refuse > 0 {
				refuse--
				return reply(503, ""), nil
			}
			if r.Method == http.MethodPost {
				return reply(200, `{"ok":true,"data":{"message":"m","listsRemoved":1}}`), nil
			}
			return reply(200, noTopics), nil
		})
		client := connect(t, anyKey, rt, owlat.WithPreferencesRate(math.Inf(1)))
		shared, err := client.With(owlat.WithRetries(3))
		if err != nil {
			t.Fatal(err)
		}
		for i := range 100 {
			c := client
			if i%2 == 0 {
				c = shared
			}
			if _, err := c.Preferences.Get(t.Context(), anyContact); err != nil {
				t.Fatal(err)
			}
		}
		refuse = 3
		if _, err := shared.Preferences.Get(t.Context(), anyContact); err != nil {
			t.Fatal(err)
		}
		refuse = 2
		if out, err := client.Preferences.OptOut(t.Context(), anyContact); err != nil || out.TopicsLeft != 1 {
			t.Fatalf("an opt-out may be repeated: %v", err)
		}
		if len(seen) != 100+4+3 {
			t.Errorf("%d tokens for 107 requests", len(seen))
		}
		for path := range seen {
			if strings.Contains(path[len(basePath):], ":") || strings.Count(path, "%3A") != 2 {
				t.Errorf("the token is not encoded: %s", path)
			}
		}
	})
}

// TestManyCallsForOneContact meets no limit, though Owlat lets one token in 30 times a minute.
func TestManyCallsForOneContact(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := deploy(t, owlat.WithPreferencesRate(math.Inf(1)))
		d.NoLimit = false
		id := d.create(t, "ada@example.com", "Ada").ID
		for range 100 {
			if _, err := d.client.Preferences.Get(t.Context(), id); err != nil {
				t.Fatal(err)
			}
		}
		if stats := d.Stats(); stats.Links.Total != 100 || stats.Links.RateLimited != 0 {
			t.Errorf("%+v", stats.Links.Requests)
		}
	})
}

func TestPreferencesHaveAPaceOfTheirOwn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := deploy(t, owlat.WithLimiter(owlat.NewAutoLimiter()))
		d.NoLimit = false
		id := d.create(t, "ada@example.com", "Ada").ID
		d.inject(t, owlattest.Fault{Kind: owlattest.Latency, Delay: 80 * time.Millisecond, Route: owlattest.RoutePreferences})
		other, err := d.client.With(owlat.WithRetries(0))
		if err != nil {
			t.Fatal(err)
		}
		// Two clients of the same kind ask as fast as they can, while the API is used at its limit.
		minute := func(clients ...*owlat.Client) (links, api int) {
			t.Helper()
			before := d.Stats()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			var group sync.WaitGroup
			for _, c := range clients {
				for range 20 {
					group.Go(func() {
						for {
							if _, err := c.Preferences.Get(ctx, id); err != nil {
								if !errors.Is(err, context.DeadlineExceeded) {
									t.Error(err)
								}
								return
							}
						}
					})
				}
				group.Go(func() {
					for {
						if _, err := c.Contacts.Get(ctx, id); err != nil {
							return
						}
					}
				})
			}
			group.Wait()
			after := d.Stats()
			if after.RateLimited != before.RateLimited {
				t.Errorf("the API refused %d", after.RateLimited-before.RateLimited)
			}
			return after.Links.Total - before.Links.Total, after.Total - before.Total
		}
		if links, api := minute(d.client, other); links < 1195 || links > 1201 || api < 590 {
			t.Errorf("%d by links and %d to the API in a minute, want 1200 and 600", links, api)
		}
		d.ClearFaults()
		d.inject(t, owlattest.Fault{Kind: owlattest.Latency, Delay: 1600 * time.Millisecond, Route: owlattest.RoutePreferences})
		minute(d.client)
		if links, api := minute(d.client); links < 100 || links > 180 || api < 590 { // 20 a second × 2 × 80 / 1600
			t.Errorf("%d by links and %d to the API in a minute of slow answers, want 120 and 600", links, api)
		}
		d.ClearFaults()
		minute(d.client)
		if links, _ := minute(d.client); links < 1195 {
			t.Errorf("%d by links in a minute when all is well again", links)
		}
	})
}

func TestPreferencesHonourRetryAfter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var at []time.Duration
		begin := time.Now()
		client := connect(t, anyKey, roundTripper(func(r *http.Request) (*http.Response, error) {
			at = append(at, time.Since(begin))
			switch {
			case strings.Contains(r.URL.Path, "/api/v1"):
				return reply(200, oneContact), nil
			case len(at) == 1:
				return reply(429, refusal("rate_limited", "m"), "Retry-After", "17", "X-RateLimit-Limit", "3"), nil
			}
			return reply(200, noTopics), nil
		}))
		var group sync.WaitGroup
		for range 2 {
			group.Go(func() {
				if _, err := client.Preferences.Get(t.Context(), anyContact); err != nil {
					t.Error(err)
				}
			})
		}
		group.Go(func() {
			time.Sleep(time.Second)
			if _, err := client.Contacts.Get(t.Context(), anyContact); err != nil {
				t.Error(err)
			}
		})
		group.Wait()
		if len(at) != 4 || at[1] != time.Second || at[2] < 17*time.Second || at[3] > 18*time.Second {
			t.Errorf("sent at %v: all by links wait for 17 s, the API does not", at)
		}
		if client.RateLimit() != (owlat.RateLimit{}) {
			t.Error("what a link's answer says of a limit is taken for the API's")
		}
		strict, err := client.With(owlat.WithRetries(0), owlat.WithTransport(always(429, refusal("rate_limited", "m"), "Retry-After", "1")))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := strict.Preferences.Get(t.Context(), anyContact); !errors.Is(err, owlat.ErrRateLimited) {
			t.Errorf("got %v", err)
		}
	})
}

func TestThousandsOfTopics(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	last := ""
	for i := range 5000 {
		last = d.AddTopic(fmt.Sprintf("Topic %d with a name of some length, as people give them", i), false)
	}
	ada := d.create(t, "ada@example.com", "Ada")
	if _, err := d.client.Topics.Add(t.Context(), last, owlat.AddMemberRequest{ContactID: ada.ID}); err != nil {
		t.Fatal(err)
	}
	got, err := d.client.Preferences.Get(t.Context(), ada.ID)
	if err != nil || len(got.Topics) != 5001 {
		t.Fatalf("%d topics, %v", len(got.Topics), err)
	}
	if member, known := got.Subscribed(last); !member || !known {
		t.Error("the membership is lost among them")
	}
	if out, err := d.client.Preferences.OptOut(t.Context(), ada.ID); err != nil || out.TopicsLeft != 1 {
		t.Errorf("%+v, %v", out, err)
	}
}

func TestPreferencesThatCannotBeRead(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"not said whether ok":   `{"data":{"topics":[]}}`,
		"ok is text":            `{"ok":"true","data":{"topics":[]}}`,
		"no reason":             `{"ok":false}`,
		"an empty reason":       `{"ok":false,"reason":" \u0000"}`,
		"no topics":             `{"ok":true,"data":{"email":"ada@example.com"}}`,
		"topics are none":       `{"ok":true,"data":{"topics":{"a":1}}}`,
		"a topic without an id": `{"ok":true,"data":{"topics":[{"name":"a","subscribed":true}]}}`,
		"membership not said":   `{"ok":true,"data":{"topics":[{"_id":"k1","name":"a"}]}}`,
		"membership is text":    `{"ok":true,"data":{"topics":[{"_id":"k1","name":"a","subscribed":"yes"}]}}`,
		"cut off":               noTopics[:len(noTopics)-1],
		"something after it":    noTopics + noTopics,
		"too long":              `{"ok":true,"data":{"topics":[]}` + strings.Repeat(" ", 16<<20) + `}`,
	} {
		client := connect(t, anyKey, always(200, body))
		_, err := client.Preferences.Get(t.Context(), anyContact)
		var unreadable *owlat.ParseError
		if !errors.Is(err, owlat.ErrParse) || !errors.As(err, &unreadable) || unreadable.Route != "/prefs/verify/{token}" || strings.Contains(err.Error(), "ada@") {
			t.Errorf("%s: %v", name, err)
		}
	}
	odd := connect(t, anyKey, always(200, `{"ok":true,"data":{"topics":[{"_id":"k1","name":"a","description":"d","subscribed":true,"new":1}],"new":{}},"new":[]}`))
	got, err := odd.Preferences.Get(t.Context(), anyContact)
	want := []owlat.TopicPreference{{ID: "k1", Name: "a", Description: "d", Subscribed: true}}
	if err != nil || got.Email != "" || !cmp.Equal(got.Topics, want) {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestTokensAndTheSecretAreNeverShown looks at all that a program could print.
func TestTokensAndTheSecretAreNeverShown(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	var attempts, looks []owlat.Attempt
	var tokens []string
	whole := func(r *http.Request) string { return r.URL.String() }
	answers := []func(*http.Request) (*http.Response, error){
		func(r *http.Request) (*http.Response, error) { return nil, errors.New("GET " + whole(r) + ": broken") },
		func(r *http.Request) (*http.Response, error) {
			return nil, fmt.Errorf("proxy: %q is not allowed", r.URL.Path)
		},
		func(r *http.Request) (*http.Response, error) {
			return nil, &url.Error{Op: "Get", URL: whole(r), Err: fmt.Errorf("dial %s: %w", whole(r), io.EOF)}
		},
		func(r *http.Request) (*http.Response, error) {
			return reply(400, refusal("invalid_input", whole(r))), nil
		},
		func(r *http.Request) (*http.Response, error) {
			return reply(200, `{"ok":false,"reason":"`+r.URL.Path+`"}`), nil
		},
		func(r *http.Request) (*http.Response, error) {
			return reply(200, `{"ok":true,"data":"`+whole(r)+`"}`), nil
		},
		func(r *http.Request) (*http.Response, error) {
			return reply(307, "", "Location", "https://elsewhere.example"+r.URL.RequestURI()), nil
		},
		func(r *http.Request) (*http.Response, error) {
			return reply(302, "", "Location", "http://%zz"+r.URL.RequestURI()), nil
		},
		func(r *http.Request) (*http.Response, error) { return reply(503, whole(r)), nil },
	}
	next := 0
	client, err := owlat.NewClient(baseURL, anyKey, owlat.WithRetries(0), owlat.WithUnsubscribeSecret(linkSecret),
		owlat.WithPreferencesRate(math.Inf(1)),
		owlat.WithLogger(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))),
		owlat.WithObserver(func(a owlat.Attempt) { attempts = append(attempts, a) }),
		owlat.WithBeforeSend(func(_ context.Context, a owlat.Attempt) error { looks = append(looks, a); return nil }),
		owlat.WithTransport(roundTripper(func(r *http.Request) (*http.Response, error) {
			_, token, _ := strings.Cut(r.URL.Path[len("/behind/a/proxy"):][1:], "/")
			tokens = append(tokens, token[strings.LastIndexByte(token, ':')+1:])
			return answers[next](r)
		})))
	if err != nil {
		t.Fatal(err)
	}
	var shown []string
	for ; next < len(answers); next++ {
		_, get := client.Preferences.Get(t.Context(), anyContact)
		_, opt := client.Preferences.OptOut(t.Context(), anyContact)
		for _, err := range []error{get, opt} {
			for ; err != nil; err = errors.Unwrap(err) {
				shown = append(shown, fmt.Sprintf("%v %+v %s", err, err, err))
				if refusal, ok := err.(*owlat.Error); ok {
					shown = append(shown, refusal.Message, string(refusal.Data))
				}
			}
		}
		if get == nil || opt == nil {
			t.Errorf("answer %d: no error", next)
		}
	}
	_, err = client.Preferences.Get(t.Context(), "not an id:"+linkSecret)
	shown = append(shown, err.Error())
	for _, a := range append(attempts, looks...) {
		if !a.ByToken {
			t.Errorf("%+v looks like a request of the API", a)
		}
		shown = append(shown, fmt.Sprintf("%v %+v %#v", a, a, a))
	}
	options := []owlat.Option{owlat.WithUnsubscribeSecret(linkSecret), owlat.WithUserAgent("x")}
	for _, v := range []any{client, *client, client.Preferences, *client.Preferences, client.Contacts, options} {
		shown = append(shown, fmt.Sprintf("%v %+v %#v %s %q", v, v, v, v, v))
		if asJSON, err := json.Marshal(v); err == nil {
			shown = append(shown, string(asJSON))
		}
	}
	shown = append(shown, log.String())
	if !strings.Contains(log.String(), "route=/unsub/{token}") || len(attempts) != 2*len(answers) || len(looks) != len(attempts) || len(tokens) != len(attempts) {
		t.Errorf("%d attempts, %d looks, %d tokens, logged:\n%s", len(attempts), len(looks), len(tokens), log.String())
	}
	for _, s := range shown {
		if strings.Contains(s, linkSecret) {
			t.Errorf("it shows the secret: %s", s)
		}
		for _, token := range tokens {
			if len(token) != 43 {
				t.Fatalf("%q is no signature", token)
			}
			if strings.Contains(s, token) {
				t.Errorf("it shows a token: %s", s)
			}
		}
	}
}

func TestPreferencesInAPool(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := deploy(t)
		id := d.create(t, "ada@example.com", "Ada").ID
		pool := d.client.NewPool(0)
		begin := time.Now()
		for range 100 {
			pool.Go(t.Context(), func(ctx context.Context, c *owlat.Client) {
				if _, err := c.Preferences.Get(ctx, id); err != nil {
					t.Error(err)
				}
			})
		}
		pool.Wait()
		if took := time.Since(begin); took != 99*50*time.Millisecond {
			t.Errorf("100 took %v", took)
		}
		pool.Close(nil)
		pool.Go(t.Context(), func(ctx context.Context, c *owlat.Client) {
			if _, err := c.Preferences.OptOut(ctx, id); !errors.Is(err, owlat.ErrPoolClosed) || owlat.OutcomeUnknown(err) {
				t.Errorf("after the end: %v", err)
			}
		})
		pool.Wait()
		if rate := d.client.Preferences.Rate(); rate != owlat.DefaultPreferencesRate {
			t.Errorf("the rate is %v", rate)
		}
	})
}
