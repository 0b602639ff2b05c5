// Package vitals tells how a service is doing, from its ledger alone: when each sync last ran well, what is held, what waits, and
// whether what Owlat tells is passed on. Metrics, alerts and whoever shows the state of a service stand on it, so that they agree. It
// asks neither Owlat nor a source and judges nothing.
package vitals

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"owlatsync/internal/config"
	"owlatsync/ledger"
)

// Ledger is what is read of a ledger.
type Ledger interface {
	ledger.Clock
	Runs(ctx context.Context, sync string, limit int) ([]ledger.Run, error)
	HeldRuns(ctx context.Context, sync string) ([]ledger.Run, error)
	Queued(ctx context.Context) ([]ledger.Run, error)
	LastFeedback(ctx context.Context) (time.Time, error)
	Round(ctx context.Context) (ledger.Round, error)
	DeliveryCounts(ctx context.Context) (map[string]map[ledger.DeliveryState]int, error)
	NextDelivery(ctx context.Context, target string) (time.Time, error)
}

// Signs are how a service is doing at one time.
type Signs struct {
	At           time.Time
	Syncs        []Sync    // in the order of the configuration
	Queued       int       // runs that wait to begin
	LastFeedback time.Time // zero: no webhook ever came
	Round        ledger.Round
	WriteBacks   []WriteBack
}

// Sync is how one sync is doing.
type Sync struct {
	Name     string
	Since    time.Time    // from when on it is known, for a sync without a good run
	Last     *ledger.Run  // the latest run that ended by itself; nil: none
	Whole    *ledger.Run  // the latest run that read and applied all it had to; nil: none is among the latest
	Going    *ledger.Run  // the run that goes on or waits for its next turn; nil: none
	Held     []ledger.Run // runs that wait for approval, newest first
	LastGood time.Time    // end of the latest good run (see Good); zero: none is known
	Overdue  time.Time    // when it is stale if no good run ends before; zero: never
	Stuck    time.Time    // since when the run that goes on has moved nothing; zero: none goes on
}

// Stale reports whether the sync has had no good run for too long. A run that goes on and moves is on its way to a good one.
func (s Sync) Stale(now time.Time) bool {
	return !s.Overdue.IsZero() && now.After(s.Overdue) && (s.Going == nil || now.Sub(s.Stuck) > StuckAfter)
}

// StuckAfter is how long a run may move nothing before it no longer counts as being on its way.
const StuckAfter = time.Hour

// WriteBack counts the deliveries of one write-back.
type WriteBack struct {
	Target        string
	Waiting, Dead int
	// Next is when the next delivery is due, zero if none waits. If it is long ago, nothing is tried.
	Next time.Time
	// Stuck is since when deliveries have waited without one being done; zero: none waits.
	Stuck time.Time
}

// Good reports whether the run brought Owlat in step with all that the source had to say. Rows of it may have failed.
func Good(r ledger.Run) bool {
	return r.Part.Whole() && (r.Status == ledger.StatusOK || r.Status == ledger.StatusFailedRows && (r.Report == nil || r.Report.Spoiled() == ""))
}

// ended reports whether the run came to an end of its own that says how its sync is doing: nobody took it back or stopped it.
func ended(r ledger.Run) bool {
	switch r.Status {
	case ledger.StatusHeld:
		return r.Mode != ledger.ModeReview
	case ledger.StatusOK, ledger.StatusFailedRows, ledger.StatusStopped, ledger.StatusDied, ledger.StatusError:
		return true
	}
	return false
}

// Reader reads signs, again and again. It remembers what cannot change. It is safe for concurrent use.
type Reader struct {
	ledger  Ledger
	started time.Time

	mu     sync.Mutex
	syncs  []config.Sync
	known  map[string]known
	queues map[string]queue // by target
	latest Signs
}

