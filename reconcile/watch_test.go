package reconcile_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/ledger/memory"
	"owlatsync/owlat/owlattest"
	"owlatsync/reconcile"
)

// subscriber is a row with a plan, and whether its trial ends soon.
func subscriber(key string, plan, ends any) owlatsync.Row {
	row := user(key, key+"@example.com", "N"+key)
	row.Properties = []owlatsync.Property{{Name: "plan", Value: plan}, {Name: "ends", Value: ends}, {Name: "days", Value: int64(3)}}
	return row
}

var (
	expiring = reconcile.EventRule{Name: "trial_expiring", On: ledger.OnWhen, Column: "ends", Properties: map[string]string{"daysLeft": "days"}}
	changed  = reconcile.EventRule{Name: "plan_changed", On: ledger.OnChanges, Column: "plan"}
)

// heard collects what events reach Owlat, as the address's name, the event and its properties.
func (w *world) heard() func() []string {
	var all []string
	var mu sync.Mutex
	w.server.OnAnswer = func(r owlattest.Request, status int) {
		if r.Route == owlattest.RouteEvents && status == http.StatusCreated {
			var body struct {
				Email, EventName string
				EventProperties  map[string]any
			}
			_ = json.Unmarshal(r.Body, &body)
			text, _ := json.Marshal(body.EventProperties)
			name, _, _ := strings.Cut(body.Email, "@")
			mu.Lock()
			defer mu.Unlock()
			all = append(all, name+" "+body.EventName+" "+string(text))
		}
	}
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		got := slices.Clone(all)
		slices.Sort(got)
		all = nil
		return got
	}
}

func same(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// TestEventsFollowColumns: an event on a yes is sent once for each turn, one on a change with the old and the new value, and neither for what
// rows say when the first run meets them. In every store.
func TestEventsFollowColumns(t *testing.T) {
	t.Parallel()
	for _, inMemory := range []bool{false, true} {
		t.Run(fmt.Sprintf("in memory %v", inMemory), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			if inMemory {
				w.through = memory.New()
			}
			w.sync.Events = []reconcile.EventRule{expiring, changed}
			heard := w.heard()
			expect(t, w.run(subscriber("1", "free", true), subscriber("2", "free", false)), "created 2")
			same(t, "the first run", heard())

			before := w.requests()
			expect(t, w.run(subscriber("1", "free", true), subscriber("2", "free", true)), "updated 1, unchanged 1")
			same(t, "a turn", heard(), `2 trial_expiring {"daysLeft":3}`)
			w.sent(before, "POST /events 1")

			before = w.requests()
			expect(t, w.run(subscriber("1", "free", false), subscriber("2", "free", true)), "unchanged 2")
			w.sent(before) // a no costs nothing
			expect(t, w.run(subscriber("1", "free", "yes"), subscriber("2", "free", int64(1))), "updated 1, unchanged 1")
			same(t, "armed again", heard(), `1 trial_expiring {"daysLeft":3}`)
			expect(t, w.run(subscriber("1", "free", "perhaps"), subscriber("2", "free", nil)), "unchanged 2")
			expect(t, w.run(subscriber("1", "free", true), subscriber("2", "free", true)), "updated 1, unchanged 1")
			same(t, "what is unclear is no no", heard(), `2 trial_expiring {"daysLeft":3}`)

			expect(t, w.run(subscriber("1", "pro", true), subscriber("2", nil, true)), "updated 2")
			same(t, "changes", heard(), `1 plan_changed {"new":"pro","old":"free"}`, `2 plan_changed {"new":null,"old":"free"}`)

			// A row that comes later has said no, and has changed nothing.
			expect(t, w.run(subscriber("1", "pro", true), subscriber("2", nil, true), subscriber("3", "pro", true)), "created 1, unchanged 2")
			same(t, "a new row", heard(), `3 trial_expiring {"daysLeft":3}`)

			// One that leaves and comes back goes on where it was.
			w.run(subscriber("1", "pro", true), subscriber("2", nil, true))
			w.run(subscriber("1", "pro", true), subscriber("2", nil, true), subscriber("3", "team", true))
			same(t, "a row that is back", heard(), `3 plan_changed {"new":"team","old":"pro"}`)
			before = w.requests()
			w.run(subscriber("1", "pro", true), subscriber("2", nil, true), subscriber("3", "team", true))
			w.sent(before)
		})
	}
}

