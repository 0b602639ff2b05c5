package plan

import (
	"context"
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

// withdrawing plans what rows withdraw that are not applied.
type withdrawing struct{ *Planner }

// invalid returns the entries of the batch's invalid rows by their keys.
func (p withdrawing) invalid(ctx context.Context, batch []*step.Row) (map[string]*ledger.Entry, error) {
	var keys []string
	for _, r := range batch {
		if r.Invalid != "" {
			keys = append(keys, r.Key)
		}
	}
	entries, err := p.Ledger.Entries(ctx, p.Policies.Sync, keys)
	if err != nil {
		return nil, readLedger(err)
	}
	return entries, nil
}

// end ends a row that is not applied, after the consents that it withdraws. E is the entry of its own key, nil if there is none.
func (p withdrawing) end(r *step.Row, e *ledger.Entry, outcome owlatsync.Outcome, reason string) error {
	if s := Withdrawal(p.Policies, r, e, outcome, reason, p.now); s != nil && !r.Twin { // of rows with one key the first speaks
		return p.add(s)
	}
	d := step.NewDecision(r.Key, r.Position, r.Email, outcome, reason)
	d.Twin = r.Twin
	p.End(d)
	return nil
}
