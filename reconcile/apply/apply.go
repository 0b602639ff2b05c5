// Package apply carries out a plan phase by phase, several rows at once, and records each step when Owlat has confirmed it. It
// knows no policy but who owns a field: each step says what to do, and what instead if its contact turns out to be there.
package apply

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"sync"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/reconcile/consent"
	"owlatsync/reconcile/mark"
	"owlatsync/reconcile/progress"
	"owlatsync/reconcile/remote"
	"owlatsync/reconcile/step"
)

// outage is how many rows in a row must fail, with none between them succeeding, before a run gives up on a deployment.
const outage = 25

// ReasonStopped is the reason of a row that a run did not reach before it ended.
const ReasonStopped = "the run ended before the row's turn; the next run takes it up"

// reasonErred is the reason of an absence that nothing follows from yet (Invariant 4).
const reasonErred = "nothing is removed in a run in which a request failed"

// ErrInterrupted ends a run that was asked to stop. What was in flight is finished and recorded.
var ErrInterrupted = errors.New("the run was interrupted; the next one goes on from here")

// ErrUnavailable ends a run after so many failed rows in a row that the rest would fail too.
var ErrUnavailable = errors.New("the deployment does not answer")

// Plan is the steps to carry out.
type Plan interface {
	// Steps returns the steps of a phase in their order.
	Steps(step.Phase) iter.Seq2[*step.Step, error]
	// Early returns the steps that withdraw consents before their turn comes.
	Early() iter.Seq2[*step.Step, error]
	// Departs returns the keys of rows that have left the source and of whose absence nothing follows, the terms under which rows
	// depart, and the topics of which they let go.
	Departs() (terms string, topics []string, keys iter.Seq2[string, error])
}

// Notes takes in what a later run must know about rows that this one leaves out of step. Calls come one at a time.
type Notes interface {
	// Note is told the outcome of a row that the source has.
	Note(key string, outcome owlatsync.Outcome)
	Made()
	// Absent is told the outcome of a row that left the source, and its entry now.
	Absent(outcome owlatsync.Outcome, e *ledger.Entry)
	// Left is told how many rows that left the source have departed: all is done that follows from their absence.
	Left(rows int)
}

// Heard takes in to whom no mail may go.
type Heard interface {
	Suppress(ctx context.Context, suppressions ...ledger.Suppression) error
	NoteOptOuts(ctx context.Context, optOuts ...ledger.OptOut) error
}

// Needs is what applying works with.
type Needs struct {
	Client *owlat.Client
	Ledger ledger.Reader
	Writer ledger.Writer
	Heard  Heard
	// Held returns an error once it is not certain that the run has its lock. It is asked right before each request, of which nothing is
	// sent then. It is quick and safe for concurrent use.
	Held func() error
	Tell *progress.Teller
	// Links reads memberships; nil: nothing does.
	Links *remote.Links
	// Departed durably records that a person has left topics, by a reading. Whoever calls it heeds the opt-outs in the entry.
	Departed func(ctx context.Context, d consent.Departure) error
	Notes    Notes
	Log      *slog.Logger

	Sync string
	Run  int64
	// Overwrite says which fields of contacts that are in Owlat may be overwritten. Often only an answer shows that it matters.
	Overwrite  owlatsync.Overwrites
	PrivateKey bool // keys of rows are personal data and are not logged

	Stop  <-chan struct{} // closing it ends the run: no more work is taken
	Until time.Time       // from then on no more work is taken, because the plan is too old; zero: never
	// GivesWay reports that no more work is to be taken because others wait for their turn, which ends the plan as Until does; nil:
	// never. It is called often, by one goroutine at a time.
	GivesWay func() bool
	Part     owlatsync.Part
	Workers  int // the most rows at once; 0: what a pool allows
	SoFar    *SoFar
	// Undated is a time in the steps that is not on Owlat's clock but on the ledger's; zero: there is none.
	Undated time.Time
}

