package ledgertest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"owlatsync/ledger"
	"owlatsync/ledger/ledgertest/internal/service"
)

func testConcurrent(t *testing.T, open Open) {
	folder := t.TempDir()
	l := open(t, folder)
	k := hold(t, l)
	run := begin(t, k, "users")
	const workers, each = 16, 24
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range each {
				key := fmt.Sprint(w*each + i)
				// Every worker also writes a row that all share.
				err := k.Record(t.Context(), ledger.Record{Sync: "users", Run: run, Entry: entry(key), Event: "created"},
					ledger.Record{Sync: "users", Run: run, Entry: entry("shared")})
				if err != nil {
					t.Errorf("record: %v", err)
					return
				}
				found, err := l.Entries(t.Context(), "users", []string{key, "shared"})
				if err != nil || len(found) != 2 {
					t.Errorf("of 2 entries just recorded %d are there: %v", len(found), err)
				}
				switch i % 8 {
				case 0:
					if err := k.KeepPlan(t.Context(), run, []ledger.PlanItem{item(1, int64(w), key)}); err != nil {
						t.Errorf("keep plan: %v", err)
					}
				case 1:
					if h, err := l.Holders(t.Context(), []string{entry(key).Email}); err != nil || len(h) != 1 {
						t.Errorf("%d holders: %v", len(h), err)
					}
				case 2:
					seen := 0
					for _, err := range l.Index(t.Context(), "users") {
						if err != nil {
							t.Errorf("index: %v", err)
						}
						seen++
					}
					if seen < i {
						t.Errorf("the index has %d entries when this worker alone recorded %d", seen, i)
					}
				case 3:
					if err := k.Remove(t.Context(), "users", []string{key}); err != nil {
						t.Errorf("remove: %v", err)
					}
					if err := k.Record(t.Context(), ledger.Record{Sync: "users", Entry: entry(key)}); err != nil {
						t.Errorf("record again: %v", err)
					}
				case 4:
					if _, err := l.Standing(t.Context(), "users"); err != nil {
						t.Errorf("standing: %v", err)
					}
				case 5:
					ctx, cancel := context.WithCancel(t.Context())
					go cancel()
					err := k.Record(ctx, ledger.Record{Sync: "users", Entry: entry(key)})
					if err != nil && !errors.Is(err, context.Canceled) {
						t.Errorf("a record that was cancelled: %v", err)
					}
				case 6:
					if err := k.Beat(t.Context(), ledger.Beat{Run: run, Stage: ledger.StageApplying}); err != nil {
						t.Errorf("beat: %v", err)
					}
				case 7:
					if n, err := l.Retry(t.Context(), "users", nil, time.Now()); n != 0 || err != nil {
						t.Errorf("retry of %d rows: %v", n, err)
					}
				}
			}
		})
	}
	wg.Wait()
	noError(t, l.Close())
	l = reopen(t, open, folder)
	same(t, "index", indexOf(t, l, "users"), wantIndex(append(many(0, workers*each), entry("shared"))...))
	same(t, "plan", len(collect(t, l.Plan(t.Context(), run))), workers*each/8)
}

const (
	roleVariable   = "LEDGERTEST_ROLE"
	folderVariable = "LEDGERTEST_FOLDER"
)

// testProcesses starts processes of the test binary, which reach this function again and play a role.
func testProcesses(t *testing.T, open Open) {
	switch os.Getenv(roleVariable) {
	case "record":
		recordUntilKilled(t, open(t, os.Getenv(folderVariable)))
	case "hold":
		holdUntilKilled(t, open(t, os.Getenv(folderVariable)))
	case "end":
		endUntilKilled(t, open(t, os.Getenv(folderVariable)))
	case "take in", "deliver", "wait":
		service.PlayRole(t, os.Getenv(roleVariable), open(t, os.Getenv(folderVariable)))
	default:
		t.Run("what was acknowledged survives a kill", func(t *testing.T) { t.Parallel(); testKill(t, open) })
		t.Run("a run's end is whole or not at all", func(t *testing.T) { t.Parallel(); testKilledEnd(t, open) })
		service.Killed(t, func(t testing.TB, folder string) service.Ledger { return open(t, folder) }, func(t *testing.T, role, folder string) service.Child { return startChild(t, role, folder) })
		t.Run("a lock dies with its process", func(t *testing.T) { t.Parallel(); testDeadHolder(t, open) })
	}
}

