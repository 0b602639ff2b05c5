package step

import (
	"slices"

	"owlatsync/ledger"
)

// ReasonGone is the reason of a row that is skipped because its contact was deleted in Owlat.
const ReasonGone = "the contact was deleted in Owlat and is left alone: it may have been an erasure request"

// ReasonUnmatched is the reason of a row that is skipped because its events have nobody to go to.
const ReasonUnmatched = "Owlat has no contact with the row's address, and the sync creates none: its events are left out"

// ReasonNotImported is the reason of a row that fails because it was exported for Owlat's importer and has no contact.
const ReasonNotImported = "the row was exported for Owlat's importer, and Owlat has no contact with its address: it was not imported yet, the import left it out, or the " +
	"contact was deleted since"

// Awaited returns the events to record before an update is sent: those that are due already, and as awaited those that the update
// makes due. A later run could not tell that the update was the cause.
func (s *Step) Awaited(due []ledger.EventMark) []ledger.EventMark {
	marks := slices.Clone(s.Events)
	for i, m := range marks {
		same := func(d ledger.EventMark) bool { return d.Name == m.Name && d.On == m.On && d.State == m.State }
		if m.On == ledger.OnUpdated && !slices.ContainsFunc(due, same) {
			marks[i].State = ledger.EventAwaited
		}
	}
	return marks
}

// See notes among the marks of a row that what made an event due was acted on.
func See(marks []ledger.EventMark, m ledger.EventMark) {
	for i := range marks {
		if seen := &marks[i]; seen.State == ledger.EventSeen && seen.Of(m) {
			seen.Value, seen.At = m.Value, m.At
		}
	}
}

// SettleAwaited makes awaited events due if the update took effect, and drops them otherwise.
func SettleAwaited(e *ledger.Entry, updated bool) {
	e.Events = slices.DeleteFunc(slices.Clone(e.Events), func(m ledger.EventMark) bool { return m.State == ledger.EventAwaited && !updated })
	for i := range e.Events {
		if e.Events[i].State == ledger.EventAwaited {
			e.Events[i].State = ledger.EventDue
		}
	}
}
