package home

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"sync"
	"time"

	"owlatsync"
	"owlatsync/internal/config"
	"owlatsync/internal/events"
	"owlatsync/internal/schedule"
	"owlatsync/internal/turns"
	"owlatsync/ledger"
	"owlatsync/reconcile"
	"owlatsync/reconcile/progress"
)

// Session makes runs; a *setup.Session does.
type Session interface {
	Run(ctx context.Context, sync config.Sync, o reconcile.RunOptions, observe func(progress.Value)) (*owlatsync.Report, error)
	Approve(ctx context.Context, sync config.Sync, held int64, o reconcile.RunOptions, observe func(progress.Value)) (*owlatsync.Report, error)
}

// Ledger is the part of a ledger that says what is to be run.
type Ledger interface {
	ledger.Clock
	turns.Ledger
	Runs(ctx context.Context, sync string, limit int) ([]ledger.Run, error)
	HeldRuns(ctx context.Context, sync string) ([]ledger.Run, error)
	Alive(ctx context.Context, run ledger.Run) (bool, error)
	Entries(ctx context.Context, sync string, keys []string) (map[string]*ledger.Entry, error)
}

// catchUp is how often a sync without a schedule runs that its source wakes: what was not heard is made up for then, and failed rows
// are tried again.
const catchUp = 15 * time.Minute

// syncs are the syncs of the service: when they are due, whether they may run, and their turns. It is safe for concurrent use.
type syncs struct {
	ledger Ledger
	hub    *events.Hub
	log    *slog.Logger
	queue  *turns.Queue
	loop   *schedule.Loop
	runner *runner
	shared bool // several nodes share the deployment: whoever was interrupted is asked again by those who asked
	had    *had // outlasts the home

	mu     sync.Mutex
	all    map[string]config.Sync
	lifted map[string]bool // syncs that run once although a run is held: their configuration may be another now
}

// had are syncs as they were when they last might run on this node, whatever home they had. The zero value has none. It is safe for
// concurrent use.
type had struct {
	mu  sync.Mutex
	all map[string]config.Sync
}

// otherwise reports whether the sync was never there, or was another.
func (h *had) otherwise(sync config.Sync) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	before, known := h.all[sync.Name]
	return !known || !runsAlike(before, sync)
}

func (h *had) note(sync config.Sync) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.all == nil {
		h.all = make(map[string]config.Sync)
	}
	h.all[sync.Name] = sync
}

func newSyncs(l Ledger, session Session, hub *events.Hub, log *slog.Logger) *syncs {
	s := &syncs{ledger: l, hub: hub, log: log, had: &had{}, all: make(map[string]config.Sync), lifted: make(map[string]bool)}
	s.runner = &runner{session: session, ledger: l, hub: hub, log: log, syncs: s}
	s.queue = turns.New(l, hub, s.runner, log)
	s.loop = schedule.NewLoop(func(name string) { s.wake(context.Background(), turns.Request{Sync: name, Why: turns.Scheduled}) })
	return s
}

