package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/reconcile/apply"
	"owlatsync/reconcile/ask"
	"owlatsync/reconcile/policy"
	"owlatsync/reconcile/progress"
	"owlatsync/reconcile/reading"
	"owlatsync/reconcile/remote"
)

// beatEvery is how often a run brings its record up to date.
const beatEvery = 10 * time.Second

// work is the state of one run, or of one plan.
type work struct {
	engine   *Engine
	sync     *Sync
	policies *policy.Policies
	client   *owlat.Client // counts its requests in counter
	counter  *remote.Counter
	refused  *remote.RefusedKeys
	links    *remote.Links // reads memberships with client
	tell     *progress.Teller
	reader   ledger.Reader
	lock     ledger.Lock // nil: a plan, which writes nothing
	claim    ledger.Claim
	rest     func()                  // ends the beat
	away     bool                    // the run waits, or has ended without its lock: its record is not its own
	free     context.CancelCauseFunc // of the present lock's context
	reading  *reading.Reading
	asking   *ask.Asker
	seat     seat
	run      ledger.Run
	imports  imports
	soFar    apply.SoFar // what the stretches of the run have in common

	read      bool              // no add of earlier runs is unsure and unread
	settled   bool              // the doubts of earlier runs were looked up
	refreshed bool              // the ledger was corrected to a listing of Owlat's contacts before the first plan
	unsettled map[string]string // why rows wait whose doubts could not be settled, by their keys and addresses
}

// begin returns the work of a run or a plan, whose requests client sends.
func (e *Engine) begin(s *Sync, reader ledger.Reader, client *owlat.Client) (*work, error) {
	w := &work{engine: e, sync: s, policies: s.Policies(), counter: new(remote.Counter), refused: new(remote.RefusedKeys), reader: reader}
	var err error
	look := func(context.Context, owlat.Attempt) error { return held(w)() }
	if w.client, err = client.With(owlat.WithObserver(w.counter.Observe), owlat.WithKeyRefused(w.refused.Note), owlat.WithBeforeSend(look)); err != nil {
		return nil, fmt.Errorf("count the requests of the run: %w", err)
	}
	w.policies.OptsOut = w.client.Preferences.Configured()
	w.links = remote.NewLinks(w.client, remote.Fair, func(ended error) {
		e.log.Warn("memberships are not read any more in this run, which goes on as without the unsubscribe secret", "sync", s.Name, "error", ended)
	})
	return w, nil
}

// there returns what Owlat's clock shows when the ledger's shows at, if that is known.
func (w *work) there(at time.Time) (earliest, latest time.Time, known bool) {
	return remote.There(w.client, w.reader, at)
}

// held returns what fails once the work cannot be sure to have its lock: then it sends nothing (Invariant 5). A plan alone has none.
func held(w *work) func() error {
	return func() error {
		if w.lock == nil {
			return nil
		}
		return w.lock.Check()
	}
}

// run makes a run, or applies the plan of one that is held.
func (e *Engine) run(ctx context.Context, s *Sync, o RunOptions, held int64) (report *owlatsync.Report, err error) {
	if err := s.validate(); err != nil {
		return nil, err
	}
	w, err := e.begin(s, e.ledger, e.client)
	if err != nil {
		return nil, err
	}
	w.seat = seat{of: o.Seat, stop: o.Stop}
	if err := w.seat.take(ctx); err != nil {
		return nil, err
	}
	defer w.seat.leave()
	w.imports.makes = o.CreateMissing
	w.claim = ledger.Claim{Purpose: fmt.Sprintf("run of sync %q", s.Name), Deployment: e.client.BaseURL()}
	if w.lock, err = e.locks.acquire(ctx, w.claim); err != nil {
		return nil, err
	}
	w.free = func(error) {}
	defer func() {
		err = also(err, w.lock.Release())
		w.free(nil)
	}()
	locked := w.lock.Context()
	if c, ok := s.Source.(Connector); ok && !o.Full {
		defer c.Connect(locked)()
	}
	var approved *ledger.Run
	if held != 0 {
		if approved, err = (holding{w}).held(locked, held); err != nil {
			return nil, err
		}
		o.Part = approved.Part
	}
	now := e.ledger.Now()
	w.run = ledger.Run{
		ID: o.Run, Sync: s.Name, Mode: ledger.ModeRun, Owner: e.owner, Started: now, Heartbeat: now, Stage: ledger.StageStarting,
		Status: ledger.StatusRunning, Part: o.Part,
	}
	if o.Review {
		w.run.Mode = ledger.ModeReview
	}
	if w.run.ID, err = w.lock.BeginRun(locked, w.run); err != nil {
		return nil, fmt.Errorf("record the run: %w", err)
	}
	w.tell = progress.NewTeller(progress.About{Sync: s.Name, Run: w.run.ID}, o.Observers, w.counter.Counts, e.client.Estimate)
	w.tell.Name(s.Named)
	if s.fresh() > 0 {
		w.tell.Recall()
	}
	defer e.running.goesOn(s.Name, w.tell)()
	return w.whole(ctx, o, approved)
}

