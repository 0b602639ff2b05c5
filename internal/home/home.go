package home

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"owlatsync/internal/alert"
	"owlatsync/internal/config"
	"owlatsync/internal/events"
	"owlatsync/internal/setup"
	"owlatsync/internal/telemetry"
	"owlatsync/internal/turns"
	"owlatsync/internal/wake"
	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/reconcile/progress"
)

// Home is what works for one deployment. There must be one at a time. It is safe for concurrent use.
type Home struct {
	turns.Desk // takes what is asked for by name
	calls      // does errands of others

	o       Options
	log     *slog.Logger
	d       *Deployment
	own     bool // the deployment is the home's own
	session *setup.Session
	syncs   *syncs
	outbox  *outbox        // nil: it is not the home's work
	alerts  *alert.Watcher // nil: likewise
	waker   *wake.Waker

	stopping atomic.Bool
	rests    resting
	hearing  hearing

	parts   sync.WaitGroup
	abort   context.CancelFunc // nil: it has not begun
	quiet   context.CancelFunc // ends what asks for runs by itself
	endings context.CancelFunc // ends everything but runs
	soft    chan struct{}
	worked  chan struct{}
}

// Open opens everything and begins nothing, so that a home which cannot begin changes nothing. Close must be called in the end.
func Open(ctx context.Context, cfg *config.Config, o Options) (*Home, error) {
	h := &Home{o: o, log: o.Opener.Logger}
	h.calls.over, h.calls.end = context.WithCancel(context.WithoutCancel(ctx))
	if err := h.open(ctx, cfg); err != nil {
		return nil, errors.Join(err, h.Close())
	}
	return h, nil
}

func (h *Home) open(ctx context.Context, cfg *config.Config) (err error) {
	opener := poller{h}.opener()
	if h.session, err = opener.Open(ctx, cfg, config.UseEverything); err != nil {
		return err
	}
	if err := h.session.Ledger.Unwritable(); err != nil {
		return err
	}
	if h.calls.errands, err = h.session.Errands(ctx, h.o.Held); err != nil {
		return err
	}
	if h.d = h.o.Deployment; h.d == nil {
		h.d, h.own = newDeployment(cfg, h.session.Ledger, h.o), true
	}
	h.syncs = newSyncs(h.session.Ledger, h.session, h.d.hub, h.log)
	h.o.Metrics.Watch(h.d.vitals, h.session.Client)
	h.d.meter.watch(h.session.Client)
	h.syncs.shared, h.syncs.had, h.syncs.runner.watch, h.syncs.runner.unsent = h.o.Shared, &h.d.had, h.watch, &h.d.unsent
	h.hearing.client, h.hearing.state, h.hearing.ping, h.syncs.runner.read = h.session.Client, h.session.Engine().State, h.ping, h.hearing.read
	h.Desk = h.syncs.queue.Desk()
	if !h.o.Shared {
		h.outbox = newOutbox(h.session.Ledger, h.log, ears{h.d}.delivered)
		h.alerts = alert.NewWatcher(alert.Options{
			Signs: h.d.vitals, Silence: ears{h.d}.silence, Mistake: ears{h.d}.mistake, Path: AlertsFile(cfg.Ledger.Path), Log: h.log, Told: ears{h.d}.told,
			Deployment: cfg.Name,
		})
	}
	h.waker = wake.New(wake.Options{
		Wake: h.syncs.wake, Logger: h.log,
		Watch: func(sync config.Sync) (wake.Watcher, func() error, error) { return h.session.Watch(sync) },
	})
	h.syncs.runner.astray, h.syncs.runner.seats = h.waker.Astray, h.o.Seats
	if h.own {
		h.d.SetLine(h)
	}
	next, err := h.Prepare(ctx, h.session.Config)
	if err != nil {
		return err
	}
	if err := next.Take(ctx); err != nil {
		return err
	}
	return h.syncs.resume(ctx)
}

// AlertsFile is where alerts that were told are kept: beside the ledger.
func AlertsFile(ledger string) string {
	return strings.TrimSuffix(ledger, filepath.Ext(ledger)) + ".alerts.json"
}

// Deployment returns the deployment that the home works for.
func (h *Home) Deployment() *Deployment { return h.d }

// Start begins to work: runs that are due or queued have their turns. The end of ctx aborts runs.
func (h *Home) Start(ctx context.Context) {
	parts, endings := context.WithCancel(context.WithoutCancel(ctx))
	looping, quiet := context.WithCancel(parts)
	work, abort := context.WithCancel(ctx)
	h.endings, h.quiet, h.abort = endings, quiet, abort
	h.soft, h.worked = make(chan struct{}), make(chan struct{})
	h.parts.Go(func() { h.rest(parts) })
	h.parts.Go(func() { poller{h}.poll(looping) })
	if !h.o.Shared {
		h.parts.Go(func() { h.alerts.Run(parts) })
		h.parts.Go(func() { nudge(parts, h.d.hub, h.alerts) })
		h.parts.Go(func() { daily(parts, h.session.Prune, h.log) })
		h.parts.Go(func() { h.syncs.loop.Run(looping) })
		h.outbox.start()
	}
	go func() { defer close(h.worked); h.syncs.queue.Run(work, h.soft) }()
}

