package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivertype"
)

const (
	// passWithin is how long one pass over what is to be written back may take.
	passWithin = 2 * time.Minute
	// passAgainFirst and passAgainMost are how long one waits that failed: it is mostly the ledger that is away, and not for long. A target
	// that is away fails no pass.
	passAgainFirst = time.Second
	passAgainMost  = 5 * time.Minute
)

// newsCame is in a job's metadata when something new came while it was worked.
const newsCame = "again"

// writeBackWorker makes passes over what is to be told a target; any node may.
type writeBackWorker struct {
	river.WorkerDefaults[writeBackArgs]
	node *Node
}

// Timeout implements river.Worker.
func (w *writeBackWorker) Timeout(*river.Job[writeBackArgs]) time.Duration { return passWithin }

// NextRetry implements river.Worker.
func (w *writeBackWorker) NextRetry(job *river.Job[writeBackArgs]) time.Time {
	return w.node.clock.Now().Add(min(passAgainFirst<<min(len(job.Errors), 16), passAgainMost))
}

// Work implements river.Worker.
func (w *writeBackWorker) Work(ctx context.Context, job *river.Job[writeBackArgs]) error {
	d, known := w.node.deployment(job.Args.Deployment)
	if !known || !slices.Contains(d.Targets, job.Args.Target) {
		return river.JobCancel(fmt.Errorf("the configuration has no write-back %q any more", job.Args.Target))
	}
	for {
		next, err := w.node.o.WriteBacks.Pass(ctx, d.Name, job.Args.Target)
		if err != nil {
			return err
		}
		if ended, err := w.end(ctx, job, next); ended || err != nil {
			return err
		}
	}
}

// end ends a job after a pass and asks for the next one, unless something has come during the pass. Both are done in one transaction: what
// comes after it finds no job, or one that waits.
func (w *writeBackWorker) end(ctx context.Context, job *river.Job[writeBackArgs], next time.Time) (ended bool, err error) {
	err = pgx.BeginFunc(ctx, w.node.o.Pool, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, "UPDATE "+w.node.tables.jobs+" SET metadata = metadata - $2::text WHERE id = $1 AND state = 'running' AND metadata ? $2", job.ID, newsCame)
		if err != nil || tag.RowsAffected() > 0 {
			return err
		}
		ended = true
		if _, err := river.JobCompleteTx[*riverpgxv5.Driver](ctx, tx, job); err != nil {
			if errors.Is(err, rivertype.ErrNotFound) {
				return nil // another node has done it since: this one was frozen
			}
			return err
		}
		if next.IsZero() {
			return nil
		}
		_, err = w.node.client.InsertTx(ctx, tx, job.Args, &river.InsertOpts{ScheduledAt: next})
		return err
	})
	if err != nil {
		return false, fmt.Errorf("record that a pass over write-back %q has ended: %w", job.Args.Target, err)
	}
	return ended, nil
}

// Deliver says that there is something new to be told to the targets of a deployment. A pass that begins later tells it.
func (n Errands) Deliver(ctx context.Context, deployment string) error {
	d, _ := n.deployment(deployment)
	for _, target := range d.Targets {
		if err := n.deliver(ctx, writeBackArgs{d.Name, target}); err != nil {
			return fmt.Errorf("ask for write-back %q: %w", target, err)
		}
	}
	return nil
}

func (n Errands) deliver(ctx context.Context, args writeBackArgs) error {
	for { // what is found may have begun or ended by the time that it is told
		result, err := n.client.Insert(ctx, args, nil)
		if err != nil || !result.UniqueSkippedAsDuplicate {
			return err
		}
		switch result.Job.State {
		case rivertype.JobStateScheduled: // it waits for what is due later
			job, err := n.client.JobRetry(ctx, result.Job.ID)
			if err != nil && !errors.Is(err, rivertype.ErrNotFound) || err == nil && job.State == rivertype.JobStateAvailable {
				return err
			}
		case rivertype.JobStateRunning:
			tag, err := n.o.Pool.Exec(ctx, "UPDATE "+n.tables.jobs+" SET metadata = metadata || jsonb_build_object($2::text, true) WHERE id = $1 AND state = 'running'", result.Job.ID, newsCame)
			if err != nil || tag.RowsAffected() > 0 {
				return err
			}
		default: // one that is available begins later, and so does one that waits because the ledger was away
			return nil
		}
	}
}
