package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"owlatsync"
	"owlatsync/internal/config"
	"owlatsync/internal/exitcode"
	"owlatsync/reconcile"
)

func TestManyRefusalsAreExplained(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		limited, total int
		want           bool
	}{{0, 100, false}, {9, 20, false}, {10, 200, false}, {10, 199, true}, {600, 1000, true}} {
		var out bytes.Buffer
		report := owlatsync.NewReport("users", "1")
		report.Requests = owlatsync.RequestCounts{Total: c.total, RateLimited: c.limited}
		r := &runner{reports: []*owlatsync.Report{report}}
		r.printEnd(newApp(nil, strings.NewReader(""), &out, io.Discard))
		if got := strings.Contains(out.String(), "something else seems to use this API key"); got != c.want {
			t.Errorf("%d of %d refused, said %v:\n%s", c.limited, c.total, got, &out)
		}
	}
}

// TestRowsThatWereLeftHideNoOthers ends a run early: the rows that could not be helped are told, the others counted.
func TestRowsThatWereLeftHideNoOthers(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	a := newApp(nil, strings.NewReader(""), &out, io.Discard)
	r, sync, shown := &runner{reports: []*owlatsync.Report{owlatsync.NewReport("users", "1")}}, config.Sync{Name: "users", Key: []string{"id"}}, 0
	for key := range 12 {
		r.rowDone(a, sync, reconcile.RowDone{Category: reconcile.CategoryUnreached, Decision: reconcile.Decision{
			Key: fmt.Sprint(key), Outcome: owlatsync.Skipped, Reason: "the run ended before the row's turn",
		}}, &shown)
	}
	r.rowDone(a, sync, reconcile.RowDone{Category: "source", Decision: reconcile.Decision{Key: "99", Outcome: owlatsync.Invalid, Reason: "no address"}}, &shown)
	r.printEnd(a)
	text := out.String()
	if want := "Not applied:\n  users  key 99  invalid  no address\n\n"; !strings.HasPrefix(text, want) {
		t.Errorf("it begins otherwise than %q:\n%s", want, text)
	}
	if want := "\n12 rows were left when the run ended; the next run takes them up.\n"; !strings.HasSuffix(text, want) {
		t.Errorf("it ends otherwise than %q:\n%s", want, text)
	}
}

func TestRowsThatWereLeftAreInTheFile(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	r := &runner{reports: []*owlatsync.Report{owlatsync.NewReport("users", "1")}, failures: &reportFile{path: "f.csv"}, left: 12}
	r.printEnd(newApp(nil, strings.NewReader(""), &out, io.Discard))
	if want := "Not applied:\n  written to f.csv, with addresses: 12 rows\n\n"; !strings.HasPrefix(out.String(), want) {
		t.Errorf("it begins otherwise than %q:\n%s", want, &out)
	}
}

// full is an output to which nothing can be written.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func TestAnOutputThatCannotBeWrittenIsTold(t *testing.T) {
	t.Parallel()
	var stderr bytes.Buffer
	code := run(t.Context(), []string{"version"}, nil, strings.NewReader(""), full{}, &stderr)
	if want := "owlat-sync: write the output: no space left on device\n"; code != int(exitcode.Error) || stderr.String() != want {
		t.Errorf("code %d, %q, want %q", code, &stderr, want)
	}
}
