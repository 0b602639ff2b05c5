package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"owlatsync/internal/schedule"
	"owlatsync/ledger"
)

// held is a home on this node.
type held struct {
	Home
	name  string
	queue string
	job   int64 // that asks for it
	lease Lease
	since time.Time
	let   chan string // why it is to end softly; has room for one
	fled  atomic.Bool // what fails here may work elsewhere
	deaf  atomic.Bool // something does not answer here, so that nothing can end softly
}

// letGo makes the home end softly, and says why. Further calls do nothing.
func (h *held) letGo(why string) {
	select {
	case h.let <- why:
	default:
	}
}

// Why homes are let go of.
const (
	hasRoom   = "another node has room for it"
	othersToo = "others wait for its place"
	isGone    = "the configuration has it no more"
	failsHere = "what fails here may work elsewhere"
)

const (
	full       = time.Second            // how long a node without a place leaves a home to others
	aside      = 100 * time.Millisecond // how long a node that has its share leaves a home to others at least, and at most five times that
	asideMost  = 3                      // and how often
	strangers  = 2 * time.Second        // how long a home waits whose deployment nobody seems to know
	strangeFor = 150                    // and how often
	avoidedFor = 12                     // how often a node leaves a home to others that is better off there, each time for longer: some ten seconds
	cutShort   = time.Second            // how long its runs may take to end then
	awhile     = time.Second            // how long a home lingers while others wait
	atLeast    = 10 * time.Minute       // how long a busy home may stay while others wait
	closing    = 5 * time.Second
)

// homeWorker keeps homes: its job takes as long as the home lasts.
type homeWorker struct {
	river.WorkerDefaults[homeArgs]
	node *Node
}

// Timeout implements river.Worker: a home lasts as long as it must, and nobody rescues it but the next home.
func (w *homeWorker) Timeout(*river.Job[homeArgs]) time.Duration { return -1 }

// NextRetry implements river.Worker.
func (w *homeWorker) NextRetry(job *river.Job[homeArgs]) time.Time {
	return w.node.clock.Now().Add(min(retryAfter(len(job.Errors)+1)/3, time.Minute))
}

// Work implements river.Worker.
func (w *homeWorker) Work(ctx context.Context, job *river.Job[homeArgs]) error {
	n := keeper{w.node}
	if !n.begin() {
		return river.JobSnooze(0)
	}
	defer n.keeping.Done()
	d, known := n.deployment(job.Args.Deployment)
	before := snoozes(job.JobRow)
	switch {
	case !known && before < strangeFor:
		return n.pass(ctx, job.ID, before)
	case !known:
		return n.disown(ctx, job.Args.Deployment)
	case before < avoidedFor && (n.crew.Flights.Doubts() || n.crew.Flights.Avoids(d.Name)) && n.leaves(ctx, d.Name):
		return n.hand(ctx, job.ID, homesQueueOf(n.crew.PlaceElsewhere(d.Name)), min(aside<<before, full))
	case n.crew.Mine() >= int64(n.o.Slots):
		return river.JobSnooze(full)
	case job.Queue == homesQueue && before < asideMost && n.crew.HasItsShare():
		// Nodes look for jobs at regular times, so that without chance the same would come first again and again.
		return river.JobSnooze(aside + rand.N(4*aside))
	}
	n.crew.Add(1)
	defer n.crew.Add(-1)
	lease, err := n.o.Leases.Home(ctx, d.Name)
	switch {
	case errors.Is(err, ledger.ErrLocked):
		return nil // its holder sees what is in the queue, and whoever misses the holder asks again
	case err != nil:
		return fmt.Errorf("take the home of deployment %q: %w", d.Name, err)
	}
	return n.keep(ctx, d, lease, job.ID)
}

// pass gives a job for a home to another node, whose configuration may know the deployment.
func (n keeper) pass(ctx context.Context, job int64, before int) error {
	other, nodes := n.crew.Another()
	if before < 2*nodes {
		return n.hand(ctx, job, homesQueueOf(other), 0)
	}
	return n.hand(ctx, job, homesQueueOf(other), strangers)
}

// leaves reports whether a deployment is better off at another node than here, as they tell at this very moment.
func (n keeper) leaves(ctx context.Context, deployment string) bool {
	if err := lookout(n).meet(ctx); err != nil {
		n.log.Debug("other nodes are not seen; what was known of them counts", "error", err)
	}
	return n.crew.Elsewhere(deployment)
}

