package plan

import (
	"time"

	"owlatsync"
	"owlatsync/reconcile/policy"
	"owlatsync/reconcile/step"
)

// matching completes the step of a row that only sends events, to whoever has its address.
func matching(p *policy.Policies, s *step.Step, suppressed bool, now time.Time) *step.Step {
	s.Matches, s.Outcome = true, owlatsync.Updated
	s.Entry.Email, s.Entry.Identity = s.Row.Email, s.Row.Email
	if s.Events = due(p.Events, s.Entry.Events, s.Row, s, false, now); suppressed {
		s.Events = undue(s.Events)
	}
	s.Messages = messages(p.Events, s.Events, s.Row)
	if s.Pending() == 0 {
		s.Outcome = owlatsync.Unchanged
	}
	return s
}
