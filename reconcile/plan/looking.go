package plan

import (
	"context"
	"fmt"

	"owlatsync/ledger"
	"owlatsync/reconcile/ask"
	"owlatsync/reconcile/own"
	"owlatsync/reconcile/remote"
	"owlatsync/reconcile/step"
)

// looking looks at contacts before fields are overwritten that somebody may have changed in Owlat.
type looking struct{ *Planner }

// look lists the contacts of rows if that costs less than to read each before its change. It returns nil if not: then the steps say which contacts are
// read.
func (p looking) look(ctx context.Context) (*ask.Seen, error) {
	if p.Policies.Overwrite.Always() || p.Fresh || p.Lasting {
		return nil, nil
	}
	known := max(p.Entries, p.scan.Entries())
	if p.plan.waiting.Len() <= remote.ListingCost(known) {
		return nil, nil
	}
	contacts := make(map[string]struct{})
	of := lookup{Needs: p.Needs, scan: p.scan}
	for batch, err := range p.plan.batches() {
		if err != nil {
			return nil, fmt.Errorf("read the rows to plan: %w", err)
		}
		entries, err := of.known(ctx, batch)
		if err != nil {
			return nil, err
		}
		for _, r := range batch {
			if e := entries[r.Key]; p.mayBeTheirs(r, e) {
				contacts[e.ContactID] = struct{}{}
			}
		}
	}
	if len(contacts) == 0 {
		return nil, nil
	}
	seen, how, err := p.Contacts.Look(ctx, contacts, known, p.Tell.Listed)
	p.plan.Summary.Looking = &how
	return seen, err
}

// mayBeTheirs reports whether a row overwrites a field of its contact that somebody may have changed in Owlat.
func (p looking) mayBeTheirs(r *step.Row, e *ledger.Entry) bool {
	if r.Invalid != "" || r.Twin || e == nil || e.ContactID == "" || e.Origin == ledger.OriginGone || e.Fingerprint == r.Fingerprint {
		return false
	}
	return own.Judge(p.Policies.Overwrite, e, own.Wanted{Email: r.Email, Fields: r.Fields}, p.now).Guarded
}
