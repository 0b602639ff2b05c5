package cluster

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
)

// passWithin is how long one pass over what is to be written back may take.
const passWithin = 2 * time.Minute

// writeBackWorker makes passes over what is to be told a target; any node may.
type writeBackWorker struct {
	river.WorkerDefaults[writeBackArgs]
	node *Node
}

// Timeout implements river.Worker.
func (w *writeBackWorker) Timeout(*river.Job[writeBackArgs]) time.Duration { return passWithin }

// NextRetry implements river.Worker.
func (w *writeBackWorker) NextRetry(job *river.Job[writeBackArgs]) time.Time {
	return w.node.clock.Now().Add(retryAfter(len(job.Errors) + 1))
}

// Work implements river.Worker.
func (w *writeBackWorker) Work(ctx context.Context, job *river.Job[writeBackArgs]) error {
	d, known := w.node.deployment(job.Args.Deployment)
	if !known || !slices.Contains(d.Targets, job.Args.Target) {
		return river.JobCancel(fmt.Errorf("the configuration has no write-back %q any more", job.Args.Target))
	}
	next, err := w.node.o.WriteBacks.Pass(ctx, d.Name, job.Args.Target)
	if err != nil {
		return err
	}
	if next.IsZero() {
		return nil
	}
	return river.JobSnooze(max(next.Sub(w.node.Now()), 0))
}

// Deliver says that there is something new to be told to the targets of a deployment.
func (n Errands) Deliver(ctx context.Context, deployment string) error {
	d, _ := n.deployment(deployment)
	for _, target := range d.Targets {
		result, err := n.client.Insert(ctx, writeBackArgs{d.Name, target}, nil)
		if err == nil && result.UniqueSkippedAsDuplicate && result.Job.State == rivertype.JobStateScheduled {
			_, err = n.client.JobRetry(ctx, result.Job.ID) // it waits for what is due later; one that waits for a target that is down goes on waiting
		}
		if err != nil {
			return fmt.Errorf("ask for write-back %q: %w", target, err)
		}
	}
	return nil
}
