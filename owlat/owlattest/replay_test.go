package owlattest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"owlatsync/owlat/owlattest"
)

// TestReplayInProcess replays every recorded exchange through Transport, in fake time.
func TestReplayInProcess(t *testing.T) {
	t.Parallel()
	forEachCase(t, func(t *testing.T, c wireCase) {
		synctest.Test(t, func(t *testing.T) {
			<-time.After(time.Until(time.Date(2026, time.November, 23, 12, 0, 0, 0, time.UTC)))
			hooks := &receiver{}
			s := &owlattest.Server{WebhookClient: &http.Client{Transport: hooks}}
			for name, w := range c.Given.Webhooks {
				w.URL = "http://" + name + ".example/"
				c.Given.Webhooks[name] = w
			}
			made, err := s.Setup(c.Given)
			if err != nil {
				t.Fatal(err)
			}
			r := &replay{client: &http.Client{Transport: s.Transport()}, host: "owlat.example", hooks: hooks, people: inGo{s}, server: s}
			r.run(t, c, made)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		})
	})
}

// TestReplayOverSocket replays every recorded exchange over a real socket; all that is not the API goes through the
// control API.
func TestReplayOverSocket(t *testing.T) {
	t.Parallel()
	forEachCase(t, func(t *testing.T, c wireCase) {
		s := &owlattest.Server{}
		base := serve(t, s)
		hooks := &receiver{}
		for name, w := range c.Given.Webhooks {
			w.URL = serveHandler(t, hooks.handler(name))
			c.Given.Webhooks[name] = w
		}
		transport := &http.Transport{MaxIdleConnsPerHost: 20}
		defer transport.CloseIdleConnections()
		client := &http.Client{Transport: transport}
		control := overHTTP{client, base}
		given, err := json.Marshal(c.Given)
		if err != nil {
			t.Fatal(err)
		}
		var made owlattest.Made
		control.post(t, "reset", given, &made)
		r := &replay{client: client, host: strings.TrimPrefix(base, "http://"), hooks: hooks, people: control, server: s, slow: true}
		r.run(t, c, made)
	})
}

func forEachCase(t *testing.T, run func(*testing.T, wireCase)) {
	for file, f := range readWire(t) {
		for _, c := range f.Cases {
			t.Run(file+"/"+c.Name, func(t *testing.T) {
				t.Parallel()
				run(t, c)
			})
		}
	}
}

// serve runs the sandbox on a loopback address until the test ends and returns its base URL.
func serve(t testing.TB, s *owlattest.Server) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return "http://" + l.Addr().String()
}

func serveHandler(t testing.TB, h http.Handler) string {
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL
}

// replay is one case being replayed.
type replay struct {
	client *http.Client
	host   string
	hooks  *receiver
	people people
	server *owlattest.Server
	slow   bool // real time: a slow machine may let more through
	bound  bindings
	names  map[string]string // topic id → name
	topics map[string]string // name → topic id
	sent   int
}

func (r *replay) run(t *testing.T, c wireCase, made owlattest.Made) {
	r.bound, r.names, r.topics = bindings{}, map[string]string{}, made.Topics
	for name, id := range made.Topics {
		r.bound["topic:"+name], r.names[id] = id, name
	}
	for name, val := range made.Keys {
		r.bound["key:"+name] = val
	}
	for i, step := range c.Steps {
		if err := r.step(t, step); err != nil {
			t.Fatalf("step %d (%s %s %s): %v", i+1, step.Do, step.Method, step.Path, err)
		}
	}
}

