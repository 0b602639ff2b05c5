package service

import (
	"testing"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/ledger/ledgertest/internal/kit"
)

// Briefs checks that a ledger tells in brief what its records of runs say.
func Briefs(t *testing.T, open Open) {
	finish := func(t *testing.T, k ledger.Writer, id int64, status ledger.Status, finished time.Time, report *owlatsync.Report) {
		t.Helper()
		run := ledger.Run{ID: id, Mode: ledger.ModeRun, Status: status, Started: at(0), Finished: finished, Report: report}
		noError(t, k.EndRun(t.Context(), ledger.Ending{Run: run}))
	}
	briefs := func(t *testing.T, l Ledger, sync string, since time.Time, limit int) (ids []int64) {
		t.Helper()
		found, err := l.Briefs(t.Context(), sync, since, limit)
		noError(t, err)
		for i, b := range found {
			ids = append(ids, b.ID)
			same(t, "brief", found[i], ptr(runOf(t, l, b.ID)).Brief())
		}
		return ids
	}
	full := owlatsync.NewReport("users", "1")
	for i, o := range owlatsync.Outcomes {
		full.Outcomes[o] = 100 + i
	}
	full.Requests = owlatsync.RequestCounts{Total: 30, Writes: 20, RateLimited: 10}
	t.Run("what the records say", func(t *testing.T) {
		t.Parallel()
		folder := t.TempDir()
		l := open(t, folder)
		same(t, "of a sync that is not known", briefs(t, l, "users", at(0), 0), []int64(nil))
		kit.Under(t, l, func(k ledger.Lock) {
			start := func(sync string) int64 { return begin(t, k, ledger.Run{Sync: sync, Started: at(0)}) }
			finish(t, k, start("users"), ledger.StatusOK, at(10), full)
			finish(t, k, start("users"), ledger.StatusFailedRows, at(20), &owlatsync.Report{Outcomes: map[owlatsync.Outcome]int{owlatsync.Failed: 3}})
			finish(t, k, start("others \xff"), ledger.StatusOK, at(30), full)
			finish(t, k, start("users"), ledger.StatusHeld, at(30), nil)
			finish(t, k, start("users"), ledger.StatusDied, time.Time{}, full)
			start("users") // goes on
		})
		_, _, err := l.Enqueue(t.Context(), ledger.Run{Sync: "users", Mode: ledger.ModeRun})
		noError(t, err)
		for name, c := range map[string]struct {
			sync  string
			since time.Time
			limit int
			want  []int64
		}{
			"all":         {"users", at(0), 0, []int64{6, 5, 4, 2, 1}},
			"the latest":  {"users", at(0), 3, []int64{6, 5, 4}},
			"since":       {"users", at(20), 0, []int64{6, 5, 4, 2}},
			"just after":  {"users", at(20).Add(time.Millisecond), 0, []int64{6, 5, 4}},
			"another":     {"others \xff", at(0), 0, []int64{3}},
			"later still": {"users", l.Now().Add(time.Hour), 0, nil},
		} {
			same(t, name, briefs(t, l, c.sync, c.since, c.limit), c.want)
		}
		noError(t, l.Close())
		same(t, "again", briefs(t, reopen(t, open, folder), "others \xff", at(0), 0), []int64{3})
	})
	t.Run("by their ends", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		kit.Under(t, l, func(k ledger.Lock) {
			for _, ended := range []time.Time{at(30), at(10), at(20), at(20)} { // as runs that were queued before others, and had their turn after them
				finish(t, k, begin(t, k, ledger.Run{Sync: "users", Started: at(0)}), ledger.StatusOK, ended, full)
			}
			finish(t, k, begin(t, k, ledger.Run{Sync: "others", Started: at(0)}), ledger.StatusOK, at(20), full)
			begin(t, k, ledger.Run{Sync: "users", Started: at(0)}) // goes on
		})
		for name, c := range map[string]struct {
			sync  string
			since time.Time
			limit int
			want  []int64
		}{
			"all":               {"users", at(0), 0, []int64{2, 3, 4, 1}},
			"the first":         {"users", at(0), 2, []int64{2, 3}},
			"since":             {"users", at(20), 2, []int64{3, 4}},
			"just after":        {"users", at(20).Add(time.Millisecond), -1, []int64{1}},
			"another":           {"others", at(0), 0, []int64{5}},
			"none":              {"users", at(31), 0, nil},
			"one not yet known": {"unknown", at(0), 0, nil},
		} {
			found, err := l.RunsSince(t.Context(), c.sync, c.since, c.limit)
			noError(t, err)
			var ids []int64
			for i := range found {
				ids = append(ids, found[i].ID)
				same(t, "run", found[i], runOf(t, l, found[i].ID))
			}
			same(t, name, ids, c.want)
		}
	})
	t.Run("a run that goes on", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		k := hold(t, l)
		id := begin(t, k, ledger.Run{Sync: "users", Started: at(0)})
		noError(t, k.Beat(t.Context(), ledger.Beat{Run: id, Stage: ledger.StageApplying, Report: full}))
		same(t, "going", briefs(t, l, "users", at(0), 0), []int64{id})
		found, err := l.Briefs(t.Context(), "users", at(0), 0)
		noError(t, err)
		same(t, "created", found[0].Of(owlatsync.Created), 100)
		same(t, "failed", found[0].Of(owlatsync.Failed), 109)
		same(t, "requests", found[0].Requests, full.Requests)
	})
}

func ptr[T any](v T) *T { return &v }
