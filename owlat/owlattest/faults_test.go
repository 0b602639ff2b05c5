package owlattest_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"owlatsync/owlat/owlattest"
)

// rig is a server with a key and a client that reaches it, in process or over a socket.
type rig struct {
	s      *owlattest.Server
	key    string
	client *http.Client
	base   string
	fake   bool
}

// eachWay runs a test in process in fake time, and over a real socket.
func eachWay(t *testing.T, run func(t *testing.T, r *rig)) {
	t.Helper()
	t.Run("process", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			s := &owlattest.Server{NoLimit: true}
			run(t, &rig{s, s.AddKey(), &http.Client{Transport: s.Transport()}, "http://owlat.example", true})
		})
	})
	t.Run("socket", func(t *testing.T) {
		t.Parallel()
		s := &owlattest.Server{NoLimit: true}
		// A connection that is used again would make net/http repeat requests by itself.
		transport := &http.Transport{DisableKeepAlives: true}
		run(t, &rig{s, s.AddKey(), &http.Client{Transport: transport}, serve(t, s), false})
	})
}

func (r *rig) do(ctx context.Context, method, path, body string) (int, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, r.base, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.URL.Opaque = req.URL.Path + "/api/v1" + path // as it is, however odd
	req.Header.Set("Authorization", "Bearer "+r.key)
	res, err := r.client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = res.Body.Close() }()
	got, err := io.ReadAll(res.Body)
	return res.StatusCode, got, err
}

func (r *rig) create(t *testing.T, email string) (int, []byte, error) {
	t.Helper()
	return r.do(t.Context(), http.MethodPost, "/contacts", `{"email":"`+email+`"}`)
}

func (r *rig) inject(t *testing.T, faults ...owlattest.Fault) {
	t.Helper()
	must(t, r.s.InjectFaults(faults...))
}

func (r *rig) wantContact(t *testing.T, email string, want bool) {
	t.Helper()
	if _, ok := r.s.Contact(email); ok != want {
		t.Errorf("contact exists: %v, want %v", ok, want)
	}
}

func TestFaultLatency(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, r *rig) {
		r.inject(t, owlattest.Fault{Kind: owlattest.Latency, Delay: 30 * time.Millisecond, Count: 2},
			owlattest.Fault{Kind: owlattest.Latency, Delay: 10 * time.Millisecond, After: true, At: 2})
		for _, want := range []time.Duration{30 * time.Millisecond, 40 * time.Millisecond, 0} {
			begin := time.Now()
			if status, _, err := r.do(t.Context(), http.MethodGet, "/contacts", ""); err != nil || status != http.StatusOK {
				t.Fatal(status, err)
			}
			if took := time.Since(begin); took < want || r.fake && took != want {
				t.Errorf("took %v, want %v", took, want)
			}
		}
	})
}

func TestFaultLatencyJitter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &owlattest.Server{NoLimit: true, RandomSeed: 7}
		r := &rig{s, s.AddKey(), &http.Client{Transport: s.Transport()}, "http://owlat.example", true}
		r.inject(t, owlattest.Fault{Kind: owlattest.Latency, Delay: time.Second, Jitter: time.Second})
		seen := map[time.Duration]bool{}
		for range 20 {
			begin := time.Now()
			_, _, err := r.do(t.Context(), http.MethodGet, "/contacts", "")
			must(t, err)
			took := time.Since(begin)
			if took < time.Second || took >= 2*time.Second {
				t.Errorf("took %v", took)
			}
			seen[took] = true
		}
		if len(seen) < 15 {
			t.Errorf("only %d different pauses in 20", len(seen))
		}
	})
}

func TestFaultLatencyBeyondPatience(t *testing.T) {
	t.Parallel()
	for _, after := range []bool{false, true} {
		t.Run("after="+strconv.FormatBool(after), func(t *testing.T) {
			t.Parallel()
			eachWay(t, func(t *testing.T, r *rig) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				booked := make(chan int, 1)
				r.s.OnRequest = func(owlattest.Request) { cancel() }
				r.s.OnAnswer = func(_ owlattest.Request, status int) { booked <- status }
				r.inject(t, owlattest.Fault{Kind: owlattest.Latency, Delay: time.Hour, After: after})
				_, _, err := r.do(ctx, http.MethodPost, "/contacts", `{"email":"a@example.com"}`)
				if !errors.Is(err, context.Canceled) {
					t.Fatalf("error %v, want the context's", err)
				}
				want := 0
				if after {
					want = http.StatusCreated
				}
				if status := <-booked; status != want {
					t.Errorf("booked as %d, want %d", status, want)
				}
				r.wantContact(t, "a@example.com", after)
			})
		})
	}
}

