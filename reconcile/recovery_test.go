package reconcile_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/owlat/owlattest"
	"owlatsync/reconcile"
)

// watchedLedger tells of each record, after it was made.
type watchedLedger struct {
	ledger.Store
	recorded func()
}

func (l watchedLedger) Acquire(ctx context.Context, claim ledger.Claim) (ledger.Lock, error) {
	lock, err := l.Store.Acquire(ctx, claim)
	return watchedLock{lock, l.recorded}, err
}

type watchedLock struct {
	ledger.Lock
	recorded func()
}

func (l watchedLock) Record(ctx context.Context, records ...ledger.Record) error {
	defer l.recorded()
	return l.Lock.Record(ctx, records...)
}

// A process may be killed after any record: at no time has a contact two entries, of which one would keep the other's
// contact from being removed for ever, or none.
func TestARowWithAnotherKeyMovesInOneStep(t *testing.T) {
	t.Parallel()
	w := newWorld(t, reconcile.Topic{ID: "all"})
	w.sync.Events = []reconcile.EventRule{{Name: "user_changed", On: ledger.OnUpdated}}
	w.run(user("1", "a@example.com", "A", true), user("2", "b@example.com", "B", true))
	_, client := w.engine()
	defer client.CloseIdleConnections()
	steps := 0
	e := reconcile.New(client, watchedLedger{w.ledger, func() {
		steps++
		for _, keys := range [][]string{{"1", "uuid-1"}, {"2", "uuid-2"}} {
			if entries, err := w.ledger.Entries(t.Context(), "users", keys); err != nil || len(entries) != 1 {
				t.Errorf("after record %d there are %d entries of %q: %v", steps, len(entries), keys, err)
			}
		}
	}}, reconcile.Options{})
	s := w.sync
	s.Source = rows{list: []owlatsync.Row{user("uuid-1", "a@example.com", "A", true), user("uuid-2", "b@example.com", "New", true)}}
	report, err := e.Run(t.Context(), s, reconcile.RunOptions{})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, report, "adopted 2")
	if steps < 3 {
		t.Errorf("only %d records", steps)
	}
}

// A create whose answer was lost counts as made by us; what it makes due is due once, however often the row is tried.
func TestAFoundContactGetsEachEventOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.ledger.Close()
		w.sync.Events = []reconcile.EventRule{{Name: "user_created", On: ledger.OnCreated}, {Name: "user_met", On: ledger.OnAppears}}
		if err := w.server.InjectFaults(
			owlattest.Fault{Kind: owlattest.ResetAfter, Method: "POST", Route: owlattest.RouteContacts},
			owlattest.Fault{Kind: owlattest.RateLimited, Route: owlattest.RouteEvents, At: 2, Count: 1000},
		); err != nil {
			t.Fatal(err)
		}
		list := []owlatsync.Row{user("1", "a@example.com", "A")}
		expect(t, w.run(list...), "failed 1") // the second event
		w.server.ClearFaults()
		var sent []string
		w.server.OnRequest = func(r owlattest.Request) { sent = append(sent, r.Route) }
		w.run(list...)
		if !slices.Equal(sent, []string{owlattest.RouteEvents}) || w.server.Stats().Events != 2 {
			t.Errorf("then sent %v; %d events in all", sent, w.server.Stats().Events)
		}
		before := w.requests()
		expect(t, w.run(list...), "unchanged 1")
		w.sent(before)
	})
}

// That nobody knows whether an event arrived is told by one later run, and is no reason for it not to remove anything.
func TestAnEventUnknownSinceAnEarlierRunKeepsNothingFromBeingRemoved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.sync.OnMissing = reconcile.MissingDelete
	w.sync.Events = []reconcile.EventRule{{Name: "user_changed", On: ledger.OnUpdated}}
	w.run(user("1", "a@example.com", "A"), user("2", "b@example.com", "B"))
	entries, err := w.ledger.Entries(t.Context(), "users", []string{"1"})
	if err != nil {
		t.Fatal(err)
	}
	// As a process leaves it that is killed while it waits for the answer.
	killed := entries["1"]
	killed.Fingerprint = ledger.Fingerprint{}
	killed.Events = []ledger.EventMark{{Name: "user_changed", On: ledger.OnUpdated, State: ledger.EventSent, At: time.Now()}}
	w.record(ledger.Record{Sync: "users", Entry: killed})
	before := w.requests()
	expect(t, w.run(user("1", "a@example.com", "A")), "removed 1, failed 1")
	if d := w.done("1"); d.Category != "event" {
		t.Errorf("told %+v", d)
	}
	w.sent(before, "DELETE /contacts/{contact} 1")
	before = w.requests()
	expect(t, w.run(user("1", "a@example.com", "A")), "unchanged 1")
	w.sent(before)
}

// An answer lost in the run itself is an error after which nothing is removed.
func TestNothingIsRemovedAfterALostEvent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.sync.OnMissing = reconcile.MissingDelete
	w.sync.Events = []reconcile.EventRule{{Name: "user_changed", On: ledger.OnUpdated}}
	w.run(user("1", "a@example.com", "A"), user("2", "b@example.com", "B"))
	if err := w.server.InjectFaults(owlattest.Fault{Kind: owlattest.ResetBefore, Route: owlattest.RouteEvents, At: 1}); err != nil {
		t.Fatal(err)
	}
	expect(t, w.run(user("1", "a@example.com", "Changed")), "skipped 1, failed 1")
	expect(t, w.run(user("1", "a@example.com", "Changed")), "unchanged 1, removed 1")
}
