package telemetry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"owlatsync"
	"owlatsync/internal/telemetry"
	"owlatsync/ledger"
	"owlatsync/ledger/memory"
	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
	"owlatsync/reconcile/progress"
)

// TestEveryLineOfARunNamesIt makes a run at level debug, with a row that fails.
func TestEveryLineOfARunNamesIt(t *testing.T) {
	t.Parallel()
	for _, form := range []string{"text", "json"} {
		t.Run(form, inBubble(func(t *testing.T) {
			var out bytes.Buffer
			log := telemetry.NewLog(&out, form == "json", slog.LevelDebug)
			ctx, running := telemetry.Within(t.Context(), "users", 0)
			rows := people{somebody("1", "ada@example.com"), somebody("ada@example.com", "grace@example.com")}
			faults := []owlattest.Fault{{Kind: owlattest.StatusError, Status: 500, Method: "POST", Route: "/contacts"}}
			run(ctx, t, memory.New(), log, rows, faults, func(owlat.Attempt) {}, running.Observe, telemetry.Narrate(ctx, log))
			lines := strings.Split(strings.TrimSpace(out.String()), "\n")
			for _, line := range lines {
				names := strings.Contains(line, "sync=users") && strings.Contains(line, "run=1")
				if form == "json" {
					var fields struct {
						Sync string
						Run  int64
					}
					if err := json.Unmarshal([]byte(line), &fields); err != nil {
						t.Errorf("%q: %v", line, err)
					}
					names = fields.Sync == "users" && fields.Run == 1
				}
				if !names || strings.Count(line, "sync") != 1 || strings.Contains(line, "example.com") {
					t.Errorf("a line of the log: %s", line)
				}
			}
			for _, want := range []string{"run started", "planned", "owlat request", "row failed", "run ended"} {
				if !slices.ContainsFunc(lines, func(line string) bool { return strings.Contains(line, want) }) {
					t.Errorf("nothing says %q in\n%s", want, out.String())
				}
			}
		}))
	}
}

// inBubble makes a test run beside others, in fake time.
func inBubble(test func(*testing.T)) func(*testing.T) {
	return func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, test)
	}
}

func TestLinesOutsideOfRunsAndInGroups(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	log := telemetry.NewLog(&out, false, slog.LevelInfo)
	ctx, running := telemetry.Within(t.Context(), "users", 7)
	log.InfoContext(context.Background(), "a")
	log.DebugContext(ctx, "too fine")
	log.With("sync", "leads").InfoContext(ctx, "b")
	log.With("x", 1).With("run", 9).InfoContext(ctx, "c")
	log.WithGroup("g").InfoContext(ctx, "d", "sync", "of another kind")
	running.Observe(progress.Started{About: progress.About{Sync: "users", Run: 8}})
	log.InfoContext(ctx, "e")
	want := []string{"msg=a", "msg=b sync=leads run=7", "msg=c x=1 run=9 sync=users", `msg=d g.sync="of another kind"`, "msg=e sync=users run=8"}
	var got []string
	for line := range strings.Lines(out.String()) {
		_, rest, _ := strings.Cut(strings.TrimSpace(line), "level=INFO ")
		got = append(got, rest)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// TestAHeldRunIsToldOnce for each guard, and not again when it ends.
func TestAHeldRunIsToldOnce(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	told := telemetry.Narrate(t.Context(), telemetry.NewLog(&out, false, slog.LevelInfo))
	about := progress.About{Sync: "users", Run: 7}
	told(progress.Held{About: about, Guards: []owlatsync.Hit{{Guard: owlatsync.GuardFirstRun, Reason: "it is the first"}}})
	told(progress.Ended{About: about, Status: ledger.StatusHeld, Message: "it is the first"})
	if strings.Count(out.String(), "it is the first") != 1 {
		t.Errorf("the log is\n%s", &out)
	}
	told(progress.Ended{About: about, Status: ledger.StatusError, Message: "no disk"})
	if !strings.Contains(out.String(), "did not end well") {
		t.Errorf("the log is\n%s", &out)
	}
}