// hand puts a job for a home into a queue, to be worked after a while.
func (n keeper) hand(ctx context.Context, job int64, queue string, after time.Duration) error {
	if _, err := n.o.Pool.Exec(ctx, "UPDATE "+n.tables.jobs+" SET queue = $2 WHERE id = $1", job, queue); err != nil {
		return fmt.Errorf("leave a home to another node: %w", err)
	}
	return river.JobSnooze(after)
}

// disown cancels what is asked of a deployment that is in nobody's configuration.
func (n keeper) disown(ctx context.Context, deployment string) error {
	sql := "UPDATE " + n.tables.jobs + " SET state = 'cancelled', finalized_at = now() WHERE queue = $1 AND state IN ('available', 'retryable', 'scheduled')"
	if _, err := n.o.Pool.Exec(ctx, sql, queueOf(deployment)); err != nil {
		return fmt.Errorf("cancel what is asked of deployment %q, which is in no configuration: %w", deployment, err)
	}
	return river.JobCancel(fmt.Errorf("no node has a deployment %q in its configuration", deployment))
}

// keeper keeps homes on its node.
type keeper struct{ *Node }

// begin reports whether a home may begin here, and counts it.
func (n keeper) begin() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ending() {
		return false
	}
	n.keeping.Add(1)
	return true
}

func snoozes(job *rivertype.JobRow) int {
	var m struct {
		Snoozes int `json:"snoozes"`
	}
	_ = json.Unmarshal(job.Metadata, &m)
	return m.Snoozes
}

// keep is the home of a deployment, which a job asks for, until it has nothing to do, or must end.
func (n keeper) keep(ctx context.Context, d Deployment, lease Lease, job int64) (err error) {
	h := &held{
		name: d.Name, queue: queueOf(d.Name), job: job, lease: lease, since: time.Now(), let: make(chan string, 1),
	}
	released := false
	release := func() {
		if !released {
			released = true
			if e := lease.Release(); e != nil && !errors.Is(e, ledger.ErrLockLost) {
				n.log.Warn("the lease of a home is not released; it ends by itself", "deployment", h.name, "error", e)
			}
		}
	}
	defer release()
	if err := n.open(lease.Context(), h); err != nil {
		return fmt.Errorf("open deployment %q: %w", h.name, err)
	}
	n.crew.Flights.Began()
	n.log.Info("a deployment is at home here", "deployment", h.name, "epoch", lease.Epoch())
	n.mu.Lock()
	n.homes[h.name] = h
	if _, known := n.deployments[h.name]; !known { // it has gone while it was opened
		h.letGo(isGone)
	}
	n.mu.Unlock()
	why := "it cannot work its queue"
	if err = n.client.Queues().Add(h.queue, river.QueueConfig{MaxWorkers: 200, FetchPollInterval: n.pollEvery()}); err == nil {
		why = n.stay(ctx, h)
	}
	n.quit(ctx, h)
	n.mu.Lock()
	delete(n.homes, h.name)
	n.mu.Unlock()
	lost := lease.Check()
	release()
	n.log.Info("a deployment has left its home here", "deployment", h.name, "epoch", lease.Epoch(), "why", why)
	if err != nil {
		return fmt.Errorf("work the queue of deployment %q: %w", h.name, err)
	}
	if lost == nil {
		n.afterwards(ctx, h)
	}
	return nil
}

// pollEvery is how often a home looks for jobs of which it was not notified. That is most of what homes without work cost PostgreSQL.
func (n keeper) pollEvery() time.Duration {
	if n.o.PollOnly {
		return time.Second
	}
	return 5 * time.Second
}

