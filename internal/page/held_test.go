package page

import (
	"encoding/csv"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"owlatsync"
	"owlatsync/internal/config"
	"owlatsync/ledger"
	"owlatsync/reconcile"
	"owlatsync/reconcile/kept"
	"owlatsync/reconcile/step"
)

// heldGone records a held run whose plan takes contacts off a topic because their rows have left the source, and deletes them if it says so.
func (w *works) heldGone(n int, deletes bool) (id int64) {
	w.t.Helper()
	var sample kept.Sampling
	var items []ledger.PlanItem
	sum := &owlatsync.Summary{Rows: 20, Removals: n, Requests: n, Outcomes: map[owlatsync.Outcome]int{owlatsync.Removed: n}}
	change := owlatsync.Change{Kind: owlatsync.RemoveTopic, Topic: "news"}
	if sum.Memberships.Removed = n; deletes {
		sum.Memberships.Removed, change = 0, owlatsync.Change{Kind: owlatsync.DeleteContact, From: "gone@example.com"}
	}
	for i := range n {
		s := &step.Step{Phase: step.Remove, Outcome: owlatsync.Removed, Missing: true, Row: &step.Row{Key: fmt.Sprint("gone", i), Email: "gone@example.com"}, Entry: &ledger.Entry{}, Changes: []owlatsync.Change{change}}
		item := kept.Item(s, 0)
		sample.Take(s, item)
		items = append(items, item)
	}
	err := w.under(func(k ledger.Lock) (err error) {
		at := w.ledger.Now()
		if id, err = k.BeginRun(w.t.Context(), ledger.Run{Sync: nasty, Mode: ledger.ModeReview, Started: at, Status: ledger.StatusRunning}); err != nil {
			return err
		}
		if err := k.KeepPlan(w.t.Context(), id, append(items, sample.Items...)); err != nil {
			return err
		}
		return k.EndRun(w.t.Context(), ledger.Ending{Run: ledger.Run{ID: id, Mode: ledger.ModeReview, Started: at, Finished: at.Add(time.Second), Status: ledger.StatusHeld, Report: owlatsync.NewReport(nasty, ""), Summary: sum,
			PlanForm: step.Form, Message: "held by a guard, nothing was applied: asked", Guards: []owlatsync.Hit{{Guard: owlatsync.GuardReview, Reason: "asked"}}}})
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return id
}

// TestRowsThatLeftTheSource: a held run says that this is why it takes contacts off topics, counts them, and speaks of deletes only where it has some. A plan that
// somebody asked for is not told as held by a guard.
func TestRowsThatLeftTheSource(t *testing.T) {
	t.Parallel()
	w := newWorld(t, []config.Token{token}, accountOf("ada", config.Operator))
	k := newWorks(t, w)
	k.heldGone(40, false)
	w.own.Inquiry.(*folk).syncs[0].OnMissing = reconcile.MissingLeave
	b := w.browser()
	b.signIn("ada", password)
	has(t, "the run", b.get("/runs/1"), "because their rows are not in the source any more", "on_missing: leave_topics", `gone from the source <span class="why">what is to be done for them waits for approval</span></dt><dd><a href="/runs/1/plan">40</a>`,
		"40 planned, none applied: they wait for approval", "Somebody asked to see this plan", "!the guard <code>", "!held by a guard")
	got := b.get("/runs/1").body
	if strings.Index(got, `id="samples"`) > strings.Index(got, `id="plan"`) {
		t.Error("the sums come before the sample")
	}
	has(t, "its list", b.get("/syncs/"+url.PathEscape(nasty)+"/runs"), "a plan that somebody asked to see", "!held by a guard")
	has(t, "its plan", b.get("/runs/1/plan"), "the row is not in the source any more; on_missing: leave_topics", `<option value="remove_topic">`, `!<option value="delete">`)
	rows, err := csv.NewReader(strings.NewReader(b.get("/runs/1/plan.csv").body)).ReadAll()
	if err != nil || len(rows) != 41 || rows[0][6] != "why" || rows[1][6] != "the row is not in the source any more; on_missing: leave_topics" {
		t.Errorf("%q, %v", rows[:2], err)
	}
	has(t, "its question", b.get("/runs/1/approve"), "Of 20 rows in the source and 40 that are not in it any more it would take 40 contacts off a topic and need 40 requests.", "Somebody asked to see this plan", "!delete")
	k.heldGone(40, true)
	has(t, "the question of one that deletes", b.get("/runs/2/approve"), "it would delete 40 contacts and need 40 requests.", "!off a topic")
	has(t, "its plan", b.get("/runs/2/plan"), `<option value="delete">`, `!<option value="remove_topic">`)
}

// TestRowsThatWereNotTried are listed where the number of failed rows leads to, and no number leads to an empty list.
func TestRowsThatWereNotTried(t *testing.T) {
	t.Parallel()
	w := newWorld(t, []config.Token{token}, accountOf("ada", config.Operator), accountOf("wall", config.Viewer))
	k := newWorks(t, w)
	w.own.Rows = k.ledger
	before := line("4711", "", "", "")
	before.Sync, before.Entry.Failure = nasty, &ledger.Failure{Class: ledger.RetryLater, Category: ledger.CategoryTaken, Reason: "another contact has it", Attempts: 1,
		First: k.ledger.Now().Add(-time.Hour), Last: k.ledger.Now().Add(-time.Hour), NextTry: k.ledger.Now().Add(time.Hour)}
	var id int64
	err := k.under(func(l ledger.Lock) (err error) {
		if err := l.Record(t.Context(), before); err != nil {
			return err
		}
		at := k.ledger.Now()
		if id, err = l.BeginRun(t.Context(), ledger.Run{Sync: nasty, Mode: ledger.ModeRun, Started: at, Status: ledger.StatusRunning}); err != nil {
			return err
		}
		report := owlatsync.NewReport(nasty, "")
		report.Outcomes[owlatsync.Failed], report.Outcomes[owlatsync.Adopted] = 1, 1
		return l.EndRun(t.Context(), ledger.Ending{Run: ledger.Run{ID: id, Mode: ledger.ModeRun, Started: at, Finished: at, Status: ledger.StatusFailedRows, Report: report,
			Summary: &owlatsync.Summary{Outcomes: map[owlatsync.Outcome]int{owlatsync.Failed: 1}}}})
	})
	if err != nil {
		t.Fatal(err)
	}
	b, viewer := w.browser(), w.browser()
	b.signIn("ada", password)
	viewer.signIn("wall", password)
	for _, page := range []string{"/runs/1", "/runs/1?what=failed", "/runs/1?what=failed&key=4711"} {
		has(t, page, b.get(page), "1 row that had failed before was not tried", "<bdi>4711</bdi></a>: <bdi>another contact has it</bdi>", "next try not before", `<a href="/runs/1?what=failed#decisions">1</a>`, "!It did nothing of that kind", "!?what=adopted")
	}
	has(t, "another row", b.get("/runs/1?key=1"), "!another contact has it")
	has(t, "for a viewer", viewer.get("/runs/1"), "<strong><bdi>4711</bdi></strong>: <bdi>another contact has it</bdi>", "!/people/")
	has(t, "in the list", b.get("/syncs/"+url.PathEscape(nasty)), `<span class="why">1 not tried</span>`)
}
