package ledgertest

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"owlatsync/ledger"
)

func item(phase int, order int64, key string) ledger.PlanItem {
	return ledger.PlanItem{Phase: phase, Order: order, Key: key, Body: []byte("body of " + key + "\x00\xff")}
}

func spool(t *testing.T, l ledger.Store, run int64, items ...ledger.PlanItem) {
	t.Helper()
	noError(t, l.Spool(t.Context(), run, items))
}

func testPlan(t *testing.T, open Open) {
	t.Run("by phase, order and sequence", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		run, other := begin(t, l, "users"), begin(t, l, "others")
		spool(t, l, run, item(1, 5, "a"), item(2, 1, "b"), item(1, -3, "c"), item(1, 5, "d"))
		spool(t, l, other, item(1, 0, "of another run"))
		spool(t, l, run)
		spool(t, l, run, item(1, 5, "a"), item(1, 4, "e"))
		same(t, "phase 1", collect(t, l.Spooled(t.Context(), run, 1)),
			[]ledger.PlanItem{item(1, -3, "c"), item(1, 4, "e"), item(1, 5, "a"), item(1, 5, "d"), item(1, 5, "a")})
		same(t, "phase 2", collect(t, l.Spooled(t.Context(), run, 2)), []ledger.PlanItem{item(2, 1, "b")})
		same(t, "phase 3", len(collect(t, l.Spooled(t.Context(), run, 3))), 0)

		noError(t, l.Unspool(t.Context(), run))
		noError(t, l.Unspool(t.Context(), run))
		same(t, "dropped", len(collect(t, l.Spooled(t.Context(), run, 1))), 0)
		same(t, "the other run's", len(collect(t, l.Spooled(t.Context(), other, 1))), 1)
	})
	t.Run("an item without a body", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		run := begin(t, l, "users")
		spool(t, l, run, ledger.PlanItem{Key: "1"})
		got := collect(t, l.Spooled(t.Context(), run, 0))
		if len(got) != 1 || got[0].Key != "1" || len(got[0].Body) != 0 {
			t.Errorf("items %+v", got)
		}
	})
	t.Run("an unknown run", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		if err := l.Spool(t.Context(), 99, []ledger.PlanItem{item(1, 1, "a")}); err == nil {
			t.Error("spooled for a run that never began")
		}
		same(t, "items", len(collect(t, l.Spooled(t.Context(), 99, 1))), 0)
	})
	t.Run("many items, while the ledger is used", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		run := begin(t, l, "users")
		const n = 5000
		var items []ledger.PlanItem
		for i := range n {
			// Equal orders stretch over the bounds of any page.
			items = append(items, item(1, int64(n-i)/1700, fmt.Sprint(i)))
		}
		spool(t, l, run, items...)
		i, lastOrder, lastKey := 0, int64(-1), -1
		for it, err := range l.Spooled(t.Context(), run, 1) {
			noError(t, err)
			var key int
			_, err := fmt.Sscan(it.Key, &key)
			noError(t, err)
			if it.Order < lastOrder || it.Order == lastOrder && key <= lastKey {
				t.Fatalf("item %d (order %d, spooled as %d) comes after order %d, %d", i, it.Order, key, lastOrder, lastKey)
			}
			lastOrder, lastKey = it.Order, key
			if i%500 == 0 {
				record(t, l, "users", entry(it.Key))
				spool(t, l, run, item(2, 0, it.Key))
			}
			i++
		}
		same(t, "items", i, n)
		same(t, "items spooled meanwhile", len(collect(t, l.Spooled(t.Context(), run, 2))), n/500)
	})
	t.Run("breaking out releases it", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		run := begin(t, l, "users")
		spool(t, l, run, item(1, 1, "a"), item(1, 2, "b"))
		for range 50 {
			for _, err := range l.Spooled(t.Context(), run, 1) {
				noError(t, err)
				break
			}
		}
	})
	t.Run("a cancelled context ends it with an error", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		run := begin(t, l, "users")
		spool(t, l, run, item(1, 1, "a"))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		var last error
		for _, err := range l.Spooled(ctx, run, 1) {
			last = err
		}
		if !errors.Is(last, context.Canceled) {
			t.Errorf("error %v", last)
		}
	})
	t.Run("a plan survives the closing of the ledger", func(t *testing.T) {
		t.Parallel()
		folder := t.TempDir()
		l := open(t, folder)
		run := begin(t, l, "users")
		spool(t, l, run, item(1, 2, "a"), item(1, 1, "b"))
		noError(t, l.EndRun(t.Context(), ledger.Run{ID: run, Sync: "users", Mode: "plan", Status: "held"}))
		noError(t, l.Close())
		l = reopen(t, open, folder)
		same(t, "items", collect(t, l.Spooled(t.Context(), run, 1)), []ledger.PlanItem{item(1, 1, "b"), item(1, 2, "a")})
		spool(t, l, run, item(1, 1, "c"))
		same(t, "items", collect(t, l.Spooled(t.Context(), run, 1)),
			[]ledger.PlanItem{item(1, 1, "b"), item(1, 1, "c"), item(1, 2, "a")})
	})
	t.Run("the next run drops what earlier ones of its sync left, unless held", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		kept := func(run int64) bool { return len(collect(t, l.Spooled(t.Context(), run, 1))) == 1 }
		dead, held, ended, other := begin(t, l, "users"), begin(t, l, "users"), begin(t, l, "users"), begin(t, l, "others")
		for _, run := range []int64{dead, held, ended, other} {
			spool(t, l, run, item(1, 1, "a"))
		}
		noError(t, l.EndRun(t.Context(), ledger.Run{ID: held, Sync: "users", Mode: "run", Status: "held"}))
		noError(t, l.EndRun(t.Context(), ledger.Run{ID: ended, Sync: "users", Mode: "plan", Status: "ok"}))
		begin(t, l, "users")
		if kept(dead) || !kept(held) || kept(ended) || !kept(other) {
			t.Errorf("kept: dead %v, held %v, ended %v, of another sync %v", kept(dead), kept(held), kept(ended), kept(other))
		}
		noError(t, l.EndRun(t.Context(), ledger.Run{ID: held, Sync: "users", Mode: "run", Status: "ok"}))
		begin(t, l, "users")
		if kept(held) {
			t.Error("a plan that is no longer held was kept")
		}
	})
}
