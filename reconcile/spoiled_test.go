package reconcile_test

import (
	"fmt"
	"strings"
	"testing"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/reconcile"
)

// defective returns the rows with the defect that a source finds in the first n of them.
func defective(list []owlatsync.Row, n int) []owlatsync.Row {
	for i := range n {
		list[i] = owlatsync.Row{Key: list[i].Key, Defect: "the address is not UTF-8"}
	}
	return list
}

// TestRowsThatTurnInvalid breaks rows that were in step. A run that sends them nothing any more does not look healthy, until they are
// mended or the ledger does not know them as in step.
func TestRowsThatTurnInvalid(t *testing.T) {
	t.Parallel()
	nameless := func(list []owlatsync.Row) []owlatsync.Row {
		for i := range list {
			list[i] = owlatsync.Row{Defect: `column "id" is NULL`}
		}
		return list
	}
	garbled := func(list []owlatsync.Row) []owlatsync.Row {
		for i := range list {
			list[i].Key = "\x00" + list[i].Key
		}
		return list
	}
	for _, tt := range []struct {
		name  string
		known int
		then  []owlatsync.Row
		want  string // the message of the run; empty: it is healthy
	}{
		{"all in another encoding", 60, defective(people(60, "P"), 60), "60 of the 60 rows that were in step are invalid now"},
		{"few rows", 20, defective(people(20, "P"), 5), ""},
		{"six of twenty", 20, defective(people(20, "P"), 6), "6 of the 20 rows"},
		{"a tenth", 60, defective(people(60, "P"), 6), ""},
		{"more than a tenth", 59, defective(people(59, "P"), 6), "6 of the 59 rows"},
		{"new rows are invalid", 10, append(people(10, "P"), defective(people(70, "P"), 70)[10:]...), ""},
		{"all without a key", 60, nameless(people(60, "P")), "60 of the 60 rows"},
		{"all with a garbled key", 60, garbled(defective(people(60, "P"), 60)), "60 of the 60 rows"},
		{"the same row twice", 20, append(defective(people(20, "P"), 5), defective(people(5, "P"), 5)...), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.run(people(tt.known, "P")...)
			for _, kind := range []string{"first", "next"} {
				report := w.run(tt.then...)
				runs, err := w.ledger.Runs(t.Context(), "users", 1)
				if err != nil {
					t.Fatal(err)
				}
				want := ledger.StatusOK
				if tt.want != "" {
					want = ledger.StatusFailedRows
				}
				if run := runs[0]; run.Status != want || !strings.HasPrefix(run.Message, tt.want) || tt.want == "" && run.Message != "" {
					t.Errorf("%s run: %s, %q", kind, run.Status, run.Message)
				}
				if (report.Spoiled() != "") != (tt.want != "") {
					t.Errorf("%s run: the report says %q", kind, report.Spoiled())
				}
			}
			w.run(people(tt.known, "P")...)
			if runs, err := w.ledger.Runs(t.Context(), "users", 1); err != nil || runs[0].Status != ledger.StatusOK {
				t.Errorf("mended, the run is %+v, %v", runs, err)
			}
		})
	}
}

// TestRowsThatTurnInvalidWhileOnlyChangesAreRead counts them again in every run, although they do not change any more.
func TestRowsThatTurnInvalidWhileOnlyChangesAreRead(t *testing.T) {
	t.Parallel()
	u := newUsers(t)
	for id := range 30 {
		u.put(id+1, fmt.Sprintf("p%d@example.com", id+1), "P")
	}
	u.synced("full: created 30")
	u.far()
	for id := range 6 {
		u.put(id+1, "nobody", "P")
	}
	u.far()
	u.put(30, "p30@example.com", "X")
	for _, want := range []string{"changes: updated 1, unchanged 1, invalid 6", "changes: unchanged 1, invalid 6", "changes: unchanged 1, invalid 6"} {
		report, err := u.try(t.Context(), runOptions{}, u.source())
		if err != nil {
			t.Fatal(err)
		}
		u.reports(report, strings.ReplaceAll(want, ",", ""))
		if report.Turned != 6 || report.InStep != 30 || report.Spoiled() == "" {
			t.Errorf("report %+v", report)
		}
	}
}

// TestTheOtherRowsAreStillApplied applies the rows that are valid although many are not.
func TestTheOtherRowsAreStillApplied(t *testing.T) {
	t.Parallel()
	w := newWorld(t, reconcile.Topic{ID: "news", When: true})
	w.run(people(20, "P", true)...)
	list := defective(people(20, "P", true), 10)
	list[10].Consents, list[11].Fields[owlatsync.FirstName] = []owlatsync.Consent{owlatsync.No}, owlatsync.Some("X")
	report := w.run(list...)
	expect(t, report, "updated 2, unchanged 8, invalid 10")
	if report.Unsendable() != 10 {
		t.Errorf("%d rows cannot be sent", report.Unsendable())
	}
}
