package home

import (
	"testing"
	"time"

	"owlatsync"
	"owlatsync/internal/api"
	"owlatsync/internal/config"
	"owlatsync/internal/standing"
	"owlatsync/internal/turns"
	"owlatsync/internal/vitals"
	"owlatsync/ledger"
	"owlatsync/reconcile/step"
)

// TestTheNextRunIsOneThatComes: while the schedule waits for an approval, no time is told at which no run comes.
func TestTheNextRunIsOneThatComes(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 10, 0, 20, 0, time.UTC)
	next := time.Date(2026, 3, 1, 10, 10, 0, 0, time.UTC)
	held := func(g owlatsync.Guard) standing.HeldRun {
		return standing.HeldRun{Run: ledger.Run{ID: 5, Status: ledger.StatusHeld, PlanForm: step.Form, Finished: at, Guards: []owlatsync.Hit{{Guard: g}}}}
	}
	sync := every("users", 10*time.Minute)
	for name, c := range map[string]struct {
		sync     config.Sync
		next     time.Time
		held     []standing.HeldRun
		approves []int64
		lifted   bool
		want     time.Time
		waits    int64
	}{
		"nothing is held":          {sync, next, nil, nil, false, next, 0},
		"a guard holds it":         {sync, next, []standing.HeldRun{held(owlatsync.GuardRemovals)}, nil, false, time.Date(2026, 3, 1, 11, 10, 0, 0, time.UTC), 5},
		"it is due after the wait": {sync, at.Add(2 * time.Hour), []standing.HeldRun{held(owlatsync.GuardRemovals)}, nil, false, at.Add(2 * time.Hour), 0},
		"the first run":            {sync, next, []standing.HeldRun{held(owlatsync.GuardFirstRun)}, nil, false, time.Time{}, 5},
		"it was changed since":     {sync, next, []standing.HeldRun{held(owlatsync.GuardFirstRun)}, nil, true, next, 0},
		"it is approved":           {sync, next, []standing.HeldRun{held(owlatsync.GuardFirstRun)}, []int64{5}, false, next, 0},
		"without a schedule":       {config.Sync{Name: "users"}, time.Time{}, []standing.HeldRun{held(owlatsync.GuardFirstRun)}, nil, false, time.Time{}, 0},
	} {
		if got, waits := nextOf(c.sync, c.next, c.held, c.approves, c.lifted); !got.Equal(c.want) || waits != c.waits {
			t.Errorf("%s: %s, and it waits for %d", name, got, waits)
		}
	}
}

// TestTheStateTellsOfRowsThatFail although the last run was good.
func TestTheStateTellsOfRowsThatFail(t *testing.T) {
	t.Parallel()
	report := owlatsync.NewReport("users", "7")
	report.Outcomes[owlatsync.Invalid] = 10
	last := ledger.Run{ID: 7, Status: ledger.StatusFailedRows, Report: report, Summary: &owlatsync.Summary{}}
	of := standing.Sync{Sync: every("users", time.Hour), Rows: ledger.Standing{Failing: 1}, Runs: []ledger.Run{last}, Last: &last}
	signs := vitals.Sync{Last: &last, LastGood: time.Now()}
	if state, why := stateOf(of, signs, turns.Waiting{}, time.Now()); state != api.Healthy || why != "1 row fails, and 10 rows cannot be sent" {
		t.Errorf("it is %s: %s", state, why)
	}
	of.Held = []standing.HeldRun{{Run: ledger.Run{ID: 8, Mode: ledger.ModeReview, Status: ledger.StatusHeld}}}
	of.Rows.Failing = 0
	if state, why := stateOf(of, signs, turns.Waiting{}, time.Now()); state != api.Healthy || why != "the plan of run 8 waits for somebody to look at it; 10 rows cannot be sent" {
		t.Errorf("with a plan that waits it is %s: %s", state, why)
	}
	of.Held, of.Sync.Schedule, of.Rows.Failing = nil, config.Schedule{}, 2
	if state, why := stateOf(of, signs, turns.Waiting{}, time.Now()); state != api.NotScheduled || why != "2 rows fail, and 10 rows cannot be sent" {
		t.Errorf("without a schedule it is %s: %s", state, why)
	}
}
