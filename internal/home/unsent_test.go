package home

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"owlatsync"
	"owlatsync/internal/turns"
	"owlatsync/ledger"
	"owlatsync/reconcile/progress"
	"owlatsync/reconcile/step"
)

// TestWhatARunCouldNotSend is known after it, with the rows that count instead, and without addresses.
func TestWhatARunCouldNotSend(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	text := []byte("id,email\n1,a@example.com\n2,A@example.com\n3,no address\n4,\nx@example.com,broken\n")
	if err := os.WriteFile(filepath.Join(h.dir, "users.csv"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	home := h.move("allow")
	if _, ok := h.d.Inquiry().Unsent("users"); ok {
		t.Error("it is known before a run")
	}
	home.Do(t.Context(), turns.Request{Sync: "users", Why: turns.Asked})
	found, ok := h.d.Inquiry().Unsent("users")
	var got bytes.Buffer
	for _, row := range found.Rows {
		instead := ""
		if row.Instead != nil {
			instead = " for " + row.Instead.Key
		}
		fmt.Fprintf(&got, "%s/%s %s%s;", row.Key, row.Address, row.What, instead)
	}
	if want := "2/ duplicate for 1;3/ invalid;4/ invalid;/ invalid;"; !ok || found.Run != 1 || found.At.IsZero() || found.Cut || len(found.Rows) != 4 || !sameParts(got.String(), want) {
		t.Errorf("%v, run %d: %s", ok, found.Run, &got)
	}
	for _, row := range found.Rows {
		if want := map[string]uint64{"2": ledger.HashText("a@example.com"), "3": ledger.HashText("no address"), "4": 0}; row.Key != "" && row.Hash != want[row.Key] {
			t.Errorf("row %s has the hash %d", row.Key, row.Hash)
		}
	}
	h.rows(2)
	home.Do(t.Context(), turns.Request{Sync: "users", Why: turns.Asked})
	if found, ok := h.d.Inquiry().Unsent("users"); !ok || found.Run != 2 || len(found.Rows) != 0 {
		t.Errorf("once they are corrected: %+v", found)
	}
}

// sameParts reports whether two texts have the same parts, in any order.
func sameParts(a, b string) bool {
	count := func(text string) map[string]int {
		all := make(map[string]int)
		for part := range bytes.SplitSeq([]byte(text), []byte(";")) {
			all[string(part)]++
		}
		return all
	}
	return fmt.Sprint(count(a)) == fmt.Sprint(count(b))
}

// TestWhichRunsTell: those that read all rows and came to their end. A row that is told twice counts once, and very many are cut.
func TestWhichRunsTell(t *testing.T) {
	t.Parallel()
	var u unsent
	run := func(number int64, status ledger.Status, report *owlatsync.Report, rows int) {
		tell := u.follow()
		about := progress.About{Sync: "users", Run: number}
		tell(progress.Started{About: about})
		for range 2 { // as of two stretches
			for i := range rows {
				tell(progress.RowDone{About: about, Decision: step.NewDecision(fmt.Sprint(i), owlatsync.Position{}, "", owlatsync.Invalid, "x")})
			}
			tell(progress.RowDone{About: about, Decision: step.NewDecision("well", owlatsync.Position{}, "", owlatsync.Created, "")})
		}
		tell(progress.Ended{About: about, Status: status, Report: report})
	}
	whole := &owlatsync.Report{}
	run(1, ledger.StatusOK, whole, 2)
	run(2, ledger.StatusOK, &owlatsync.Report{Reading: &owlatsync.Reading{Mode: owlatsync.ReadChanges}}, 0)
	run(3, ledger.StatusInterrupted, whole, 0)
	run(4, ledger.StatusError, nil, 0)
	if got, ok := u.rows("users"); !ok || got.Run != 1 || len(got.Rows) != 2 {
		t.Errorf("%+v", got)
	}
	run(5, ledger.StatusHeld, whole, unsentMost+1)
	if got, _ := u.rows("users"); got.Run != 5 || len(got.Rows) != unsentMost || !got.Cut {
		t.Errorf("run %d has %d rows, cut %v", got.Run, len(got.Rows), got.Cut)
	}
}
