package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"owlatsync/internal/access"
	"owlatsync/internal/alert"
	"owlatsync/internal/api"
	"owlatsync/internal/config"
	"owlatsync/internal/events"
	"owlatsync/internal/problem"
	"owlatsync/internal/setup"
	"owlatsync/internal/sourcedsn"
	"owlatsync/internal/telemetry"
	"owlatsync/internal/turns"
	"owlatsync/internal/vitals"
	"owlatsync/internal/wake"
)

// Options are what a service is made with.
type Options struct {
	// Opener opens what the configuration names. Its Logger is that of the service; it must be set.
	Opener setup.Opener
	// Reload reads the configuration again, valid for a service.
	Reload func() (*config.Config, error)
	// Lookup looks a variable of the environment up, for systemd and OpenTelemetry.
	Lookup  func(name string) (string, bool)
	Version string
	// Ready is told once that the service listens; it may be nil.
	Ready func(Addresses)
}

// Addresses are where a service listens, as host:port.
type Addresses struct {
	Listen string
	Public string // empty: nowhere else
}

// Signals ask a service for something.
type Signals struct {
	Stop   <-chan struct{} // closed: it is to stop
	Reload <-chan struct{} // a value: it is to read its configuration again
}

// service is a service that runs.
type service struct {
	o       Options
	log     *slog.Logger
	notify  Notifier
	session *setup.Session
	hub     *events.Hub
	syncs   *syncs
	vitals  *vitals.Reader
	metrics *telemetry.Metrics
	traces  *telemetry.Traces
	gate    *access.Gate
	api     *api.API
	front   *front
	outbox  *outbox
	alerts  *alert.Watcher
	waker   *wake.Waker
	hooks   slot // the receiver of webhooks
	trial   *trial

	stopping atomic.Bool
	mu       sync.Mutex
	cfg      *config.Config
}

// Run serves until signals.Stop is closed or ctx ends, and returns when everything has ended. Closing Stop ends runs softly, within the
// time that the configuration sets; the end of ctx aborts them. It fails if the service cannot begin or, later, if it can no longer
// listen.
func Run(ctx context.Context, cfg *config.Config, o Options, signals Signals) (err error) {
	s := &service{o: o, log: o.Opener.Logger, notify: NewNotifier(o.Lookup), cfg: cfg}
	if err := check(cfg); err != nil {
		return err
	}
	release, err := only(ctx, cfg.Ledger.Path, signals.Stop, s.log)
	if errors.Is(err, errStopped) {
		return nil
	} else if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release()) }()
	if err := s.open(ctx); err != nil {
		return errors.Join(err, s.close())
	}
	defer func() { err = errors.Join(err, s.close()) }()
	return s.serve(ctx, signals)
}

// check refuses what only a command that runs once can do.
func check(cfg *config.Config) error {
	var wrong problem.Several
	if cfg.NoService != nil {
		wrong = append(wrong, cfg.NoService)
	}
	for _, s := range cfg.Syncs {
		if s.Target.Path() == sourcedsn.Stdin {
			wrong = append(wrong, fmt.Errorf("sync %q, from line %d on: a service cannot read its standard input again and again; name a file", s.Name, s.Line))
		}
	}
	return problem.Usage(wrong.Err())
}

// open opens everything and begins nothing, so that a service which cannot begin changes nothing.
func (s *service) open(ctx context.Context) (err error) {
	cfg := s.cfg
	s.hub = events.NewHub()
	s.metrics = telemetry.NewMetrics(s.o.Version)
	if s.traces, err = telemetry.StartTraces(ctx, s.o.Lookup, s.o.Version, s.log); err != nil {
		s.log.Warn("no traces are sent", "error", err)
	}
	s.gate = access.NewGate(cfg.Service.Tokens, cfg.Service.Proxies)
	if s.front, err = openFront(ctx, cfg.Service, s.log); err != nil {
		return problem.Usage(err)
	}
	opener := s.o.Opener
	opener.Attempt = ears{s}.attempt
	if s.session, err = opener.Open(ctx, cfg, config.UseEverything); err != nil {
		return err
	}
	if err := s.session.Ledger.Unwritable(); err != nil {
		return err
	}
	s.trial = newTrial(s.session.Ledger.Try)
	s.syncs = newSyncs(s.session.Ledger, s.session, s.hub, s.log)
	s.syncs.runner.watch = ears{s}.watch
	s.vitals = vitals.NewReader(s.session.Ledger, cfg.Syncs, time.Now())
	s.metrics.Watch(s.vitals, s.session.Client)
	s.outbox = newOutbox(s.session.Ledger, s.log, ears{s}.delivered)
	s.alerts = alert.NewWatcher(alert.Options{
		Signs: s.vitals, Silence: ears{s}.silence, Path: alertsFile(cfg.Ledger.Path), Log: s.log,
		Told: ears{s}.told,
	})
	s.waker = wake.New(wake.Options{
		Wake: s.syncs.wake, Logger: s.log,
		Watch: func(sync config.Sync) (wake.Watcher, func() error, error) { return s.session.Watch(sync) },
	})
	s.syncs.runner.astray = s.waker.Astray
	s.api = api.New(api.Parts{
		Service: window{s}, Desk: typing{s.syncs.queue.Desk(), s.syncs}, Hub: s.hub, Ledger: s.session.Ledger, Outbox: s.session.Ledger, Gate: s.gate,
		Metrics: s.metrics.Handler(s.log), Webhooks: &s.hooks, Version: s.o.Version, Log: s.log,
	})
	next, err := turnover{s}.prepare(ctx, cfg)
	if err != nil {
		return err
	}
	if err := (turnover{s}).take(ctx, next); err != nil {
		return err
	}
	return s.syncs.resume(ctx)
}