// groupSize is how many records one call of the recording process has.
const groupSize = 3

func recordUntilKilled(t *testing.T, l Ledger) {
	k := await(t, l, "a run to be killed")
	var out sync.Mutex
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := 0; ; i++ {
				group := fmt.Sprintf("%d-%d-%d", os.Getpid(), w, i)
				var records []ledger.Record
				for n := range groupSize {
					records = append(records, ledger.Record{Sync: "users", Run: 1, Entry: entry(fmt.Sprintf("%s-%d", group, n)), Event: "created"})
				}
				if err := k.Record(t.Context(), records...); err != nil {
					t.Errorf("record: %v", err)
					return
				}
				out.Lock()
				fmt.Println("acknowledged", group)
				out.Unlock()
			}
		})
	}
	wg.Wait()
}

func holdUntilKilled(t *testing.T, l Ledger) {
	k := acquire(t, l, "a run to be killed")
	fmt.Println("acknowledged", k.Epoch(), begin(t, k, "users"))
	select {}
}

// child is a process of the test binary in a role.
type child struct {
	cmd *exec.Cmd
	out *bufio.Scanner
}

// startChild runs the nearest enclosing testProcesses in a new process.
func startChild(t *testing.T, role, folder string) *child {
	t.Helper()
	program, err := os.Executable()
	noError(t, err)
	var pattern []string
	for part := range strings.SplitSeq(t.Name()[:strings.LastIndex(t.Name(), "/")], "/") {
		pattern = append(pattern, "^"+regexp.QuoteMeta(part)+"$")
	}
	cmd := exec.Command(program, "-test.run="+strings.Join(pattern, "/"), "-test.timeout=2m")
	cmd.Env = append(os.Environ(), roleVariable+"="+role, folderVariable+"="+folder)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	noError(t, err)
	noError(t, cmd.Start())
	c := &child{cmd: cmd, out: bufio.NewScanner(out)}
	t.Cleanup(func() { c.Kill() })
	return c
}

// Acknowledged returns the next thing that the child says is done; false means that it is dead.
func (c *child) Acknowledged() (string, bool) {
	for c.out.Scan() {
		if what, ok := strings.CutPrefix(c.out.Text(), "acknowledged "); ok {
			return what, true
		}
	}
	return "", false
}

// Kill ends the process without a chance to tidy up, and returns what it still said.
func (c *child) Kill() (said []string) {
	_ = c.cmd.Process.Kill()
	for what, ok := c.Acknowledged(); ok; what, ok = c.Acknowledged() {
		said = append(said, what)
	}
	_ = c.cmd.Wait()
	return said
}

func testKill(t *testing.T, open Open) {
	folder := t.TempDir()
	var acknowledged []string
	for round := range 3 {
		c := startChild(t, "record", folder)
		for range 40 + 111*round {
			group, ok := c.Acknowledged()
			if !ok {
				t.Fatal("the recording process ended by itself")
			}
			acknowledged = append(acknowledged, group)
		}
		acknowledged = append(acknowledged, c.Kill()...)

		l := open(t, folder)
		index := indexOf(t, l, "users")
		missing := 0
		for _, group := range acknowledged {
			for n := range groupSize {
				if _, ok := index[ledger.HashText(fmt.Sprintf("%s-%d", group, n))]; !ok {
					missing++
				}
			}
		}
		if torn := len(index) % groupSize; missing > 0 || torn > 0 {
			t.Errorf("round %d: of %d acknowledged groups %d records are missing; %d entries belong to no whole group",
				round, len(acknowledged), missing, torn)
		}
		noError(t, l.Close())
	}
}

