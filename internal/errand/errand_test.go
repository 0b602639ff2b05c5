package errand_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"owlatsync"
	"owlatsync/internal/errand"
	"owlatsync/internal/list"
	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// straight is a line within the process.
type straight struct {
	*errand.Carrier
	calls atomic.Int64
	fail  func(call int64) error // before the errand is done; may be nil
	after func(call int64) error // when it is done; may be nil
	seen  func(json.RawMessage)
}

func (s *straight) Call(ctx context.Context, deployment string, sealed json.RawMessage) (json.RawMessage, error) {
	n := s.calls.Add(1)
	if deployment != "acme" {
		return nil, fmt.Errorf("deployment %q", deployment)
	}
	if s.seen != nil {
		s.seen(sealed)
	}
	if s.fail != nil {
		if err := s.fail(n); err != nil {
			return nil, err
		}
	}
	got, err := s.Carry(ctx, sealed)
	if err == nil && s.seen != nil {
		s.seen(got)
	}
	if err == nil && s.after != nil {
		err = s.after(n)
	}
	return got, err
}

const baseURL = "https://owlat.example/behind/a%2Fproxy/"

// pair are the clients of a holder and of somebody else, with the same key.
func pair(t *testing.T, server *owlattest.Server, opts ...owlat.Option) (holder, other *owlat.Client, line *straight) {
	t.Helper()
	server.BasePath = "/behind/a%2Fproxy"
	key := server.AddKey()
	connect := func(rt http.RoundTripper, opts ...owlat.Option) *owlat.Client {
		c, err := owlat.NewClient(baseURL, key, append(opts, owlat.WithTransport(rt))...)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	holder = connect(server.Transport(), opts...)
	carrier, err := errand.NewCarrier(holder, key)
	if err != nil {
		t.Fatal(err)
	}
	line = &straight{Carrier: carrier}
	other, err = errand.NewClient(connect(nowhere{t}), key, line, "acme", server.Transport())
	if err != nil {
		t.Fatal(err)
	}
	return holder, other, line
}

// nowhere is the transport of somebody who must send nothing himself.
type nowhere struct{ t *testing.T }

func (n nowhere) RoundTrip(r *http.Request) (*http.Response, error) {
	n.t.Errorf("sent by the wrong one: %s %s", r.Method, r.URL)
	return nil, errors.New("nowhere")
}

// TestTheSameThroughTheHolder does the same with and without the budget, and compares what is told of it.
func TestTheSameThroughTheHolder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		script := func(client *owlat.Client, topic string) (told []string) {
			note := func(what any, err error) { told = append(told, fmt.Sprintf("%+v, %v", what, err)) }
			do := func(job list.Job, contacts ...string) {
				for _, c := range contacts {
					e := list.Entry{Contact: c}
					e.Fields[owlatsync.FirstName] = new("Ada")
					sums, err := job.Do(t.Context(), client, []list.Entry{e}, nil, nil, func(r list.Result) {
						note([]any{r.Contact, r.Outcome, r.DOIStatus}, r.Err)
					})
					note(sums, err)
				}
			}
			do(list.Upsert(), "ada@example.com", "ada@example.com", "no address", strings.Repeat("a", 300)+"@example.com")
			do(list.Add(topic), "ada@example.com", "nobody@example.com", "j570000000000000000000000000000a")
			do(list.Add("jd7a1xp0q3w9nothing0000000000000"), "ada@example.com")
			do(list.Remove(topic), "ada@example.com", "ada@example.com", "o'hara+%2F?#&=@example.com")
			h, err := client.Health(t.Context())
			note(h != nil && h.Status == "ok", err)
			_, err = client.Contacts.Get(t.Context(), "a/../b@example.com")
			note(nil, err)
			contacts, err := client.Contacts.List(t.Context(), owlat.ListContactsRequest{Limit: 1})
			note(len(contacts.Contacts), err)
			_, _, known := client.ServerTime(time.Now())
			note(known, nil)
			note(client.RateLimit().Limit, nil)
			return told
		}
		one, two := &owlattest.Server{RandomSeed: 1}, &owlattest.Server{RandomSeed: 1}
		topic, same := one.AddTopic("News", true), two.AddTopic("News", true)
		if topic != same {
			t.Fatal("two emulators with the same seed differ")
		}
		direct, _, _ := pair(t, one)
		_, other, line := pair(t, two)
		want := script(direct, topic)
		got := script(other, topic)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if n := line.calls.Load(); n < 10 {
			t.Errorf("%d calls", n)
		}
	})
}