// alertsFile is where alerts that were told are kept: beside the ledger.
func alertsFile(ledger string) string {
	return strings.TrimSuffix(ledger, filepath.Ext(ledger)) + ".alerts.json"
}

// close closes what is open.
func (s *service) close() error {
	var errs []error
	if s.front != nil {
		errs = append(errs, s.front.close())
	}
	if s.waker != nil {
		s.waker.Close()
	}
	if s.outbox != nil {
		errs = append(errs, s.outbox.close())
	}
	if s.hub != nil {
		s.hub.Close()
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := s.traces.Close(ctx); err != nil {
		s.log.Warn("traces are lost", "error", err)
	}
	if s.trial != nil {
		s.trial.close()
	}
	if s.session != nil {
		errs = append(errs, s.session.Close())
	}
	return errors.Join(errs...)
}

// serve begins everything and waits for the end.
func (s *service) serve(ctx context.Context, signals Signals) error {
	parts, end := context.WithCancel(context.WithoutCancel(ctx))
	var all sync.WaitGroup
	defer func() { end(); all.Wait() }()
	broken := make(chan error, 1)
	s.front.start(s.api, func(err error) {
		select {
		case broken <- err:
		default:
		}
	})
	all.Go(func() { s.alerts.Run(parts) })
	all.Go(func() { chores{s}.nudge(parts) })
	all.Go(func() { daily(parts, s.session.Prune, s.log) })
	all.Go(func() { chores{s}.tidy(parts) })
	all.Go(func() {
		s.notify.watch(parts, s.alive, func(err error) { s.log.Error("no sign of life is given to systemd", "error", err) })
	})
	s.outbox.start()
	work, abort := context.WithCancel(ctx)
	defer abort()
	looping, quiet := context.WithCancel(parts)
	all.Go(func() { s.syncs.loop.Run(looping) })
	soft := make(chan struct{})
	worked := make(chan struct{})
	go func() { defer close(worked); s.syncs.queue.Run(work, soft) }()
	s.began()

	err := s.wait(ctx, signals, broken)
	s.stopping.Store(true)
	if tellErr := s.notify.tell("STOPPING=1"); tellErr != nil {
		s.log.Warn("systemd does not know that the service stops", "error", tellErr)
	}
	quiet()
	s.waker.Close()
	within := s.config().Service.StopWithin
	s.log.Info("the service stops", "within", within)
	hurry := time.AfterFunc(within, func() {
		s.log.Warn("runs are aborted: they took too long to stop; the next process goes on with them")
		abort()
	})
	close(soft)
	<-worked
	hurry.Stop()
	s.api.Close()
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	s.front.stop(closing)
	return err
}

func (s *service) config() *config.Config {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cfg
}

// began tells that the service is there.
func (s *service) began() {
	at := s.front.addresses()
	s.log.Info("the service runs", "listen", at.Listen, "public", at.Public, "syncs", len(s.config().Syncs), "version", s.o.Version)
	if err := s.notify.tell("READY=1", s.statusLine()); err != nil {
		s.log.Warn("systemd does not know that the service is ready", "error", err)
	}
	if s.o.Ready != nil {
		s.o.Ready(at)
	}
}

func (s *service) statusLine() string {
	return fmt.Sprintf("STATUS=%d syncs, listening at %s", len(s.config().Syncs), s.front.addresses().Listen)
}

// wait returns when the service is to stop, with the reason if that is a failure. It reloads meanwhile.
func (s *service) wait(ctx context.Context, signals Signals, broken <-chan error) error {
	for {
		select {
		case <-signals.Stop:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		case err := <-broken:
			return fmt.Errorf("the service can no longer be reached: %w", err)
		case <-signals.Reload:
			s.reloadUnless(ctx, signals.Stop)
		}
	}
}

// reloadUnless reloads, unless the service is to stop: that does not wait.
func (s *service) reloadUnless(ctx context.Context, stop <-chan struct{}) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-stop:
			cancel()
		case <-ctx.Done():
		}
	}()
	turnover{s}.reload(ctx)
}

// alive returns why the service does not work; nil: it does.
func (s *service) alive(ctx context.Context) error {
	s.syncs.queue.Busy()
	if _, err := s.session.Ledger.Queued(ctx); err != nil {
		return fmt.Errorf("the ledger does not answer: %w", err)
	}
	return nil
}

// chores are what a service does by the way.
type chores struct{ *service }

// nudge makes alerts look at once when something has happened.
func (s chores) nudge(ctx context.Context) {
	happened, cancel := s.hub.Subscribe(events.Filter{Kinds: []events.Kind{events.Ended, events.Held, events.WriteBack, events.Reload}})
	defer cancel()
	for {
		select {
		case <-ctx.Done():
			return
		case _, ok := <-happened:
			if !ok {
				return
			}
			s.alerts.Nudge()
		}
	}
}

const (
	pruneFirst = 10 * time.Minute
	pruneEvery = 24 * time.Hour
	// tidyEvery is how soon memory that runs have needed goes back to the system; a service rests most of the time.
	tidyEvery = 10 * time.Second
)

// tidy gives memory back when runs have ended.
func (s chores) tidy(ctx context.Context) {
	ticker := time.NewTicker(tidyEvery)
	defer ticker.Stop()
	for tidied := int64(-1); ; {
		if runs := s.syncs.runner.made.Load(); runs != tidied && !s.syncs.queue.Busy() {
			tidied = runs
			debug.FreeOSMemory()
			releaseProgram()
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

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