func testDeadHolder(t *testing.T, open Open) {
	folder := t.TempDir()
	l := reopen(t, open, folder)
	before := acquire(t, l, "a run before")
	noError(t, before.Release())
	c := startChild(t, "hold", folder)
	said, ok := c.Acknowledged()
	if !ok {
		t.Fatal("the other process got no lock")
	}
	var epoch, dead int64
	_, err := fmt.Sscan(said, &epoch, &dead)
	noError(t, err)
	_, err = l.Acquire(t.Context(), ledger.Claim{Purpose: "a second run"})
	locked, ok := errors.AsType[*ledger.LockedError](err)
	if !ok {
		t.Fatalf("the lock of another process was taken: %v", err)
	}
	if locked.PID != c.cmd.Process.Pid || locked.Purpose != "a run to be killed" {
		t.Errorf("the holder is given as %+v", locked)
	}
	same(t, "run", runOf(t, l, dead).Status, ledger.StatusRunning)
	waited := make(chan ledger.Lock)
	go func() {
		defer close(waited)
		k, err := l.Acquire(t.Context(), ledger.Claim{Purpose: "a run that waits for the end", Wait: true})
		if err != nil {
			t.Error(err)
			return
		}
		waited <- k
	}()
	c.Kill()
	k, ok := <-waited
	if !ok {
		t.FailNow()
	}
	if before.Epoch() >= epoch || epoch >= k.Epoch() {
		t.Errorf("epochs %d, %d in another process, %d", before.Epoch(), epoch, k.Epoch())
	}
	begin(t, k, "users")
	same(t, "run", runOf(t, l, dead).Status, ledger.StatusDied)
	same(t, "epoch of the run", runOf(t, l, dead).Epoch, epoch)
	noError(t, k.Release())
}

// endUntilKilled ends runs, each with every part of an ending.
func endUntilKilled(t *testing.T, l Ledger) {
	k := await(t, l, "runs to be killed")
	var held int64
	for i := 1; ; i++ {
		run := begin(t, k, "users")
		items := make([]ledger.PlanItem, 300)
		for n := range items {
			items[n] = item(1, int64(n), fmt.Sprint(n))
		}
		keep(t, k, run, items...)
		ending := ledger.Ending{
			Run: ledger.Run{ID: run, Status: ledger.StatusHeld, PlanForm: 1}, Bookmark: &ledger.Bookmark{Mark: fmt.Sprint(run)}, Adopted: true,
		}
		if held != 0 {
			ending.Settled = map[int64]ledger.Status{held: ledger.StatusSuperseded}
		}
		noError(t, k.EndRun(t.Context(), ending))
		held = run
		fmt.Println("acknowledged", run)
	}
}

// testKilledEnd kills a process that ends runs, and looks for halves.
func testKilledEnd(t *testing.T, open Open) {
	folder := t.TempDir()
	for round := range 4 {
		c := startChild(t, "end", folder)
		var last string
		for range 3 + 7*round {
			said, ok := c.Acknowledged()
			if !ok {
				t.Fatal("the other process ended by itself")
			}
			last = said
		}
		if said := c.Kill(); len(said) > 0 {
			last = said[len(said)-1]
		}
		l := open(t, folder)
		held, err := l.HeldRuns(t.Context(), "users")
		noError(t, err)
		mark, err := l.Bookmark(t.Context(), "users")
		noError(t, err)
		state, err := l.SyncState(t.Context(), "users")
		noError(t, err)
		// Every earlier process left one held run that the next process did not know.
		if len(held) != round+1 || mark.Mark != fmt.Sprint(held[0].ID) || !state.Adopted {
			t.Fatalf("round %d: %d held runs, the latest %d, bookmark %q, adopted %v", round, len(held), held[0].ID, mark.Mark, state.Adopted)
		}
		var acknowledged int64
		_, err = fmt.Sscan(last, &acknowledged)
		noError(t, err)
		if held[0].ID < acknowledged {
			t.Errorf("round %d: the end of run %d was acknowledged, and %d is the latest that is held", round, acknowledged, held[0].ID)
		}
		runs, err := l.Runs(t.Context(), "users", 0)
		noError(t, err)
		for _, r := range runs {
			items := len(collect(t, l.Plan(t.Context(), r.ID)))
			if whole := items == 300 && r.PlanForm == 1; r.Status == ledger.StatusHeld && !whole || r.Status == ledger.StatusSuperseded && (items != 0 || r.PlanForm != 0) {
				t.Errorf("round %d: run %d is %q and keeps %d items of form %d", round, r.ID, r.Status, items, r.PlanForm)
			}
		}
		noError(t, l.Close())
	}
}
