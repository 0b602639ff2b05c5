package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/owlat"
)

// outage is after how many rows that failed in a row, none in between succeeding, a run gives up on a deployment.
const outage = 25

// reasonErred is why what follows from absence waits (Invariant 4).
const reasonErred = "nothing is removed in a run in which rows failed"

const reasonStopped = "the run ended before the row's turn; the next run takes it up"

// categoryUnsure is the category of a row with an add that can no longer be repeated.
const categoryUnsure = "unsure"

// categoryLedger is the category of a row whose step could not be recorded.
const categoryLedger = "ledger"

// CategoryUnasked is the category of a row that is skipped because RunOptions asked for others.
const CategoryUnasked = "unasked"

// applier carries out a plan: phase by phase, several rows at once, each step recorded when Owlat has confirmed it.
type applier struct {
	engine *Engine
	sync   *Sync
	run    int64
	plan   *spool
	stop   <-chan struct{}
	only   []string // keys of the rows to apply; empty: all
	limit  int      // how many rows to apply; 0: all
	pool   *owlat.Pool
	again  *again // what is left out of step

	applied int // rows taken on, of a limited run

	mu        sync.Mutex
	report    *owlatsync.Report
	ended     error                // why no more work is taken
	errors    int                  // rows that failed in this run
	failing   int                  // rows in a row that met no working server
	withdrawn map[string]*rowError // rows whose withdrawal failed, by key
	badTopics map[string]bool      // topics that Owlat is known not to have, or to have
	doubt     sync.Mutex           // around finding out about a topic
}

// applyAll applies every phase. The items that are not reached are told as skipped, so that the outcomes add up.
func (a *applier) applyAll(ctx context.Context) error {
	a.pool = a.engine.client.NewPool(a.engine.workers)
	a.withdrawn, a.badTopics = make(map[string]*rowError), make(map[string]bool)
	for phase := phaseSettle; phase <= lastPhase; phase++ {
		if err := a.applyPhase(ctx, phase); err != nil {
			return err
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.ended
}

func (a *applier) applyPhase(ctx context.Context, phase int) error {
	defer a.pool.Wait()
	var settled []*item
	order := int64(0)
	for st, err := range a.plan.allSteps(context.WithoutCancel(ctx), phase) {
		if err != nil {
			return fmt.Errorf("read the plan: %w", err)
		}
		it := st.item
		if st.order != order { // a rename that needs an address which an earlier one frees
			a.pool.Wait()
			order = st.order
		}
		switch {
		case a.stopping(ctx):
			a.done(it, owlatsync.Skipped, reasonStopped, "")
		case !a.chosen(it):
			a.done(it, owlatsync.Skipped, "not among the rows asked for", CategoryUnasked)
		case phase == phaseRemove && a.erred():
			a.done(it, owlatsync.Skipped, reasonErred, "")
		case phase == phaseSettle:
			if settled = append(settled, it); len(settled) == spoolBatch {
				a.settle(ctx, settled)
				settled = settled[:0]
			}
		default:
			a.pool.Go(ctx, func(ctx context.Context, client *owlat.Client) { a.apply(ctx, client, it) })
		}
	}
	a.settle(ctx, settled)
	return nil
}

// stopping reports whether no more work is to be taken, and keeps the reason.
func (a *applier) stopping(ctx context.Context) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ended != nil {
		return true
	}
	select {
	case <-ctx.Done():
		a.ended = ctx.Err()
	case <-a.stop:
		a.ended = ErrInterrupted
	default:
	}
	return a.ended != nil
}

// chosen reports whether the run is to apply the item. Only applyPhase calls it, one item after the other.
func (a *applier) chosen(it *item) bool {
	if len(a.only) > 0 && !slices.Contains(a.only, it.Row.Key) {
		return false
	}
	if a.limit <= 0 || it.Partial {
		return true
	}
	a.applied++
	return a.applied <= a.limit
}

func (a *applier) erred() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.errors > 0
}

