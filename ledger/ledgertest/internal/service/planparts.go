package service

import (
	"math"
	"testing"

	"owlatsync/ledger"
)

// PlanParts reads a held plan in parts.
func PlanParts(t *testing.T, open Open) {
	l := fresh(t, open)
	k := hold(t, l)
	run, err := k.BeginRun(t.Context(), ledger.Run{Sync: "users", Started: at(1)})
	noError(t, err)
	item := func(phase int, order int64, key string) ledger.PlanItem {
		return ledger.PlanItem{Phase: phase, Order: order, Key: key, Body: []byte("body of " + key)}
	}
	end := func(status ledger.Status) {
		t.Helper()
		noError(t, k.EndRun(t.Context(), ledger.Ending{Run: ledger.Run{ID: run, Status: status, Started: at(1), Finished: at(2)}}))
	}
	named := item(2, 1, "b")
	named.Addresses = []uint64{ledger.HashText("ada@example.com"), 1<<56 + 258}
	noError(t, k.KeepPlan(t.Context(), run, []ledger.PlanItem{item(1, 5, "a"), named, item(1, -3, "c"), item(1, 5, "d"), item(1, 5, "a"), item(0, 0, "first")}))
	end(ledger.StatusHeld)
	part := func(want ledger.PlanPart) (items []ledger.PlanItem, last *ledger.PlanPlace) {
		want.Run = run
		placed, err := l.PlanPart(t.Context(), want)
		noError(t, err)
		for _, one := range placed {
			same(t, "the place of "+one.Key, []int64{int64(one.Place.Phase), one.Place.Order}, []int64{int64(one.Phase), one.Order})
			items, last = append(items, one.PlanItem), &one.Place
		}
		return items, last
	}
	all := []ledger.PlanItem{item(0, 0, "first"), item(1, -3, "c"), item(1, 5, "a"), item(1, 5, "d"), item(1, 5, "a"), named}
	got, _ := part(ledger.PlanPart{})
	same(t, "all", got, all)
	got, last := part(ledger.PlanPart{Limit: 3})
	same(t, "the first", got, all[:3])
	got, last = part(ledger.PlanPart{Limit: 1, After: last})
	same(t, "another of the same order", got, all[3:4])
	got, _ = part(ledger.PlanPart{After: last})
	same(t, "the rest", got, all[4:])
	got, _ = part(ledger.PlanPart{Key: "a"})
	same(t, "of one row", got, []ledger.PlanItem{all[2], all[4]})
	got, _ = part(ledger.PlanPart{Key: "a", After: last, Limit: 5})
	same(t, "of one row, later", got, all[4:5])
	got, _ = part(ledger.PlanPart{Address: ledger.HashText("ada@example.com"), Limit: 5})
	same(t, "of an address", got, all[5:])
	got, _ = part(ledger.PlanPart{Address: 1<<56 + 258, Key: "b", After: last})
	same(t, "of another address", got, all[5:])
	for _, none := range []uint64{ledger.HashText("bob@example.com"), (1<<56 + 258) >> 8, 2} {
		got, _ = part(ledger.PlanPart{Address: none})
		same(t, "of an address that no item concerns", len(got), 0)
	}
	got, _ = part(ledger.PlanPart{After: &ledger.PlanPlace{Phase: 1, Order: math.MaxInt64, Number: math.MaxInt64}})
	same(t, "of later phases", got, all[5:])
	end(ledger.StatusOK)
	got, _ = part(ledger.PlanPart{})
	same(t, "dropped", len(got), 0)
}
