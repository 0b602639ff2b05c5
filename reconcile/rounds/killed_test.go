package rounds_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/reconcile"
	"owlatsync/reconcile/rounds"
)

var errKilled = errors.New("the process was killed")

// death is the end of a process at one of its requests or commits: from then on it sends and records nothing.
type death struct {
	of    string // "request" or "commit"
	at    int    // from 1
	after bool   // it came to pass, and its answer did not

	mu   sync.Mutex
	n    int
	dead bool
}

func (d *death) pass(what string, do func() error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dead {
		return errKilled
	}
	if what == d.of {
		d.n++
	}
	if d.dead = what == d.of && d.n == d.at; d.dead {
		if d.after {
			_ = do()
		}
		return errKilled
	}
	return do()
}

// mortal is a ledger, and a transport, of a process that dies.
type mortal struct {
	ledger.Store
	*death
}

func (m mortal) Acquire(ctx context.Context, claim ledger.Claim) (ledger.Lock, error) {
	lock, err := m.Store.Acquire(ctx, claim)
	return mortalLock{lock, m.death}, err
}

func (m mortal) TakeIn(ctx context.Context, n ledger.News) (took ledger.Receipt, err error) {
	err = m.pass("commit", func() error { took, err = m.Store.TakeIn(ctx, n); return err })
	return took, err
}

type mortalLock struct {
	ledger.Lock
	*death
}

func (l mortalLock) Record(ctx context.Context, records ...ledger.Record) error {
	return l.pass("commit", func() error { return l.Lock.Record(ctx, records...) })
}

func (l mortalLock) KeepRound(ctx context.Context, round ledger.Round) error {
	return l.pass("commit", func() error { return l.Lock.KeepRound(ctx, round) })
}

type mortalTransport struct {
	http.RoundTripper
	*death
}

func (m mortalTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := m.pass("request", func() error { return nil }); err != nil {
		return nil, err
	}
	return m.RoundTripper.RoundTrip(r)
}

// process returns the poller of a process whose ledger records departures as news, with one delivery for each topic.
func (w *world) process(d *death) rounds.Poller {
	w.t.Helper()
	store, numbers := mortal{w.ledger, d}, 0
	client, err := owlat.NewClient("https://owlat.example", w.key, owlat.WithTransport(mortalTransport{w.server.Transport(), d}), owlat.WithUnsubscribeSecret(secret),
		owlat.WithoutLimiter(), owlat.WithRetries(0))
	if err != nil {
		w.t.Fatal(err)
	}
	return reconcile.New(client, store, reconcile.Options{Departed: func(ctx context.Context, d reconcile.Departure) error {
		numbers++
		n := ledger.News{Feedback: ledger.Feedback{Event: owlat.WebhookTopicUnsubscribed, ContactID: d.ContactID, At: d.At, Received: store.Now(), Kind: ledger.KindRead}, OptOuts: d.OptOuts()}
		n.Feedback.Hash = sha256.Sum256(fmt.Append(nil, time.Now().UnixNano(), numbers))
		for _, topic := range d.Topics {
			n.Deliveries = append(n.Deliveries, ledger.Delivery{Target: "crm", Person: d.ContactID, Topic: topic.ID, Due: store.Now()})
		}
		_, err := store.TakeIn(ctx, n)
		return err
	}}).Poller()
}

// told returns the contacts and topics of all deliveries.
func (w *world) told() (all []string) {
	w.t.Helper()
	found, err := w.ledger.Deliveries(w.t.Context(), "", 0)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, d := range found {
		all = append(all, d.Person+" "+d.Topic)
	}
	slices.Sort(all)
	return all
}