// notSent is the error of a line on which nothing was done.
type notSent struct{ error }

func (notSent) NotSent() bool   { return true }
func (e notSent) Unwrap() error { return e.error }

// TestWhoAsksKnowsWhatMayHaveHappened lets each part of the way fail.
func TestWhoAsksKnowsWhatMayHaveHappened(t *testing.T) {
	t.Parallel()
	failed := errors.New("failed")
	for name, c := range map[string]struct {
		fault   owlattest.FaultKind
		fail    error
		after   error
		unknown bool
		is      error
	}{
		"nothing was done":           {fail: notSent{failed}, is: failed},
		"nobody knows":               {fail: failed, unknown: true, is: failed},
		"the report is lost":         {after: failed, unknown: true, is: failed},
		"the answer is lost":         {fault: owlattest.ResetAfter, unknown: true},
		"the deployment is not here": {fault: owlattest.ResetBefore, unknown: true}, // in process, the emulator cannot say that there was no connection
		"an answer that never comes": {fault: owlattest.Latency, unknown: true, is: owlat.ErrTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				server := &owlattest.Server{RandomSeed: 1}
				holder, other, line := pair(t, server, owlat.WithRetries(0), owlat.WithTimeout(10*time.Second))
				defer holder.CloseIdleConnections()
				line.fail = func(int64) error { return c.fail }
				line.after = func(int64) error { return c.after }
				if c.fault != "" {
					if err := server.InjectFaults(owlattest.Fault{Kind: c.fault, Delay: 20 * time.Second}); err != nil {
						t.Fatal(err)
					}
				}
				_, err := other.Topics.Add(t.Context(), "jd7a1xp0q3w9topic0000000000000000", owlat.AddMemberRequest{Email: "ada@example.com"})
				if err == nil || owlat.OutcomeUnknown(err) != c.unknown || c.is != nil && !errors.Is(err, c.is) {
					t.Errorf("%v; its outcome is unknown: %v", err, owlat.OutcomeUnknown(err))
				}
				if err != nil && strings.Contains(err.Error(), "ada@") {
					t.Errorf("the error names a person: %v", err)
				}
				if n := line.calls.Load(); n != 1 {
					t.Errorf("%d calls of what must not be repeated", n)
				}
			})
		})
	}
}