// open takes up what an earlier home left, and opens the deployment. Few are opened at the same time.
func (n keeper) open(ctx context.Context, h *held) error {
	select {
	case n.opening <- struct{}{}:
		defer func() { <-n.opening }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if err := n.takeUp(ctx, h); err != nil {
		return err
	}
	home, err := n.o.Homes.Open(ctx, h.name, h.lease)
	if err != nil {
		return err
	}
	h.Home = home
	if err := home.Start(ctx); err != nil {
		over, cancel := context.WithCancel(ctx)
		cancel()
		home.Stop(over)
		return err
	}
	return nil
}

// stay waits until the home is to end, and says why it is.
func (n keeper) stay(ctx context.Context, h *held) string {
	tick := time.NewTicker(min(n.o.Linger/4, 500*time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return "it is aborted"
		case <-n.aborted.Done():
			return "its node aborts"
		case <-h.lease.Context().Done():
			return "its lease is lost"
		case <-n.stop:
			return "its node stops"
		case why := <-h.let:
			return why
		case <-tick.C:
		}
		if what, lasts, before := h.Unheard(); lasts >= n.o.Silent && n.crew.Others() > 0 && n.crew.MayFlee(h.name, what, before) {
			h.fled.Store(true)
			h.deaf.Store(true)
			return what + " does not answer here, and may elsewhere"
		}
		linger := n.o.Linger
		if n.crew.Crowded() {
			linger = min(linger, awhile)
		}
		if idle := h.Idle(); !n.isAlways(h.name) && !idle.IsZero() && time.Since(idle) >= linger &&
			(n.crew.Crowded() || !n.dueWithin(h.name, 2*linger)) && !n.retriesSoon(ctx, h.queue) {
			return "it has nothing to do"
		}
	}
}

// quit ends a home: softly if it may still work, else at once. No job of its queue is being worked afterwards.
func (n keeper) quit(ctx context.Context, h *held) {
	n.unqueue(h.queue)
	long := n.o.Soft
	if h.deaf.Load() {
		long = min(long, cutShort)
	}
	soft, done := context.WithTimeout(context.WithoutCancel(ctx), long)
	defer done()
	for _, c := range []context.Context{ctx, n.aborted, h.lease.Context()} {
		defer context.AfterFunc(c, done)()
	}
	h.Stop(soft)
	for {
		c, done := context.WithTimeout(context.WithoutCancel(ctx), closing)
		err := n.client.Queues().Remove(c, h.queue)
		done()
		if !errors.Is(err, context.DeadlineExceeded) {
			return // it is removed, or was never added
		}
		n.log.Warn("jobs of a home that has ended go on", "deployment", h.name)
	}
}

// afterwards asks for another home if there is something to do that this one has not seen.
func (n keeper) afterwards(ctx context.Context, h *held) {
	c, done := context.WithTimeout(context.WithoutCancel(ctx), closing)
	defer done()
	again := n.isAlways(h.name) || h.fled.Load()
	if h.fled.Load() { // others must know before they look where there is room
		if err := lookout(n).meet(c); err != nil {
			n.log.Debug("other nodes are not told yet that a deployment is better off there", "deployment", h.name, "error", err)
		}
	}
	if !again {
		sql := "SELECT EXISTS (SELECT FROM " + n.tables.jobs + " WHERE state = 'available' AND queue = $1)"
		if err := n.o.Pool.QueryRow(c, sql, h.queue).Scan(&again); err != nil {
			return // whoever looks out sees it
		}
	}
	if again {
		place := n.crew.Place
		if h.fled.Load() {
			place = n.crew.PlaceElsewhere
		}
		job := homeAt(place(h.name), h.name, h.lease.Epoch())
		if _, err := n.client.InsertMany(c, []river.InsertManyParams{job}); err != nil {
			n.log.Debug("another home is not asked for yet", "deployment", h.name, "error", err)
		}
	}
}

// retriesSoon reports whether a run is to be tried again in this home in a moment. Another node may have given it the home for that.
func (n keeper) retriesSoon(ctx context.Context, queue string) bool {
	c, done := context.WithTimeout(ctx, closing)
	defer done()
	var soon bool
	sql := "SELECT EXISTS (SELECT FROM " + n.tables.jobs + " WHERE queue = $1 AND state IN ('available', 'retryable', 'scheduled') AND kind = 'run' AND scheduled_at < now() + $2::interval)"
	err := n.o.Pool.QueryRow(c, sql, queue, awhile+time.Second).Scan(&soon)
	return err == nil && soon
}

// dueWithin reports whether the schedule of a sync of the deployment comes soon, so that a home need not leave before.
func (n keeper) dueWithin(deployment string, soon time.Duration) bool {
	d, _ := n.deployment(deployment)
	now := n.clock.Now()
	return slices.ContainsFunc(d.Timetable, func(e schedule.Entry) bool {
		next := e.Schedule.Next(now)
		return !next.IsZero() && next.Sub(now) <= soon
	})
}
