package owlat_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
)

// badBody panics when it is read or closed.
type badBody struct {
	io.Reader
	read, closed bool
}

func (b badBody) Read(p []byte) (int, error) {
	if b.read {
		panic("read")
	}
	return b.Reader.Read(p)
}

func (b badBody) Close() error {
	if b.closed {
		panic("close")
	}
	return nil
}

// badHandler calls bad for every record.
type badHandler struct{ bad func() }

func (badHandler) Enabled(context.Context, slog.Level) bool    { return true }
func (h badHandler) Handle(context.Context, slog.Record) error { h.bad(); return nil }
func (h badHandler) WithAttrs([]slog.Attr) slog.Handler        { return h }
func (h badHandler) WithGroup(string) slog.Handler             { return h }

// trouble is a way in which code that is handed to a client does not return; it does so while on.
type trouble struct {
	name      string
	transport func(on *atomic.Bool) roundTripper
	option    func(on *atomic.Bool) owlat.Option
}

func troubles() []trouble {
	answers := func(status int, body func() io.ReadCloser) func(*atomic.Bool) roundTripper {
		return func(on *atomic.Bool) roundTripper {
			return func(*http.Request) (*http.Response, error) {
				resp := reply(200, oneContact)
				if on.Load() {
					resp.StatusCode, resp.Body = status, body()
				}
				return resp, nil
			}
		}
	}
	instead := func(do func()) func(*atomic.Bool) roundTripper {
		return func(on *atomic.Bool) roundTripper {
			return func(*http.Request) (*http.Response, error) {
				if on.Load() {
					do()
				}
				return reply(200, oneContact), nil
			}
		}
	}
	option := func(make func(bad func()) owlat.Option) func(*atomic.Bool) owlat.Option {
		return func(on *atomic.Bool) owlat.Option {
			return make(func() {
				if on.Load() {
					panic("option")
				}
			})
		}
	}
	refused := func() io.ReadCloser { return badBody{Reader: http.NoBody} }
	return []trouble{
		{name: "the transport panics", transport: instead(func() { panic("transport") })},
		{name: "the transport ends the goroutine", transport: instead(runtime.Goexit)},
		{name: "reading the answer panics", transport: answers(200, func() io.ReadCloser { return badBody{read: true} })},
		{name: "reading a refusal panics", transport: answers(404, func() io.ReadCloser { return badBody{read: true} })},
		{name: "closing the answer panics", transport: answers(200, func() io.ReadCloser { return badBody{Reader: http.NoBody, closed: true} })},
		{name: "the observer panics", option: option(func(bad func()) owlat.Option {
			return owlat.WithObserver(func(owlat.Attempt) { bad() })
		})},
		{name: "the logger panics", option: option(func(bad func()) owlat.Option {
			return owlat.WithLogger(slog.New(badHandler{bad}))
		})},
		{name: "the observer of a refusal panics", transport: answers(429, refused), option: option(func(bad func()) owlat.Option {
			return owlat.WithObserver(func(owlat.Attempt) { bad() })
		})},
		{name: "the pause of a refusal panics", transport: answers(429, refused), option: option(func(bad func()) owlat.Option {
			var calls atomic.Int32
			return owlat.WithRandom(func() float64 {
				if calls.Add(1)%2 == 0 { // the first is for the pace
					bad()
				}
				return 0.5
			})
		})},
		{name: "the look before sending panics", option: option(func(bad func()) owlat.Option {
			return owlat.WithBeforeSend(func(context.Context, owlat.Attempt) error { bad(); return nil })
		})},
	}
}

// each calls check with a client that meets the trouble while on.
func eachTrouble(t *testing.T, check func(t *testing.T, client *owlat.Client, on *atomic.Bool)) {
	for _, w := range troubles() {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				on := new(atomic.Bool)
				rt := always(200, oneContact)
				if w.transport != nil {
					rt = w.transport(on)
				}
				var opts []owlat.Option
				if w.option != nil {
					opts = append(opts, w.option(on))
				}
				client, err := owlat.NewClient(baseURL, anyKey, append(opts, owlat.WithTransport(rt))...)
				if err != nil {
					t.Fatal(err)
				}
				check(t, client, on)
			})
		})
	}
}

// survive makes the call where neither a panic nor an end of the goroutine does harm, and tells whether it returned.
func survive(call func()) (returned bool) {
	var wg sync.WaitGroup
	wg.Add(1)
	go func() {
		defer wg.Done()
		defer func() { _ = recover() }()
		call()
		returned = true
	}()
	wg.Wait()
	return returned
}

func TestWhatDoesNotReturnKeepsNoPlaceOfTheLimiter(t *testing.T) {
	t.Parallel()
	eachTrouble(t, func(t *testing.T, client *owlat.Client, on *atomic.Bool) {
		on.Store(true)
		for range 5 { // more than go before the first answer
			if survive(func() { _, _ = client.Contacts.Get(t.Context(), "ada@example.com") }) {
				t.Fatal("the call returned")
			}
		}
		on.Store(false)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := client.Contacts.Get(ctx, "ada@example.com"); err != nil {
			t.Errorf("the client does not recover: %v", err)
		}
	})
}

