package render

import (
	"strings"
	"testing"
	"time"

	"owlatsync"
	"owlatsync/internal/config"
	"owlatsync/internal/standing"
	"owlatsync/internal/words"
	"owlatsync/ledger"
	"owlatsync/reconcile"
	"owlatsync/source"
)

func TestStatus(t *testing.T) {
	t.Parallel()
	started := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	report := owlatsync.NewReport("users", "1")
	report.Rows, report.Outcomes[owlatsync.Created], report.Requests.Total = 12, 10, 11
	at := words.Clock(started)
	run := ledger.Run{ID: 1, Sync: "users", Mode: "run", Started: started, Finished: started.Add(90 * time.Second), Status: ledger.StatusOK, Report: report}
	died := ledger.Run{ID: 2, Sync: "users", Mode: "run", Started: started, Heartbeat: started.Add(10 * time.Minute), Status: ledger.StatusDied, Message: "its process was killed"}
	held := ledger.Run{ID: 3, Sync: "users", Mode: "run", Started: started, Finished: started, Status: ledger.StatusHeld, Message: "held by a guard: removals"}
	broken := owlatsync.NewReport("users", "4")
	broken.Rows, broken.InStep, broken.Turned = 13, 12, 10
	broken.Outcomes[owlatsync.Invalid], broken.Outcomes[owlatsync.Duplicate], broken.Outcomes[owlatsync.Unchanged] = 10, 1, 2
	spoilt := ledger.Run{ID: 4, Sync: "users", Mode: "run", Started: started, Finished: started, Status: ledger.StatusFailedRows, Message: "10 of the 12 rows", Report: broken}
	going := ledger.Run{ID: 7, Sync: "users", Mode: "run", Started: started, Heartbeat: started.Add(20 * time.Second), Status: ledger.StatusRunning, Stage: ledger.StageApplying, Report: report}
	queued := ledger.Run{ID: 6, Sync: "users", Mode: "run", Status: ledger.StatusQueued}
	cancelled := ledger.Run{ID: 5, Sync: "users", Mode: "run", Finished: started, Status: ledger.StatusCancelled}
	for _, test := range []struct {
		name string
		st   standing.Sync
		text []string // lines
		json string   // a part
	}{
		{"never run", standing.Sync{}, []string{"users: never run"}, `"held":[],"runs":[]}`},
		{"in order", standing.Sync{Known: true, Rows: ledger.Standing{Entries: 12, Applied: 12}, Runs: []ledger.Run{run}}, []string{
			"users: the ledger knows 12 rows: 12 in step, 0 failing",
			"  run              started    took  status    rows  created  updated  unchanged  failed  unsendable  requests",
			"  1    " + at + "   1m30s      ok      12       10        0          0       0           0        11",
		}, `"rows":12,"in_step":12,"failing":0,"parked":0,"unsendable":0,"held":[],"runs":[{"run":1,"mode":"run",`},
		{"most turned invalid", standing.Sync{Known: true, Rows: ledger.Standing{Entries: 12, Applied: 12}, Runs: []ledger.Run{spoilt}, Last: &spoilt}, []string{
			`users: the ledger knows 12 rows: 2 in step, 0 failing`,
			`  11 rows of the source cannot be sent; "owlat-sync failures --kind invalid,duplicate --sync users" lists them`,
			"  run              started    took       status    rows  created  updated  unchanged  failed  unsendable  requests",
			"  4    " + at + "     <1s  failed rows      13        0        0          2       0          11         0",
			"  the latest ended with: 10 of the 12 rows",
		}, `"rows":12,"in_step":2,"failing":0,"parked":0,"unsendable":11,"held"`},
		{"failing, the latest died", standing.Sync{Known: true, Rows: ledger.Standing{Entries: 3, Applied: 1, Failing: 2, Parked: 1}, Runs: []ledger.Run{died}}, []string{
			`users: the ledger knows 3 rows: 1 in step, 2 failing (1 of them not tried again until they change); "owlat-sync failures --sync users" lists them`,
			"  run              started    took  status    rows  created  updated  unchanged  failed  unsendable  requests",
			"  2    " + at + "       -    died       -        -        -          -       -           -         -",
			"  the latest broke off at " + words.Clock(started.Add(10*time.Minute)) + " or soon after: its process was killed; the next run goes on from what is recorded",
		}, `"heard":"2026-03-01T12:10:00Z","status":"died","message":"its process was killed"`},
		{"goes on", standing.Sync{Known: true, Rows: ledger.Standing{Entries: 12, Applied: 12}, Runs: []ledger.Run{going}}, []string{
			"users: the ledger knows 12 rows: 12 in step, 0 failing",
			"  run              started    took   status    rows  created  updated  unchanged  failed  unsendable  requests",
			"  7    " + at + "       -  running      12       10        0          0       0           0        11",
			"  the latest goes on, in the stage \"applying\", as it told " + words.Clock(started.Add(20*time.Second)) + "; its record is brought up to date every ten seconds",
		}, `"heard":"2026-03-01T12:00:20Z","status":"running","stage":"applying","report":{`},
		{"never began", standing.Sync{Known: true, Rows: ledger.Standing{Entries: 12, Applied: 12}, Runs: []ledger.Run{queued, cancelled, run}}, []string{
			"users: the ledger knows 12 rows: 12 in step, 0 failing",
			"  run              started    took     status    rows  created  updated  unchanged  failed  unsendable  requests",
			"  6                      -       -     queued       -        -        -          -       -           -         -",
			"  5                      -       -  cancelled       -        -        -          -       -           -         -",
			"  1    " + at + "   1m30s         ok      12       10        0          0       0           0        11",
		}, `"runs":[{"run":6,"mode":"run","status":"queued"},{"run":5,"mode":"run","finished":"2026-03-01T12:00:00Z","status":"cancelled"},{"run":1,"mode":"run","started":"2026-03-01T12:00:00Z",`},
		{"held", standing.Sync{Known: true, Rows: ledger.Standing{Entries: 1, Applied: 1}, Runs: []ledger.Run{held}, Held: []standing.HeldRun{{Run: held, Partial: true}, {Run: held}}}, []string{
			"users: the ledger knows 1 row: 1 in step, 0 failing",
			"  run 3 of " + at + " is held by a guard: removals",
			"    look at it:   owlat-sync plan --sync users",
			"    apply it:     owlat-sync approve 3 --sync users (only the rows that --only or --limit asked for)",
			"    held before:  1 run",
			"  run              started    took  status    rows  created  updated  unchanged  failed  unsendable  requests",
			"  3    " + at + "     <1s    held       -        -        -          -       -           -         -",
		}, `"partial":true,"approve":"owlat-sync approve 3 --sync users"}`},
		{"held by another version", standing.Sync{Known: true, Runs: []ledger.Run{held}, Held: []standing.HeldRun{{Run: held, Refused: reconcile.ErrOldPlan}}}, []string{
			"users: the ledger knows 0 rows: 0 in step, 0 failing",
			"  run 3 of " + at + " is held by a guard: removals",
			"    not any more: the plan of the held run was kept by another version of owlat-sync; run again, and approve what that holds",
			"  run              started    took  status    rows  created  updated  unchanged  failed  unsendable  requests",
			"  3    " + at + "     <1s    held       -        -        -          -       -           -         -",
		}, `"message":"held by a guard: removals","refused":"the plan of the held run was kept by another version of owlat-sync;`},
	} {
		test.st.Sync = config.Sync{Name: "users"}
		var text, json strings.Builder
		if err := Status(To{W: &text}, "", test.st, words.Typed{}); err != nil {
			t.Fatal(err)
		}
		if want := strings.Join(test.text, "\n") + "\n"; text.String() != want {
			t.Errorf("%s:\n%s\nwant:\n%s", test.name, text.String(), want)
		}
		if err := Status(To{W: &json, JSON: true}, "", test.st, words.Typed{}); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(json.String(), `{"type":"status","sync":"users",`) || !strings.Contains(json.String(), test.json) {
			t.Errorf("%s: %s lacks %s", test.name, json.String(), test.json)
		}
	}
}

func TestReadingStatus(t *testing.T) {
	t.Parallel()
	sync := config.Sync{Cursor: source.Cursor{Column: "updated_at"}, FullEvery: 24 * time.Hour}
	if newReadingStatus(config.Sync{}, ledger.Bookmark{}) != nil {
		t.Error("a sync without a cursor has a reading")
	}
	if got, want := newReadingStatus(sync, ledger.Bookmark{}).words(), "the next run reads all rows; those after it only what changed by updated_at"; got != want {
		t.Errorf("without a bookmark: %s", got)
	}
	next := time.Now().Add(time.Hour)
	r := &readingStatus{Cursor: "updated_at", NextFull: &next, Again: 1}
	if got, want := r.words(), "runs read only what changed by updated_at; all rows again from "+words.Clock(next)+"; 1 row is not in step and read each time"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