func TestFaultRateLimited(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, r *rig) {
		r.inject(t, owlattest.Fault{Kind: owlattest.RateLimited, Count: 20})
		for range 20 {
			status, body, err := r.create(t, "a@example.com")
			if err != nil || status != http.StatusTooManyRequests || !strings.Contains(string(body), `"rate_limited"`) {
				t.Fatal(status, string(body), err)
			}
		}
		r.wantContact(t, "a@example.com", false)
		if status, _, err := r.create(t, "a@example.com"); err != nil || status != http.StatusCreated {
			t.Error(status, err)
		}
		if st := r.s.Stats(); st.RateLimited != 20 || st.Faults != 20 || st.Total != 21 {
			t.Errorf("stats %+v", st)
		}
	})
}

func TestFaultStatus(t *testing.T) {
	t.Parallel()
	for _, status := range []int{500, 502, 503} {
		for _, html := range []bool{false, true} {
			for _, after := range []bool{false, true} {
				t.Run(strconv.Itoa(status)+" html="+strconv.FormatBool(html)+" after="+strconv.FormatBool(after), func(t *testing.T) {
					t.Parallel()
					eachWay(t, func(t *testing.T, r *rig) {
						r.inject(t, owlattest.Fault{Kind: owlattest.StatusError, Status: status, HTML: html, After: after})
						got, body, err := r.create(t, "a@example.com")
						if err != nil || got != status || json.Valid(body) || (len(body) > 0) != html {
							t.Errorf("%d %q %v", got, body, err)
						}
						r.wantContact(t, "a@example.com", after)
					})
				})
			}
		}
	}
}

func TestFaultReset(t *testing.T) {
	t.Parallel()
	for kind, effect := range map[owlattest.FaultKind]bool{owlattest.ResetBefore: false, owlattest.ResetAfter: true} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			eachWay(t, func(t *testing.T, r *rig) {
				r.inject(t, owlattest.Fault{Kind: kind})
				if _, _, err := r.create(t, "a@example.com"); !errors.Is(err, syscall.ECONNRESET) {
					t.Errorf("error %v, want a reset connection", err)
				}
				r.wantContact(t, "a@example.com", effect)
				if n := r.s.Stats().Count(http.MethodPost, owlattest.RouteContacts, 0); n != 1 {
					t.Errorf("%d requests booked", n)
				}
			})
		})
	}
}

func TestFaultTruncatedBody(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, r *rig) {
		r.inject(t, owlattest.Fault{Kind: owlattest.TruncatedBody})
		status, body, err := r.create(t, "a@example.com")
		if status != http.StatusCreated || !errors.Is(err, io.ErrUnexpectedEOF) || len(body) == 0 || json.Valid(body) {
			t.Errorf("%d %q %v", status, body, err)
		}
		r.wantContact(t, "a@example.com", true)
	})
}

func TestFaultEndlessBody(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, r *rig) {
		r.inject(t, owlattest.Fault{Kind: owlattest.EndlessBody})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.base+"/api/v1/contacts", strings.NewReader(`{"email":"a@example.com"}`))
		must(t, err)
		req.Header.Set("Authorization", "Bearer "+r.key)
		res, err := r.client.Do(req)
		must(t, err)
		defer func() { _ = res.Body.Close() }()
		body := make([]byte, 256<<10)
		if _, err := io.ReadFull(res.Body, body); err != nil || res.StatusCode != http.StatusCreated || res.ContentLength != -1 || json.Valid(body) {
			t.Errorf("%d, length %d, %v", res.StatusCode, res.ContentLength, err)
		}
		cancel()
		if _, err := io.Copy(io.Discard, res.Body); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want the context's", err)
		}
		r.wantContact(t, "a@example.com", true)
	})
}

func TestFaultSlowBody(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, r *rig) {
		r.inject(t, owlattest.Fault{Kind: owlattest.SlowBody, Delay: 10 * time.Millisecond})
		begin := time.Now()
		status, body, err := r.create(t, "a@example.com")
		if err != nil || status != http.StatusCreated || !json.Valid(body) {
			t.Fatalf("%d %q %v", status, body, err)
		}
		if took := time.Since(begin); took < 100*time.Millisecond || r.fake && took != 100*time.Millisecond {
			t.Errorf("took %v", took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 25*time.Millisecond)
		defer cancel()
		if _, _, err := r.do(ctx, http.MethodGet, "/contacts/a@example.com", ""); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v, want the deadline's", err)
		}
	})
}