// whole does the work of a run and records its end in one commit. The context is that of the caller, not that of the lock, of which
// a run may have several.
func (w *work) whole(ctx context.Context, o RunOptions, approved *ledger.Run) (*owlatsync.Report, error) {
	w.beat()
	ending, workErr := w.apply(ctx, o, approved)
	w.rest()
	if ctx.Err() == nil {
		ctx = w.lock.Context()
	}
	if errors.Is(workErr, context.Canceled) && errors.Is(context.Cause(ctx), ledger.ErrLockLost) {
		workErr = context.Cause(ctx)
	}
	r := &w.run
	r.Stage = w.tell.State().Stage
	w.tell.Stage(ledger.StageEnding)
	w.tell.Complete()
	r.Report = w.tell.Report()
	r.Report.UnsureRead = w.read && w.links.Able() && !w.soFar.Unread()
	if ended := w.links.Refused(); ended != nil {
		r.Report.LinksEnded = ended.Error()
	}
	if r.Report.Requests.Total > 0 {
		r.Report.KeysRefused = w.refused.Places(w.client)
	}
	r.Finished = w.engine.ledger.Now()
	r.Heartbeat = r.Finished
	r.Status, r.Message = status(ctx, workErr, r.Report)
	ending.Run = *r
	var endErr error
	if !w.away {
		endErr = w.lock.EndRun(context.WithoutCancel(ctx), ending) // an aborted run is recorded too
	}
	if errors.Is(endErr, ledger.ErrLockLost) && errors.Is(workErr, ledger.ErrLockLost) {
		endErr = nil // both say the same
	}
	if endErr != nil { // the status that was meant is not recorded
		endErr = fmt.Errorf("record the end of the run: %w", endErr)
		r.Status, r.Message = ledger.StatusError, also(workErr, endErr).Error()
	}
	w.engine.log.Info("run ended", "sync", w.sync.Name, "run", r.ID, "mode", r.Mode, "status", r.Status, "rows", r.Report.Rows,
		"requests", r.Report.Requests.Total, "seconds", r.Report.Seconds)
	w.tell.Ended(r.Status, r.Message, r.Report)
	return r.Report, also(workErr, endErr)
}

// beat keeps the record of the run up to date until rest is called.
func (w *work) beat() {
	lock := w.lock
	ctx, cancel := context.WithCancel(lock.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		ticker := time.NewTicker(beatEvery)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			s := w.tell.State()
			err := lock.Beat(ctx, ledger.Beat{Run: w.run.ID, Stage: s.Stage, Report: s.Report, Summary: s.Summary})
			if err != nil && ctx.Err() == nil { // if the ledger is broken, the next real write says so
				w.engine.log.Warn("the record of the run is not up to date", "sync", w.sync.Name, "run", w.run.ID, "error", err)
			}
		}
	}()
	w.rest = func() {
		cancel()
		<-done
	}
}

// apply plans and applies, and returns what the end of the run records besides the run itself.
func (w *work) apply(ctx context.Context, o RunOptions, approved *ledger.Run) (ending ledger.Ending, err error) {
	locked := w.lock.Context()
	read := w.sync.asked(w.engine.ledger)
	read.Full, read.Keys = o.Full, o.Keys
	if approved != nil {
		if read.Like, read.Keys = approved.Report, nil; read.Like != nil && read.Like.Reading != nil && read.Like.Reading.Mode == owlatsync.ReadKeys {
			if read.Keys, err = (holding{w}).keys(locked, approved.ID); err != nil {
				return ending, err
			}
		}
	}
	if w.reading, err = read.Reading(locked); err != nil {
		return ending, err
	}
	w.tell.Reading(w.reading.Told)
	record := func(r ledger.Record) error { return w.lock.Record(locked, r) }
	if err := (looking{w}).look(locked, o.Full, record); err != nil {
		return ending, err
	}
	return w.stretches(ctx, o, approved)
}

