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

	"owlatsync/ledger"
)

func testConcurrent(t *testing.T, open Open) {
	folder := t.TempDir()
	l := open(t, folder)
	run := begin(t, l, "users")
	const workers, each = 16, 24
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range each {
				key := fmt.Sprint(w*each + i)
				// Every worker also writes a row that all share.
				err := l.Record(t.Context(), ledger.Record{Sync: "users", Run: run, Entry: entry(key), Event: "created"},
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
					if err := l.Spool(t.Context(), run, []ledger.PlanItem{item(1, int64(w), key)}); err != nil {
						t.Errorf("spool: %v", err)
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
					if err := l.Forget(t.Context(), "users", []string{key}); err != nil {
						t.Errorf("forget: %v", err)
					}
					if err := l.Record(t.Context(), ledger.Record{Sync: "users", Entry: entry(key)}); err != nil {
						t.Errorf("record again: %v", err)
					}
				case 4:
					if _, err := l.Standing(t.Context(), "users"); err != nil {
						t.Errorf("standing: %v", err)
					}
				case 5:
					ctx, cancel := context.WithCancel(t.Context())
					go cancel()
					err := l.Record(ctx, ledger.Record{Sync: "users", Entry: entry(key)})
					if err != nil && !errors.Is(err, context.Canceled) {
						t.Errorf("a record that was cancelled: %v", err)
					}
				}
			}
		})
	}
	wg.Wait()
	noError(t, l.Close())
	l = reopen(t, open, folder)
	same(t, "index", indexOf(t, l, "users"), wantIndex(append(many(0, workers*each), entry("shared"))...))
	same(t, "plan", len(collect(t, l.Spooled(t.Context(), run, 1))), workers*each/8)
}

const (
	roleVariable   = "LEDGERTEST_ROLE"
	folderVariable = "LEDGERTEST_FOLDER"
)

// testProcesses runs other processes of the test binary, which come to this function again and play a role.
func testProcesses(t *testing.T, open Open) {
	switch os.Getenv(roleVariable) {
	case "record":
		recordUntilKilled(t, open(t, os.Getenv(folderVariable)))
	case "hold":
		holdUntilKilled(t, open(t, os.Getenv(folderVariable)))
	default:
		t.Run("what was acknowledged survives a kill", func(t *testing.T) { t.Parallel(); testKill(t, open) })
		t.Run("a lock dies with its process", func(t *testing.T) { t.Parallel(); testDeadHolder(t, open) })
	}
}

// groupSize is how many records one call of the recording process has.
const groupSize = 3

func recordUntilKilled(t *testing.T, l Ledger) {
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
				if err := l.Record(t.Context(), records...); err != nil {
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
	_, err := l.Acquire(t.Context(), "a run to be killed")
	noError(t, err)
	fmt.Println("acknowledged lock")
	select {}
}

// child is a process of the test binary in a role.
type child struct {
	cmd *exec.Cmd
	out *bufio.Scanner
}

// startChild runs the calling test's nearest ancestor that is testProcesses in a process of its own.
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
	t.Cleanup(func() { c.kill() })
	return c
}

// acknowledged returns the next thing the child says is done, or false when it is dead.
func (c *child) acknowledged() (string, bool) {
	for c.out.Scan() {
		if what, ok := strings.CutPrefix(c.out.Text(), "acknowledged "); ok {
			return what, true
		}
	}
	return "", false
}

// kill gives the process no chance to tidy up, and reads what it had still said.
func (c *child) kill() (said []string) {
	_ = c.cmd.Process.Kill()
	for what, ok := c.acknowledged(); ok; what, ok = c.acknowledged() {
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
			group, ok := c.acknowledged()
			if !ok {
				t.Fatal("the recording process ended by itself")
			}
			acknowledged = append(acknowledged, group)
		}
		acknowledged = append(acknowledged, c.kill()...)

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
	c := startChild(t, "hold", folder)
	if _, ok := c.acknowledged(); !ok {
		t.Fatal("the other process got no lock")
	}
	_, err := l.Acquire(t.Context(), "a second run")
	locked, ok := errors.AsType[*ledger.LockedError](err)
	if !ok {
		t.Fatalf("the lock of another process was taken: %v", err)
	}
	if locked.PID != c.cmd.Process.Pid || locked.Purpose != "a run to be killed" {
		t.Errorf("the holder is given as %+v", locked)
	}
	record(t, l, "users", entry("1"))
	c.kill()
	release, err := l.Acquire(t.Context(), "a run after a kill")
	noError(t, err)
	noError(t, release())
}
