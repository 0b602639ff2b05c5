package reconcile

import (
	"context"
	"iter"
	"slices"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/reconcile/ask"
	"owlatsync/reconcile/plan"
	"owlatsync/reconcile/progress"
	"owlatsync/reconcile/remote"
	"owlatsync/reconcile/scan"
	"owlatsync/reconcile/step"
)

// Plan reads the source, compares it with the ledger and, on a first run, with Owlat's contacts, and tells what would become of the
// rows. It writes nothing to Owlat or to the ledger. It needs no lock and may go on beside a run.
//
// Errors: *ledger.DeploymentError, *SourceError, *StoppedError, the context's cause, the error of Each, or the ledger's.
func (e *Engine) Plan(ctx context.Context, s Sync, o PlanOptions) (owlatsync.Summary, error) {
	if err := s.validate(); err != nil {
		return owlatsync.Summary{}, err
	}
	if c, ok := s.Source.(Connector); ok {
		defer c.Connect(ctx)()
	}
	if err := e.belongs(ctx); err != nil {
		return owlatsync.Summary{}, err
	}
	settled := newOverlay(e.ledger)
	return basis{engine: e, reader: settled, record: settled.put, client: e.outside}.plan(ctx, &s, o, false)
}

// belongs returns a *ledger.DeploymentError if the ledger is another deployment's.
func (e *Engine) belongs(ctx context.Context) error {
	bound, err := e.ledger.Deployment(ctx)
	if err != nil {
		return err
	}
	if url := e.client.BaseURL(); bound != "" && bound != url {
		return &ledger.DeploymentError{Bound: bound, Configured: url}
	}
	return nil
}

// basis is what a plan that is dropped stands on.
type basis struct {
	engine *Engine
	reader ledger.Reader
	record func(ledger.Record) error // takes the entries whose doubts are settled
	client *owlat.Client             // asks Owlat
}

// plan makes a plan and drops it. Full reads all rows.
func (on basis) plan(ctx context.Context, s *Sync, o PlanOptions, full bool) (summary owlatsync.Summary, err error) {
	e := on.engine
	w, err := e.begin(s, on.reader, on.client)
	if err != nil {
		return summary, err
	}
	var observers []progress.Observer
	for _, o := range o.Observers {
		if o.Each == nil {
			continue
		}
		observers = append(observers, progress.Observer{Complete: o.Complete, Each: func(v progress.Value) {
			if _, row := v.(progress.RowDone); !row {
				o.Each(v)
			}
		}})
	}
	w.tell = progress.NewTeller(progress.About{Sync: s.Name}, observers, w.counter.Counts, e.client.Estimate)
	read := s.asked(e.ledger)
	read.Full = full
	if w.reading, err = read.Reading(ctx); err == nil {
		var p *plan.Plan
		p, err = planning{w}.plan(ctx, owlatsync.Part{}, o.Each, on.record)
		summary = p.Summary
		if summary.SetBack { // a run lists the contacts first; only Owlat knows how many there are besides those of the ledger
			summary.Adoption.Requests += remote.ListingCost(summary.Entries)
		}
		asking := summary.Adoption.Requests + summary.Lookups // a run would ask again
		if summary.Looking != nil {
			asking += summary.Looking.Requests
		}
		summary.Duration, summary.Longest = e.client.Estimate(summary.Requests+asking), e.client.Estimate(summary.Most.Requests+asking)
		err = also(err, p.Close())
	}
	ended, message := status(ctx, err, w.tell.Report())
	w.tell.Ended(ended, message, w.tell.Report())
	return summary, err
}

// planning is the part of a run that makes a plan.
type planning struct{ *work }

