package apply

import (
	"context"
	"errors"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/reconcile/remote"
)

// setback keeps the failure of a row.
type setback struct{ *row }

// failed keeps a failure for later runs and tells it.
func (r setback) failed(ctx context.Context, err error) {
	f, aborted := r.keepFailure(ctx, err)
	if aborted {
		r.result = unreached()
	} else {
		r.result = result{outcome: owlatsync.Failed, reason: f.Reason, category: f.Category, erred: true}
	}
	r.tell()
}

// keepFailure records a failure, and ends the run if every row would meet it. Aborted says that the run ended before the request
// was sent: that is no failure of the row.
func (r setback) keepFailure(ctx context.Context, err error) (f *remote.Failure, aborted bool) {
	f = remote.Classify(err)
	aborted = (ctx.Err() != nil || errors.Is(err, owlat.ErrPoolClosed)) && !owlat.OutcomeUnknown(err) && !r.lost
	switch {
	case f.Class == ledger.StopRun:
		r.end(&remote.StoppedError{Err: err})
	case aborted:
		r.end(context.Cause(ctx))
	case f.Outage():
		r.health(f)
	}
	if f.Class != ledger.StopRun && !aborted {
		of := remote.Attempt{Fingerprint: r.s.Row.Fingerprint, Absence: r.s.Missing}
		if r.s.Only { // the row itself is not tried
			of.Fingerprint = ledger.Fingerprint{}
		}
		if was := r.e.Failure; !r.s.Only || was == nil || was.Absence || was.Fingerprint.IsZero() {
			r.e.Failure = f.Again(was, of, r.Ledger.Now())
		}
		if r.e.ContactID == "" && r.s.Met != nil && r.s.Met.Old { // the ledger may no longer count as older at the next try
			r.e.NoteMetBefore()
		}
		r.event("failed", f.Reason)
	}
	r.e.Fingerprint = ledger.Fingerprint{}
	r.forgetUnsent()
	if flushErr := r.flush(ctx); flushErr != nil {
		f = remote.Classify(flushErr)
	}
	return f, aborted
}
