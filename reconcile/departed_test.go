package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"testing"
	"testing/synctest"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/owlat/owlattest"
	"owlatsync/reconcile"
)

// between returns people with the keys from one number up to another.
func between(from, to int) (list []owlatsync.Row) {
	for i := from; i < to; i++ {
		list = append(list, user(fmt.Sprint(i), fmt.Sprintf("p%d@example.com", i), "P", true))
	}
	return list
}

func (w *world) standing() ledger.Standing {
	w.t.Helper()
	s, err := w.ledger.Standing(context.Background(), w.sync.Name)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// TestALongLivedLedger has people come and go for long. Guards, counts and look-ups are as if those who left had never been.
func TestALongLivedLedger(t *testing.T) {
	t.Parallel()
	for _, onMissing := range []reconcile.MissingPolicy{reconcile.MissingKeep, reconcile.MissingLeave, reconcile.MissingDelete} {
		t.Run(string(onMissing), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, reconcile.Topic{ID: "news", When: true})
			w.sync.OnMissing = onMissing
			const live, rounds = 40, 10
			w.run(between(0, live)...)
			for round := 1; round <= rounds; round++ { // nobody stays
				w.run(between(round*live, (round+1)*live)...)
			}
			first := rounds * live
			if got, want := w.standing(), (ledger.Standing{Entries: live, Applied: live, Departed: rounds * live, Adopted: true}); got != want {
				t.Errorf("standing %+v, want %+v", got, want)
			}
			counted := &counting{Store: w.ledger}
			w.through = counted
			before := w.requests()
			expect(t, w.run(between(first, first+live)...), fmt.Sprintf("unchanged %d", live))
			w.sent(before)
			if counted.entries != live {
				t.Errorf("a run in which nothing changed has read %d entries, want the marks of %d", counted.entries, live)
			}
			counted.entries = 0
			w.run(between(first+1, first+live)...)
			if counted.entries > 2*live+2 {
				t.Errorf("a run in which one row left has read %d entries", counted.entries)
			}
			w.through = nil

			// What would be held among these rows alone is held beside any number that left.
			w.sync.Guards = reconcile.Guards{}
			_, err := w.try(t.Context(), runOptions{}, rows{list: between(first+1, first+2)})
			if held := errors.Is(err, reconcile.ErrHeld); held != (onMissing != reconcile.MissingKeep) {
				t.Errorf("all but one leave: %v", err)
			}
			var no []owlatsync.Row
			for _, r := range between(first+1, first+live) {
				r.Consents = []owlatsync.Consent{owlatsync.No}
				no = append(no, r)
			}
			if _, err = w.try(t.Context(), runOptions{}, rows{list: no}); !errors.Is(err, reconcile.ErrHeld) {
				t.Errorf("everybody withdraws: %v", err)
			}

			// A table that is rightly empty is asked about once.
			_, err = w.try(t.Context(), runOptions{}, rows{})
			held := new(reconcile.HeldError)
			if !errors.As(err, &held) {
				t.Fatalf("the table is empty: %v", err)
			}
			if _, err = w.try(t.Context(), runOptions{Approve: held.Run}, rows{}); err != nil {
				t.Fatal(err)
			}
			if _, err = w.try(t.Context(), runOptions{}, rows{}); err != nil {
				t.Errorf("the table is still empty: %v", err)
			}
			if got := w.standing(); got.Entries != 0 || got.Failing != 0 {
				t.Errorf("standing %+v", got)
			}

			// Who comes back is known, and a row's return is no consent.
			w.sync.Guards = unguarded
			before = w.requests()
			back := between(first+1, first+4)
			switch report := w.run(back...); onMissing {
			case reconcile.MissingDelete:
				expect(t, report, "created 3")
				w.sent(before, "POST /contacts 3")
			default:
				expect(t, report, "unchanged 3")
				w.sent(before)
			}
			expect(t, w.run(back...), "unchanged 3")
			if got := w.standing(); got.Entries != 3 || got.Applied != 3 {
				t.Errorf("standing after the return: %+v", got)
			}
			for _, r := range back {
				if on := len(w.contact(r.Email.Value).Topics) > 0; on != (onMissing == reconcile.MissingKeep) {
					t.Errorf("%s is on the topic: %v", r.Key, on)
				}
			}
		})
	}
}

