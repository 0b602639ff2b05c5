package step

import (
	"slices"

	"owlatsync/ledger"
)

// ReasonGone is why a row is skipped whose contact was deleted in Owlat.
const ReasonGone = "the contact was deleted in Owlat and is left alone: it may have been an erasure request"

// Awaited returns the events that are due already and, as awaited, what an update that is about to be sent makes due: no later run
// could tell that the update was the cause.
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

// SettleAwaited makes due what awaited an update that took effect, and drops it otherwise.
func SettleAwaited(e *ledger.Entry, updated bool) {
	e.Events = slices.DeleteFunc(slices.Clone(e.Events), func(m ledger.EventMark) bool { return m.State == ledger.EventAwaited && !updated })
	for i := range e.Events {
		if e.Events[i].State == ledger.EventAwaited {
			e.Events[i].State = ledger.EventDue
		}
	}
}