// known is what the reader remembers of a sync.
type known struct {
	since time.Time
	good  time.Time // end of the latest good run among those up to seen
	seen  int64     // number of the latest run that is taken into account
	at    string    // how far the run is that goes on
	moved time.Time // since when it is there
}

// queue is what the reader remembers of a write-back.
type queue struct {
	done  int
	stuck time.Time
}

// NewReader returns a reader of how the syncs are doing, for a service that starts at the time.
func NewReader(l Ledger, syncs []config.Sync, started time.Time) *Reader {
	r := &Reader{ledger: l, started: started, known: make(map[string]known), queues: make(map[string]queue)}
	r.Set(syncs, started)
	return r
}

// Now returns the time by the ledger's clock.
func (r *Reader) Now() time.Time { return r.ledger.Now() }

// Set replaces the syncs. Those that are new count as known from now on.
func (r *Reader) Set(syncs []config.Sync, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.syncs = slices.Clone(syncs)
	for _, s := range syncs {
		if _, there := r.known[s.Name]; !there {
			r.known[s.Name] = known{since: now}
		}
	}
	maps.DeleteFunc(r.known, func(name string, _ known) bool {
		return !slices.ContainsFunc(syncs, func(s config.Sync) bool { return s.Name == name })
	})
}

// first is how many runs are read at first; more follow only until a good one, or one that is known, is among them.
const first = 10

// Read returns how the service is doing now.
func (r *Reader) Read(ctx context.Context, now time.Time) (Signs, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := Signs{At: now}
	for _, s := range r.syncs {
		one, err := r.sync(ctx, s, now)
		if err != nil {
			return Signs{}, fmt.Errorf("read how sync %q is doing: %w", s.Name, err)
		}
		out.Syncs = append(out.Syncs, one)
	}
	queued, err := r.ledger.Queued(ctx)
	if err != nil {
		return Signs{}, fmt.Errorf("read which runs wait: %w", err)
	}
	out.Queued = len(queued)
	if out.LastFeedback, err = r.ledger.LastFeedback(ctx); err != nil {
		return Signs{}, fmt.Errorf("read when the latest webhook came: %w", err)
	}
	if out.Round, err = r.ledger.Round(ctx); err != nil {
		return Signs{}, fmt.Errorf("read what is known of rounds: %w", err)
	}
	if out.WriteBacks, err = r.writeBacks(ctx, now); err != nil {
		return Signs{}, fmt.Errorf("read what is to be written back: %w", err)
	}
	r.latest = out
	return out, nil
}

// ReadWithin is Read, but returns signs that were read at most age ago.
func (r *Reader) ReadWithin(ctx context.Context, now time.Time, age time.Duration) (Signs, error) {
	r.mu.Lock()
	latest := r.latest
	r.mu.Unlock()
	if !latest.At.IsZero() && now.Sub(latest.At) >= 0 && now.Sub(latest.At) < age {
		return latest, nil
	}
	return r.Read(ctx, now)
}

func (r *Reader) sync(ctx context.Context, s config.Sync, now time.Time) (out Sync, err error) {
	k := r.known[s.Name]
	var runs []ledger.Run
	for limit := first; ; limit *= 10 {
		if runs, err = r.ledger.Runs(ctx, s.Name, limit); err != nil {
			return out, err
		}
		enough := len(runs) < limit || slices.ContainsFunc(runs, func(run ledger.Run) bool { return Good(run) || k.seen > 0 && run.ID <= k.seen })
		if enough {
			break
		}
	}
	out = Sync{Name: s.Name, Since: k.since}
	for i := range runs {
		run := buried(runs[i], now)
		runs[i] = run
		switch {
		case run.Status == ledger.StatusRunning || run.Status == ledger.StatusWaiting:
			if out.Going == nil {
				out.Going = &runs[i]
			}
		case ended(run) && out.Last == nil:
			out.Last = &runs[i]
		}
		if ended(run) && run.Part.Whole() && run.Report != nil && out.Whole == nil &&
			(run.Status == ledger.StatusOK || run.Status == ledger.StatusFailedRows) {
			out.Whole = &runs[i]
		}
		if Good(run) && run.Finished.After(k.good) {
			k.good = run.Finished
		}
		if run.Status != ledger.StatusRunning && run.Status != ledger.StatusWaiting && run.Status != ledger.StatusQueued {
			k.seen = max(k.seen, run.ID)
		}
	}
	if out.Going == nil {
		k.at, k.moved = "", time.Time{}
	} else if at := place(out.Going); at != k.at {
		k.at, k.moved = at, now
	}
	r.known[s.Name] = k
	out.LastGood, out.Stuck, out.Overdue = k.good, k.moved, overdue(s, k)
	out.Held, err = r.ledger.HeldRuns(ctx, s.Name)
	out.Held = slices.DeleteFunc(out.Held, func(run ledger.Run) bool { return run.Mode == ledger.ModeReview }) // whoever asked for it looks at it
	return out, err
}

