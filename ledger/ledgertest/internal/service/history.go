package service

import (
	"errors"
	"fmt"
	"math"
	"testing"

	"owlatsync/ledger"
	"owlatsync/ledger/ledgertest/internal/kit"
)

// Dismissed checks that somebody can decide against a held plan.
func Dismissed(t *testing.T, open Open) {
	folder := t.TempDir()
	l := open(t, folder)
	k := hold(t, l)
	id := begin(t, k, ledger.Run{Sync: "users", Started: at(0)})
	noError(t, k.KeepPlan(t.Context(), id, []ledger.PlanItem{{Key: "a"}}))
	dismiss := func(id int64) bool {
		t.Helper()
		was, err := l.Dismiss(t.Context(), id)
		noError(t, err)
		return was
	}
	same(t, "a run that goes on", dismiss(id), false)
	same(t, "stays", statusOf(t, l, id), ledger.StatusRunning)
	noError(t, k.EndRun(t.Context(), ledger.Ending{Run: ledger.Run{ID: id, Status: ledger.StatusHeld, Message: "held", PlanForm: 3}}))
	same(t, "it was held, once", []bool{dismiss(id), dismiss(id)}, []bool{true, false})
	noError(t, k.Release())
	noError(t, l.Close())
	l = reopen(t, open, folder)
	got := runOf(t, l, id)
	same(t, "the run", []any{got.Status, got.PlanForm, got.Message}, []any{ledger.StatusDismissed, 0, "held"})
	held, err := l.HeldRuns(t.Context(), "users")
	noError(t, err)
	same(t, "held runs", len(held), 0)
	for item, err := range l.Plan(t.Context(), id) {
		t.Errorf("its plan has %+v, %v", item, err)
	}
	kit.Under(t, l, func(k ledger.Lock) {
		next := begin(t, k, ledger.Run{Sync: "users", Started: at(1)})
		noError(t, k.EndRun(t.Context(), ledger.Ending{Run: ledger.Run{ID: next, Status: ledger.StatusOK}, Settled: map[int64]ledger.Status{id: ledger.StatusApproved}}))
	})
	same(t, "a later run does not settle it", statusOf(t, l, id), ledger.StatusDismissed)
	if _, err := l.Dismiss(t.Context(), math.MaxInt32); !errors.Is(err, ledger.ErrNoRun) {
		t.Errorf("dismissed what is not there: %v", err)
	}
}

// LinesOfRun checks the history of single runs.
func LinesOfRun(t *testing.T, open Open) {
	l := fresh(t, open)
	var ids []int64
	for round := range 3 {
		kit.Under(t, l, func(k ledger.Lock) {
			id := begin(t, k, ledger.Run{Sync: "users", Started: l.Now()})
			ids = append(ids, id)
			var all []ledger.Record
			for n := range 3 {
				e := entry(fmt.Sprint(n, "\xff"))
				all = append(all, ledger.Record{Sync: "users", Run: id, Entry: e, Event: "updated", Note: fmt.Sprint(round)}, ledger.Record{Sync: "users", Run: id, Entry: e, Event: "topic added", Note: "news"})
			}
			noError(t, k.Record(t.Context(), all...))
			if round < 2 {
				noError(t, k.EndRun(t.Context(), ledger.Ending{Run: ledger.Run{ID: id, Status: ledger.StatusOK, Started: l.Now(), Finished: l.Now()}}))
			}
		})
	}
	lines := func(want ledger.RunLines) (texts []string, last int64) {
		t.Helper()
		found, err := l.LinesOfRun(t.Context(), want)
		noError(t, err)
		for _, line := range found {
			if line.Run != want.Run || line.Sync != "users" || line.Number <= last || line.At.IsZero() {
				t.Errorf("a line %+v after %d", line, last)
			}
			last = line.Number
			texts = append(texts, line.Key+" "+line.Event+" "+line.Note)
		}
		return texts, last
	}
	for round, id := range ids { // the last one has not ended
		n := fmt.Sprint(round)
		all, _ := lines(ledger.RunLines{Run: id})
		same(t, "all", all, []string{"0\xff updated " + n, "0\xff topic added news", "1\xff updated " + n, "1\xff topic added news", "2\xff updated " + n, "2\xff topic added news"})
		first, last := lines(ledger.RunLines{Run: id, Limit: 4})
		same(t, "the first", first, all[:4])
		rest, _ := lines(ledger.RunLines{Run: id, Limit: 4, After: last})
		same(t, "the rest", rest, all[4:])
		some, _ := lines(ledger.RunLines{Run: id, Events: []string{"topic added", "removed"}, Limit: 2})
		same(t, "of some events", some, []string{all[1], all[3]})
		one, _ := lines(ledger.RunLines{Run: id, Key: "1\xff", Events: []string{"updated"}})
		same(t, "of one row", one, []string{all[2]})
	}
	none, _ := lines(ledger.RunLines{Run: math.MaxInt32})
	same(t, "of no run", len(none), 0)
}