// counting counts the entries that are read, of the index too.
type counting struct {
	ledger.Store
	entries int
}

func (c *counting) count(all iter.Seq2[*ledger.Entry, error]) iter.Seq2[*ledger.Entry, error] {
	return func(yield func(*ledger.Entry, error) bool) {
		for e, err := range all {
			if c.entries++; !yield(e, err) {
				return
			}
		}
	}
}

func (c *counting) Index(ctx context.Context, sync string) iter.Seq2[ledger.IndexEntry, error] {
	return func(yield func(ledger.IndexEntry, error) bool) {
		for e, err := range c.Store.Index(ctx, sync) {
			if c.entries++; !yield(e, err) {
				return
			}
		}
	}
}

func (c *counting) All(ctx context.Context, sync string) iter.Seq2[*ledger.Entry, error] {
	return c.count(c.Store.All(ctx, sync))
}

func (c *counting) Open(ctx context.Context, sync string) iter.Seq2[*ledger.Entry, error] {
	return c.count(c.Store.Open(ctx, sync))
}

func (c *counting) Departed(ctx context.Context, sync, terms string) iter.Seq2[*ledger.Entry, error] {
	return c.count(c.Store.Departed(ctx, sync, terms))
}

// TestOtherTermsForThoseWhoLeft changes what follows from an absence after rows have left: it follows for them too, and guards see it.
func TestOtherTermsForThoseWhoLeft(t *testing.T) {
	t.Parallel()
	w := newWorld(t, reconcile.Topic{ID: "news", When: true})
	w.run(between(0, 60)...)
	w.run(between(30, 60)...)
	w.sync.OnMissing, w.sync.Guards = reconcile.MissingLeave, reconcile.Guards{}
	_, err := w.try(t.Context(), runOptions{}, rows{list: between(30, 60)})
	held := new(reconcile.HeldError)
	if !errors.As(err, &held) || held.Hits[0].Guard != owlatsync.GuardRemovals {
		t.Fatalf("half of those known leave the topic: %v", err)
	}
	report, err := w.try(t.Context(), runOptions{Approve: held.Run}, rows{list: between(30, 60)})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, report, "unchanged 30, removed 30")
	before := w.requests()
	expect(t, w.run(between(30, 60)...), "unchanged 30")
	w.sent(before)
	w.sync.OnMissing = "" // back, and nothing follows
	expect(t, w.run(between(30, 60)...), "unchanged 30")
	for e, err := range w.ledger.Departed(t.Context(), "users", string(reconcile.MissingKeep)) {
		t.Errorf("%s departed under %q: %v", e.Key, e.Departed, err)
	}
}

// TestARowThatLeftNoLongerHoldsAContact has two syncs share a contact, and both rows leave, one after the other.
func TestARowThatLeftNoLongerHoldsAContact(t *testing.T) {
	t.Parallel()
	w := newWorld(t, reconcile.Topic{ID: "news", When: true, Existing: reconcile.ExistingAdd})
	w.sync.OnMissing = reconcile.MissingLeave
	of := func(sync string, list ...owlatsync.Row) {
		t.Helper()
		w.sync.Name = sync
		w.run(list...)
	}
	of("users", between(1, 2)...)
	of("customers", between(1, 2)...)
	of("users")
	if len(w.contact("p1@example.com").Topics) != 1 {
		t.Error("the other sync's row still wants the topic")
	}
	of("customers")
	if topics := w.contact("p1@example.com").Topics; len(topics) != 0 {
		t.Errorf("both rows left, and the contact is on %v", topics)
	}
}