// looking is the part of a run that looks at what Owlat holds before it plans.
type looking struct{ *work }

// look corrects the ledger as far as a run does so before it plans.
func (w looking) look(ctx context.Context, asked bool, record func(ledger.Record) error) error {
	if err := w.again(ctx, asked, record); err != nil {
		return err
	}
	return w.unsure(ctx, asked, record)
}

// again corrects the ledger to what Owlat holds if that is asked for, or if the ledger is older than what was done.
func (w looking) again(ctx context.Context, asked bool, record func(ledger.Record) error) error {
	state, err := w.reader.SyncState(ctx, w.sync.Name)
	if err != nil {
		return readLedger(err)
	}
	if !asked && state.SetBack.IsZero() {
		return nil
	}
	if !state.SetBack.IsZero() {
		w.engine.log.Warn("the ledger is older than what was done", "sync", w.sync.Name, "noticed", state.SetBack)
	}
	w.seat.leave()
	if err := w.settle(ctx, record); err != nil {
		return err
	}
	err = refreshing(w).refresh(ctx)
	if !asked && errors.Is(err, owlat.ErrForbidden) {
		return nil // a key without contacts:read cannot look; what the ledger no longer knows is sent again
	}
	return err
}

// fewRuns is among how many runs of a sync there is one that has begun: of those asked for, few wait at a time.
const fewRuns = 5

// unsure finds out about adds that earlier runs could not. Which there are is looked for only after a run that did not read all of them,
// such as one without the unsubscribe secret.
func (w looking) unsure(ctx context.Context, asked bool, record func(ledger.Record) error) error {
	if !w.links.Able() {
		return nil
	}
	state, err := w.reader.SyncState(ctx, w.sync.Name)
	if err != nil {
		return readLedger(err)
	}
	runs, err := w.engine.ledger.Runs(ctx, w.sync.Name, fewRuns)
	if err != nil {
		return readLedger(err)
	}
	runs = slices.DeleteFunc(runs, func(r ledger.Run) bool { return r.ID == w.run.ID || r.Status == ledger.StatusQueued })
	if w.read = !asked && state.SetBack.IsZero() && len(runs) > 0 && runs[0].Report != nil && runs[0].Report.UnsureRead; w.read {
		return nil
	}
	w.seat.leave()
	w.read, err = ask.Unsure(ctx, w.asker(), w.links, func(r ledger.Record) error {
		if r.Event == ask.TopicFound {
			w.tell.Memberships(owlatsync.MembershipCounts{Added: 1})
		}
		return record(r)
	})
	return err
}

// status says how a run ended. A context that ends, for whatever reason but a lost lock, interrupts it.
func status(ctx context.Context, err error, r *owlatsync.Report) (status ledger.Status, message string) {
	over := ctx.Err() != nil && !errors.Is(err, ledger.ErrLockLost) && (errors.Is(err, ctx.Err()) || errors.Is(err, context.Cause(ctx)))
	switch {
	case err == nil && r.Spoiled() != "":
		return ledger.StatusFailedRows, r.Spoiled()
	case err == nil && r.Outcomes[owlatsync.Failed] > 0:
		return ledger.StatusFailedRows, ""
	case err == nil:
		return ledger.StatusOK, ""
	case errors.Is(err, ErrHeld):
		return ledger.StatusHeld, err.Error()
	case errors.Is(err, ErrInterrupted), errors.Is(err, context.Canceled), over:
		return ledger.StatusInterrupted, ""
	}
	if _, ok := errors.AsType[*StoppedError](err); ok || errors.Is(err, ErrUnavailable) {
		return ledger.StatusStopped, err.Error()
	}
	return ledger.StatusError, err.Error()
}

// also joins two errors of which either may be nil.
func also(err, other error) error {
	switch {
	case other == nil:
		return err
	case err == nil:
		return other
	}
	return errors.Join(err, other)
}

func readLedger(err error) error { return fmt.Errorf("read the ledger: %w", err) }