// TestARoundIsKilledAnywhere kills the process at each of its commits, before or after, and at its requests, of rounds of both kinds. The next round finds
// whoever is not known yet; nobody is lost, nobody is told twice, and one more finds nobody.
func TestARoundIsKilledAnywhere(t *testing.T) {
	t.Parallel()
	for _, everybody := range []bool{false, true} {
		for _, of := range []string{"commit", "request"} {
			for _, after := range []bool{false, true} {
				if of == "request" && after {
					continue // nothing follows from a request before its answer
				}
				for at := 1; ; at++ {
					d := &death{of: of, at: at, after: after}
					if of == "request" && everybody {
						d.at = 1 + 13*(at-1) // of a hundred
					}
					synctest.Test(t, func(t *testing.T) { killed(t, d, everybody) })
					if !d.dead || t.Failed() {
						if at < 5 && !t.Failed() {
							t.Errorf("all %v: only %d points at a %s", everybody, at, of)
						}
						break
					}
				}
			}
		}
	}
}

func killed(t *testing.T, d *death, everybody bool) {
	w := newWorld(t, 103, false) // two batches
	time.Sleep(time.Minute)
	w.leave(1, w.news)
	w.leave(50, "")
	w.leave(102, w.tips)
	var want []string
	for n, topics := range map[int][]string{1: {w.news}, 50: {w.news, w.tips}, 102: {w.tips}} {
		c, _ := w.server.Contact(address(n))
		for _, topic := range topics {
			want = append(want, c.ID+" "+topic)
		}
	}
	slices.Sort(want)
	time.Sleep(time.Minute)
	_, err := w.process(d).Poll(t.Context(), rounds.Options{All: everybody})
	if d.dead != (err != nil) {
		t.Errorf("%+v: %v", d, err)
	}
	time.Sleep(time.Minute)
	alive := &death{}
	for range 2 {
		if _, err := w.process(alive).Poll(t.Context(), rounds.Options{All: everybody}); err != nil {
			t.Errorf("after a kill at %s %d: %v", d.of, d.at, err)
		}
		if got := w.told(); !slices.Equal(got, want) {
			t.Errorf("after a kill at %s %d, after it %v: told are %q, want %q", d.of, d.at, d.after, got, want)
		}
		time.Sleep(time.Minute)
	}
	if report := w.run(); report.Memberships.Added > 0 {
		t.Errorf("after a kill at %s %d a run puts somebody back: %+v", d.of, d.at, report)
	}
	if again, err := w.process(alive).Poll(t.Context(), rounds.Options{}); err != nil || again.People > 0 {
		t.Errorf("after a kill at %s %d the last round finds %+v, %v", d.of, d.at, again, err)
	}
}

// TestAWrongClockInARound: the ledger's clock, and Owlat's, may be ten minutes off. Who left is found, once, and a webhook about it that comes late is told to nobody.
func TestAWrongClockInARound(t *testing.T) {
	t.Parallel()
	for _, ours := range []time.Duration{-10 * time.Minute, 0, 10 * time.Minute} {
		for _, theirs := range []time.Duration{-10 * time.Minute, 0, 10 * time.Minute} {
			synctest.Test(t, func(t *testing.T) {
				w := worldAt(t, 3, ours, theirs)
				time.Sleep(time.Minute)
				w.leave(1, w.news)
				left := time.Now().Add(theirs)
				time.Sleep(time.Minute)
				for range 2 {
					if _, err := w.process(&death{}).Poll(t.Context(), rounds.Options{}); err != nil {
						t.Fatal(err)
					}
					time.Sleep(time.Second)
				}
				c, _ := w.server.Contact(address(1))
				news := ledger.News{
					Feedback:   ledger.Feedback{Event: owlat.WebhookTopicUnsubscribed, ContactID: c.ID, At: left, Received: w.ledger.Now()},
					OptOuts:    []ledger.OptOut{{ContactID: c.ID, Topic: w.news, At: left}},
					Deliveries: []ledger.Delivery{{Target: "crm", Person: c.ID, Topic: w.news}},
				}
				took, err := w.ledger.TakeIn(t.Context(), news)
				if want := []string{c.ID + " " + w.news}; err != nil || took.Left > 0 || !slices.Equal(w.told(), want) {
					t.Errorf("ours %v, theirs %v: told are %q, want %q; the webhook: %+v, %v", ours, theirs, w.told(), want, took, err)
				}
				if report := w.run(); report.Memberships.Added > 0 {
					t.Errorf("ours %v, theirs %v: a run puts somebody back", ours, theirs)
				}
			})
		}
	}
}