// run is the application of one plan.
type run struct {
	Needs
	plan   Plan
	pool   *owlat.Pool
	topics *remote.Topics

	mu        sync.Mutex
	ended     error                      // why the run takes no more work; nil: it does
	errors    int                        // rows that failed in this run
	withdrawn map[string]*remote.Failure // rows whose early withdrawal failed, by key
	left      []*step.Step               // taken on, and not begun before the plan was too old
	movedAt   map[string]time.Time       // when an early withdrawal may have moved what Owlat tells, by key
}

// Apply carries out every step. It tells the steps that it does not reach as skipped, so that the outcomes add up, unless it ends
// with ErrStale. It returns why it ended early: ErrInterrupted, ErrUnavailable, ErrStale, a *remote.StoppedError, the context's
// cause, or the ledger's error.
func Apply(ctx context.Context, n Needs, plan Plan) error {
	if n.SoFar.pool == nil {
		stillHeld := func(context.Context, owlat.Attempt) error { return n.Held() } // after the mark, which may have taken long
		client, err := n.Client.With(owlat.WithBeforeSend(mark.Before), owlat.WithBeforeSend(stillHeld))
		if err != nil {
			return fmt.Errorf("record requests before they are sent: %w", err)
		}
		n.SoFar.pool, n.SoFar.topics, n.SoFar.chosen = client.NewPool(n.Workers), remote.NewTopics(), make(map[uint64]int)
	}
	n.SoFar.plans++
	a := &run{
		Needs: n, plan: plan, pool: n.SoFar.pool, topics: n.SoFar.topics, withdrawn: make(map[string]*remote.Failure),
		movedAt: make(map[string]time.Time),
	}
	for _, phase := range step.Phases {
		if err := a.phase(ctx, phase); err != nil {
			return err
		}
		if (aging{a}).stale() {
			break
		}
	}
	stale := aging{a}.stale()
	for _, s := range a.left {
		if stale {
			a.SoFar.release(s)
		} else {
			a.done(s, unreached())
		}
	}
	if err := (departure{a}).depart(ctx); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.SoFar.erred = a.SoFar.erred || a.errors > 0 || len(a.withdrawn) > 0
	return a.ended
}

// settleBatch is how many rows without a request are recorded at once.
const settleBatch = 500

func (a *run) phase(ctx context.Context, phase step.Phase) error {
	defer a.pool.Wait()
	var settled []*step.Step
	order, missing := int64(0), false
	for s, err := range a.plan.Steps(phase) {
		if err != nil {
			return err
		}
		if s.Order != order || s.Missing && !missing { // it needs an address that an earlier rename frees, or waits to see that nothing fails
			a.pool.Wait()
			order = s.Order
		}
		missing = s.Missing
		switch {
		case !a.asked(s):
			a.done(s, result{outcome: owlatsync.Skipped, reason: "not among the rows asked for", category: ledger.CategoryUnasked})
			continue
		case !a.SoFar.within(a.Part, s):
			a.done(s, result{outcome: owlatsync.Skipped, category: ledger.CategoryUnasked,
				reason: fmt.Sprintf("beyond the limit of %s; rows that withdraw a consent come first", owlatsync.Counted(a.Part.Limit, "row"))})
			continue
		case s.Missing && a.erred():
			a.done(s, result{outcome: owlatsync.Skipped, reason: reasonErred, category: ledger.CategoryKept})
			continue
		case a.stopping(ctx):
			settling{a}.settle(ctx, settled)
			if settled = settled[:0]; (aging{a}).stale() {
				return nil
			}
			a.done(s, unreached())
			continue
		}
		switch a.SoFar.choose(a.Part, s); phase {
		case step.Settle:
			if settled = append(settled, s); len(settled) == settleBatch {
				settling{a}.settle(ctx, settled)
				settled = settled[:0]
			}
		default:
			a.pool.Go(ctx, func(ctx context.Context, client *owlat.Client) {
				if !(aging{a}).leave(s) {
					a.apply(ctx, client, s)
				}
			})
		}
	}
	settling{a}.settle(ctx, settled)
	if phase == step.Withdraw {
		return a.withdrawEarly(ctx)
	}
	return nil
}