// silence is how long a run that goes on may keep its record as it is before its process counts as dead.
const silence = 5 * time.Minute

// buried returns the run as it is: died, if its process has kept silent for long. The next run records it so.
func buried(run ledger.Run, now time.Time) ledger.Run {
	if run.Status == ledger.StatusRunning && now.Sub(run.Heartbeat) > silence {
		run.Status, run.Message, run.Finished = ledger.StatusDied, ledger.MessageDied, run.Heartbeat
	}
	return run
}

// place tells how far a run is; while it stays the same, the run moves nothing.
func place(run *ledger.Run) string {
	if run.Report == nil {
		return fmt.Sprint(run.ID, run.Stage, run.Status)
	}
	return fmt.Sprint(run.ID, run.Stage, run.Status, run.Report.Rows, run.Report.Requests.Total)
}

// leastStale is how long a sync that runs often goes without a good run before it is stale.
const leastStale = 15 * time.Minute

// overdue returns when the sync is stale: after the time that the user set, or when it was due three times.
func overdue(s config.Sync, k known) time.Time {
	from := k.good
	if from.IsZero() {
		from = k.since
	}
	switch {
	case s.StaleAfter < 0 || s.StaleAfter == 0 && s.Schedule.IsZero():
		return time.Time{}
	case s.StaleAfter > 0:
		return from.Add(s.StaleAfter)
	}
	third := from.Add(3 * s.Schedule.Every)
	if s.Schedule.Cron != "" {
		schedule, err := config.ParseCron(s.Schedule.Cron)
		if err != nil {
			return time.Time{} // a configuration that was read holds none such
		}
		third = from
		if s.Schedule.Zone != nil {
			third = from.In(s.Schedule.Zone)
		}
		for range 3 {
			if third = schedule.Next(third); third.IsZero() {
				return time.Time{} // it is never due again
			}
		}
	}
	if least := from.Add(leastStale); third.Before(least) {
		third = least
	}
	return third.Add(s.Schedule.Jitter)
}

func (r *Reader) writeBacks(ctx context.Context, now time.Time) (all []WriteBack, err error) {
	counts, err := r.ledger.DeliveryCounts(ctx)
	if err != nil {
		return nil, err
	}
	queues := make(map[string]queue, len(counts))
	for _, target := range slices.Sorted(maps.Keys(counts)) {
		w := WriteBack{Target: target, Waiting: counts[target][ledger.DeliveryWaiting], Dead: counts[target][ledger.DeliveryDead]}
		before, q := r.queues[target], queue{done: counts[target][ledger.DeliveryDone]}
		if w.Waiting > 0 {
			if q.stuck = before.stuck; q.stuck.IsZero() || q.done > before.done {
				q.stuck = now
			}
			if w.Next, err = r.ledger.NextDelivery(ctx, target); err != nil {
				return nil, err
			}
		}
		queues[target], w.Stuck = q, q.stuck
		all = append(all, w)
	}
	r.queues = queues
	return all, nil
}
