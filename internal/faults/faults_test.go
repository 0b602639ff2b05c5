// Package faults holds the table of what becomes of a run when something around it goes wrong: for each fault and each
// thing that a run does to Owlat the outcome of the row, the exit code, what was sent, and what the next run makes of it.
// The tests run every line of it in fake time, and docs/faults.md is made of it.
package faults

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"owlatsync/internal/exitcode"
	"owlatsync/reconcile"
)

var update = flag.Bool("update", false, "write docs/faults.md as the table says")

func TestMain(m *testing.M) {
	registerDriver()
	goleak.VerifyTestMain(m)
}

// TestFaults runs each line of the table, with every variant of its fault.
func TestFaults(t *testing.T) {
	t.Parallel()
	for _, f := range table() {
		t.Run(f.id, func(t *testing.T) {
			t.Parallel()
			for _, line := range f.lines {
				for _, v := range f.variants {
					t.Run(line.op+"/"+v.name, func(t *testing.T) {
						got := line
						synctest.Test(t, func(t *testing.T) { got = play(t, f, v, operationNamed(t, line.op)) })
						if got != line {
							t.Errorf("the table says\n\t%s\nand this happened\n\t%s", line, got)
						}
					})
				}
			}
		})
	}
}

// play has a sync run into the fault, once for a single request and once for as long as it runs, and then run without it.
func play(t *testing.T, f fault, v variant, op operation) line {
	got := line{op: op.name}
	once := newWorld(t, op, v)
	once.befall(&f, &v, true)
	got.once = once.run().String()
	once.converge()

	w := newWorld(t, op, v)
	w.befall(&f, &v, false)
	got.lasting = w.run().String()
	w.heal()
	time.Sleep(time.Minute)
	got.next = w.run().String()
	got.left = w.left()
	w.settled()
	return got
}

// line is what the table says about a fault and an operation.
type line struct {
	op      string
	once    string // the run in which one request met the fault
	lasting string // the run in which every such request met it
	next    string // the run after that, without the fault
	left    string // in what Owlat then differs from the rows; empty: in nothing
}

func (l line) String() string {
	return strings.TrimRight(strings.Join([]string{l.op, l.once, l.lasting, l.next, l.left}, " | "), " |")
}

// parseLines reads lines as String writes them.
func parseLines(text string) []line {
	var lines []line
	for s := range strings.Lines(text) {
		if s = strings.TrimSpace(s); s == "" {
			continue
		}
		parts := strings.Split(s, "|")
		for len(parts) < 5 {
			parts = append(parts, "")
		}
		for i := range parts {
			parts[i] = strings.TrimSpace(parts[i])
		}
		lines = append(lines, line{parts[0], parts[1], parts[2], parts[3], parts[4]})
	}
	return lines
}

// TestManyRows has a run of many rows meet each fault: whether it goes on, or is ended and by which exit code.
func TestManyRows(t *testing.T) {
	t.Parallel()
	for _, f := range table() {
		if f.many == "" {
			continue
		}
		t.Run(f.id, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				op := operationNamed(t, manyRows)
				if f.lines[0].op == "members" {
					op = operationNamed(t, manyRead)
				}
				w := newWorld(t, op, f.variants[0])
				w.befall(&f, &f.variants[0], false)
				began := time.Now()
				got := w.run()
				t.Log(f.id, time.Since(began), got.sent[:min(3, len(got.sent))], len(got.sent))
				if many := got.many(); many != f.many {
					t.Errorf("the table says %q, and this happened: %q (%v, %v)", f.many, many, got.report.Outcomes, got.err)
				}
				w.converge()
			})
		})
	}
}

// TestPage compares docs/faults.md with the table, or writes it.
func TestPage(t *testing.T) {
	t.Parallel()
	shown := make(map[string]string)
	for _, f := range table() {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, operationNamed(t, f.shownOperation()), f.variants[0])
			w.befall(&f, &f.variants[0], false)
			shown[f.id] = w.shown(w.run())
		})
	}
	const file = "../../docs/faults.md"
	want := page(table(), shown)
	got, err := os.ReadFile(file)
	if at := bytes.LastIndex(got, []byte("\n---\n")); at >= 0 {
		want += string(got[at:]) // the links to other pages, which package docs writes
	}
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if err != nil || string(got) != want {
		t.Errorf("docs/faults.md is not what the table says (%v); go test ./internal/faults -run TestPage -update writes it", err)
	}
}

// exit is the exit code of "owlat-sync run" for a run.
func exit(r *result) exitcode.Code {
	if r.err == nil && r.failed > 0 {
		return exitcode.FailedRows
	}
	return exitcode.Of(r.err)
}

func count(n int, what string) string {
	if n == 1 {
		return what
	}
	return fmt.Sprintf("%s ×%d", what, n)
}

var _ reconcile.Source = (*rows)(nil)