// plan settles doubts, reads the source and plans every row that changed. It returns the plan so far with an error too; the caller
// must close it in any case.
func (w planning) plan(ctx context.Context, part owlatsync.Part, each func(Decision) error, record func(ledger.Record) error) (*plan.Plan, error) {
	before := w.counter.Counts().Total // --full has listed
	defer w.seat.leave()
	needs := plan.Needs{
		Policies: w.policies, Ledger: w.reader, Contacts: unseated{w.asker(), &w.seat}, Place: &w.engine.place, Tell: w.tell, Notes: &w.reading.Again, Each: each,
		Clock: w.there, Adopted: true, Partial: !part.Whole(), Makes: w.imports.makes, Exporting: w.imports.exporting, Links: w.links.Able(), Reading: w.reading.Told, Entries: w.reading.Entries(),
	}
	if w.reading.Times > 1 { // later stretches of a run try no row again that has failed in it
		needs.Tried = w.run.Started
	}
	state, err := w.reader.SyncState(ctx, w.sync.Name)
	if err != nil {
		return plan.New(needs).Make(ctx, nil, readLedger(err))
	}
	needs.SetBack = !state.SetBack.IsZero()
	if err := w.settle(ctx, record); err != nil {
		return plan.New(needs).Make(ctx, nil, err)
	}
	needs.Unsettled = w.unsettled
	needs.Fresh, needs.Lasting = w.refreshed && w.reading.Times == 1, w.sync.fresh() < 0
	if !w.reading.Changes {
		needs.Adopted = state.Adopted
	}
	if err := w.seat.take(ctx); err != nil {
		return plan.New(needs).Make(ctx, nil, err)
	}
	w.tell.Stage(ledger.StageReading)
	planner := plan.New(needs)
	scanned, err := w.scan(ctx, part, planner.End)
	if err == nil {
		w.tell.Stage(ledger.StagePlanning)
	}
	p, err := planner.Make(ctx, scanned, err)
	p.Summary.Lookups = w.counter.Counts().Total - before - p.Summary.Adoption.Requests
	if how := p.Summary.Looking; how != nil {
		p.Summary.Lookups -= how.Requests
	}
	p.Summary.Duration, p.Summary.Longest = w.client.Estimate(p.Summary.Requests), w.client.Estimate(p.Summary.Most.Requests)
	p.Summary.LinksLast = time.Duration(float64(p.Summary.Links) / w.client.Preferences.Rate() * float64(time.Second))
	return p, err
}

func (w *work) asker() *ask.Asker {
	if w.asking == nil {
		w.asking = &ask.Asker{Client: w.client, Ledger: w.reader, Sync: w.sync.Name, Run: w.run.ID, Overwrite: w.policies.Overwrite}
	}
	return w.asking
}

// settle looks up what became of requests of earlier runs, once. It comes before everything that reads or corrects what the ledger
// says of contacts.
func (w *work) settle(ctx context.Context, record func(ledger.Record) error) error {
	if w.settled {
		return nil
	}
	state, err := w.reader.SyncState(ctx, w.sync.Name)
	if err != nil {
		return readLedger(err)
	}
	if state.Open {
		w.seat.leave()
		w.unsettled, err = w.asker().Settle(ctx, record)
	}
	w.settled = err == nil
	return err
}

// scan reads all rows or only the changed ones, as decided in w.reading.
func (w planning) scan(ctx context.Context, part owlatsync.Part, end func(step.Decision)) (*scan.Scan, error) {
	defer w.seat.read(func() int { return w.tell.State().Rows })()
	needs := scan.Needs{Policies: w.policies, Ledger: w.reader, Place: &w.engine.place, Tell: w.tell, End: end, Spoilt: w.reading.Again.Spoilt, Rows: w.reading.Rows(ctx, w.sync.Source), Later: w.reading.Times > 1}
	if !w.reading.Changes {
		return scan.Full(ctx, needs)
	}
	scanned, err := scan.Changes(ctx, needs, &w.reading.Scan, slices.Concat(w.reading.Named(), part.Only))
	w.reading.Told.From = w.reading.Scan.From
	return scanned, err
}

// batchSize is how many steps or records are handed to the ledger at once.
const batchSize = 500

// inBatches hands over the values in batches. A batch is valid until the next one.
func inBatches[T any](all iter.Seq2[T, error], do func([]T) error) error {
	batch := make([]T, 0, batchSize)
	for v, err := range all {
		if err != nil {
			return err
		}
		if batch = append(batch, v); len(batch) == batchSize {
			if err := do(batch); err != nil {
				return err
			}
			batch = batch[:0]
		}
	}
	if len(batch) == 0 {
		return nil
	}
	return do(batch)
}