// withdrawEarly takes contacts off topics for rows whose own turn comes later.
func (a *run) withdrawEarly(ctx context.Context) error {
	for s, err := range a.plan.Early() {
		if err != nil {
			return err
		}
		if a.stopping(ctx) {
			return nil
		}
		if a.asked(s) && a.SoFar.within(a.Part, s) {
			a.SoFar.choose(a.Part, s)
			a.pool.Go(ctx, func(ctx context.Context, client *owlat.Client) {
				if !(aging{a}).leave(nil) {
					a.withdraw(ctx, client, s)
				}
			})
		}
	}
	return nil
}

// stopping reports whether the run takes no more work, and keeps the reason.
func (a *run) stopping(ctx context.Context) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ended != nil {
		return true
	}
	select {
	case <-ctx.Done():
		a.ended = context.Cause(ctx)
	case <-a.Stop:
		a.ended = ErrInterrupted
	default:
		aging{a}.age()
	}
	return a.ended != nil
}

// asked reports whether the row is among those asked for by Only.
func (a *run) asked(s *step.Step) bool {
	return len(a.Part.Only) == 0 || slices.Contains(a.Part.Only, s.Row.Key)
}

func (a *run) erred() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.SoFar.erred || a.errors > 0
}

// errEnded is the error of calls that were not sent before the run ended.
var errEnded = errors.New("the run has ended")

// end makes the run take no more work. Calls that wait for the limiter are not sent: they would fail in the same way.
func (a *run) end(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ended == nil || errors.Is(a.ended, ErrStale) { // the source is not read again for a run that is over
		a.ended = err
	}
	a.pool.Close(errEnded)
}

// health notes whether the server worked for a row. It ends the run after too many failures in a row.
func (a *run) health(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err == nil {
		a.SoFar.failing = 0
		return
	}
	if a.SoFar.failing++; a.SoFar.failing >= outage && (a.ended == nil || errors.Is(a.ended, ErrStale)) {
		a.ended = fmt.Errorf("%w: %d rows in a row failed, the last with: %w", ErrUnavailable, a.SoFar.failing, err)
		a.pool.Close(errEnded)
	}
}

// settling records rows that need no request.
type settling struct{ *run }

// settle records them and tells their outcomes.
func (a settling) settle(ctx context.Context, steps []*step.Step) {
	if len(steps) == 0 {
		return
	}
	records := make([]ledger.Record, len(steps), 2*len(steps))
	var barred []ledger.Suppression
	for i, s := range steps {
		e := *s.Entry
		if e.ChangedAt = a.Ledger.Now(); s.Never { // Owlat cannot be told, or has no contact
			barred = append(barred, untold(&e, s)...)
		} else if s.Outcome != owlatsync.Skipped { // a skipped row only has another key, or is back in the source
			e.Events = s.Events
			settled(&e, s.Row.Fingerprint)
		}
		records[i] = ledger.Record{Sync: a.Sync, Run: a.Run, Entry: &e, Replaces: s.OldKey}
		if s.Outcome != owlatsync.Unchanged {
			records[i].Event = string(s.Outcome)
			records[i].Note = s.Reason
		}
		if names := step.Kept(s.Changes); names != "" {
			also := records[i]
			also.Event, also.Note = ledger.EventKept, names
			records = append(records, also)
		}
	}
	err := barring(a).suppress(ctx, barred...)
	if err == nil {
		err = a.record(ctx, records...)
	}
	for _, s := range steps {
		if err != nil {
			a.done(s, result{outcome: owlatsync.Failed, reason: err.Error(), category: ledger.CategoryLedger, erred: true})
			continue
		}
		a.leftAlone(s.Skipped)
		a.Tell.Kept(step.Keeps(s.Changes))
		r := result{outcome: s.Outcome, reason: s.Reason}
		if s.Outcome == owlatsync.Skipped {
			r.category = leftOut(s)
		}
		a.done(s, r)
	}
}

// settled marks the entry as in step with a row of that fingerprint.
func settled(e *ledger.Entry, print ledger.Fingerprint) {
	e.Fingerprint, e.Doubt, e.Failure, e.Intent = print, false, nil, ledger.Intent{}
}