func (r *replay) step(t *testing.T, s wireStep) error {
	email := r.bound.fill(t, s.Email, nil)
	switch s.Do {
	case "request":
		var want wireExpect
		if err := json.Unmarshal(s.Expect, &want); err != nil {
			return err
		}
		// What is recorded in a row must not be stopped by the rate limit.
		if r.sent++; r.sent > 14 {
			<-time.After(100 * time.Millisecond)
		}
		got, err := r.send(t, s.wireRequest)
		if err != nil {
			return err
		}
		return r.check(t, want, got)
	case "burst":
		return r.burst(t, s)
	case "sleep":
		<-time.After(time.Duration(s.MS) * time.Millisecond)
	case "unsubscribe":
		r.people.unsubscribe(t, email, r.topics[s.Topic])
	case "confirmDoubleOptIn":
		r.people.confirm(t, email)
	case "softDelete":
		r.people.softDelete(t, email)
	case "deleteTopic":
		r.people.deleteTopic(t, r.topics[s.Topic])
	case "inspect":
		return r.inspect(t, s, email)
	case "webhooks":
		return r.webhooks(t, s)
	default:
		return fmt.Errorf("unknown step %q", s.Do)
	}
	return nil
}

type response struct {
	status int
	header http.Header
	body   []byte
}

func (r *replay) send(t testing.TB, q wireRequest) (response, error) {
	req := (&http.Request{
		Method: q.Method, Host: r.host, Header: http.Header{},
		URL: &url.URL{Scheme: "http", Host: r.host, Opaque: r.bound.fill(t, q.Path, url.QueryEscape)},
	}).WithContext(t.Context())
	if q.RawBody != nil || q.Body != nil {
		body := r.bound.fill(t, string(q.Body), nil)
		if q.RawBody != nil {
			body = r.bound.fill(t, *q.RawBody, nil)
		}
		req.Body, req.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
		if body == "" {
			req.Body = http.NoBody
		}
		req.Header.Set("Content-Type", "application/json")
	}
	switch {
	case q.Authorization != nil:
		req.Header.Set("Authorization", r.bound.fill(t, *q.Authorization, nil))
	case q.Key != nil:
		req.Header.Set("Authorization", "Bearer "+r.bound["key:"+*q.Key])
	}
	for name, val := range q.Headers {
		req.Header.Del(name)
		if val != nil {
			req.Header.Set(name, r.bound.fill(t, *val, nil))
		}
	}
	res, err := r.client.Do(req)
	if err != nil {
		return response{}, err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	return response{res.StatusCode, res.Header, body}, err
}

func (r *replay) check(t testing.TB, want wireExpect, got response) error {
	if got.status != want.Status {
		return fmt.Errorf("status %d, want %d; body %s", got.status, want.Status, got.body)
	}
	if got.header.Get("Date") == "" {
		return fmt.Errorf("no Date header")
	}
	for name, val := range want.Headers {
		have, present := got.header[http.CanonicalHeaderKey(name)]
		switch {
		case val == nil && present:
			return fmt.Errorf("header %s is %q, want none", name, have)
		case val == nil:
		case !present:
			return fmt.Errorf("header %s is missing, want %q", name, *val)
		default:
			value := have[0]
			if strings.EqualFold(name, "content-type") {
				value, _, _ = mime.ParseMediaType(value)
			}
			if err := r.bound.match(t, "header "+name, *val, value); err != nil {
				return err
			}
		}
	}
	switch {
	case want.Text != nil:
		if text := r.bound.fill(t, *want.Text, nil); string(got.body) != text {
			return fmt.Errorf("body %q, want %q", got.body, text)
		}
	case want.Body != nil:
		var expected, actual any
		if err := json.Unmarshal(want.Body, &expected); err != nil {
			return err
		}
		if err := json.Unmarshal(got.body, &actual); err != nil {
			return fmt.Errorf("body %q: %w", got.body, err)
		}
		return r.bound.match(t, "body", expected, actual)
	case want.Status == http.StatusNoContent && len(got.body) > 0:
		return fmt.Errorf("body %q, want none", got.body)
	}
	return nil
}

func (r *replay) burst(t *testing.T, s wireStep) error {
	var want wireBurst
	if err := json.Unmarshal(s.Expect, &want); err != nil {
		return err
	}
	begin := time.Now()
	answers := make([]response, s.N)
	errs := make([]error, s.N)
	var group sync.WaitGroup
	slots := make(chan struct{}, 20)
	for i := range s.N {
		if s.IntervalMS > 0 {
			<-time.After(time.Until(begin.Add(time.Duration(i*s.IntervalMS) * time.Millisecond)))
		}
		group.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			answers[i], errs[i] = r.send(t, s.Request)
		})
	}
	group.Wait()
	ok, limited := 0, 0
	for i, got := range answers {
		if errs[i] != nil {
			return errs[i]
		}
		each := want.EachOK
		if got.status == http.StatusTooManyRequests {
			limited++
			each = want.EachRateLimited
		} else {
			ok++
		}
		if each != nil {
			if err := r.check(t, *each, got); err != nil {
				return err
			}
		}
	}
	extra := 0
	if r.slow && s.IntervalMS == 0 {
		extra = int(time.Since(begin).Seconds() * 10)
	}
	if ok < want.OK[0] || ok > want.OK[1]+extra || limited < want.RateLimited[0]-extra || limited > want.RateLimited[1] {
		return fmt.Errorf("%d passed and %d were refused in %v, want %v and %v", ok, limited, time.Since(begin), want.OK, want.RateLimited)
	}
	return nil
}

