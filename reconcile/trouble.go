package reconcile

import (
	"fmt"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/reconcile/step"
)

// TroubleKinds lists what can be wrong with a row: it fails, or it is not known whether an event or an add to a topic arrived, or the
// source has it in a form that cannot be sent, or twice.
var TroubleKinds = []string{"row", "event", "topic", string(owlatsync.Invalid), string(owlatsync.Duplicate)}

// TroubleOf returns what is wrong with a row that Unsendable told.
func TroubleOf(d Decision, sync string) Trouble {
	return Trouble{Sync: sync, Key: d.Key, Position: d.Position, Address: d.Address(), What: string(d.Outcome), Category: ledger.CategorySource, Reason: d.Reason, Parked: true, Instead: d.Instead}
}

// Trouble is something about a row that was not done, or that may have been done.
type Trouble struct {
	Sync     string
	Key      string
	Position string // where the source has the row; empty for what the ledger tells
	Address  string // personal data; empty if none is known
	What     string // one of TroubleKinds
	Category ledger.Category
	Reason   string
	Attempts int
	First    time.Time
	Last     time.Time
	NextTry  time.Time // zero: no run tries it again by itself
	Parked   bool
	Instead  *step.Instead // the row that counts instead of a duplicate; nil: it is none
	Holder   ledger.RowRef // see ledger.Failure
}

// Troubles returns what is wrong with an entry of the sync now, by the ledger's clock, nil if it is in order.
func Troubles(e *ledger.Entry, sync string, now time.Time) []Trouble {
	var out []Trouble
	if f := e.Failure; f != nil {
		t := Trouble{Sync: sync, Key: e.Key, Address: e.Email, What: "row", Category: f.Category, Reason: f.Reason,
			Attempts: f.Attempts, First: f.First, Last: f.Last, NextTry: f.NextTry, Parked: f.Parked, Holder: f.Holder}
		if f.Parked {
			t.NextTry = time.Time{}
		} else if !f.Waits(now) && now.Before(f.NextTry) {
			t.NextTry = now
		}
		out = append(out, t)
	}
	for _, m := range e.Events {
		if m.State == ledger.EventUnknown {
			out = append(out, Trouble{Sync: sync, Key: e.Key, Address: e.Email, What: "event", Category: ledger.CategoryEvent, Attempts: 1, First: m.At, Last: m.At,
				Reason: fmt.Sprintf("it is not known whether the event %s arrived; it is not sent again", m.Name), Parked: true})
		}
	}
	for _, m := range e.Memberships {
		if m.State == ledger.MemberAdded && m.Unmailed {
			out = append(out, Trouble{Sync: sync, Key: e.Key, Address: e.Email, What: "topic", Category: ledger.CategoryUnconfirmed, Attempts: 1, First: m.At, Last: m.At,
				Reason: step.ReasonUnconfirmed(m.Topic, m.Pending, m.At), Parked: true})
		}
		if m.State == ledger.MemberUnsure {
			reason := fmt.Sprintf("it is not known whether the contact was put on topic %s; it is not added again", m.Topic)
			if !m.Off.IsZero() {
				reason = fmt.Sprintf("the contact is not on topic %s: an add was lost, or the person has left since; it is not added again", m.Topic)
			}
			out = append(out, Trouble{Sync: sync, Key: e.Key, Address: e.Email, What: "topic", Category: ledger.CategoryUnsure, Attempts: 1, First: m.At, Last: m.At,
				Reason: reason, Parked: true})
		}
	}
	return out
}
