package reconcile

import (
	"context"
	"errors"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/reconcile/apply"
	"owlatsync/reconcile/plan"
	"owlatsync/reconcile/reading"
	"owlatsync/reconcile/step"
)

// DefaultFresh is how long a run acts on what it has read of its source if the sync does not say.
const DefaultFresh = 10 * time.Minute

// stretch is a part of a run: one reading of the source, the plan made of it, and as much of the plan as is done before the reading
// is too old to act on. A run has several if it has more to do: whoever withdraws a consent meanwhile is not added any more. The
// first stretch asks what every run asks, of the user and of the guards; later ones go on with what was agreed to then.
type stretch struct {
	*work
	options  RunOptions
	approved *ledger.Run // the held run whose plan is applied; nil: none
	before   *stretch    // whose plan was not done in time; nil: this is the first

	plan   *plan.Plan
	until  time.Time // when the plan is too old; zero: never
	fair   time.Time // when others may have their turn
	agreed *agreed   // what was agreed to of the first plan; nil: nothing, so that every plan is judged as a whole
}

// stretches makes the stretches of a run, and returns what the end of the run records.
func (w *work) stretches(ctx context.Context, o RunOptions, approved *ledger.Run) (ending ledger.Ending, err error) {
	var before *stretch
	var closing error
	for {
		s := &stretch{work: w, options: o, approved: approved, before: before}
		ending, err = s.make(w.lock.Context())
		closing = also(closing, before.close())
		if !errors.Is(err, apply.ErrStale) {
			return ending, also(err, also(closing, s.close()))
		}
		before, s.before = s, nil
		if o.Turn != nil && o.Turn.Wanted() {
			if err := (waiting{w}).wait(ctx, o); err != nil {
				err = (&stretch{work: w, before: before}).abandon(err)
				return ending, also(err, also(closing, before.close()))
			}
		}
	}
}

func (s *stretch) close() error {
	if s == nil {
		return nil
	}
	return s.plan.Close()
}

// make reads, plans and applies. It returns apply.ErrStale if there is more to do.
func (s *stretch) make(ctx context.Context) (ending ledger.Ending, err error) {
	if s.before != nil {
		if err := s.goOn(); err != nil {
			return ending, s.abandon(err)
		}
	}
	began := time.Now()
	s.plan, err = planning{s.work}.plan(ctx, s.options.Part, nil, func(r ledger.Record) error { return s.lock.Record(ctx, r) })
	if err != nil {
		if s.before != nil {
			return ending, s.abandon(err)
		}
		return ending, unapplied{s.work}.leave(s.plan, err)
	}
	read := time.Now()
	s.until, s.fair = s.sync.stale(began, read), read.Add(max(fairTurn, read.Sub(began)))
	s.tell.Accept()
	s.plan.Summary.Run = s.run.ID
	s.run.Summary = &s.plan.Summary
	s.tell.Planned(s.plan.Summary)
	if err := s.admit(ctx); err != nil {
		return holding{s.work}.hold(ctx, s.plan, s.approvedEarlier(), err)
	}
	s.tell.Admitted()
	s.tell.Stage(ledger.StageApplying)
	return s.apply(ctx)
}

// stale returns until when a plan may be applied whose reading began and ended at those times. However long the reading takes, a
// stretch spends at least as long on applying, so that the run comes to its end.
func (s *Sync) stale(began, ended time.Time) (until time.Time) {
	fresh := s.fresh()
	if fresh <= 0 {
		return until
	}
	if until = ended.Add(ended.Sub(began)); until.Before(began.Add(fresh)) {
		until = began.Add(fresh)
	}
	return until
}

// goOn prepares a stretch after another.
func (s *stretch) goOn() (err error) {
	if s.agreed = s.before.agreed; s.agreed != nil && !s.agreed.known {
		if err := s.agreed.learn(s.before.plan); err != nil {
			return err
		}
	}
	select {
	case <-s.options.Stop:
		return ErrInterrupted
	default:
	}
	var unreached []string
	if s.reading.Changes {
		for r, err := range s.before.unreached() {
			if err != nil {
				return err
			}
			if unreached = append(unreached, r.Row.Key); len(unreached) == reading.Most {
				break
			}
		}
	}
	s.settled = false // what the stretch before left in doubt is looked up
	s.reading.Afresh(unreached)
	s.tell.Afresh()
	return nil
}

