package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"owlatsync/internal/turns"
	"owlatsync/ledger"
)

const (
	whileHeld  = 2 * time.Second // how long a run waits whose ledger somebody else holds
	mostAtOnce = 5               // how often it fails before it waits although a node has not tried it
)

// runWorker has runs made by the home that works their queue.
type runWorker struct {
	river.WorkerDefaults[runArgs]
	node *Node
}

// Timeout implements river.Worker: a run lasts as long as it must.
func (w *runWorker) Timeout(*river.Job[runArgs]) time.Duration { return -1 }

// NextRetry implements river.Worker.
func (w *runWorker) NextRetry(job *river.Job[runArgs]) time.Time {
	if failed := failures(job.JobRow); w.node.crew.Others() > failed || w.node.crew.Untried(job.AttemptedBy) && failed < mostAtOnce {
		return w.node.clock.Now().Add(time.Second) // on another node
	}
	return w.node.clock.Now().Add(retryAfter(failures(job.JobRow) + 1))
}

// failures is how often a job has failed by itself.
func failures(job *rivertype.JobRow) (count int) {
	for _, e := range job.Errors {
		if e.Error != orphaned {
			count++
		}
	}
	return count
}

// Work implements river.Worker.
func (w *runWorker) Work(ctx context.Context, job *river.Job[runArgs]) error {
	h := w.node.home(job.Args.Deployment)
	if h == nil {
		return river.JobSnooze(0)
	}
	r := job.Args.request()
	r.Since = time.Now().Add(job.CreatedAt.Sub(w.node.clock.Now()))
	again := r.Run != 0 && r.Approves == 0 && !r.Review
	if again && failures(job.JobRow) > 0 { // the run with that number has failed
		r.Run, r.Like, r.Why = 0, r.Run, turns.Again
	}
	out := h.Do(ctx, r)
	if e, ok := errors.AsType[*ledger.RunEndedError](out.Err); ok && again && brokeOff(e.Status) {
		r.Run, r.Like, r.Why = 0, r.Run, turns.Again
		out = h.Do(ctx, r)
	}
	if out.Again && out.Ended && w.node.crew.Others() > 0 &&
		(w.node.crew.MayFlee(job.Args.Deployment, syncOf(job.Args.Sync), false) || w.node.crew.Untried(job.AttemptedBy)) {
		h.flee()
	}
	if out.Err == nil {
		w.node.crew.Flights.Worked(job.Args.Deployment, syncOf(job.Args.Sync), turns.SourceOf(job.Args.Sync))
	}
	if out.Run != 0 {
		if err := river.RecordOutput(ctx, runOutput{out.Run, out.Status}); err != nil {
			w.node.log.Debug("the job of a run does not say its number", "error", err)
		}
	}
	return verdict(ctx, out)
}

// brokeOff reports whether a run with that status, which no home makes any more, has left something to do. That of an approval does
// not: whoever opens the home goes on with it.
func brokeOff(s ledger.Status) bool {
	return s == ledger.StatusRunning || s == ledger.StatusWaiting || s == ledger.StatusDied || s == ledger.StatusInterrupted
}

// syncOf names a sync as what a home is given away for, when a run of it has failed.
func syncOf(sync string) string { return "sync " + sync }

// flee lets the home go to another node.
func (h *held) flee() {
	h.fled.Store(true)
	h.letGo(failsHere)
}

// runOutput is what River's job says of the run that was made.
type runOutput struct {
	Run    int64         `json:"run"`
	Status ledger.Status `json:"status,omitempty"`
}

// verdict says what becomes of the job of a run that ended like that.
func verdict(ctx context.Context, out turns.Outcome) error {
	switch {
	case errors.Is(context.Cause(ctx), rivertype.ErrJobCancelledRemotely):
		return river.JobCancel(context.Cause(ctx))
	case !out.Ended || errors.Is(out.Err, ledger.ErrLockLost):
		return river.JobSnooze(0) // the next home goes on
	case errors.Is(out.Err, ledger.ErrLocked):
		return river.JobSnooze(whileHeld)
	case out.Err == nil:
		return nil
	case out.Again:
		return out.Err
	}
	return river.JobCancel(out.Err) // held, moved, stopped, cancelled: another attempt would end alike
}

// Errands are what is asked of deployments, whatever node this is and wherever they are at home.
type Errands struct{ *Node }

