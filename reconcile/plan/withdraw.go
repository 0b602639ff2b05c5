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
// of its entry may be: a withdrawn consent waits for nothing. The outcome and the reason are those of the row. Told says
// that Owlat was told to send the contact nothing, ever. Withdrawal returns nil there is nothing to withdraw. E may be nil. It changes nothing it is given. Pure.
func Withdrawal(p *policy.Policies, r *step.Row, e *ledger.Entry, told bool, outcome owlatsync.Outcome, reason string, now time.Time) *step.Step {
	if e == nil || e.ContactID == "" || e.Origin == ledger.OriginGone {
		return nil
	}
	v := consent.Withdraw(p.Topics, consent.Row{
		Says: r.Consents, Memberships: e.Memberships, Origin: e.Origin, HasContact: true, Never: r.Never, Told: r.Never && told,
	}, now)
	left, never := *e, r.Never && !told
	left.Memberships = v.Memberships
	if never && p.OptsOut {
		v.Changes = optingOut(v.Changes)
	}
	if len(v.Changes) == 0 {
		return nil
	}
	return &step.Step{
		Never: never,
		Phase: step.Withdraw, Row: r, Entry: &left, Changes: v.Changes, Outcome: outcome, Reason: reason, Events: e.Events, Only: true,
		Category: categoryOf(outcome),
	}
}

// withdrawing plans what rows withdraw that are not applied.
type withdrawing struct{ *Planner }

// invalid returns the entries of the batch's invalid rows by their keys, and what is suppressed of the contacts of those that say so.
func (p withdrawing) invalid(ctx context.Context, batch []*step.Row) (map[string]*ledger.Entry, map[string]ledger.Suppression, error) {
	var keys []string
	for _, r := range batch {
		if r.Invalid != "" {
			keys = append(keys, r.Key)
		}
	}
	entries, err := p.Ledger.Entries(ctx, p.Policies.Sync, keys)
	if err != nil {
		return nil, nil, readLedger(err)
	}
	var contacts []string
	for _, r := range batch {
		if e := entries[r.Key]; r.Invalid != "" && p.Policies.Suppressed && e != nil && e.ContactID != "" {
			contacts = append(contacts, e.ContactID)
		}
	}
	suppressed, err := p.Ledger.Suppressions(ctx, contacts)
	if err != nil {
		return nil, nil, readLedger(err)
	}
	return entries, suppressed, nil
}

// end ends a row that is not applied, after the consents that it withdraws. E is the entry of its own key, nil if there is none.
// Told says that Owlat was told to send its contact nothing, ever. Instead is the row that counts instead of a duplicate.
func (p withdrawing) end(r *step.Row, e *ledger.Entry, told bool, outcome owlatsync.Outcome, reason string, instead *step.Instead) error {
	if s := Withdrawal(p.Policies, r, e, told, outcome, reason, p.now); s != nil && !r.Twin { // of rows with one key the first speaks
		s.Instead = instead
		return p.add(s)
	}
	d := step.NewDecision(r.Key, r.Position, r.Email, outcome, reason)
	d.Twin, d.Instead = r.Twin, instead
	p.End(d)
	return nil
}