// admit passes a plan that is the approved one, that no guard holds, or that the user confirms. In a later stretch that has been
// agreed to, only what is new is judged.
func (s *stretch) admit(ctx context.Context) error {
	sum := s.plan.Summary
	if s.before != nil && s.agreed != nil {
		var err error
		if sum, err = s.agreed.rest(s.plan); err != nil {
			return err
		}
	}
	if s.before == nil && (s.approved != nil || sum.FirstRun) {
		s.agreed = new(agreed)
	}
	if s.before == nil && s.approved != nil {
		return holding{s.work}.unmoved(ctx, s.approved.ID, s.plan, s.options.Part, s.options.MayMove)
	}
	hits := s.policies.Guards.Hits(sum)
	if s.options.Review {
		some, err := sends(s.plan)
		if err != nil {
			return err
		}
		if some {
			hits = append(hits, owlatsync.Hit{Guard: owlatsync.GuardReview, Reason: "the run was asked to show its plan first"})
		}
	}
	if len(hits) == 0 {
		return nil
	}
	if s.before == nil && len(hits) == 1 && hits[0].Guard == owlatsync.GuardFirstRun && s.options.Confirm != nil {
		if yes, err := s.options.Confirm(sum); yes || err != nil {
			return err
		}
	}
	return &HeldError{Sync: s.sync.Name, Run: s.run.ID, Hits: hits, Begun: s.before != nil}
}

// approvedEarlier returns the held run of which an earlier stretch has applied a part, nil if there is none.
func (s *stretch) approvedEarlier() *ledger.Run {
	if s.before == nil {
		return nil
	}
	return s.approved
}

// apply applies the plan, and returns what the end of the run records if this is the last stretch.
func (s *stretch) apply(ctx context.Context) (ending ledger.Ending, err error) {
	if s.before == nil {
		if err := s.reading.Begin(ctx, s.lock, s.sync.Name); err != nil {
			return ending, unapplied{s.work}.leave(s.plan, err)
		}
	}
	if err := (unapplied{s.work}).keepRefused(ctx, s.plan); err != nil {
		return ending, unapplied{s.work}.leave(s.plan, err)
	}
	part := s.options.Part
	err = apply.Apply(ctx, apply.Needs{
		Client: s.client, Ledger: s.reader, Writer: s.lock, Heard: s.engine.ledger, Held: held(s.work), Tell: s.tell, Links: s.links, Departed: s.engine.parted, Notes: &s.reading.Again, Log: s.engine.log, Sync: s.sync.Name, Overwrite: s.policies.Overwrite,
		Run: s.run.ID, PrivateKey: s.sync.KeyIsAddress, Stop: s.options.Stop, Until: s.until, GivesWay: s.givesWay, Part: part, Workers: s.engine.workers,
		SoFar: &s.soFar, Undated: s.plan.Undated,
	}, s.plan)
	if err != nil {
		return ending, err
	}
	if ending.Settled, err = (holding{s.work}).settleHeld(ctx, s.approved, !part.Whole()); err != nil || !part.Whole() {
		return ending, err
	}
	ending.Adopted, ending.Bookmark = true, s.reading.Keep(s.plan.Summary, s.run.Started)
	return ending, nil
}

// unreached returns the steps of a plan that was not done in time.
func (s *stretch) unreached() func(yield func(*step.Step, error) bool) {
	return func(yield func(*step.Step, error) bool) {
		for st, err := range s.plan.All() {
			if err == nil && s.tell.Reached(st.Row.Key) {
				continue
			}
			if !yield(st, err) || err != nil {
				return
			}
		}
	}
}

// abandon ends a run whose source could not be read again, or that was asked to stop just then. It tells the rows that the stretch
// before did not reach.
func (s *stretch) abandon(err error) error {
	s.tell.Drop()
	for st, readErr := range s.before.unreached() {
		if readErr != nil {
			return also(err, readErr)
		}
		if st.Missing {
			continue
		}
		d := step.NewDecision(st.Row.Key, st.Row.Position, st.Row.Email, owlatsync.Skipped, apply.ReasonStopped)
		s.tell.Row(d, ledger.CategoryUnreached, false)
	}
	return err
}
