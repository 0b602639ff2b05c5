package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"owlatsync/internal/access"
	"owlatsync/internal/api"
	"owlatsync/internal/config"
	"owlatsync/internal/home"
	"owlatsync/internal/problem"
	"owlatsync/internal/setup"
	"owlatsync/internal/sourcedsn"
	"owlatsync/internal/telemetry"
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
	metrics *telemetry.Metrics
	traces  *telemetry.Traces
	gate    *access.Gate
	front   *front
	home    *home.Home // nil: it is not open
	api     *api.API

	mu  sync.Mutex
	cfg *config.Config
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
	s.metrics = telemetry.NewMetrics(s.o.Version)
	if s.traces, err = telemetry.StartTraces(ctx, s.o.Lookup, s.o.Version, s.log); err != nil {
		s.log.Warn("no traces are sent", "error", err)
	}
	s.gate = access.NewGate(cfg.Service.Tokens, cfg.Service.Proxies)
	if s.front, err = openFront(ctx, cfg.Service, s.log); err != nil {
		return problem.Usage(err)
	}
	if s.home, err = home.Open(ctx, cfg, home.Options{Opener: s.o.Opener, Metrics: s.metrics, Traces: s.traces}); err != nil {
		return err
	}
	ledger := s.home.Session().Ledger
	s.api = api.New(api.Parts{
		Service: s.home.Service(), Desk: s.home.Desk(), Hub: s.home.Hub(), Ledger: ledger, Outbox: ledger, Gate: s.gate,
		Metrics: s.metrics.Handler(s.log), Webhooks: s.home.Webhooks(), Version: s.o.Version, Log: s.log,
	})
	return nil
}

// close closes what is open.
func (s *service) close() error {
	var errs []error
	if s.front != nil {
		errs = append(errs, s.front.close())
	}
	if s.home != nil {
		errs = append(errs, s.home.Close())
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := s.traces.Close(ctx); err != nil {
		s.log.Warn("traces are lost", "error", err)
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
	all.Go(func() { s.tidy(parts) })
	all.Go(func() {
		s.notify.watch(parts, s.home.Alive, func(err error) { s.log.Error("no sign of life is given to systemd", "error", err) })
	})
	s.home.Start(ctx)
	s.began()

	err := s.wait(ctx, signals, broken)
	if tellErr := s.notify.tell("STOPPING=1"); tellErr != nil {
		s.log.Warn("systemd does not know that the service stops", "error", tellErr)
	}
	within := s.config().Service.StopWithin
	s.log.Info("the service stops", "within", within)
	s.home.Rest(within)
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
	s.reload(ctx)
}

// tidyEvery is how soon memory that runs have needed goes back to the system; a service rests most of the time.
const tidyEvery = 10 * time.Second

// tidy gives memory back when runs have ended.
func (s *service) tidy(ctx context.Context) {
	ticker := time.NewTicker(tidyEvery)
	defer ticker.Stop()
	for tidied := int64(-1); ; {
		if runs := s.home.Made(); runs != tidied && !s.home.Busy() {
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
