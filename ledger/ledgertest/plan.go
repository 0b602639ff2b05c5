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

func keep(t *testing.T, k ledger.Writer, run int64, items ...ledger.PlanItem) {
	t.Helper()
	noError(t, k.KeepPlan(t.Context(), run, items))
}

func testPlan(t *testing.T, open Open) {
	t.Run("by phase, order and sequence", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		k := hold(t, l)
		other := begin(t, k, "others")
		keep(t, k, other, item(1, 0, "of another run"))
		end(t, k, ledger.Run{ID: other, Status: ledger.StatusHeld})
		run := begin(t, k, "users")
		keep(t, k, run, item(1, 5, "a"), item(2, 1, "b"), item(1, -3, "c"), item(1, 5, "d"))
		keep(t, k, run)
		keep(t, k, run, item(1, 5, "a"), item(1, 4, "e"))
		want := []ledger.PlanItem{item(1, -3, "c"), item(1, 4, "e"), item(1, 5, "a"), item(1, 5, "d"), item(1, 5, "a"), item(2, 1, "b")}
		same(t, "plan", collect(t, l.Plan(t.Context(), run)), want)
		end(t, k, ledger.Run{ID: run, Status: ledger.StatusHeld})
		same(t, "plan of a held run", collect(t, l.Plan(t.Context(), run)), want)

		end(t, k, ledger.Run{ID: run, Status: ledger.StatusOK})
		same(t, "dropped", len(collect(t, l.Plan(t.Context(), run))), 0)
		if err := k.KeepPlan(t.Context(), run, []ledger.PlanItem{item(1, 1, "a")}); err == nil {
			t.Error("kept for a run that has ended")
		}
		same(t, "dropped", len(collect(t, l.Plan(t.Context(), run))), 0)
		same(t, "the other run's", len(collect(t, l.Plan(t.Context(), other))), 1)
	})
	t.Run("an item without a body", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		k := hold(t, l)
		run := begin(t, k, "users")
		keep(t, k, run, ledger.PlanItem{Key: "1"})
		got := collect(t, l.Plan(t.Context(), run))
		if len(got) != 1 || got[0].Key != "1" || len(got[0].Body) != 0 {
			t.Errorf("items %+v", got)
		}
	})
	t.Run("an unknown run", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		k := hold(t, l)
		for _, items := range [][]ledger.PlanItem{{item(1, 1, "a")}, nil} {
			if err := k.KeepPlan(t.Context(), 99, items); !errors.Is(err, ledger.ErrNoRun) {
				t.Errorf("kept for a run that never began: %v", err)
			}
		}
		same(t, "items", len(collect(t, l.Plan(t.Context(), 99))), 0)
	})
	t.Run("many items, while the ledger is used", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		k := hold(t, l)
		run := begin(t, k, "users")
		const n = 5000
		var items []ledger.PlanItem
		for i := range n {
			// Equal orders reach over the bounds of any page.
			items = append(items, item(1, int64(n-i)/1700, fmt.Sprint(i)))
		}
		keep(t, k, run, items...)
		end(t, k, ledger.Run{ID: run, Status: ledger.StatusHeld})
		next := begin(t, k, "users")
		i, lastOrder, lastKey := 0, int64(-1), -1
		for it, err := range l.Plan(t.Context(), run) {
			noError(t, err)
			var key int
			_, err := fmt.Sscan(it.Key, &key)
			noError(t, err)
			if it.Order < lastOrder || it.Order == lastOrder && key <= lastKey {
				t.Fatalf("item %d (order %d, kept as %d) comes after order %d, %d", i, it.Order, key, lastOrder, lastKey)
			}
			lastOrder, lastKey = it.Order, key
			if i%500 == 0 {
				recordUnder(t, k, "users", entry(it.Key))
				keep(t, k, next, item(2, 0, it.Key))
			}
			i++
		}
		same(t, "items", i, n)
		same(t, "items kept meanwhile", len(collect(t, l.Plan(t.Context(), next))), n/500)
	})
	t.Run("breaking out releases it", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		k := hold(t, l)
		run := begin(t, k, "users")
		keep(t, k, run, item(1, 1, "a"), item(1, 2, "b"))
		for range 50 {
			for _, err := range l.Plan(t.Context(), run) {
				noError(t, err)
				break
			}
		}
	})
	t.Run("a cancelled context ends it with an error", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		k := hold(t, l)
		run := begin(t, k, "users")
		keep(t, k, run, item(1, 1, "a"))
		ctx, cancel := cancelledContext(t)
		defer cancel()
		var last error
		for _, err := range l.Plan(ctx, run) {
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
		k := hold(t, l)
		run := begin(t, k, "users")
		keep(t, k, run, item(1, 2, "a"), item(1, 1, "b"))
		end(t, k, ledger.Run{ID: run, Mode: ledger.ModePlan, Status: ledger.StatusHeld, PlanForm: 1})
		noError(t, l.Close())
		l = reopen(t, open, folder)
		same(t, "items", collect(t, l.Plan(t.Context(), run)), []ledger.PlanItem{item(1, 1, "b"), item(1, 2, "a")})
		keep(t, hold(t, l), run, item(1, 1, "c"))
		same(t, "items", collect(t, l.Plan(t.Context(), run)),
			[]ledger.PlanItem{item(1, 1, "b"), item(1, 1, "c"), item(1, 2, "a")})
	})
	t.Run("only held runs keep their plans", func(t *testing.T) {
		t.Parallel()
		for _, status := range ledger.Statuses {
			l := fresh(t, open)
			k := hold(t, l)
			run := begin(t, k, "users")
			keep(t, k, run, item(1, 1, "a"))
			end(t, k, ledger.Run{ID: run, Status: status, PlanForm: 4})
			begin(t, k, "users")
			items, form := 0, 0
			if status == ledger.StatusHeld {
				items, form = 1, 4
			}
			same(t, string(status), len(collect(t, l.Plan(t.Context(), run))), items)
			same(t, string(status), runOf(t, l, run).PlanForm, form)
		}
	})
}
