package reconcile

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/reconcile/kept"
	"owlatsync/reconcile/plan"
	"owlatsync/reconcile/step"
)

// HeldError says that guards hold a run: its plan was not applied, and the ledger keeps it for approval under the run's number.
type HeldError struct {
	Sync  string
	Run   int64
	Hits  []owlatsync.Hit
	Begun bool // earlier stretches of the run were applied: the guards hold the rest
}

// ErrHeld is matched by *HeldError.
var ErrHeld = errors.New("held by a guard")

// Error implements error.
func (e *HeldError) Error() string {
	reasons := make([]string, len(e.Hits))
	for i, h := range e.Hits {
		reasons[i] = h.Reason
	}
	if e.Begun {
		return fmt.Sprintf("the rest is held by a guard, what was applied before stays: %s", strings.Join(reasons, "; "))
	}
	return fmt.Sprintf("held by a guard, nothing was applied: %s", strings.Join(reasons, "; "))
}

// Is matches ErrHeld.
func (e *HeldError) Is(target error) bool { return target == ErrHeld }

// NotHeldError says that a run cannot be approved because it is not held.
type NotHeldError struct {
	Sync   string
	Run    int64
	Status ledger.Status
}

// ErrNotHeld is matched by *NotHeldError.
var ErrNotHeld = errors.New("the run is not held")

// Error implements error.
func (e *NotHeldError) Error() string {
	return fmt.Sprintf("run %d of sync %q is not held: it ended as %q", e.Run, e.Sync, e.Status)
}

// Is matches ErrNotHeld.
func (e *NotHeldError) Is(target error) bool { return target == ErrNotHeld }

// Why a held run can no longer be approved.
var (
	// ErrPartForgotten says that the part of the held run is no longer known.
	ErrPartForgotten = errors.New("the rows that the held run was asked to apply were forgotten since; run again, and approve what that holds")
	// ErrOldPlan says that another version of the program made the plan of the held run.
	ErrOldPlan = errors.New("the plan of the held run was kept by another version of owlat-sync; run again, and approve what that holds")
)

// MovedError says that a held plan can no longer be applied because the source, the ledger or Owlat has changed since.
type MovedError struct {
	Run  int64
	Rows int      // rows whose step differs now
	Keys []string // names of the first few of them
}

// Move counts how a plan differs from the held one that is to be approved.
type Move struct {
	Held    int // rows of the held plan
	New     int // rows that are not in the held plan
	Changed int // rows for which something else is to be done now
	Gone    int // rows of the held plan for which nothing is to be done now
}

// Error implements error.
func (e *MovedError) Error() string {
	return fmt.Sprintf("the plan of run %d is not what would be done now: %d rows differ (such as %s). Look at a new plan, and approve that",
		e.Run, e.Rows, strings.Join(e.Keys, ", "))
}

// Approvable returns why the run cannot be approved, as far as its record tells: a *NotHeldError, ErrOldPlan or ErrPartForgotten. It
// returns nil for a run that Approve would take up.
func Approvable(r ledger.Run) error {
	switch _, known := r.Known(); {
	case r.Status != ledger.StatusHeld:
		return &NotHeldError{Sync: r.Sync, Run: r.ID, Status: r.Status}
	case r.PlanForm != step.Form:
		return ErrOldPlan
	case !known:
		return ErrPartForgotten
	}
	return nil
}

// holding keeps the plans that guards hold, and compares them.
type holding struct{ *work }

// held returns the run if it can be approved, with the part that it was asked for.
func (w holding) held(ctx context.Context, id int64) (*ledger.Run, error) {
	r, err := w.engine.ledger.Run(ctx, id)
	if errors.Is(err, ledger.ErrNoRun) || err == nil && r.Sync != w.sync.Name {
		return nil, &ledger.NoRunError{Sync: w.sync.Name, Run: id}
	}
	if err != nil {
		return nil, fmt.Errorf("read the runs: %w", err)
	}
	if err := Approvable(*r); err != nil {
		return nil, err
	}
	r.Part, _ = r.Known()
	return r, nil
}

// hold keeps the plan of a run that a guard holds, and returns what the end of the run records: older held plans are superseded, and
// the one of which a part was applied is approved. If why is another error, nothing is kept.
func (w holding) hold(ctx context.Context, p *plan.Plan, approved *ledger.Run, why error) (ending ledger.Ending, err error) {
	held, ok := errors.AsType[*HeldError](why)
	if !ok {
		return ending, unapplied(w).leave(p, why)
	}
	w.run.Guards, w.run.PlanForm = held.Hits, step.Form
	w.tell.Held(held.Hits)
	items := make([]ledger.PlanItem, 0, batchSize)
	keep := func() error {
		err := w.lock.KeepPlan(ctx, w.run.ID, items)
		items = items[:0]
		return err
	}
	var sample kept.Sampling
	err = compared(p.All(), nil, func(s *step.Step, _, does uint64) error {
		item := kept.Item(s, does)
		sample.Take(s, item)
		items = append(items, item)
		if len(items) < batchSize {
			return nil
		}
		return keep()
	})
	if err == nil {
		items = append(items, sample.Items...)
		err = keep()
	}
	if err != nil {
		return ending, unapplied(w).leave(p, fmt.Errorf("keep the plan: %w", err))
	}
	ending.Settled, err = w.settleHeld(ctx, approved, !w.run.Part.Whole())
	return ending, unapplied(w).leave(p, also(why, err))
}

// kept hands over every item of a held plan, as compared does with steps.
func (w holding) kept(ctx context.Context, run int64, only []string, each func(key string, name, does uint64)) error {
	for h, err := range kept.Hashes(ctx, w.engine.ledger, run) {
		if err != nil {
			return err
		}
		if len(only) == 0 || slices.Contains(only, h.Key) {
			each(h.Key, ledger.HashText(h.Key), h.Does)
		}
	}
	return nil
}

