package reconcile_test

import (
	"fmt"
	"strings"
	"testing"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/reconcile"
	"owlatsync/reconcile/kept"
)

// TestAReviewHoldsWhateverIsPlanned also looks at what is kept of the plan for people.
func TestAReviewHoldsWhateverIsPlanned(t *testing.T) {
	t.Parallel()
	w := newWorld(t, reconcile.Topic{ID: "all"})
	w.run(people(30, "P")...)
	before := w.requests()
	report, err := w.try(t.Context(), runOptions{Review: true}, rows{list: people(30, "P")})
	if err != nil || report.Outcomes[owlatsync.Unchanged] != 30 {
		t.Fatalf("a run with nothing to send: %v, %+v", err, report)
	}
	all := people(40, "P")
	all[0] = user("1", "p1@example.com", "Renamed")
	source := rows{list: all}
	_, err = w.try(t.Context(), runOptions{Review: true}, source)
	run := heldBy(t, err, owlatsync.GuardReview)
	if r, err := w.ledger.Run(t.Context(), run); err != nil || r.Mode != ledger.ModeReview || r.Status != ledger.StatusHeld {
		t.Errorf("%+v, %v", r, err)
	}
	w.sent(before)
	samples := func(run int64) (texts []string) {
		t.Helper()
		for d, err := range kept.Samples(t.Context(), w.ledger, run) {
			if err != nil {
				t.Fatal(err)
			}
			texts = append(texts, fmt.Sprint(d.Key, " ", d.Outcome, " ", d.Changes[0].Kind, " ", d.Changes[0].To))
		}
		return texts
	}
	got := samples(run)
	if len(got) != 4 || got[0] != "1 updated set Renamed" || !strings.HasPrefix(got[1], "31 created create ") || !strings.HasPrefix(got[3], "33 created create ") {
		t.Errorf("the sample is %q", got)
	}
	listed := func(want kept.Want) (texts []string) {
		t.Helper()
		want.Run = run
		for {
			found, err := kept.List(t.Context(), w.ledger, want)
			if err != nil || len(found.Steps) > want.Limit {
				t.Fatalf("%v, %d steps", err, len(found.Steps))
			}
			for _, d := range found.Steps {
				texts = append(texts, d.Key+" "+d.Address())
			}
			if want.After = found.Last; !found.More {
				return texts
			}
		}
	}
	if got := listed(kept.Want{Limit: 3}); len(got) != 11 || got[0] != "1 p1@example.com" || got[10] != "40 p40@example.com" {
		t.Errorf("the plan is listed as %q", got)
	}
	if got := listed(kept.Want{Limit: 3, Kind: owlatsync.SetField}); len(got) != 1 {
		t.Errorf("changes of fields: %q", got)
	}
	if got := listed(kept.Want{Limit: 4, Kind: owlatsync.CreateContact}); len(got) != 10 {
		t.Errorf("new contacts: %q", got)
	}
	if got := listed(kept.Want{Limit: 4, Kind: owlatsync.DeleteContact}); len(got) != 0 {
		t.Errorf("deletes: %q", got)
	}
	if got := listed(kept.Want{Limit: 4, Kind: owlatsync.AddTopic}); len(got) != 10 {
		t.Errorf("adds to topics: %q", got)
	}
	if got := listed(kept.Want{Limit: 4, Address: "p36@example.com"}); len(got) != 1 || got[0] != "36 p36@example.com" {
		t.Errorf("one address: %q", got)
	}
	if got := listed(kept.Want{Limit: 4, Key: "35"}); len(got) != 1 || got[0] != "35 p35@example.com" {
		t.Errorf("one row: %q", got)
	}
	if _, err := w.ledger.ForgetPerson(t.Context(), "p32@example.com"); err != nil {
		t.Fatal(err)
	}
	if got := samples(run); len(got) != 3 || strings.Contains(strings.Join(got, ","), "p32@") {
		t.Errorf("after one person was forgotten the sample is %q", got)
	}
	if got := strings.Join(listed(kept.Want{Limit: 100}), ","); strings.Contains(got, "p32@") || !strings.Contains(got, "p33@") {
		t.Errorf("after one person was forgotten the plan is listed as %q", got)
	}
	first := run
	_, err = w.try(t.Context(), runOptions{Review: true}, source)
	run = heldBy(t, err, owlatsync.GuardReview)
	took := func(later, held int64) bool {
		t.Helper()
		l, err := w.ledger.Run(t.Context(), later)
		h, also := w.ledger.Run(t.Context(), held)
		if err != nil || also != nil {
			t.Fatal(err, also)
		}
		return reconcile.TookPlace(l, h)
	}
	if !took(run, first) || took(first, run) {
		t.Error("it is not known which plan took the place of the other")
	}
	if report, err = w.try(t.Context(), runOptions{Approve: run}, source); err != nil || report.Outcomes[owlatsync.Updated] != 1 || report.Outcomes[owlatsync.Created] < 9 {
		t.Fatalf("approved: %v, %+v", err, report)
	}
	if !took(run+1, run) {
		t.Error("it is not known which run applied the plan")
	}
	w.sync.Guards = reconcile.Guards{}
	_, err = w.try(t.Context(), runOptions{Review: true}, rows{list: people(1000, "P")})
	heldBy(t, err, owlatsync.GuardCreates, owlatsync.GuardTopicAdds, owlatsync.GuardReview)
}
