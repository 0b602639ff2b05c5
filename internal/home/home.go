package home

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"owlatsync/internal/alert"
	"owlatsync/internal/api"
	"owlatsync/internal/config"
	"owlatsync/internal/events"
	"owlatsync/internal/setup"
	"owlatsync/internal/telemetry"
	"owlatsync/internal/turns"
	"owlatsync/internal/vitals"
	"owlatsync/internal/wake"
)

// Options are what a home is made with.
type Options struct {
	// Opener opens what the configuration names. Its Logger is that of the home; it must be set. The home sets its Attempt.
	Opener  setup.Opener
	Metrics *telemetry.Metrics
	Traces  *telemetry.Traces
}

// Home is what works for one deployment. Its methods are safe for concurrent use.
type Home struct {
	o       Options
	log     *slog.Logger
	session *setup.Session
	hub     *events.Hub
	syncs   *syncs
	vitals  *vitals.Reader
	outbox  *outbox
	alerts  *alert.Watcher
	waker   *wake.Waker
	hooks   slot // the receiver of webhooks
	trial   *trial

	stopping atomic.Bool
	begun    *working // nil: it has not begun

	mu  sync.Mutex
	cfg *config.Config
}

// working is a home that works.
type working struct {
	chores sync.WaitGroup
	end    context.CancelFunc // of chores
	quiet  context.CancelFunc // of what asks for runs
	abort  context.CancelFunc // of runs
	soft   chan struct{}      // closed: runs end softly
	worked chan struct{}      // closed when no run goes on any more
}

// Open opens everything and begins nothing, so that a home which cannot begin changes nothing. Close ends it, also one that has not
// begun.
func Open(ctx context.Context, cfg *config.Config, o Options) (h *Home, err error) {
	h = &Home{o: o, log: o.Opener.Logger, hub: events.NewHub()}
	if err := h.open(ctx, cfg); err != nil {
		return nil, errors.Join(err, h.Close())
	}
	return h, nil
}

func (h *Home) open(ctx context.Context, cfg *config.Config) (err error) {
	opener := h.o.Opener
	opener.Attempt = ears{h}.attempt
	if h.session, err = opener.Open(ctx, cfg, config.UseEverything); err != nil {
		return err
	}
	if err := h.session.Ledger.Unwritable(); err != nil {
		return err
	}
	h.trial = newTrial(h.session.Ledger.Try)
	h.syncs = newSyncs(h.session.Ledger, h.session, h.hub, h.log)
	h.syncs.runner.watch = ears{h}.watch
	h.vitals = vitals.NewReader(h.session.Ledger, cfg.Syncs, time.Now())
	h.o.Metrics.Watch(h.vitals, h.session.Client)
	h.outbox = newOutbox(h.session.Ledger, h.log, ears{h}.delivered)
	h.alerts = alert.NewWatcher(alert.Options{
		Signs: h.vitals, Silence: ears{h}.silence, Path: alertsFile(cfg.Ledger.Path), Log: h.log,
		Told: ears{h}.told,
	})
	h.waker = wake.New(wake.Options{
		Wake: h.syncs.wake, Logger: h.log,
		Watch: func(sync config.Sync) (wake.Watcher, func() error, error) { return h.session.Watch(sync) },
	})
	h.syncs.runner.astray = h.waker.Astray
	next, err := h.Prepare(ctx, cfg)
	if err != nil {
		return err
	}
	if err := h.Take(ctx, next); err != nil {
		return err
	}
	return h.syncs.resume(ctx)
}

// alertsFile is where alerts that were told are kept: beside the ledger.
func alertsFile(ledger string) string {
	return strings.TrimSuffix(ledger, filepath.Ext(ledger)) + ".alerts.json"
}

// Start begins the work. The end of ctx aborts runs, and nothing else.
func (h *Home) Start(ctx context.Context) {
	parts, end := context.WithCancel(context.WithoutCancel(ctx))
	looping, quiet := context.WithCancel(parts)
	work, abort := context.WithCancel(ctx)
	w := &working{end: end, quiet: quiet, abort: abort, soft: make(chan struct{}), worked: make(chan struct{})}
	h.begun = w
	w.chores.Go(func() { h.alerts.Run(parts) })
	w.chores.Go(func() { chores{h}.nudge(parts) })
	w.chores.Go(func() { daily(parts, h.session.Prune, h.log) })
	w.chores.Go(func() { h.syncs.loop.Run(looping) })
	h.outbox.start()
	go func() { defer close(w.worked); h.syncs.queue.Run(work, w.soft) }()
}