// TestEventsFromOneValueToAnother: only the changes that the rule names are told, and the others are remembered.
func TestEventsFromOneValueToAnother(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	upgraded := changed
	upgraded.Name, upgraded.From, upgraded.To = "plan_upgraded", []string{"free", "3"}, []string{"pro", "team"}
	w.sync.Events = []reconcile.EventRule{upgraded}
	heard := w.heard()
	for _, plan := range []any{"free", "lite", "pro", "free", "team", int64(3), "pro"} {
		w.run(subscriber("1", plan, false))
	}
	same(t, "upgrades", heard(), `1 plan_upgraded {"new":"pro","old":3}`, `1 plan_upgraded {"new":"team","old":"free"}`)
}

// TestExistingFires: with the word for it, what rows say when the event is new is told, and the guard holds what is too much.
func TestExistingFires(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	heard := w.heard()
	list := []owlatsync.Row{subscriber("1", "free", true), subscriber("2", "pro", false)}
	w.run(list...)
	w.sync.Events = []reconcile.EventRule{expiring}
	expect(t, w.run(list...), "unchanged 2")
	same(t, "an event that was added", heard())

	ends, plan := expiring, changed
	ends.Name, ends.Existing, plan.To, plan.Existing = "ends", true, []string{"pro"}, true
	w.sync.Events = []reconcile.EventRule{ends, plan}
	expect(t, w.run(list...), "updated 2")
	same(t, "what is there", heard(), `1 ends {"daysLeft":3}`, `2 plan_changed {"new":"pro","old":null}`)
	before := w.requests()
	expect(t, w.run(list...), "unchanged 2")
	w.sent(before)

	first := newWorld(t)
	first.sync.Events, first.sync.Guards.Events = []reconcile.EventRule{ends}, reconcile.Limit{}
	heard = first.heard()
	list = nil
	for i := range 51 {
		list = append(list, subscriber(fmt.Sprint(i), "free", true))
	}
	_, err := first.try(context.Background(), runOptions{}, rows{list: list})
	if held, ok := errors.AsType[*reconcile.HeldError](err); !ok || len(held.Hits) != 1 || held.Hits[0].Guard != owlatsync.GuardEvents {
		t.Fatalf("51 events of a first run: %v", err)
	}
	same(t, "held", heard())
	if _, err := first.try(context.Background(), runOptions{Approve: 1}, rows{list: list}); err != nil {
		t.Fatal(err)
	}
	if got := heard(); len(got) != 51 {
		t.Errorf("%d events after the approval", len(got))
	}
}

// TestTheLastValueIsTold: an event that could not be sent is decided anew. What has changed twice is told once, and what has changed back is not.
func TestTheLastValueIsTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.ledger.Close()
		w.sync.Events = []reconcile.EventRule{changed, expiring}
		heard := w.heard()
		refuse := func() {
			if err := w.server.InjectFaults(owlattest.Fault{Kind: owlattest.RateLimited, Route: owlattest.RouteEvents, Count: 1000}); err != nil {
				t.Fatal(err)
			}
		}
		w.run(subscriber("1", "free", false), subscriber("2", "free", false))
		refuse()
		expect(t, w.run(subscriber("1", "pro", true), subscriber("2", "pro", true)), "failed 2")
		expect(t, w.run(subscriber("1", "team", true), subscriber("2", "free", false)), "unchanged 1, failed 1")
		w.server.ClearFaults()
		w.run(subscriber("1", "enterprise", true), subscriber("2", "free", false))
		same(t, "afterwards", heard(), `1 plan_changed {"new":"enterprise","old":"free"}`, `1 trial_expiring {"daysLeft":3}`)
	})
}

