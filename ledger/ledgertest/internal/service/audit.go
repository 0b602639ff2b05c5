package service

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"owlatsync/ledger"
	"owlatsync/ledger/ledgertest/internal/kit"
)

// noted are lines of every kind, as they are noted.
func noted() []ledger.AuditLine {
	return []ledger.AuditLine{
		{Who: "ops \xff\x00", Way: ledger.ByAPI, What: ledger.DeedApprove, Sync: "unknown \xff", Run: 7},
		{Who: "ada", Way: ledger.ByCommand, What: ledger.DeedForget, Count: 2},
		{Who: ledger.WhoMachine, Way: ledger.ByPage, What: "something later"},
	}
}

// Audit checks ledger.Audit.
func Audit(t *testing.T, open Open) {
	lines := func(t *testing.T, l Ledger, before int64, limit int) []ledger.AuditLine {
		t.Helper()
		found, err := l.AuditLines(t.Context(), before, limit)
		noError(t, err)
		return found
	}
	note := func(t *testing.T, l Ledger, all ...ledger.AuditLine) {
		t.Helper()
		for _, line := range all {
			noError(t, l.NoteAudit(t.Context(), line))
		}
	}
	t.Run("newest first, and again after it was closed", func(t *testing.T) {
		t.Parallel()
		folder := t.TempDir()
		l := open(t, folder)
		same(t, "a new ledger", lines(t, l, 0, 0), []ledger.AuditLine(nil))
		k := kit.Hold(t, l) // a run goes on
		since := l.Now().Add(-time.Millisecond)
		given := noted()
		given[0].Number, given[0].At = 99, at(1) // which the ledger gives itself
		note(t, l, given...)
		until := l.Now().Add(time.Millisecond)
		noError(t, k.Release())
		noError(t, l.Close())
		l = reopen(t, open, folder)
		found := lines(t, l, 0, 0)
		for i, want := range noted() {
			got := found[len(found)-1-i]
			if got.At.Before(since) || got.At.After(until) || got.At.Location() != time.UTC {
				t.Errorf("line %d is of %v", got.Number, got.At)
			}
			got.At, want.Number = time.Time{}, int64(i+1)
			same(t, "line", got, want)
		}
		names, err := l.Syncs(t.Context())
		noError(t, err)
		same(t, "syncs", len(names), 0)
	})
	t.Run("page by page", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		for i := range 5 {
			note(t, l, ledger.AuditLine{Who: "ada", Way: ledger.ByPage, What: ledger.DeedRun, Run: int64(10 + i)})
		}
		numbers := func(before int64, limit int) (all []int64) {
			for _, line := range lines(t, l, before, limit) {
				all = append(all, line.Number)
			}
			return all
		}
		same(t, "the newest", numbers(0, 2), []int64{5, 4})
		same(t, "those before", numbers(4, 2), []int64{3, 2})
		same(t, "the rest", numbers(2, 2), []int64{1})
		same(t, "none is left", numbers(1, 2), []int64(nil))
		same(t, "all", numbers(0, -1), []int64{5, 4, 3, 2, 1})
	})
	t.Run("incomplete lines are refused", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		for name, line := range map[string]ledger.AuditLine{
			"nobody":      {Way: ledger.ByPage, What: ledger.DeedRun},
			"nothing":     {Who: "ada", Way: ledger.ByPage},
			"no way":      {Who: "ada", What: ledger.DeedRun},
			"unknown way": {Who: "ada", What: ledger.DeedRun, Way: "letter"},
		} {
			if err := l.NoteAudit(t.Context(), line); err == nil {
				t.Errorf("%s: noted", name)
			}
		}
		same(t, "lines", len(lines(t, l, 0, 0)), 0)
	})
	t.Run("from many at once", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				if err := l.NoteAudit(t.Context(), ledger.AuditLine{Who: fmt.Sprint("user ", i), Way: ledger.ByAPI, What: ledger.DeedPlan}); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		who := make(map[string]bool)
		for i, line := range lines(t, l, 0, 0) {
			same(t, "number", line.Number, int64(8-i))
			who[line.Who] = true
		}
		same(t, "lines", len(who), 8)
	})
	t.Run("pruned with the history, and no number comes again", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		note(t, l, noted()...)
		n, err := l.Prune(t.Context(), l.Now().Add(-time.Hour))
		noError(t, err)
		same(t, "removed of what is recent", n, int64(0))
		n, err = l.Prune(t.Context(), l.Now().Add(time.Hour))
		noError(t, err)
		same(t, "removed", n, int64(3))
		note(t, l, noted()[0])
		found := lines(t, l, 0, 0)
		if len(found) != 1 || found[0].Number != 4 {
			t.Errorf("lines %+v", found)
		}
	})
	t.Run("stays when a person is forgotten, but for the person's own name", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		note(t, l, noted()...)
		note(t, l, ledger.AuditLine{Who: "zoe@example.com", Way: ledger.ByPage, What: ledger.DeedSignIn})
		want := lines(t, l, 0, 0)
		want[0].Who = ledger.ForgottenText
		_, err := l.ForgetPerson(t.Context(), "zoe@example.com")
		noError(t, err)
		same(t, "lines", lines(t, l, 0, 0), want)
	})
}
