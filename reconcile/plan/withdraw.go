package plan

import (
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/reconcile/consent"
	"owlatsync/reconcile/policy"
	"owlatsync/reconcile/step"
)

// Withdrawal returns the step for a row that is not applied for a reason of its own, and that says no to a topic on which the contact
// of its entry may be: a withdrawn consent waits for nothing. The outcome and the reason are those of the row. Withdrawal returns nil
// if there is nothing to withdraw. E may be nil. It changes nothing it is given. Pure.
func Withdrawal(p *policy.Policies, r *step.Row, e *ledger.Entry, outcome owlatsync.Outcome, reason string, now time.Time) *step.Step {
	if e == nil || e.ContactID == "" || e.Origin == ledger.OriginGone {
		return nil
	}
	v := consent.Withdraw(p.Topics, consent.Row{
		Says: r.Consents, Memberships: e.Memberships, Origin: e.Origin, HasContact: true,
		New: e.Origin == ledger.OriginCreated && !e.Intent.Create.IsZero(),
	}, now)
	if len(v.Changes) == 0 {
		return nil
	}
	left := *e
	left.Memberships = v.Memberships
	return &step.Step{
		Phase: step.Withdraw, Row: r, Entry: &left, Changes: v.Changes, Outcome: outcome, Reason: reason, Events: e.Events, Only: true,
		Category: categoryOf(outcome),
	}
}