// errEnded is why calls that had not been sent when the run ended are not sent any more.
var errEnded = errors.New("the run has ended")

// end makes the run take no more work and send nothing more: what waits for the limiter would meet the same.
func (a *applier) end(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ended == nil {
		a.ended = err
	}
	a.pool.Close(errEnded)
}

// settle records rows that need no request.
func (a *applier) settle(ctx context.Context, items []*item) {
	if len(items) == 0 {
		return
	}
	records := make([]ledger.Record, len(items))
	for i, it := range items {
		if it.Entry.ChangedAt = time.Now(); it.Outcome != owlatsync.Skipped { // else only the key is another
			settled(it.Entry, it.Row.Fingerprint)
		}
		records[i] = ledger.Record{Sync: a.sync.Name, Run: a.run, Entry: it.Entry, Replaces: it.OldKey}
		if it.Outcome != owlatsync.Unchanged {
			records[i].Event = string(it.Outcome)
			records[i].Note = it.Reason
		}
	}
	err := a.record(ctx, records...)
	for _, it := range items {
		if err != nil {
			a.done(it, owlatsync.Failed, err.Error(), categoryLedger)
			continue
		}
		a.skip(it.Skipped)
		category := ""
		if it.Unsure {
			category = categoryUnsure
		}
		a.done(it, it.Outcome, it.Reason, category)
	}
}

// settled marks the entry as in step with the row of that fingerprint.
func settled(e *ledger.Entry, print ledger.Fingerprint) {
	e.Fingerprint, e.Failure, e.Intent = print, nil, ledger.Intent{}
	e.ChangedAt = time.Now()
}

// record writes to the ledger. A ledger that cannot be written ends the run: nothing more may be confirmed.
func (a *applier) record(ctx context.Context, records ...ledger.Record) error {
	if err := a.engine.ledger.Record(context.WithoutCancel(ctx), records...); err != nil {
		return a.ledgerFailed(err)
	}
	return nil
}

// ledgerFailed ends the run and returns what that means for the row.
func (a *applier) ledgerFailed(err error) error {
	a.end(err)
	return &rowError{class: ledger.RetryLater, category: categoryLedger, reason: err.Error(), err: err}
}

// done counts and tells the outcome of a row.
func (a *applier) done(it *item, outcome owlatsync.Outcome, reason, category string) {
	if it.Partial {
		return
	}
	d := it.decision()
	d.Outcome, d.Reason = outcome, reason
	a.mu.Lock()
	a.report.Outcomes[outcome]++
	if it.Missing {
		a.report.Missing++
		if !it.spared {
			a.again.absent(outcome, it.Entry)
		}
	} else {
		a.again.note(it.Row.Key, outcome)
		if it.New {
			a.again.made++
		}
	}
	if outcome == owlatsync.Failed && (!it.Unsure || it.erred) {
		a.errors++
	}
	a.mu.Unlock()
	if outcome == owlatsync.Failed {
		attrs := []any{"sync", a.sync.Name, "address", d.AddressHash(), "category", category, "reason", reason}
		if !a.sync.KeyIsAddress && !ledger.PrivateKey(it.Row.Key) { // Invariant 8
			attrs = append(attrs, "key", it.Row.Key)
		}
		a.engine.log.Info("row failed", attrs...)
	}
	if outcome != owlatsync.Unchanged {
		a.engine.emit(RowDone{Decision: d, Category: category})
	}
}

func (a *applier) skip(n int) {
	a.mu.Lock()
	a.report.Memberships.Skipped += n
	a.mu.Unlock()
}

// health notes whether the server worked for a row, and ends the run when it has not for many in a row.
func (a *applier) health(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err == nil {
		a.failing = 0
		return
	}
	if a.failing++; a.failing >= outage && a.ended == nil {
		a.ended = fmt.Errorf("%w: %d rows in a row failed, the last with: %w", ErrUnavailable, a.failing, err)
		a.pool.Close(errEnded)
	}
}