// Rest ends all runs softly and takes no more of them; runs that still go on when within is over are aborted. It returns when
// no run goes on. What the home tells and takes in stays as it is until Close.
func (h *Home) Rest(within time.Duration) {
	h.stopping.Store(true)
	w := h.begun
	if w == nil {
		return
	}
	w.quiet()
	h.waker.Close()
	hurry := time.AfterFunc(within, func() {
		h.log.Warn("runs are aborted: they took too long to stop; the next process goes on with them")
		w.abort()
	})
	close(w.soft)
	<-w.worked
	hurry.Stop()
}

// Close ends what Rest has left, and closes what is open. It comes after Rest if the home has begun.
func (h *Home) Close() error {
	if h.begun != nil {
		h.begun.end()
		h.begun.abort()
		h.begun.chores.Wait()
	}
	var errs []error
	if h.waker != nil {
		h.waker.Close()
	}
	if h.outbox != nil {
		errs = append(errs, h.outbox.close())
	}
	h.hub.Close()
	if h.trial != nil {
		h.trial.close()
	}
	if h.session != nil {
		errs = append(errs, h.session.Close())
	}
	return errors.Join(errs...)
}

// Config returns the present configuration.
func (h *Home) Config() *config.Config {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.cfg
}

// Do asks for a run and waits for its outcome; see turns.Desk.Do.
func (h *Home) Do(ctx context.Context, r turns.Request) turns.Outcome {
	return h.syncs.queue.Desk().Do(ctx, r)
}

// Busy reports whether a run goes on, or waits for its turn.
func (h *Home) Busy() bool { return h.syncs.queue.Busy() }

// Made returns how many runs have ended since the home was opened.
func (h *Home) Made() int64 { return h.syncs.runner.made.Load() }

// Session returns what the syncs share. It closes with the home.
func (h *Home) Session() *setup.Session { return h.session }

// Hub carries what happens in the home.
func (h *Home) Hub() *events.Hub { return h.hub }

// Webhooks takes in Owlat's webhooks.
func (h *Home) Webhooks() http.Handler { return &h.hooks }

// Service shows the home to the API.
func (h *Home) Service() api.Service { return window{h} }

// Desk takes what people ask for.
func (h *Home) Desk() api.Desk { return typing{h.syncs.queue.Desk(), h.syncs} }

// Alive returns why the home does not work; nil: it does.
func (h *Home) Alive(ctx context.Context) error {
	h.syncs.queue.Busy()
	if _, err := h.session.Ledger.Queued(ctx); err != nil {
		return fmt.Errorf("the ledger does not answer: %w", err)
	}
	return nil
}

// slot is a handler that can be replaced while it serves.
type slot struct{ at atomic.Pointer[http.Handler] }

func (s *slot) put(h http.Handler) { s.at.Store(&h) }

// ServeHTTP hands over to the present handler.
func (s *slot) ServeHTTP(w http.ResponseWriter, r *http.Request) { (*s.at.Load()).ServeHTTP(w, r) }

var _ api.Desk = typing{}

// typing is the desk for people, who type keys in any form.
type typing struct {
	turns.Desk
	syncs *syncs
}

// Trigger implements api.Desk.
func (t typing) Trigger(ctx context.Context, sync string, o turns.Options) (int64, error) {
	if s, ok := t.syncs.sync(sync); ok {
		o.Part.Only = setup.RowKeys(s, o.Part.Only)
	}
	return t.Desk.Trigger(ctx, sync, o)
}

// chores are what a home does by the way.
type chores struct{ *Home }

// nudge makes alerts look at once when something has happened.
func (h chores) nudge(ctx context.Context) {
	happened, cancel := h.hub.Subscribe(events.Filter{Kinds: []events.Kind{events.Ended, events.Held, events.WriteBack, events.Reload}})
	defer cancel()
	for {
		select {
		case <-ctx.Done():
			return
		case _, ok := <-happened:
			if !ok {
				return
			}
			h.alerts.Nudge()
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