// Errands returns those that the node takes.
func (n *Node) Errands() Errands { return Errands{n} }

// Ask asks for a run, whatever node this is. A request without a number is joined to one that nobody works yet, and is always one for all
// that changed; one for a part must have a number.
func (n Errands) Ask(ctx context.Context, deployment string, r turns.Request) error {
	args := argsOf(deployment, r)
	if r.Run == 0 && (!r.Part.Whole() || r.Approves != 0) {
		return fmt.Errorf("ask for a run of sync %q: a run of a part, or one that applies what was approved, must be queued first", r.Sync)
	}
	if r.Run == 0 {
		sql := `SELECT EXISTS (SELECT FROM ` + n.tables.jobs + ` WHERE state = 'available' AND queue = $1 AND kind = 'run' AND args->>'sync' = $2
			AND NOT args ? 'run' AND (args ? 'full' OR NOT $3))`
		var waits bool
		if err := n.o.Pool.QueryRow(ctx, sql, queueOf(deployment), r.Sync, r.Full).Scan(&waits); err != nil {
			return fmt.Errorf("ask for a run of sync %q: %w", r.Sync, err)
		}
		if waits {
			return nil
		}
	}
	if _, err := n.insert(ctx, deployment, river.InsertManyParams{Args: args, InsertOpts: args.options()}); err != nil {
		return fmt.Errorf("ask for a run of sync %q: %w", r.Sync, err)
	}
	return nil
}

// insert puts a job into the queue of a deployment, and asks for a home if it has none.
func (n Errands) insert(ctx context.Context, deployment string, job river.InsertManyParams) (*rivertype.JobRow, error) {
	var epoch int64
	var lives bool
	sql := "SELECT coalesce(l.epoch, 0), coalesce(l.expires >= now(), false) FROM (SELECT $1::text AS name) w" + n.tables.homeLease("w.name")
	if err := n.o.Pool.QueryRow(ctx, sql, deployment).Scan(&epoch, &lives); err != nil {
		return nil, err
	}
	jobs := []river.InsertManyParams{job}
	if !lives {
		jobs = append(jobs, homeAt(n.crew.Place(deployment), deployment, epoch))
	}
	results, err := n.client.InsertMany(ctx, jobs)
	if err != nil {
		return nil, err
	}
	n.knock(ctx, deployment)
	return results[0].Job, nil
}

// knock tells the home of a deployment that something is new in its queue. River tells of it only if it has told of nothing there for
// 100 ms, and the home looks by itself every five seconds.
func (n Errands) knock(ctx context.Context, deployment string) {
	payload, err := json.Marshal(map[string]string{"queue": queueOf(deployment)})
	if err == nil && !n.o.PollOnly {
		_, err = n.o.Pool.Exec(ctx, "SELECT pg_notify($1, $2)", n.o.Schema+".river_insert", string(payload))
	}
	if err != nil {
		n.log.Debug("a home is not told what is asked of it; it looks by itself", "deployment", deployment, "error", err)
	}
}

// Cancel cancels the job that asks for the run with a number, whatever node works it, and reports whether there was one. The run
// itself, if it goes on, is made to end softly by its home. The job of a run that nobody asked for by name is not found.
func (n Errands) Cancel(ctx context.Context, deployment string, run int64) (bool, error) {
	rows, err := n.o.Pool.Query(ctx, "SELECT id FROM "+n.tables.jobs+" WHERE queue = $1 AND kind = 'run' AND (args->>'run')::bigint = $2 AND state NOT IN ('cancelled', 'completed', 'discarded')",
		queueOf(deployment), run)
	if err != nil {
		return false, fmt.Errorf("look for the job of run %d: %w", run, err)
	}
	defer rows.Close()
	var ids []int64
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return false, fmt.Errorf("look for the job of run %d: %w", run, err)
		}
		ids = append(ids, id)
	}
	if err := rows.Err(); err != nil {
		return false, fmt.Errorf("look for the job of run %d: %w", run, err)
	}
	for _, id := range ids {
		if _, err := n.client.JobCancel(ctx, id); err != nil && !errors.Is(err, river.ErrNotFound) {
			return false, fmt.Errorf("cancel the job of run %d: %w", run, err)
		}
	}
	return len(ids) > 0, nil
}