// Stop ends runs softly until ctx ends, and aborts them then. It returns when none goes on any more. What Owlat tells is still taken in and
// written back until Close.
func (h *Home) Stop(ctx context.Context) {
	if h.abort == nil {
		return
	}
	defer context.AfterFunc(ctx, func() {
		h.log.Warn("runs are aborted: they took too long to stop; the next process goes on with them")
		h.abort()
	})()
	if !h.stopping.Swap(true) {
		h.quiet()
		h.waker.Close()
		close(h.soft)
	}
	<-h.worked
	h.calls.finish(ctx)
}

// Close closes everything. A home that still works is aborted.
func (h *Home) Close() error {
	h.calls.end()
	if h.abort != nil {
		h.abort()
		h.Stop(context.Background())
		h.endings()
		h.parts.Wait()
		h.hearing.pings.Wait()
	}
	if h.waker != nil {
		h.waker.Close()
	}
	var errs []error
	if h.outbox != nil {
		errs = append(errs, h.outbox.close())
	}
	h.o.Metrics.Unwatch()
	if h.d != nil && h.session != nil {
		h.d.meter.leave(h.session.Client)
	}
	h.o.Traces.End()
	if h.own {
		h.d.Close()
	}
	if h.session != nil {
		errs = append(errs, h.session.Close())
	}
	return errors.Join(errs...)
}

// Do makes a run, together with others who ask for the same, and waits for its end; see turns.Desk.Do. A run that nobody asked for by name
// and that would only make a plan again which a guard holds is not made: Err then matches turns.ErrDropped.
func (h *Home) Do(ctx context.Context, r turns.Request) turns.Outcome {
	if r.Run == 0 && !h.syncs.may(ctx, r.Sync) {
		return turns.Outcome{Status: ledger.StatusHeld, Err: turns.ErrDropped, Ended: true}
	}
	o := h.Desk.Do(ctx, r)
	if o.Run != 0 && o.Status == "" && o.Ended {
		if run, err := h.session.Ledger.Run(context.WithoutCancel(ctx), o.Run); err == nil {
			o.Status = run.Status
		}
	}
	return o
}

// Idle returns since when the home has had nothing to do. It is zero while it has: a run goes on or waits, also for another try, or a call
// is made. A home that only listens may go on anywhere.
func (h *Home) Idle() time.Time { return h.rests.since(h.busy()) }

func (h *Home) busy() bool {
	return h.calls.goOn.Load() > 0 || h.syncs.queue.Busy() || h.Retries()
}

// Working reports whether a run goes on or waits for its turn, and how many have ended.
func (h *Home) Working() (busy bool, made int64) {
	return h.syncs.queue.Busy(), h.syncs.runner.made.Load()
}

// Due implements Line.
func (h *Home) Due() {
	if h.outbox != nil {
		h.outbox.wake()
	}
}

// Waiting implements Line.
func (h *Home) Waiting(_ context.Context, sync string) (turns.Waiting, error) {
	return h.syncs.queue.Waiting(sync), nil
}

// Next implements Line.
func (h *Home) Next(sync string) time.Time { return h.syncs.loop.Next(sync) }

// Progress implements Line.
func (h *Home) Progress(run int64) (progress.State, bool) {
	for _, sync := range h.d.Config().Syncs {
		if st, ok := h.session.Engine().State(sync.Name); ok && st.Run == run {
			return st, true
		}
	}
	return progress.State{}, false
}

// Alive implements Line.
func (h *Home) Alive(context.Context) error {
	if h.stopping.Load() {
		return errStops
	}
	h.syncs.queue.Busy() // waits for ever if the queue does
	return nil
}

var errStops = errors.New("the service stops")

// watch returns the context of a run, for the log, and who is told what happens in it.
func (h *Home) watch(ctx context.Context, sync string, run int64) (context.Context, []func(progress.Value)) {
	ctx, running := telemetry.Within(ctx, sync, run)
	return ctx, []func(progress.Value){running.Observe, h.o.Metrics.Observe, h.o.Traces.Observe, telemetry.Narrate(ctx, h.log)}
}

// attempt takes in a request to Owlat.
func (h *Home) attempt(a owlat.Attempt) {
	if a.Status > 0 {
		h.hearing.owlat.Store(true)
	}
	if h.d != nil {
		h.d.meter.add(a)
	}
	h.o.Metrics.Attempt(a)
	h.o.Traces.Attempt(a)
}

// nudge makes alerts look at once when something has happened.
func nudge(ctx context.Context, hub *events.Hub, alerts *alert.Watcher) {
	happened, cancel := hub.Subscribe(events.Filter{Kinds: []events.Kind{events.Ended, events.Held, events.WriteBack, events.Reload}})
	defer cancel()
	for {
		select {
		case <-ctx.Done():
			return
		case _, ok := <-happened:
			if !ok {
				return
			}
			alerts.Nudge()
		}
	}
}

const (
	pruneFirst = 10 * time.Minute
	pruneEvery = 24 * time.Hour
)

// daily drops old history soon after the begin and then once a day. What fails is tried again the next day.
func daily(ctx context.Context, prune func(context.Context) (int64, error), log *slog.Logger) {
	timer := time.NewTimer(pruneFirst)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		timer.Reset(pruneEvery)
		removed, err := prune(ctx)
		switch {
		case err != nil && ctx.Err() == nil:
			log.Warn("old history could not be removed", "error", err)
		case removed > 0:
			log.Info("old history removed", "lines", removed)
		}
	}
}