// TestAnEventWhoseAnswerWasLostIsNotRepeated: it is told as unknown, and the next turn counts from there.
func TestAnEventWhoseAnswerWasLostIsNotRepeated(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.ledger.Close()
		w.sync.Events = []reconcile.EventRule{changed}
		w.run(subscriber("1", "free", false))
		if err := w.server.InjectFaults(owlattest.Fault{Kind: owlattest.ResetAfter, Route: owlattest.RouteEvents}); err != nil {
			t.Fatal(err)
		}
		expect(t, w.run(subscriber("1", "pro", false)), "failed 1")
		w.server.ClearFaults()
		before := w.requests()
		expect(t, w.run(subscriber("1", "pro", false)), "unchanged 1")
		w.sent(before)
		heard := w.heard()
		expect(t, w.run(subscriber("1", "free", false)), "updated 1")
		same(t, "the next change", heard(), `1 plan_changed {"new":"free","old":"pro"}`)
	})
}

// TestAnOlderLedgerTellsNothing: what a ledger that was set back knows of columns may have been told.
func TestAnOlderLedgerTellsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.sync.Events = []reconcile.EventRule{changed, expiring}
	w.run(subscriber("1", "free", false))
	entries, err := w.ledger.Entries(t.Context(), "users", []string{"1"})
	if err != nil {
		t.Fatal(err)
	}
	older := entries["1"]
	if !ledger.SetBack(older) || ledger.SetBack(older) {
		t.Error("an entry is made safe once")
	}
	w.record(ledger.Record{Sync: "users", Entry: older})
	heard := w.heard()
	expect(t, w.run(subscriber("1", "pro", true)), "unchanged 1")
	same(t, "the first look", heard())
	w.run(subscriber("1", "free", false))
	w.run(subscriber("1", "free", true))
	same(t, "later", heard(), `1 plan_changed {"new":"free","old":"pro"}`, `1 trial_expiring {"daysLeft":3}`)
}

// TestARowWithAnotherKeyKeepsWhatItSaid, and so does a long value that is not taken.
func TestARowWithAnotherKeyKeepsWhatItSaid(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.sync.Events = []reconcile.EventRule{changed}
	heard := w.heard()
	w.run(subscriber("1", "free", false))
	moved := subscriber("1", "pro", false)
	moved.Key = "uuid-1"
	expect(t, w.run(moved), "adopted 1")
	same(t, "another key", heard(), `1 plan_changed {"new":"pro","old":"free"}`)
	long := subscriber("1", strings.Repeat("x", 1000), false)
	long.Key = "uuid-1"
	expect(t, w.run(long), "invalid 1")
	without := subscriber("1", "free", false)
	without.Key, without.Properties = "uuid-1", nil
	expect(t, w.run(without), "invalid 1")
	expect(t, w.run(moved), "unchanged 1")
}

// TestAKillWhileAnEventIsOnItsWay: what the ledger has while Owlat is asked makes no later run send the event again.
func TestAKillWhileAnEventIsOnItsWay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.sync.Events = []reconcile.EventRule{changed, expiring}
	w.run(subscriber("1", "free", false))
	var asked []ledger.Entry
	w.server.OnRequest = func(r owlattest.Request) {
		entries, err := w.ledger.Entries(context.Background(), "users", []string{"1"})
		if err != nil {
			t.Error(err)
		}
		asked = append(asked, *entries["1"])
	}
	expect(t, w.run(subscriber("1", "pro", true)), "updated 1")
	w.server.OnRequest = nil
	if len(asked) != 2 {
		t.Fatalf("%d requests", len(asked))
	}
	heard := w.heard()
	w.record(ledger.Record{Sync: "users", Entry: &asked[0]})
	expect(t, w.run(subscriber("1", "pro", true)), "failed 1")
	same(t, "killed in the first event", heard(), `1 trial_expiring {"daysLeft":3}`)
	w.record(ledger.Record{Sync: "users", Entry: &asked[1]})
	expect(t, w.run(subscriber("1", "pro", true)), "failed 1")
	expect(t, w.run(subscriber("1", "pro", true)), "unchanged 1")
	same(t, "killed in the second event", heard())
}