// TestErrandsAreSealed looks at what waits in a queue, and hands a carrier what was not made for it.
func TestErrandsAreSealed(t *testing.T) {
	t.Parallel()
	server := &owlattest.Server{NoLimit: true}
	_, other, line := pair(t, server)
	var waiting []json.RawMessage
	line.seen = func(m json.RawMessage) { waiting = append(waiting, m) }
	first := "Ada"
	if _, err := other.Contacts.Create(t.Context(), owlat.CreateContactRequest{Email: "ada@example.com", FirstName: &first}); err != nil {
		t.Fatal(err)
	}
	if len(waiting) != 2 {
		t.Fatalf("%d texts", len(waiting))
	}
	for _, m := range waiting {
		var plain []byte
		if err := json.Unmarshal(m, &plain); err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{"ada", "Ada", "lm_live", "contacts"} {
			if strings.Contains(string(plain), secret) {
				t.Errorf("%q can be read", secret)
			}
		}
	}
	stranger, err := errand.NewCarrier(other, server.AddKey())
	if err != nil {
		t.Fatal(err)
	}
	sent := server.Stats().Total
	for name, try := range map[string]func() (json.RawMessage, error){
		"another key":        func() (json.RawMessage, error) { return stranger.Carry(t.Context(), waiting[0]) },
		"an answer":          func() (json.RawMessage, error) { return line.Carry(t.Context(), waiting[1]) },
		"nothing":            func() (json.RawMessage, error) { return line.Carry(t.Context(), nil) },
		"what is not sealed": func() (json.RawMessage, error) { return line.Carry(t.Context(), json.RawMessage(`{"Method":"GET"}`)) },
		"what is too short":  func() (json.RawMessage, error) { return line.Carry(t.Context(), json.RawMessage(`"AAAA"`)) },
		"what was changed": func() (json.RawMessage, error) {
			return line.Carry(t.Context(), json.RawMessage(`"AAAA`+string(waiting[0][5:])))
		},
		"what is not even JSON": func() (json.RawMessage, error) { return line.Carry(t.Context(), json.RawMessage(`x`)) },
	} {
		if got, err := try(); err == nil {
			t.Errorf("%s is taken: %s", name, got)
		}
	}
	if now := server.Stats().Total; now != sent {
		t.Errorf("%d requests were sent for them", now-sent)
	}
}

// TestManyAskTheHolder lets the holder work without a pause while ten others do lists and single requests. The budget is used, nobody
// is refused, and nobody starves.
func TestManyAskTheHolder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &owlattest.Server{RandomSeed: 1}
		if err := server.InjectFaults(owlattest.Fault{Kind: owlattest.Latency, Delay: 20 * time.Millisecond, Jitter: 20 * time.Millisecond}); err != nil {
			t.Fatal(err)
		}
		holder, _, line := pair(t, server, owlat.WithLimiter(owlat.NewPartLimiter(0.97)))
		key := server.AddKey() // the others only need to have one
		carrier, err := errand.NewCarrier(holder, key)
		if err != nil {
			t.Fatal(err)
		}
		line.Carrier = carrier
		ctx, cancel := context.WithCancel(t.Context())
		const others, each = 10, 100
		done := make(chan time.Duration, others)
		began := time.Now()
		busy := make(chan struct{})
		go func() {
			defer close(busy)
			pool := holder.NewPool(0)
			for ctx.Err() == nil {
				pool.Go(ctx, func(ctx context.Context, c *owlat.Client) { _, _ = c.Contacts.List(ctx, owlat.ListContactsRequest{}) })
			}
			pool.Wait()
		}()
		for n := range others {
			c, err := owlat.NewClient(baseURL, key)
			if err == nil {
				c, err = errand.NewClient(c, key, line, "acme", nowhere{t})
			}
			if err != nil {
				t.Fatal(err)
			}
			go func() {
				var entries []list.Entry
				for i := range each {
					entries = append(entries, list.Entry{Contact: fmt.Sprintf("user%d@%d.example", i, n)})
				}
				sums, err := list.Upsert().Do(ctx, c, entries, nil, nil, func(r list.Result) {
					if r.Err != nil {
						t.Errorf("%s: %v", r.Contact, r.Err)
					}
				})
				if err != nil || sums.Outcomes["created"] != each {
					t.Errorf("%+v, %v", sums, err)
				}
				done <- time.Since(began)
			}()
		}
		var first, last time.Duration
		for i := range others {
			if last = <-done; i == 0 {
				first = last
			}
		}
		cancel()
		<-busy
		stats := server.Stats()
		budget := 10 * time.Since(began).Seconds()
		if stats.RateLimited > 0 || float64(stats.Total) < 0.95*budget {
			t.Errorf("of %.0f requests %d were sent and %d refused", budget, stats.Total, stats.RateLimited)
		}
		if last > 4*time.Minute || first < last/2 {
			t.Errorf("the lists took from %v to %v", first, last)
		}
		t.Logf("%d requests of %.0f, lists from %v to %v", stats.Total, budget, first, last)
	})
}
