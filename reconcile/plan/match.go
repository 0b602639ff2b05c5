package plan

import (
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/reconcile/policy"
	"owlatsync/reconcile/step"
)

// matching completes the step of a row that only sends events, to whoever has its address. A contact that the row had before is let go.
func matching(p *policy.Policies, s *step.Step, suppressed bool, now time.Time) *step.Step {
	s.Matches, s.Outcome = true, owlatsync.Updated
	e := s.Entry
	*e = ledger.Entry{Key: e.Key, Email: s.Row.Email, Identity: s.Row.Email, FirstSeen: e.FirstSeen, ChangedAt: e.ChangedAt, Events: e.Events, Failure: e.Failure}
	if s.Events = due(p.Events, s.Entry.Events, s.Row, s, false, now); suppressed {
		s.Events = undue(s.Events)
	}
	s.Messages = messages(p.Events, s.Events, s.Row)
	if s.Pending() == 0 {
		s.Outcome = owlatsync.Unchanged
	}
	return s
}
