package glance

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"owlatsync"
	"owlatsync/internal/api"
	"owlatsync/internal/config"
	"owlatsync/internal/standing"
	"owlatsync/internal/words"
	"owlatsync/ledger"
)

var at = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func resting(int64) bool { return false }

// stands returns a sync whose last run was good, with rows that fail, that were given up and that cannot be sent.
func stands(failing, parked, unsendable int) api.SyncState {
	report := owlatsync.NewReport("users", "7")
	report.Outcomes[owlatsync.Invalid] = unsendable
	last := ledger.Run{ID: 7, Status: ledger.StatusFailedRows, Started: at, Finished: at.Add(time.Second), Report: report, Summary: &owlatsync.Summary{}}
	return api.SyncState{
		Sync:  standing.Sync{Sync: config.Sync{Name: "users"}, Known: true, Rows: ledger.Standing{Entries: 9, Failing: failing, Parked: parked}, Runs: []ledger.Run{last}, Last: &last},
		State: api.Healthy,
	}
}

// TestWhatNeedsAPerson: rows that fail and rows that cannot be sent do, each with what leads to them.
func TestWhatNeedsAPerson(t *testing.T) {
	t.Parallel()
	held := stands(0, 0, 0)
	held.Held = []standing.HeldRun{{Run: ledger.Run{ID: 6, Message: "held by a guard"}}, {Run: ledger.Run{ID: 5}, Refused: errors.New("too old")}}
	approved := held
	approved.Approved = []int64{5, 6}
	for name, c := range map[string]struct {
		of   api.SyncState
		want []string
	}{
		"nothing":        {stands(0, 0, 0), nil},
		"one fails":      {stands(1, 0, 0), []string{"1 row fails. See why, and when it is tried again: not every run does. /failures failures"}},
		"many fail":      {stands(1234, 0, 0), []string{"1,234 rows fail. See why, and when they are tried again: not every run does. /failures failures"}},
		"one given up":   {stands(1, 1, 0), []string{"1 row fails. It failed so often that it is not tried again until it changes. See why, and set it right or try it once more. /failures failures"}},
		"some given up":  {stands(20, 12, 0), []string{"20 rows fail. 12 of them have failed so often that no run tries again. See why, and set the rows right or try them once more. /failures failures"}},
		"cannot be sent": {stands(0, 0, 10), []string{"10 rows cannot be sent. See which, and correct them in the source. The next run takes them up. /failures failures --kind invalid,duplicate"}},
		"approved":       {approved, nil},
		"held": {held, []string{
			"Run 6 is held by a guard. Look at its plan. Approve it if that is what you want, or dismiss it. /runs/6 approve 6 or dismiss 6",
			"Run 5 is . It can no longer be approved (too old). Dismiss it, or press “Run now” on the page of the sync for a new plan. /runs/5 dismiss 5",
		}},
	} {
		var got []string
		for _, n := range Needs(words.Typed{}, c.of) {
			commands := slices.DeleteFunc([]string{n.Command, n.Or}, func(s string) bool { return s == "" })
			got = append(got, fmt.Sprint(n.What, " ", n.Do, " ", n.Page, " ", strings.ReplaceAll(strings.Join(commands, " or "), "owlat-sync ", "")))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// TestNoSyncIsHealthyWhoseRowsFail by its word, and one whose rows cannot be sent stays so.
func TestNoSyncIsHealthyWhoseRowsFail(t *testing.T) {
	t.Parallel()
	if v := Of("", stands(1, 0, 0), resting); v.State != "rows fail" || v.Look != "failed rows" {
		t.Errorf("with a row that fails it is %q, and looks %q", v.State, v.Look)
	}
	if v := Of("", stands(0, 0, 10), resting); v.State != "healthy" || v.Look != "healthy" || v.Unsendable != 10 {
		t.Errorf("with rows that cannot be sent it is %+v", v)
	}
	late := stands(1, 0, 0)
	late.State, late.Why, late.LastGood = api.Stale, "its last good run ended at 2026-03-01T12:00:00Z", at
	if v := Of("", late, resting); v.State != "stale" || v.Why != "its last good run ended at 2026-03-01 12:00 UTC" {
		t.Errorf("stale it is %+v", v)
	}
}

// TestTheLatestRunGoesOn although its record says that it is queued.
func TestTheLatestRunGoesOn(t *testing.T) {
	t.Parallel()
	s := stands(0, 0, 0)
	s.Runs[0].Status, s.Runs[0].Finished, s.Waits = ledger.StatusQueued, time.Time{}, 6
	for goesOn, want := range map[bool]ledger.Status{true: ledger.StatusRunning, false: ledger.StatusQueued} {
		v := Of("/deployments/acme", s, func(run int64) bool { return goesOn && run == 7 })
		if v.Last.Status != want || v.Last.Address != "/deployments/acme/runs/7" || v.WaitsAddress != "/deployments/acme/runs/6" || !v.Last.At.Equal(at) {
			t.Errorf("goes on %v: %+v", goesOn, v.Last)
		}
	}
}

// TestWhatIsNotUpToDateIsTold: rows that wait for approval, and what the others are that are neither in step nor failing.
func TestWhatIsNotUpToDateIsTold(t *testing.T) {
	t.Parallel()
	s := stands(1, 0, 0)
	s.Rows.Entries, s.Rows.Applied, s.Next = 36, 34, at.Add(21*time.Second)
	s.Last.Report.Turned = 1
	held := ledger.Run{ID: 6, Status: ledger.StatusHeld, Guards: []owlatsync.Hit{{Guard: owlatsync.GuardRemovals}}, Report: owlatsync.NewReport("users", "6"),
		Summary: &owlatsync.Summary{Outcomes: map[owlatsync.Outcome]int{owlatsync.Removed: 40, owlatsync.Skipped: 2}}}
	held.Report.Outcomes[owlatsync.Skipped] = 8
	s.Held = []standing.HeldRun{{Run: ledger.Run{ID: 8, Status: ledger.StatusHeld}}, {Run: held}}
	v := Of("", s, resting)
	if v.InStep != 33 || v.Turned != 1 || v.Rest != 1 || v.Held != 46 || v.HeldBy != (Link{"run 6", "/runs/6"}) || !v.InSeconds {
		t.Errorf("%+v", v)
	}
	s.Next, s.Held = at.Add(time.Hour), nil
	if v := Of("", s, resting); v.InSeconds || v.Held != 0 || v.HeldBy != (Link{}) {
		t.Errorf("%+v", v)
	}
}

// TestHeldRunsComeFirst of all syncs, and then plans that somebody asked to see.
func TestHeldRunsComeFirst(t *testing.T) {
	t.Parallel()
	failing, held := stands(1, 0, 3), stands(0, 0, 0)
	held.Held = []standing.HeldRun{{Run: ledger.Run{ID: 4, Mode: ledger.ModeReview}}, {Run: ledger.Run{ID: 3, Message: "held by a guard"}}}
	all := append(Needs(words.Typed{}, failing), Needs(words.Typed{}, held)...)
	Sort(all)
	var got []string
	for _, n := range all {
		got = append(got, n.What)
	}
	if want := []string{"Run 3 is held by a guard.", "A plan waits for you: somebody asked run 4 to show what it would do.", "1 row fails.", "3 rows cannot be sent."}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func TestBudgets(t *testing.T) {
	t.Parallel()
	if BudgetOf(api.Budget{}, false) != nil {
		t.Error("a budget of which nothing is known")
	}
	for _, c := range []struct {
		limit, used      float64
		limits, is, part string
	}{{10, 3.14, "10 a second", "3.1 a second", "31"}, {2.5, 0, "2.5 a second", "0 a second", "0"}, {12345.5, 1234, "12,345.5 a second", "1,234 a second", "10"}, {1e6, 1234.56, "no limit", "1,234.6 a second", ""}} {
		v := BudgetOf(api.Budget{Limit: c.limit, Used: c.used, Keys: []api.KeyBudget{{Limit: c.limit, Used: c.used}}}, true)
		if v.Limit != c.limits || v.Used != c.is || v.Share != c.part || v.Keys[0].Used+" a second" != c.is || (v.Keys[0].Limit == "") != (c.limits == "no limit") {
			t.Errorf("%v of %v is %+v", c.used, c.limit, v)
		}
	}
}
