package cluster

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"owlatsync/internal/schedule"
	"owlatsync/internal/turns"
)

// handle takes a periodic job back.
type handle = rivertype.PeriodicJobHandle

// times is a schedule as River wants it.
type times struct{ *schedule.Schedule }

// Next implements river.PeriodicSchedule: a time that is not known to come is a long way off.
func (t times) Next(now time.Time) time.Time {
	if next := t.Schedule.Next(now); !next.IsZero() {
		return next
	}
	return now.AddDate(100, 0, 0)
}

// sameTimes reports whether the syncs of a deployment are due at the same times.
func sameTimes(a, b Deployment) bool {
	return slices.EqualFunc(a.Timetable, b.Timetable, func(x, y schedule.Entry) bool {
		return x.Sync == y.Sync && x.Schedule.String() == y.Schedule.String()
	})
}

// calendar is what the leader of the nodes lets happen at its times.
type calendar struct{ *Node }

// scheduleAll lets the leader say when the syncs of a deployment are due. What was due while nobody led is made up for by Overdue. The
// caller holds the mutex.
func (n calendar) scheduleAll(d Deployment) error {
	var jobs []*river.PeriodicJob
	for _, e := range d.Timetable {
		args := dueArgs{d.Name, e.Sync}
		jobs = append(jobs, river.NewPeriodicJob(times{e.Schedule}, func() (river.JobArgs, *river.InsertOpts) { return args, nil }, nil))
	}
	handles, err := n.client.PeriodicJobs().AddManySafely(jobs)
	if err != nil {
		return fmt.Errorf("schedule the syncs of deployment %q: %w", d.Name, err)
	}
	n.periodic[d.Name] = handles
	return nil
}

// unschedule takes back what scheduleAll has done. The caller holds the mutex.
func (n calendar) unschedule(deployment string) {
	n.client.PeriodicJobs().RemoveMany(n.periodic[deployment])
	delete(n.periodic, deployment)
}

// CatchUp looks which syncs are overdue, because there are new ones.
func (n *Node) CatchUp(ctx context.Context) error { return calendar{n}.overdue(ctx) }

// Overdue asks for runs of the syncs whose time has passed since they began last. Last is when each has, by deployment and sync; a sync
// that never has is not in it, and is due.
func (n *Node) Overdue(ctx context.Context, last map[string]map[string]time.Time) error {
	now := n.clock.Now()
	n.mu.Lock()
	var due []river.InsertManyParams
	for name, d := range n.deployments {
		for _, e := range d.Timetable {
			began, known := last[name][e.Sync]
			if next := e.Schedule.Next(began); !known || !next.IsZero() && !next.After(now) {
				due = append(due, river.InsertManyParams{Args: dueArgs{name, e.Sync}})
			}
		}
	}
	n.mu.Unlock()
	for some := range slices.Chunk(due, 500) {
		if _, err := n.client.InsertMany(ctx, some); err != nil {
			return fmt.Errorf("ask for runs that are overdue: %w", err)
		}
	}
	return nil
}

const (
	// learnWithin is how long a job may be about a sync that the node does not know. The nodes learn a configuration one after the other, each
	// asks for what is overdue then, and what one asks must not be the same as what another just refuses.
	learnWithin = 5 * time.Second
	// learnAgain is when it is looked at again, below the time from which on River needs its leader for that.
	learnAgain = time.Second
)

// dueWorker asks for runs of syncs whose time has come.
type dueWorker struct {
	river.WorkerDefaults[dueArgs]
	node *Node
}

// Timeout implements river.Worker.
func (w *dueWorker) Timeout(*river.Job[dueArgs]) time.Duration { return 30 * time.Second }

// NextRetry implements river.Worker.
func (w *dueWorker) NextRetry(job *river.Job[dueArgs]) time.Time {
	return w.node.clock.Now().Add(min(retryAfter(len(job.Errors)+1)/5, time.Minute))
}

// Work implements river.Worker.
func (w *dueWorker) Work(ctx context.Context, job *river.Job[dueArgs]) error {
	d, known := w.node.deployment(job.Args.Deployment)
	if !known || !slices.ContainsFunc(d.Timetable, func(e schedule.Entry) bool { return e.Sync == job.Args.Sync }) {
		if w.node.clock.Now().Sub(job.CreatedAt) < learnWithin { // another node may know it already, and this one soon
			return river.JobSnooze(learnAgain)
		}
		return river.JobCancel(fmt.Errorf("the configuration has no sync %q with a schedule any more", job.Args.Sync))
	}
	return w.node.Errands().Ask(ctx, job.Args.Deployment, turns.Request{Sync: job.Args.Sync, Why: turns.Scheduled})
}

// choreWorker does chores.
type choreWorker struct {
	river.WorkerDefaults[choreArgs]
	node *Node
}

// chores are the periodic jobs for the chores of a node. A new leader begins with each of them at once.
func (n calendar) chores() (jobs []*river.PeriodicJob) {
	for _, c := range n.o.Chores {
		args := choreArgs{Name: c.Name}
		jobs = append(jobs, river.NewPeriodicJob(river.PeriodicInterval(c.Every), func() (river.JobArgs, *river.InsertOpts) { return args, nil },
			&river.PeriodicJobOpts{RunOnStart: true}))
	}
	return jobs
}

func (n *Node) chore(name string) (Chore, bool) {
	i := slices.IndexFunc(n.o.Chores, func(c Chore) bool { return c.Name == name })
	if i < 0 {
		return Chore{}, false
	}
	return n.o.Chores[i], true
}

// Timeout implements river.Worker.
func (w *choreWorker) Timeout(job *river.Job[choreArgs]) time.Duration {
	c, _ := w.node.chore(job.Args.Name)
	return max(c.Within, time.Second)
}

// Work implements river.Worker.
func (w *choreWorker) Work(ctx context.Context, job *river.Job[choreArgs]) error {
	c, ok := w.node.chore(job.Args.Name)
	if !ok {
		return river.JobCancel(fmt.Errorf("this version knows no chore %q", job.Args.Name))
	}
	var err error
	switch of := job.Args.Of; {
	case of != nil:
		err = c.Each(ctx, *of)
	case c.Each != nil:
		err = calendar{w.node}.share(ctx, c)
	default:
		err = c.Do(ctx)
	}
	if err != nil {
		w.node.log.Warn("a chore is not done; it comes again", "chore", c.Name, "every", c.Every, "error", err)
	}
	return err
}

// share asks for a chore for each deployment that has it.
func (n calendar) share(ctx context.Context, c Chore) error {
	n.mu.Lock()
	var jobs []river.InsertManyParams
	for name, d := range n.deployments {
		if slices.Contains(d.Chores, c.Name) {
			jobs = append(jobs, river.InsertManyParams{Args: choreArgs{c.Name, &name}})
		}
	}
	n.mu.Unlock()
	for some := range slices.Chunk(jobs, 500) {
		if _, err := n.client.InsertMany(ctx, some); err != nil {
			return err
		}
	}
	return nil
}

// Soon asks for a chore for a deployment before its time, because something has happened. It reports whether the chore is yet to begin;
// otherwise one goes on, which may not see what has happened.
func (n Errands) Soon(ctx context.Context, chore, deployment string) (taken bool, err error) {
	result, err := n.client.Insert(ctx, choreArgs{chore, &deployment}, nil)
	if err != nil {
		return false, fmt.Errorf("ask for %s of deployment %q: %w", chore, deployment, err)
	}
	return !result.UniqueSkippedAsDuplicate || result.Job.State != rivertype.JobStateRunning, nil
}
