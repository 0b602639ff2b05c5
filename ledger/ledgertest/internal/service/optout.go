package service

import (
	"context"
	"errors"
	"testing"

	"owlatsync/ledger"
)

// OptOuts checks the opt-outs of ledger.Inbox and ledger.Reader.
func OptOuts(t *testing.T, open Open) {
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
		same(t, "opt-outs", optOuts(t, l, "c1", "unknown"), []ledger.OptOut{{ContactID: "c1", Topic: "t1", At: at(9)}, {ContactID: "c1", Topic: "t2", At: at(5)}})
		same(t, "opt-outs of nobody", len(optOuts(t, l)), 0)
		noError(t, l.Close())
	})
	t.Run("all or none, and none half told", func(t *testing.T) {
		l := fresh(t, open)
		if err := l.NoteOptOuts(t.Context(), ledger.OptOut{ContactID: "c1", Topic: "t1", At: at(1)}, ledger.OptOut{ContactID: "c1", Topic: "t2"}); err == nil {
			t.Error("an opt-out without a time was taken")
		}
		same(t, "opt-outs", len(optOuts(t, l, "c1")), 0)
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if err := l.NoteOptOuts(ended, ledger.OptOut{ContactID: "c1", Topic: "t1", At: at(1)}); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
	})
}
