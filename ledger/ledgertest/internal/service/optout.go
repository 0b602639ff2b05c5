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
	t.Run("are counted by sync", func(t *testing.T) {
		l := fresh(t, open)
		gone := entry("3")
		gone.Depart("delete")
		record(t, l, "users", entry("1"), entry("2"), gone)
		record(t, l, "others", entry("1"), entry("4"))
		for _, contact := range []string{"contact1", "contact3", "nobody"} {
			for _, topic := range []string{"t1", "t2"} {
				noError(t, l.NoteOptOuts(t.Context(), ledger.OptOut{ContactID: contact, Topic: topic, At: at(1)}))
			}
		}
		for sync, want := range map[string]ledger.Standing{"users": {Entries: 2, Applied: 2, OptedOut: 1, Departed: 1}, "others": {Entries: 2, Applied: 2, OptedOut: 1}, "none": {}} {
			standing, err := l.Standing(t.Context(), sync)
			noError(t, err)
			same(t, sync, standing, want)
		}
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