// keys returns the keys of the rows for which a held plan has steps.
func (w holding) keys(ctx context.Context, run int64) (keys []string, err error) {
	err = w.kept(ctx, run, nil, func(key string, _, _ uint64) { keys = append(keys, key) })
	return keys, err
}

// compared hands over every step that sends something, with the hash of its row's key and a hash of what it does. Times do not
// count. If only names keys, other rows are left out.
func compared(steps iter.Seq2[*step.Step, error], only []string, each func(s *step.Step, name, does uint64) error) error {
	for s, err := range steps {
		if err != nil {
			return err
		}
		if len(s.Changes) == step.Keeps(s.Changes) && s.Pending() == 0 {
			continue // the ledger alone
		}
		if len(only) > 0 && !slices.Contains(only, s.Row.Key) {
			continue
		}
		var b strings.Builder
		fmt.Fprintf(&b, "%d\x00%d\x00%s\x00%d", s.Phase, s.Order, s.Outcome, s.Pending())
		for _, c := range s.Changes {
			if c.Kind == owlatsync.KeepField {
				continue
			}
			fmt.Fprintf(&b, "\x00%q", c)
		}
		for _, m := range s.Events {
			if m.State == ledger.EventDue && m.On.Watches() {
				fmt.Fprintf(&b, "\x00%q %q", m.Name, m.Value)
			}
		}
		if err := each(s, ledger.HashText(s.Row.Key), ledger.HashText(b.String())); err != nil {
			return err
		}
	}
	return nil
}

// sends reports whether a plan has a step that sends something.
func sends(p *plan.Plan) (bool, error) {
	found := errors.New("one is enough")
	err := compared(p.All(), nil, func(*step.Step, uint64, uint64) error { return found })
	if errors.Is(err, found) {
		return true, nil
	}
	return false, err
}

// unmoved checks that the plan is that of the held run within the part, and returns a *MovedError if it is not and may not move.
func (w holding) unmoved(ctx context.Context, held int64, p *plan.Plan, part owlatsync.Part, mayMove func(Move) bool) error {
	before := make(map[uint64]uint64)
	if err := w.kept(ctx, held, part.Only, func(_ string, name, does uint64) { before[name] = does }); err != nil {
		return err
	}
	move := Move{Held: len(before)}
	moved := &MovedError{Run: held}
	differs := func(key string) {
		moved.Rows++
		if len(moved.Keys) < 5 {
			moved.Keys = append(moved.Keys, step.RowName(key))
		}
	}
	err := compared(p.All(), part.Only, func(s *step.Step, name, does uint64) error {
		switch was, planned := before[name]; {
		case !planned:
			move.New++
			differs(s.Row.Key)
		case was != does:
			move.Changed++
			differs(s.Row.Key)
		}
		delete(before, name)
		return nil
	})
	if move.Gone = len(before); err == nil && move.Gone > 0 {
		err = w.kept(ctx, held, part.Only, func(key string, name, _ uint64) {
			if _, dropped := before[name]; dropped {
				differs(key)
			}
		})
	}
	if err != nil {
		return err
	}
	if moved.Rows > 0 && (mayMove == nil || !mayMove(move)) {
		return moved
	}
	return nil
}

// breadth says how much of the source a run reads, so that runs can be compared.
func breadth(r *owlatsync.Reading) int {
	return slices.Index([]owlatsync.ReadingMode{owlatsync.ReadKeys, owlatsync.ReadChanges, owlatsync.ReadAll}, r.Mode)
}

// settleHeld returns the new statuses of the sync's held runs, now that this run is done or held itself.
func (w holding) settleHeld(ctx context.Context, approved *ledger.Run, partial bool) (map[int64]ledger.Status, error) {
	runs, err := w.engine.ledger.HeldRuns(ctx, w.sync.Name)
	if err != nil {
		return nil, fmt.Errorf("read the runs: %w", err)
	}
	settled := make(map[int64]ledger.Status)
	for i := range runs {
		switch r := &runs[i]; {
		case approved != nil && r.ID == approved.ID:
			settled[r.ID] = ledger.StatusApproved
		case standsFor(w.reading.Told, partial, r):
			settled[r.ID] = ledger.StatusSuperseded
		}
	}
	return settled, nil
}

// standsFor reports whether a run that reads so much takes the place of a held one. A run of changes does not stand for a held run that read
// everything, nor a run of single rows for one that read more, nor a part for a whole.
func standsFor(reads *owlatsync.Reading, partial bool, held *ledger.Run) bool {
	before := &owlatsync.Reading{Mode: owlatsync.ReadChanges} // of a source that had no cursor then, any run but one of single rows will do
	if held.Report != nil && held.Report.Reading != nil {
		before = held.Report.Reading
	}
	return (reads == nil || breadth(reads) >= breadth(before)) && !(partial && held.Part.Whole())
}

// TookPlace reports whether a later run of the sync took the place of a run that was held, as far as their records tell: it applied its plan, or came to an
// end that made the plan moot. The first one that did so settled it.
func TookPlace(later, held *ledger.Run) bool {
	if held.Status != ledger.StatusApproved && held.Status != ledger.StatusSuperseded {
		return false
	}
	if held.Status == ledger.StatusApproved && later.Approves != 0 { // only what a service was asked for has it
		return later.Approves == held.ID
	}
	switch later.Status {
	case ledger.StatusOK, ledger.StatusFailedRows, ledger.StatusHeld, ledger.StatusApproved, ledger.StatusSuperseded, ledger.StatusDismissed:
		return later.Report != nil && standsFor(later.Report.Reading, !later.Part.Whole(), held)
	}
	return false
}
