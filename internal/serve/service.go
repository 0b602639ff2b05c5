package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"owlatsync/internal/access"
	"owlatsync/internal/api"
	"owlatsync/internal/cluster/roll"
	"owlatsync/internal/config"
	"owlatsync/internal/home"
	"owlatsync/internal/page"
	"owlatsync/internal/problem"
	"owlatsync/internal/seats"
	"owlatsync/internal/session"
	"owlatsync/internal/session/shelf"
	"owlatsync/internal/setup"
	"owlatsync/internal/telemetry"
)

// Options are what a service is made with.
type Options struct {
	// Opener opens what the configuration names. Its Logger is that of the service; it must be set.
	Opener setup.Opener
	// Reload reads the configuration again, valid for a service.
	Reload func() (*config.Set, error)
	// Lookup looks a variable of the environment up, for systemd and OpenTelemetry.
	Lookup  func(name string) (string, bool)
	Version string
	// Config is the configuration file that the commands on the page name; empty: it is found without a name.
	Config string
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
	seats   *seats.Room
	gate    *access.Gate
	people  *session.Book
	api     *api.API
	page    *page.Page
	front   *front
	way     Way
	nodes   func(context.Context) ([]roll.Node, error) // nil: this process works alone
	secret  func(context.Context) ([]byte, error)      // nil: this process has its own

	directory *directory
	outcries  outcries
	moves     sync.WaitGroup // of deployments that are opened anew, or go

	stopping atomic.Bool
	mu       sync.Mutex
	set      *config.Set
}

// Run serves until signals.Stop is closed or ctx ends, and returns when everything has ended. Closing Stop ends runs softly, within the
// time that the configuration sets; the end of ctx aborts them. It fails if the service cannot begin or, later, if it can no longer
// listen. One of several deployments that cannot be opened is left out, and the others go on.
func Run(ctx context.Context, set *config.Set, o Options, signals Signals) (err error) {
	s := &service{o: o, log: o.Opener.Logger, notify: NewNotifier(o.Lookup), set: set, seats: seats.New(0)}
	s.outcries = outcries{log: s.log, agent: o.Opener.UserAgent}
	if err := check(set); err != nil {
		return err
	}
	if !set.Ledger.Postgres() {
		release, err := only(ctx, set.Ledger.Path, signals.Stop, s.log)
		if errors.Is(err, errStopped) {
			return nil
		} else if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, release()) }()
	}
	if err := s.open(ctx); err != nil {
		return errors.Join(err, s.close())
	}
	defer func() { err = errors.Join(err, s.close()) }()
	return s.serve(ctx, signals)
}

// open opens everything and begins nothing, so that a service which cannot begin changes nothing.
func (s *service) open(ctx context.Context) (err error) {
	s.metrics = telemetry.NewMetrics(s.o.Version)
	if s.set.Several {
		s.metrics = telemetry.NewMetricsOfSeveral(s.o.Version)
	}
	if s.traces, err = telemetry.StartTraces(ctx, s.o.Lookup, s.o.Version, s.log); err != nil {
		s.log.Warn("no traces are sent", "error", err)
	}
	s.directory = newDirectory(s.metrics.Deployments)
	s.gate = access.NewGate(nil, nil)
	s.people = session.New(s.gate)
	s.admit(s.set)
	if s.front, err = openFront(ctx, s.set.Service, isOpen(s.set), s.log); err != nil {
		return problem.Usage(err)
	}
	if s.way, err = s.newWay(ctx); err != nil {
		return err
	}
	if err := (turnover{s}).openAll(ctx); err != nil {
		return err
	}
	s.page = page.New(page.Parts{Directory: s.directory, Gate: s.gate, Sessions: s.people, Version: s.o.Version, Log: s.log, Nodes: s.nodes, Secret: s.secret, Config: s.o.Config})
	s.api = api.New(api.Parts{
		Directory: s.directory, Ready: s.ready, Gate: s.gate, Metrics: s.metrics.Handler(s.log), Version: s.o.Version, Log: s.log,
		Astray: func(why api.Astray) { s.metrics.Astray(string(why)) },
		Page:   s.page,
	})
	return nil
}

// isOpen reports whether the service needs neither tokens nor accounts. It needs some if those of a broken deployment are not known.
func isOpen(set *config.Set) bool {
	return !set.Guarded && len(set.Service.Tokens)+len(set.Service.Accounts) == 0 &&
		!slices.ContainsFunc(set.Deployments, func(d *config.Config) bool { return len(d.Tokens)+len(d.Accounts) > 0 })
}

// noToken has the hash of no token: without any, everybody on this machine would be let in.
var noToken = config.Token{}

// admit lets in whom a configuration names. Those of a deployment that is broken and stays as it was are still let in.
func (s *service) admit(set *config.Set) {
	tokens, accounts, closed := make(map[string][]config.Token), make(map[string][]config.Account), !isOpen(set)
	for name := range set.Broken {
		if p := s.directory.at(name); p != nil {
			tokens[name], accounts[name] = p.Config().Tokens, p.Config().Accounts
			closed = closed || len(accounts[name]) > 0
		}
	}
	for _, d := range set.Deployments {
		tokens[d.Name], accounts[d.Name] = d.Tokens, d.Accounts
	}
	all := set.Service.Tokens
	if closed {
		all = append(slices.Clone(all), noToken)
	}
	s.gate.ReplaceAll(all, tokens, set.Service.Proxies)
	s.people.ReplaceAll(set.Service.Accounts, accounts)
}

