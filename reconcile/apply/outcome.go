package apply

import (
	"cmp"
	"context"
	"slices"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/reconcile/remote"
	"owlatsync/reconcile/step"
)

// result is what became of a step.
type result struct {
	outcome  owlatsync.Outcome
	reason   string
	category ledger.Category
	erred    bool          // the row failed in this run; false if only an earlier run's doubt stays
	spared   bool          // another row has the contact now: nothing more follows from the absence
	entry    *ledger.Entry // the entry now; nil: as planned
}

// unreached is what becomes of a row whose turn a run that ends does not come to.
func unreached() result {
	return result{outcome: owlatsync.Skipped, reason: ReasonStopped, category: ledger.CategoryUnreached}
}

// done counts and tells the outcome of a row.
func (a *run) done(s *step.Step, r result) {
	d := s.Decision()
	d.Outcome, d.Reason = r.outcome, r.reason
	a.mu.Lock()
	if s.Missing && r.entry != nil && r.entry.Departed != "" {
		a.Notes.Left(1)
	}
	switch {
	case s.Missing && !r.spared:
		a.Notes.Absent(r.outcome, cmp.Or(r.entry, s.Entry))
	case !s.Missing:
		a.Notes.Note(s.Row.Key, r.outcome)
		if s.New {
			a.Notes.Made()
		}
	}
	if r.erred {
		a.errors++
	}
	a.mu.Unlock()
	if r.outcome == owlatsync.Failed {
		attrs := []any{"sync", a.Sync, "run", a.Run, "address", d.AddressHash(), "category", r.category, "reason", r.reason}
		if key := d.PublicKey(); key != "" && !a.PrivateKey { // Invariant 8
			attrs = append(attrs, "key", key)
		}
		a.Log.Info("row failed", attrs...)
	}
	a.Tell.Row(d, r.category, s.Missing)
}

// leftAlone counts memberships that are left alone on purpose.
func (a *run) leftAlone(n int) { a.Tell.Memberships(owlatsync.MembershipCounts{Skipped: n}) }

// record writes to the ledger. If that fails, it ends the run: nothing more may be confirmed by Owlat.
func (a *run) record(ctx context.Context, records ...ledger.Record) error {
	if a.Links.Able() {
		a.mu.Lock()
		a.SoFar.unread = a.SoFar.unread || slices.ContainsFunc(records, func(r ledger.Record) bool { return r.Entry.Unread() })
		a.mu.Unlock()
	}
	if err := a.Writer.Record(context.WithoutCancel(ctx), records...); err != nil {
		return a.ledgerFailed(err)
	}
	return nil
}

// ledgerFailed ends the run and returns the failure of the row.
func (a *run) ledgerFailed(err error) error {
	a.end(err)
	return &remote.Failure{Class: ledger.RetryLater, Category: ledger.CategoryLedger, Reason: err.Error(), Err: err}
}
