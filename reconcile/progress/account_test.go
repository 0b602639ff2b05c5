package progress

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/reconcile/step"
)

// TestARowOfSeveralStretchesCountsOnce plays stretches of a run, each as its reading, its plan and what was applied.
func TestARowOfSeveralStretchesCountsOnce(t *testing.T) {
	t.Parallel()
	type met = []string // rows that the source has; an outcome after a blank ends the row in the plan, "same" finds it in step
	type stretch struct {
		met     met
		drops   bool // no plan could be made of it
		applied met  // rows with their outcomes; "-" before a key: the row has left the source
	}
	for _, tt := range []struct {
		name     string
		stretch  []stretch
		outcomes string
		rows     string // read, and missing
		told     string
	}{
		{"created, then in step", []stretch{{met: met{"a", "b"}, applied: met{"a created"}}, {met: met{"a same", "b"}, applied: met{"b created"}}},
			"created 2", "2 0", "a created, b created"},
		{"created, then changed", []stretch{{met: met{"a"}, applied: met{"a created"}}, {met: met{"a"}, applied: met{"a updated"}}},
			"created 1", "1 0", "a created, a created after created"},
		{"updated twice", []stretch{{met: met{"a"}, applied: met{"a updated"}}, {met: met{"a"}, applied: met{"a renamed"}}},
			"renamed 1", "1 0", "a updated, a renamed after updated"},
		{"created, and left since", []stretch{{met: met{"a", "b"}, applied: met{"a created"}}, {met: met{"b"}, applied: met{"b created"}}},
			"created 2", "2 0", "a created, b created"},
		{"created, and removed since", []stretch{{met: met{"a", "b"}, applied: met{"a created"}}, {met: met{"b"}, applied: met{"b created", "-a removed"}}},
			"created 1, removed 1", "1 1", "a created, b created, a removed after created"},
		{"removed, and back", []stretch{{met: met{"b"}, applied: met{"-a removed"}}, {met: met{"a", "b same"}, applied: met{"a created"}}},
			"created 1, unchanged 1", "2 0", "a removed, a created after removed"},
		{"failed, and waiting since", []stretch{{met: met{"a"}, applied: met{"a failed"}}, {met: met{"a failed"}}},
			"failed 1", "1 0", "a failed"},
		{"failed, and changed since", []stretch{{met: met{"a"}, applied: met{"a failed"}}, {met: met{"a"}, applied: met{"a updated"}}},
			"updated 1", "1 0", "a failed, a updated after failed"},
		{"unsure, and in step since", []stretch{{met: met{"a"}, applied: met{"a unsure"}}, {met: met{"a same"}}},
			"failed 1", "1 0", "a failed"},
		{"unconfirmed, and in step since", []stretch{{met: met{"a"}, applied: met{"a unconfirmed"}}, {met: met{"a same"}}},
			"failed 1", "1 0", "a failed"},
		{"invalid twice", []stretch{{met: met{"a invalid", "b"}}, {met: met{"a invalid", "b"}, applied: met{"b created"}}},
			"created 1, invalid 1", "2 0", "a invalid, b created"},
		{"invalid, and mended", []stretch{{met: met{"a invalid"}}, {met: met{"a same"}}},
			"unchanged 1", "1 0", "a invalid, a unchanged after invalid"},
		{"created, and invalid since", []stretch{{met: met{"a"}, applied: met{"a created"}}, {met: met{"a invalid"}}},
			"invalid 1", "1 0", "a created, a invalid after created"},
		{"several without a key", []stretch{{met: met{" invalid", " invalid"}}, {met: met{" invalid", " invalid", " invalid"}}},
			"invalid 3", "3 0", " invalid,  invalid,  invalid"},
		{"two with one key", []stretch{{met: met{"a", "a twin"}, applied: met{"a created"}}, {met: met{"a same", "a twin"}}},
			"created 1, duplicate 1", "2 0", "a duplicate, a created"},
		{"a reading that breaks off", []stretch{{met: met{"a", "b"}, applied: met{"a created"}}, {met: met{"a invalid"}, drops: true, applied: met{"b skipped"}}},
			"created 1, skipped 1", "2 0", "a created, b skipped"},
		{"a reading that breaks off after a failure", []stretch{{met: met{"a", "b"}, applied: met{"a failed"}}, {met: met{"a failed"}, drops: true, applied: met{"b skipped"}}},
			"skipped 1, failed 1", "2 0", "a failed, b skipped"},
		{"unchanged all the time", []stretch{{met: met{"a same", "b"}}, {met: met{"a same", "b same"}}},
			"unchanged 2", "2 0", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var told []string
			tell := NewTeller(about, []Observer{{Complete: true, Each: func(v Value) {
				d, ok := v.(RowDone)
				if !ok {
					return
				}
				what := d.Key + " " + string(d.Outcome)
				if d.Before != "" {
					what += " after " + string(d.Before)
				}
				told = append(told, what)
			}}}, func() (n owlatsync.RequestCounts) { return n }, func(int) time.Duration { return 0 })
			tell.Recall()
			for i, s := range tt.stretch {
				if i > 0 {
					tell.Afresh()
				}
				play(tell, s.met, true)
				if tell.Read(len(s.met)); s.drops {
					tell.Drop()
				} else {
					tell.Accept()
				}
				play(tell, s.applied, false)
			}
			report := tell.Report()
			var outcomes []string
			for _, o := range owlatsync.Outcomes {
				if n := report.Outcomes[o]; n != 0 {
					outcomes = append(outcomes, fmt.Sprintf("%s %d", o, n))
				}
			}
			if got := strings.Join(outcomes, ", "); got != tt.outcomes || !report.Balanced() {
				t.Errorf("outcomes %q, balanced %v, want %q", got, report.Balanced(), tt.outcomes)
			}
			if got := fmt.Sprint(report.Rows, report.Missing); got != tt.rows {
				t.Errorf("rows and missing %q, want %q", got, tt.rows)
			}
			if got := strings.Join(told, ", "); got != tt.told {
				t.Errorf("told %q, want %q", got, tt.told)
			}
		})
	}
}

// play tells rows as a scan does, or as applying does.
func play(tell *Teller, rows []string, scanned bool) {
	for _, r := range rows {
		key, outcome, _ := strings.Cut(r, " ")
		key, missing := strings.CutPrefix(key, "-")
		d := step.Decision{Key: key, Outcome: owlatsync.Outcome(outcome), Reason: outcome}
		var category ledger.Category
		switch outcome {
		case "", "same":
			before := tell.Meets(ledger.HashText(key))
			switch {
			case outcome == "":
			case before == "":
				tell.Unchanged(1)
			case !before.InStep():
				d.Outcome = owlatsync.Unchanged
				tell.Row(d, "", false)
			}
			continue
		case "twin":
			d.Outcome, d.Twin = owlatsync.Duplicate, true
		case "unsure":
			d.Outcome, category = owlatsync.Failed, ledger.CategoryUnsure
		case "unconfirmed":
			d.Outcome, category = owlatsync.Failed, ledger.CategoryUnconfirmed
		}
		if !scanned && d.Outcome.InStep() {
			d.Changes = []owlatsync.Change{{Kind: owlatsync.SetField}}
		}
		tell.Row(d, category, missing)
	}
}
