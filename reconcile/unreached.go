package reconcile

import (
	"context"
	"errors"
	"fmt"

	"owlatsync"
)

// CategoryUnreached is the category of a row to whose turn a run did not come before it ended.
const CategoryUnreached = "unreached"

// categoryHeld is the category of a row of a run that applied nothing.
const categoryHeld = "held"

// leave tells of every row that was read and planned, or was to be, that the run ends without it: err is why. Rows that
// left the source are none of them. It returns err, and with it what kept it from telling.
func (p *planner) leave(ctx context.Context, err error) error {
	reason, category := reasonStopped, CategoryUnreached
	if _, ok := errors.AsType[*SourceError](err); ok {
		reason = "the source could not be read to its end, so that nothing was applied"
	} else if _, moved := errors.AsType[*MovedError](err); moved {
		reason, category = "the plan to be approved is not what would be done now, so that nothing was applied", categoryHeld
	} else if errors.Is(err, ErrHeld) {
		reason, category = "a guard holds the run, so that nothing was applied", categoryHeld
	}
	ctx = context.WithoutCancel(ctx) // it is told even of an aborted run
	return also(err, p.tellRest(ctx, Decision{Outcome: owlatsync.Skipped, Reason: reason}, category))
}

// tellRest tells the decision of every row whose own was not told yet.
func (p *planner) tellRest(ctx context.Context, d Decision, category string) error {
	tell := func(row *desired) {
		d.Key, d.Position, d.address = row.Key, row.Position.String(), row.Email
		p.emit(RowDone{Decision: d, Category: category})
	}
	waiting := 0
	for row, err := range p.spool.allRows(ctx) {
		if err != nil {
			return fmt.Errorf("read the rows to plan: %w", err)
		}
		if waiting++; waiting > p.resolved { // else it was planned
			tell(row)
		}
	}
	for phase := phaseSettle; phase <= lastPhase; phase++ {
		for st, err := range p.spool.allSteps(ctx, phase) {
			if err != nil {
				return fmt.Errorf("read the plan: %w", err)
			}
			if !st.Partial && !st.Missing {
				tell(st.Row)
			}
		}
	}
	waiting = 0
	for st, err := range p.spool.allChained(ctx) {
		if err != nil {
			return fmt.Errorf("read the renames: %w", err)
		}
		if waiting++; waiting > p.ordered {
			tell(st.Row)
		}
	}
	return nil
}