func TestFaultChoice(t *testing.T) {
	t.Parallel()
	fault := owlattest.Fault{Kind: owlattest.StatusError}
	at, route, method, storm := fault, fault, fault, fault
	at.At = 3
	route.Route = owlattest.RouteContact
	method.Method = http.MethodDelete
	storm.At, storm.Count = 2, 3
	for name, c := range map[string]struct {
		fault owlattest.Fault
		want  string // of two rounds of list, get, delete: x where it hits
	}{
		"every":  {fault, "xxxxxx"},
		"at":     {at, "..x..."},
		"route":  {route, ".xx.xx"},
		"method": {method, "..x..x"},
		"storm":  {storm, ".xxx.."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachWay(t, func(t *testing.T, r *rig) {
				r.inject(t, c.fault)
				got := ""
				for range 2 {
					for _, q := range [][2]string{{http.MethodGet, "/contacts"}, {http.MethodGet, "/contacts/a@example.com"}, {http.MethodDelete, "/contacts/a@example.com"}} {
						status, _, err := r.do(t.Context(), q[0], q[1], "")
						must(t, err)
						if status == http.StatusServiceUnavailable {
							got += "x"
						} else {
							got += "."
						}
					}
				}
				if got != c.want {
					t.Errorf("hit %s, want %s", got, c.want)
				}
				r.s.ClearFaults()
				if status, _, err := r.do(t.Context(), http.MethodGet, "/contacts", ""); err != nil || status != http.StatusOK {
					t.Errorf("after ClearFaults: %d %v", status, err)
				}
			})
		})
	}
}

func TestFaultRate(t *testing.T) {
	t.Parallel()
	hits := func(seed uint64) string {
		s := &owlattest.Server{NoLimit: true, RandomSeed: seed}
		r := &rig{s, s.AddKey(), &http.Client{Transport: s.Transport()}, "http://owlat.example", true}
		r.inject(t, owlattest.Fault{Kind: owlattest.ResetBefore, Rate: 0.2})
		got := ""
		for range 1000 {
			if _, _, err := r.do(t.Context(), http.MethodGet, "/contacts", ""); err != nil {
				got += "x"
			} else {
				got += "."
			}
		}
		return got
	}
	first := hits(1)
	if n := strings.Count(first, "x"); n < 140 || n > 260 {
		t.Errorf("%d of 1000 hit at a rate of 0.2", n)
	}
	if hits(1) != first {
		t.Error("the same seed hit other requests")
	}
	if hits(2) == first {
		t.Error("another seed hit the same requests")
	}
}

func TestInjectFaultsRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		fault owlattest.Fault
		want  string
	}{
		{owlattest.Fault{}, "unknown kind"},
		{owlattest.Fault{Kind: "fire"}, "unknown kind"},
		{owlattest.Fault{Kind: owlattest.Latency, At: -1}, "negative"},
		{owlattest.Fault{Kind: owlattest.Latency, Rate: 1.5}, "rate"},
		{owlattest.Fault{Kind: owlattest.Latency, Route: "/nope"}, "unknown route"},
		{owlattest.Fault{Kind: owlattest.Latency, Status: 500}, "belong to the kind status"},
		{owlattest.Fault{Kind: owlattest.ResetAfter, After: true}, "after"},
		{owlattest.Fault{Kind: owlattest.SlowBody, Jitter: 1}, "jitter"},
		{owlattest.Fault{Kind: owlattest.StatusError, Status: 429}, "between 500 and 599"},
	} {
		var s owlattest.Server
		err := s.InjectFaults(owlattest.Fault{Kind: owlattest.ResetBefore}, c.fault)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "fault 2") {
			t.Errorf("%+v: error %v, want one about %q", c.fault, err, c.want)
		}
		res, err := (&http.Client{Transport: s.Transport()}).Get("http://owlat.example/api/v1/health")
		if err != nil {
			t.Errorf("a refused call left a fault behind: %v", err)
			continue
		}
		_ = res.Body.Close()
	}
}

func TestHooks(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, r *rig) {
		var seen []string
		note := func(q owlattest.Request, what string) {
			seen = append(seen, strconv.Itoa(q.Number)+" "+q.Method+" "+q.Route+" "+q.Path+" "+string(q.Body)+" "+what)
		}
		r.s.OnRequest = func(q owlattest.Request) { note(q, strconv.Itoa(r.s.Len())) }
		r.s.OnAnswer = func(q owlattest.Request, status int) {
			note(q, strconv.Itoa(status)+" "+strconv.Itoa(r.s.Len()))
		}
		_, _, err := r.create(t, "a@example.com")
		must(t, err)
		_, _, err = r.do(t.Context(), http.MethodGet, "/nope", "")
		must(t, err)
		want := []string{
			`1 POST /contacts /api/v1/contacts {"email":"a@example.com"} 0`,
			`1 POST /contacts /api/v1/contacts {"email":"a@example.com"} 201 1`,
			`2 GET  /api/v1/nope  1`,
			`2 GET  /api/v1/nope  404 1`,
		}
		if strings.Join(seen, "\n") != strings.Join(want, "\n") {
			t.Errorf("got\n%s", strings.Join(seen, "\n"))
		}
	})
}