// TestDeparturesAndACursor has rows leave and come back while runs read only what changed.
func TestDeparturesAndACursor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		u := newUsers(t, reconcile.Topic{ID: "news", When: true})
		defer u.close()
		u.sync.FullEvery, u.sync.OnMissing = 1000*time.Hour, reconcile.MissingLeave
		for i := range 30 {
			u.put(i, fmt.Sprintf("p%d@example.com", i), "P")
		}
		u.synced("full: created 30")
		u.exec("DELETE FROM users WHERE id < 20")
		u.syncedWith(runOptions{Full: true}, "full: unchanged 10 removed 20")
		if b, err := u.ledger.Bookmark(t.Context(), "users"); err != nil || b.Entries != 10 {
			t.Errorf("bookmark %+v: %v", b, err)
		}
		counted := &counting{Store: u.ledger}
		u.through = counted
		u.far()
		u.synced("changes: unchanged 2") // the last ones, which the next reading begins with
		if counted.entries > 0 {
			t.Errorf("a run without changes has read %d entries", counted.entries)
		}
		u.put(3, "p3@example.com", "P")
		u.synced("changes: unchanged 3")
		u.through = nil
		if got := u.standing(); got.Entries != 11 || got.Applied != 11 || got.Departed != 19 {
			t.Errorf("standing %+v", got)
		}
		if b, err := u.ledger.Bookmark(t.Context(), "users"); err != nil || b.Entries != 11 {
			t.Errorf("bookmark after a return %+v: %v", b, err)
		}
	})
}

// TestARetriedAbsenceIsTriedInTheNextRun asks for a row that left the source, with a cursor: only a run of all rows can act on it.
func TestARetriedAbsenceIsTriedInTheNextRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		u := newUsers(t)
		defer u.close()
		u.sync.FullEvery, u.sync.OnMissing = 1000*time.Hour, reconcile.MissingDelete
		u.put(1, "a@example.com", "A")
		u.put(2, "b@example.com", "B")
		u.synced("full: created 2")
		u.exec("DELETE FROM users WHERE id = 2")
		if err := u.server.InjectFaults(owlattest.Fault{Kind: owlattest.StatusError, Status: 500, Method: "DELETE"}); err != nil {
			t.Fatal(err)
		}
		for range 10 { // until it is given up
			if _, err := u.try(t.Context(), runOptions{Full: true}, u.source()); err != nil {
				t.Fatal(err)
			}
			time.Sleep(80 * time.Hour)
		}
		u.server.ClearFaults()
		u.synced("changes: unchanged 1")
		if n, err := u.ledger.Retry(t.Context(), "users", []string{"2"}, time.Now()); n != 1 || err != nil {
			t.Fatalf("%d rows: %v", n, err)
		}
		u.synced("full: unchanged 1 removed 1")
		u.synced("changes: unchanged 1")
	})
}

// TestTheHistoryTellsThatARowLeft once, when a run notices it, whatever follows from it, and once more when the row has been back.
func TestTheHistoryTellsThatARowLeft(t *testing.T) {
	t.Parallel()
	for _, onMissing := range []reconcile.MissingPolicy{reconcile.MissingKeep, reconcile.MissingLeave, reconcile.MissingDelete} {
		t.Run(string(onMissing), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, reconcile.Topic{ID: "news", When: true})
			w.sync.OnMissing = onMissing
			times := func() (n int) {
				t.Helper()
				lines, err := w.ledger.History(t.Context(), w.sync.Name, "0")
				if err != nil {
					t.Fatal(err)
				}
				for _, line := range lines {
					if line.Event == ledger.EventRowLeft {
						n++
						if line.Run == 0 || line.At.IsZero() {
							t.Errorf("%+v", line)
						}
					}
				}
				return n
			}
			w.run(between(0, 30)...)
			if times() != 0 {
				t.Error("it left before it did")
			}
			w.run(between(1, 30)...)
			w.run(between(1, 30)...)
			if n := times(); n != 1 {
				t.Errorf("it is told %d times", n)
			}
			w.run(between(0, 30)...)
			w.run(between(1, 30)...)
			if n := times(); n != 2 {
				t.Errorf("after a second time it is told %d times", n)
			}
		})
	}
}

// TestATakenAddressNamesTheRowThatHasIt, by a key that holds no address.
func TestATakenAddressNamesTheRowThatHasIt(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]ledger.RowRef{"7": {Sync: "orders", Key: "7"}, "b@example.com": {}} {
		w := newWorld(t, reconcile.Topic{ID: "news", When: true})
		w.run(user("1", "a@example.com", "A", true))
		w.sync.Name = "orders"
		w.run(user(key, "b@example.com", "B", true))
		w.sync.Name = "users"
		w.run(user("1", "b@example.com", "A", true))
		if f := w.entryOf("1").Failure; f == nil || f.Category != ledger.CategoryTaken || f.Holder != want {
			t.Errorf("%s: %+v", key, f)
		}
	}
}