func (r *replay) inspect(t *testing.T, s wireStep, email string) error {
	var want *inspected
	if err := json.Unmarshal(s.Expect, &want); err != nil {
		return err
	}
	got := r.people.inspect(t, email, r.bound.fill(t, s.Contact, nil))
	if got != nil {
		for i, id := range got.Topics {
			got.Topics[i] = r.names[id]
		}
		slices.Sort(got.Topics)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		return fmt.Errorf("inspect (-want +got):\n%s", diff)
	}
	return nil
}

func (r *replay) webhooks(t *testing.T, s wireStep) error {
	var want []map[string]any
	if err := json.Unmarshal(s.Expect, &want); err != nil {
		return err
	}
	if err := r.server.WaitWebhooks(t.Context()); err != nil {
		return err
	}
	got := r.hooks.take()
	if len(got) != len(want) {
		return fmt.Errorf("%d webhooks, want %d: %v", len(got), len(want), got)
	}
	for _, w := range want {
		var last error
		at := slices.IndexFunc(got, func(g received) bool {
			last = r.webhook(t, w, g)
			return last == nil
		})
		if at < 0 {
			return last
		}
		got = slices.Delete(got, at, at+1)
	}
	return nil
}

func (r *replay) webhook(t testing.TB, want map[string]any, got received) error {
	headers := map[string]any{}
	for name := range want["headers"].(map[string]any) {
		headers[name] = got.header.Get(name)
	}
	var body any
	if err := json.Unmarshal(got.body, &body); err != nil {
		return err
	}
	return r.bound.match(t, "webhook", any(want), map[string]any{"to": got.to, "method": got.method, "headers": headers, "body": body})
}

// receiver collects webhooks, as a transport or as handlers.
type receiver struct {
	mu  sync.Mutex
	got []received
}

type received struct {
	to, method string
	header     http.Header
	body       []byte
}

func (rc *receiver) take() []received {
	rc.mu.Lock()
	defer rc.mu.Unlock()
	got := rc.got
	rc.got = nil
	return got
}

func (rc *receiver) put(r received) {
	rc.mu.Lock()
	defer rc.mu.Unlock()
	rc.got = append(rc.got, r)
}

func (rc *receiver) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	name, _, _ := strings.Cut(req.URL.Host, ".")
	rc.put(received{name, req.Method, req.Header, body})
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: req}, nil
}

func (rc *receiver) handler(name string) http.Handler {
	return http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err == nil {
			rc.put(received{name, req.Method, req.Header, body})
		}
	})
}
