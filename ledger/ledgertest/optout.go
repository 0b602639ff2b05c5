package ledgertest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"owlatsync/ledger"
)

func testOptOuts(t *testing.T, open Open) {
	sorted := func(l Ledger, ids ...string) []ledger.OptOut {
		t.Helper()
		found, err := l.OptOuts(t.Context(), ids)
		noError(t, err)
		slices.SortFunc(found, func(a, b ledger.OptOut) int { return strings.Compare(a.ContactID+a.Topic, b.ContactID+b.Topic) })
		return found
	}
	t.Run("the latest counts, across a reopening", func(t *testing.T) {
		folder := t.TempDir()
		l := reopen(t, open, folder)
		noError(t, l.NoteOptOuts(t.Context()))
		noError(t, l.NoteOptOuts(t.Context(),
			ledger.OptOut{ContactID: "c1", Topic: "t1", At: at(5)}, ledger.OptOut{ContactID: "c1", Topic: "t2", At: at(5)},
			ledger.OptOut{ContactID: "c2", Topic: "t1", At: at(5)}))
		noError(t, l.NoteOptOuts(t.Context(), ledger.OptOut{ContactID: "c1", Topic: "t1", At: at(9)}, ledger.OptOut{ContactID: "c1", Topic: "t2", At: at(1)}))
		noError(t, l.Close())
		l = reopen(t, open, folder)
		same(t, "opt-outs", sorted(l, "c1", "unknown"), []ledger.OptOut{{ContactID: "c1", Topic: "t1", At: at(9)}, {ContactID: "c1", Topic: "t2", At: at(5)}})
		same(t, "opt-outs of nobody", len(sorted(l)), 0)
		noError(t, l.Close())
	})
	t.Run("all or none, and none half told", func(t *testing.T) {
		l := fresh(t, open)
		if err := l.NoteOptOuts(t.Context(), ledger.OptOut{ContactID: "c1", Topic: "t1", At: at(1)}, ledger.OptOut{ContactID: "c1", Topic: "t2"}); err == nil {
			t.Error("an opt-out without a time was taken")
		}
		same(t, "opt-outs", len(sorted(l, "c1")), 0)
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if err := l.NoteOptOuts(ended, ledger.OptOut{ContactID: "c1", Topic: "t1", At: at(1)}); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
	})
}