// newWay returns the way that fits the ledger.
func (s *service) newWay(ctx context.Context) (Way, error) {
	if !s.set.Ledger.Postgres() {
		return newAlone(s.options), nil
	}
	t, err := newTogether(ctx, s.set, s.o, s.options)
	if err != nil {
		return nil, err // a nil *together would not be a nil Way
	}
	s.metrics.Clock(t.db.Clock().Ahead)
	s.nodes = func(ctx context.Context) ([]roll.Node, error) { return roll.Read(ctx, t.db.Pool(), t.db.Schema()) }
	kept := shelf.New(t.db.Pool(), t.db.Schema())
	s.people.Share(kept)
	s.secret = kept.Secret
	return t, nil
}

// options returns what the home of a deployment is made with.
func (s *service) options(cfg *config.Config) home.Options {
	o := home.Options{Opener: s.o.Opener, Metrics: s.metrics.Of(cfg.Name), Traces: s.traces.Of(cfg.Name), Seats: s.seats}
	if cfg.Name != "" {
		o.Opener.Logger = s.log.With("deployment", cfg.Name)
	}
	return o
}

// close closes what is open.
func (s *service) close() error {
	s.outcries.close()
	var errs []error
	if s.front != nil {
		errs = append(errs, s.front.close())
	}
	if s.way != nil {
		errs = append(errs, s.way.Close())
	}
	if s.directory != nil {
		errs = append(errs, s.directory.release())
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
		s.notify.watch(parts, s.alive, func(err error) { s.log.Error("no sign of life is given to systemd", "error", err) })
	})
	if err := s.way.Start(ctx); err != nil {
		return err
	}
	s.began()
	all.Go(func() { s.page.Warm(parts) })

	err := s.wait(ctx, signals, broken)
	s.stopping.Store(true)
	if tellErr := s.notify.tell("STOPPING=1"); tellErr != nil {
		s.log.Warn("systemd does not know that the service stops", "error", tellErr)
	}
	within := s.config().Service.StopWithin
	s.log.Info("the service stops", "within", within)
	stopping, cancelStop := context.WithTimeout(ctx, within)
	defer cancelStop()
	s.way.Stop(stopping)
	s.moves.Wait()
	s.api.Close()
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	s.front.stop(closing)
	return err
}

func (s *service) config() *config.Set {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.set
}

// began tells that the service is there.
func (s *service) began() {
	at := s.front.addresses()
	s.log.Info("the service runs", append([]any{"listen", at.Listen, "public", at.Public, "version", s.o.Version}, s.size()...)...)
	if err := s.notify.tell("READY=1", s.statusLine()); err != nil {
		s.log.Warn("systemd does not know that the service is ready", "error", err)
	}
	if s.o.Ready != nil {
		s.o.Ready(at)
	}
}

// syncs counts the syncs of all deployments that are open.
func (s *service) syncs() (n int) {
	for _, p := range s.directory.all() {
		n += len(p.Config().Syncs)
	}
	return n
}

// size returns for the log how much the service works for.
func (s *service) size() []any {
	size := []any{"syncs", s.syncs()}
	if s.config().Several {
		open, broken := s.directory.counts()
		size = append(size, "deployments", open, "left_out", broken)
	}
	return size
}

func (s *service) statusLine() string {
	many := ""
	if s.config().Several {
		open, broken := s.directory.counts()
		many = fmt.Sprintf("%d deployments (%d left out), ", open, broken)
	}
	return fmt.Sprintf("STATUS=%s%d syncs, listening at %s", many, s.syncs(), s.front.addresses().Listen)
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

// alive returns why the service does not work; nil: it does. One deployment that works is enough: a restart would harm it.
func (s *service) alive(ctx context.Context) error {
	s.way.Working() // waits for ever if the line of a deployment does
	return s.directory.one(func(d *home.Deployment) error {
		if _, err := d.Ledger().Queued(ctx); err != nil {
			return fmt.Errorf("the ledger does not answer: %w", err)
		}
		return nil
	})
}

// ready returns why the service cannot do its work, nil if it can for at least one deployment.
func (s *service) ready(ctx context.Context) error {
	if s.stopping.Load() {
		return errors.New("the service stops")
	}
	return s.directory.one(func(d *home.Deployment) error { return d.Service().Ready(ctx) })
}

// tidyEvery is how soon memory that runs have needed goes back to the system; a service rests most of the time.
const tidyEvery = 10 * time.Second

// tidy gives memory back when runs have ended.
func (s *service) tidy(ctx context.Context) {
	ticker := time.NewTicker(tidyEvery)
	defer ticker.Stop()
	for tidied := int64(-1); ; {
		if busy, runs := s.way.Working(); runs != tidied && !busy {
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