func TestWhatDoesNotReturnKeepsNoPlaceOfAPool(t *testing.T) {
	t.Parallel()
	eachTrouble(t, func(t *testing.T, client *owlat.Client, on *atomic.Bool) {
		on.Store(true)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		pool := client.NewPool(2)
		for range 5 {
			pool.Go(ctx, func(ctx context.Context, c *owlat.Client) {
				defer func() { _ = recover() }()
				_, _ = c.Contacts.Get(ctx, "ada@example.com")
			})
		}
		pool.Wait()
		on.Store(false)
		var now, most atomic.Int32
		for range 5 {
			pool.Go(ctx, func(ctx context.Context, c *owlat.Client) {
				defer now.Add(-1)
				most.Store(max(most.Load(), now.Add(1)))
				if _, err := c.Contacts.Get(ctx, "ada@example.com"); err != nil {
					t.Errorf("the pool does not recover: %v", err)
				}
			})
		}
		pool.Wait()
		if most.Load() > 2 {
			t.Errorf("%d at once in a pool of 2", most.Load())
		}
	})
}

func TestBatchRaisesAPanicWhereItWasCalled(t *testing.T) {
	t.Parallel()
	eachTrouble(t, func(t *testing.T, client *owlat.Client, on *atomic.Bool) {
		on.Store(true)
		contacts, _ := users(20)
		var results []owlat.BatchResult[owlat.CreateContactRequest, owlat.UpsertResult]
		if survive(func() { results = client.Contacts.UpsertBatch(t.Context(), contacts) }) {
			for i, r := range results { // where a goroutine was ended, nothing is raised
				if r.Err == nil {
					t.Errorf("input %d has no error, though its work was ended", i)
				}
			}
		}
	})
}

func TestNothingIsSentWhenTheLookBeforeFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		stale := errors.New("the consent is withdrawn")
		var looked, observed []owlat.Attempt
		d := deploy(t, owlat.WithRate(1, 1), owlat.WithObserver(func(a owlat.Attempt) { observed = append(observed, a) }))
		d.create(t, "ada@example.com", "Ada")
		observed = nil
		fail := true
		careful, err := d.client.With(owlat.WithBeforeSend(func(_ context.Context, a owlat.Attempt) error {
			looked = append(looked, a)
			time.Sleep(100 * time.Millisecond)
			if fail {
				return stale
			}
			return nil
		}))
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		_, err = careful.Topics.Add(t.Context(), d.topic, owlat.AddMemberRequest{Email: "ada@example.com"})
		var refused *owlat.TransportError
		if !errors.Is(err, stale) || owlat.OutcomeUnknown(err) || !errors.As(err, &refused) || refused.Route != "/topics/{topic}/contacts" {
			t.Errorf("got %v", err)
		}
		if d.Stats().Total != 1 || len(observed) != 0 || len(looked) != 1 {
			t.Errorf("%d requests, %d observed, %d looks; want only the create and one look", d.Stats().Total, len(observed), len(looked))
		}
		if a := looked[0]; a.Method != "POST" || a.Route != "/topics/{topic}/contacts" || a.Try != 1 || a.Waited != time.Second || !a.Start.Equal(begin.Add(time.Second)) {
			t.Errorf("the look was told %+v", a)
		}
		fail = false
		if _, err := careful.Topics.Add(t.Context(), d.topic, owlat.AddMemberRequest{Email: "ada@example.com"}); err != nil {
			t.Fatal(err)
		}
		if a := observed[0]; len(observed) != 1 || a.Waited != 900*time.Millisecond || !a.Start.Equal(begin.Add(2100*time.Millisecond)) {
			t.Errorf("observed %+v, want a start after the look", observed)
		}
	})
}

func TestTheLookBeforeComesBeforeEveryAttempt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var tries []int
		gone := errors.New("gone")
		d := deploy(t, owlat.WithBeforeSend(func(_ context.Context, a owlat.Attempt) error {
			if tries = append(tries, a.Try); a.Try == 3 {
				return gone
			}
			return nil
		}), owlat.WithBeforeSend(func(_ context.Context, a owlat.Attempt) error {
			if a.Try == 3 {
				t.Error("a second look after the first one failed")
			}
			return nil
		}))
		d.inject(t, owlattest.Fault{Kind: owlattest.StatusError})
		_, err := d.client.Contacts.Update(t.Context(), "ada@example.com", owlat.UpdateContactRequest{})
		if !errors.Is(err, gone) || !owlat.OutcomeUnknown(err) { // the first two may have taken effect
			t.Errorf("got %v, unknown %v", err, owlat.OutcomeUnknown(err))
		}
		if len(tries) != 3 || d.Stats().Total != 2 {
			t.Errorf("looked before tries %v, %d requests", tries, d.Stats().Total)
		}
	})
}