// timetable returns when the syncs are due.
func timetable(ctx context.Context, l Ledger, all []config.Sync) (entries []schedule.Entry, err error) {
	for _, s := range all {
		times, err := timesOf(s)
		if err != nil {
			return nil, fmt.Errorf("sync %q: schedule: %w", s.Name, err)
		}
		if times == nil {
			continue
		}
		last, err := latest(ctx, l, s.Name)
		if err != nil {
			return nil, err
		}
		e := schedule.Entry{Sync: s.Name, Schedule: times}
		if last != nil {
			e.Last = last.Started
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// timesOf returns the schedule of a sync, nil if it has none.
func timesOf(s config.Sync) (*schedule.Schedule, error) {
	switch wakes := s.Listen != "" || s.Poll > 0; {
	case !s.Schedule.IsZero():
		return schedule.New(s.Name, schedule.Spec{Cron: s.Schedule.Cron, Every: s.Schedule.Every, Zone: s.Schedule.Zone, Jitter: s.Schedule.Jitter})
	case wakes:
		return schedule.New(s.Name, schedule.Spec{Every: catchUp, Jitter: catchUp})
	}
	return nil, nil
}

// latest returns the latest run of a sync that has begun, nil if none has.
func latest(ctx context.Context, l Ledger, sync string) (*ledger.Run, error) {
	for limit := 10; ; limit *= 10 {
		runs, err := l.Runs(ctx, sync, limit)
		if err != nil {
			return nil, err
		}
		for i := range runs {
			if s := runs[i].Status; s != ledger.StatusQueued && s != ledger.StatusCancelled && runs[i].Part.Whole() && runs[i].Mode != ledger.ModeReview {
				return &runs[i], nil
			}
		}
		if len(runs) < limit {
			return nil, nil
		}
	}
}

// set replaces the syncs. Runs of syncs that are configured otherwise now end softly and are made again.
func (s *syncs) set(ctx context.Context, all []config.Sync, entries []schedule.Entry) error {
	names := make([]string, len(all))
	now := make(map[string]config.Sync, len(all))
	var changed []string
	s.mu.Lock()
	for i, sync := range all {
		names[i], now[sync.Name] = sync.Name, sync
		before, known := s.all[sync.Name]
		if known && !runsAlike(before, sync) {
			changed = append(changed, sync.Name)
		}
		if (!known || !runsAlike(before, sync)) && s.had.otherwise(sync) {
			s.lifted[sync.Name] = true
		}
	}
	for name := range s.all {
		if _, still := now[name]; !still {
			changed = append(changed, name)
		}
	}
	s.all = now
	maps.DeleteFunc(s.lifted, func(name string, _ bool) bool { _, still := now[name]; return !still })
	s.mu.Unlock()
	err := s.queue.SetSyncs(ctx, names)
	s.loop.Set(entries)
	for _, name := range changed {
		s.queue.Restart(name)
	}
	return err
}

// runsAlike reports whether runs of both do the same; when they are due does not count.
func runsAlike(a, b config.Sync) bool {
	for _, s := range []*config.Sync{&a, &b} {
		s.Line, s.Schedule, s.StaleAfter, s.Listen, s.Poll = 0, config.Schedule{}, 0, "", 0
	}
	return reflect.DeepEqual(a, b)
}

func (s *syncs) sync(name string) (config.Sync, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sync, ok := s.all[name]
	return sync, ok
}

// resume takes up what the process before left: queued runs, and runs that broke off.
func (s *syncs) resume(ctx context.Context) error {
	if err := s.queue.Desk().Load(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	all := maps.Clone(s.all)
	s.mu.Unlock()
	for name := range all {
		run, err := latest(ctx, s.ledger, name)
		if err != nil {
			return err
		}
		if run == nil {
			continue
		}
		switch run.Status {
		case ledger.StatusRunning:
			if alive, err := s.ledger.Alive(ctx, *run); alive || err != nil {
				if err != nil {
					return err
				}
				continue
			}
		case ledger.StatusWaiting, ledger.StatusDied:
		case ledger.StatusInterrupted:
			if s.shared {
				continue
			}
		default:
			continue
		}
		s.log.Info("a run broke off and is made again", "sync", name, "run", run.ID)
		if run.Approves != 0 && run.Status != ledger.StatusInterrupted { // whoever interrupts an approval may have meant to
			if _, err := s.queue.Desk().Approve(ctx, run.Approves); err == nil {
				continue
			}
		}
		s.queue.Submit(turns.Request{Sync: name, Why: turns.Again})
	}
	return nil
}

// wake asks for a run of a sync that is due, unless it waits for somebody to look at a held run.
func (s *syncs) wake(ctx context.Context, r turns.Request) {
	if s.may(ctx, r.Sync) {
		s.queue.Submit(r)
	}
}

// may reports whether a sync that is due may run: it does not wait for somebody to look at a held run.
func (s *syncs) may(ctx context.Context, sync string) bool {
	s.mu.Lock()
	lifted := s.lifted[sync]
	delete(s.lifted, sync)
	if lifted {
		s.had.note(s.all[sync])
	}
	s.mu.Unlock()
	if lifted {
		return true
	}
	held, err := s.ledger.HeldRuns(ctx, sync)
	if err != nil && ctx.Err() != nil {
		return true // nobody runs it here any more
	}
	if err != nil {
		s.log.Warn("it is not known whether a run is held", "sync", sync, "error", err)
		return true
	}
	return waitsFor(held, s.ledger.Now()) == nil
}

// heldPause is how long a sync waits after a guard held its run before it looks whether the reason has passed.
const heldPause = time.Hour

// waitsFor returns which of its held runs a sync waits for, nil for none. A plan that a guard holds would only be made again, with a new
// number under the eyes of whoever looks at it. A first run waits until it is approved: its reason does not pass.
func waitsFor(held []ledger.Run, now time.Time) *ledger.Run {
	for i, r := range held {
		if !r.Part.Whole() || r.Mode == ledger.ModeReview || reconcile.Approvable(r) != nil {
			continue
		}
		if firstRun(r) || now.Before(r.Finished.Add(heldPause)) && !r.Finished.After(now.Add(time.Minute)) {
			return &held[i]
		}
		return nil
	}
	return nil
}

// firstRun reports whether a run is held only because it is the first of its sync.
func firstRun(r ledger.Run) bool {
	guards := slices.DeleteFunc(slices.Clone(r.Guards), func(h owlatsync.Hit) bool { return h.Guard == owlatsync.GuardReview })
	return len(guards) == 1 && guards[0].Guard == owlatsync.GuardFirstRun
}
