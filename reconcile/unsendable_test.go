package reconcile_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/ledger/memory"
	"owlatsync/reconcile"
)

// TestUnsendable lists the rows that a run would not send, exactly those that a run then leaves out, without asking Owlat.
func TestUnsendable(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(user("1", "a@example.com", "A"), user("2", "b@example.com", "B"))
	list := []owlatsync.Row{
		user("3", "b@example.com", "B"), // the contact is that of row 2
		user("1", "nobody", "A"),
		user("2", "b@example.com", "X"),
		user("2", "c@example.com", "C"),
		user("4", "d@example.com", "D"),
		user("5", "D@example.com", "D"),
		{Defect: `column "id" is NULL`},
		{Key: "6"},
	}
	unsendable := func(l ledger.Reader) (told []string) {
		s := w.sync
		s.Source = rows{list: list}
		err := reconcile.Unsendable(t.Context(), l, s, "", func(d reconcile.Decision) error {
			told = append(told, fmt.Sprintf("%s %s %s", d.Position, d.Outcome, d.Reason))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(told)
		return told
	}
	before := w.requests()
	found := unsendable(w.ledger)
	w.sent(before)
	if entries, err := w.ledger.Standing(t.Context(), "users"); err != nil || entries.Entries != 2 {
		t.Errorf("the ledger has %+v, %v", entries, err)
	}
	report := w.run(list...)
	var left []string
	for _, d := range w.rowsDone() {
		if d.Outcome == owlatsync.Invalid || d.Outcome == owlatsync.Duplicate {
			left = append(left, fmt.Sprintf("%s %s %s", d.Position, d.Outcome, d.Reason))
		}
	}
	slices.Sort(left)
	if diff := cmp.Diff(left, found); diff != "" || len(found) != 6 || report.Unsendable() != 6 {
		t.Errorf("%d rows cannot be sent; what a run leaves out and what was told (-want +got):\n%s", report.Unsendable(), diff)
	}
	if before := unsendable(memory.New()); len(before) != 6 {
		t.Errorf("before any run: %q", before)
	}
}

func TestUnsendableTellsWhyItEnds(t *testing.T) {
	t.Parallel()
	s := reconcile.Sync{Name: "users", Source: rows{list: defective(people(2, "P"), 2), err: errors.New("gone")}}
	err := reconcile.Unsendable(t.Context(), memory.New(), s, "", func(reconcile.Decision) error { return nil })
	if broken, ok := errors.AsType[*reconcile.SourceError](err); !ok || broken.Rows != 2 {
		t.Errorf("error %v", err)
	}
	enough := errors.New("enough")
	s.Source = rows{list: defective(people(2, "P"), 2)}
	if err := reconcile.Unsendable(t.Context(), memory.New(), s, "", func(reconcile.Decision) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("error %v", err)
	}
	if err := reconcile.Unsendable(t.Context(), memory.New(), reconcile.Sync{}, "", nil); err == nil {
		t.Error("a sync without a name passes")
	}
}
