package plan

import (
	"slices"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/reconcile/consent"
	"owlatsync/reconcile/policy"
	"owlatsync/reconcile/step"
)

// optingOut returns changes with an opt-out of everything in place of the removals from topics. It changes nothing it is given.
func optingOut(changes []owlatsync.Change) []owlatsync.Change {
	kept := slices.DeleteFunc(slices.Clone(changes), func(c owlatsync.Change) bool { return c.Kind == owlatsync.RemoveTopic })
	return append(kept, owlatsync.Change{Kind: owlatsync.OptOut})
}

// stranger completes the step of a row that has no contact and to whose person no mail may go, by the word of the row or an earlier one: none
// is created, because that alone may send mail. A contact that Owlat has all the same is adopted and opted out. Absent says that Owlat is known
// to have none.
func stranger(p *policy.Policies, s *step.Step, absent bool, now time.Time) *step.Step {
	s.Outcome, s.Reason, s.Never = owlatsync.Skipped, step.ReasonOf(s.Row), true
	s.Seeks = !absent || !s.Entry.Intent.Create.IsZero()
	if !s.Seeks {
		return s
	}
	v := consent.Plan(p.Topics, consent.Row{Says: s.Row.Consents, Memberships: consent.Acted(s.Entry.Memberships), Origin: ledger.OriginAdopted, HasContact: true,
		Suppressed: true, Never: true}, now)
	s.Met = &step.Met{Memberships: v.Memberships, Changes: v.Changes, Events: s.Entry.Events}
	if p.OptsOut {
		s.Met.Changes = optingOut(v.Changes)
	}
	return s
}

// idle reports whether nothing is to be done for a row to whose person no mail may go, as an earlier run has noted. Had is its entry.
func idle(s *step.Step, had *ledger.Entry) bool {
	return s.Never && had != nil && had.Departed == "" && len(s.Changes) == 0 && s.Pending() == 0 &&
		had.Fingerprint == step.Untold(s.Row.Fingerprint)
}

// idles ends a row for which nothing is to be done, although Owlat was not told that no mail may go to its person. Had is its entry.
func (p withdrawing) idles(r *step.Row, s *step.Step, had *ledger.Entry) bool {
	switch {
	case !idle(s, had):
		return false
	case s.Outcome == owlatsync.Skipped:
		p.endAs(s.Decision(), ledger.CategoryNeverMail)
	default:
		p.scan.InStep(r)
		p.unchanged()
	}
	return true
}
