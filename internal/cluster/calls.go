package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
)

const (
	callWithin = time.Minute
	askFirst   = 25 * time.Millisecond
	askMost    = 500 * time.Millisecond
)

// callWorker has a home do one thing for somebody.
type callWorker struct {
	river.WorkerDefaults[callArgs]
	node *Node
}

// Timeout implements river.Worker.
func (w *callWorker) Timeout(*river.Job[callArgs]) time.Duration { return callWithin }

// Work implements river.Worker.
func (w *callWorker) Work(ctx context.Context, job *river.Job[callArgs]) error {
	h := w.node.home(job.Args.Deployment)
	if h == nil {
		return river.JobSnooze(0)
	}
	if left := job.Args.By.Sub(w.node.clock.Now()); left <= 0 {
		return river.JobCancel(errors.New("nobody waits for it any more"))
	}
	if run := job.Args.Cancel; run != 0 {
		if err := h.Cancel(ctx, run); err != nil {
			return river.JobCancel(err)
		}
		return nil
	}
	answer, err := h.Call(ctx, job.Args.Request)
	if err != nil {
		return river.JobCancel(err) // whoever waits decides about another attempt
	}
	return river.RecordOutput(ctx, answer)
}

// CallError says that a home has not done what it was asked for.
type CallError struct {
	Deployment string
	// Message is what the home said; Unknown says that it said nothing, so that what was asked for may have been done.
	Message string
	Unknown bool
}

func (e *CallError) Error() string {
	if e.Unknown {
		return fmt.Sprintf("the home of deployment %q ended without an answer; what was asked of it may have been done or not, look before you ask again", e.Deployment)
	}
	return e.Message
}

// NotSent reports whether it is certain that nothing was done.
func (e *CallError) NotSent() bool { return !e.Unknown }

// Call has the home of a deployment do one thing, wherever it is, and returns its answer. The end of ctx takes it back if it has not
// begun. It fails with a *CallError if the home has not done it.
func (n Errands) Call(ctx context.Context, deployment string, request json.RawMessage) (json.RawMessage, error) {
	return n.call(ctx, callArgs{Deployment: deployment, Request: request})
}

func (n Errands) call(ctx context.Context, args callArgs) (json.RawMessage, error) {
	deployment := args.Deployment
	by := n.clock.Now().Add(callWithin)
	if d, ok := ctx.Deadline(); ok {
		by = n.clock.Now().Add(time.Until(d))
	}
	args.By = by.UTC()
	opts := &river.InsertOpts{Queue: queueOf(deployment), MaxAttempts: 1, Priority: callFirst}
	job, err := n.insert(ctx, deployment, river.InsertManyParams{Args: args, InsertOpts: opts})
	if err != nil {
		return nil, fmt.Errorf("ask the home of deployment %q: %w", deployment, err)
	}
	id := job.ID
	for wait := askFirst; ; wait = min(wait*3/2, askMost) {
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			c, done := context.WithTimeout(context.WithoutCancel(ctx), closing)
			defer done()
			job, err := n.client.JobCancel(c, id)
			switch {
			case err != nil:
				n.log.Debug("a call that nobody waits for is not taken back", "error", err)
			case job.State == rivertype.JobStateCancelled && job.Attempt == 0:
				return nil, errors.Join(context.Cause(ctx), &CallError{Deployment: deployment, Message: "no node took it in time"})
			}
			return nil, context.Cause(ctx)
		case <-timer.C:
		}
		job, err := n.client.JobGet(ctx, id)
		switch {
		case ctx.Err() != nil:
		case errors.Is(err, river.ErrNotFound):
			return nil, &CallError{Deployment: deployment, Unknown: true}
		case err != nil:
			return nil, fmt.Errorf("ask what the home of deployment %q answers: %w", deployment, err)
		case job.State == rivertype.JobStateCompleted:
			return job.Output(), nil
		case job.FinalizedAt != nil:
			return nil, n.unanswered(deployment, job)
		}
	}
}

// unanswered says why a call has no answer.
func (n Errands) unanswered(deployment string, job *rivertype.JobRow) error {
	if job.State == rivertype.JobStateCancelled && len(job.Errors) > 0 {
		return &CallError{Deployment: deployment, Message: job.Errors[len(job.Errors)-1].Error}
	}
	return &CallError{Deployment: deployment, Unknown: true}
}
