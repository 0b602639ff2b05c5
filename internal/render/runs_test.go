package render

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"owlatsync"
	"owlatsync/internal/config"
	"owlatsync/ledger"
	"owlatsync/reconcile"
	"owlatsync/reconcile/progress"
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
		r := &Runs{reports: []*owlatsync.Report{report}}
		r.End(To{W: &out})
		if got := strings.Contains(out.String(), "something else seems to use this API key"); got != c.want {
			t.Errorf("%d of %d refused, said %v:\n%s", c.limited, c.total, got, &out)
		}
	}
}

// TestRowsThatWereLeftHideNoOthers ends a run early: the rows that could not be helped are told, the others counted.
func TestRowsThatWereLeftHideNoOthers(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	to := To{W: &out}
	r, sync := &Runs{reports: []*owlatsync.Report{owlatsync.NewReport("users", "1")}}, config.Sync{Name: "users", Key: []string{"id"}}
	for key := range 12 {
		r.Row(to, sync, progress.RowDone{Category: ledger.CategoryUnreached, Decision: reconcile.Decision{
			Key: fmt.Sprint(key), Outcome: owlatsync.Skipped, Reason: "the run ended before the row's turn",
		}})
	}
	r.Row(to, sync, progress.RowDone{Category: "source", Decision: reconcile.Decision{Key: "99", Outcome: owlatsync.Invalid, Reason: "no address"}})
	r.End(to)
	text := out.String()
	if want := "Not applied:\n  users  key 99  invalid  no address\n\n"; !strings.HasPrefix(text, want) {
		t.Errorf("it begins otherwise than %q:\n%s", want, text)
	}
	if want := "\n12 rows were left when the run ended; the next run takes them up.\n"; !strings.HasSuffix(text, want) {
		t.Errorf("it ends otherwise than %q:\n%s", want, text)
	}
}

// TestARowThatIsAppliedAfterAllIsTakenBack tells rows that a later stretch of the run brings in step.
func TestARowThatIsAppliedAfterAllIsTakenBack(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	to, sync := To{W: &out}, config.Sync{Name: "users", Key: []string{"id"}}
	list := &takenBack{}
	r := &Runs{reports: []*owlatsync.Report{owlatsync.NewReport("users", "1")}, List: list}
	tell := func(key string, outcome, before owlatsync.Outcome) {
		r.Row(to, sync, progress.RowDone{Before: before, Decision: reconcile.Decision{Key: key, Outcome: outcome, Reason: "why"}})
	}
	for key := range shownFailures + 1 {
		tell(fmt.Sprint(key), owlatsync.Failed, "")
	}
	tell("3", owlatsync.Created, owlatsync.Failed)
	tell("10", owlatsync.Unchanged, owlatsync.Failed) // was not shown
	tell("4", owlatsync.Invalid, owlatsync.Failed)
	r.End(to)
	if n := r.notAppliedRows(); n != 9 || strings.Contains(out.String(), "key 3 ") || !strings.Contains(out.String(), "key 4  invalid") {
		t.Errorf("%d rows:\n%s", n, &out)
	}
	if got := strings.Join(list.taken, " "); got != "users/3 users/10 users/4" {
		t.Errorf("taken back: %s", got)
	}
	out.Reset()
	to.JSON = true
	tell("5", owlatsync.Created, owlatsync.Failed)
	r.Afresh(to, progress.Afresh{About: progress.About{Sync: "users", Run: 7}, Stretch: 2})
	want := `{"type":"row","sync":"users","key":"5","position":"","outcome":"created","before":"failed","changes":[],"reason":"why"}` + "\n" +
		`{"type":"stretch","sync":"users","run":7,"stretch":2}` + "\n"
	if out.String() != want {
		t.Errorf("got:\n%swant:\n%s", &out, want)
	}
}

// listed is a list at a path that keeps nothing.
type listed string

func (l listed) Path() string     { return string(l) }
func (listed) Write(...string)    {}
func (listed) TakeBack(...string) {}

// takenBack is a list that keeps what was taken back.
type takenBack struct {
	listed
	taken []string
}

func (l *takenBack) TakeBack(fields ...string) { l.taken = append(l.taken, strings.Join(fields, "/")) }

func TestRowsThatWereLeftAreInTheFile(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	r := &Runs{reports: []*owlatsync.Report{owlatsync.NewReport("users", "1")}, List: listed("f.csv"), left: 12}
	r.End(To{W: &out})
	if want := "Not applied:\n  written to f.csv, with addresses: 12 rows\n\n"; !strings.HasPrefix(out.String(), want) {
		t.Errorf("it begins otherwise than %q:\n%s", want, &out)
	}
}
