package setup

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"sync/atomic"
	"time"

	"owlatsync"
	"owlatsync/internal/config"
	"owlatsync/internal/exitcode"
	"owlatsync/internal/feedback"
	"owlatsync/internal/problem"
	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/reconcile"
	"owlatsync/reconcile/progress"
	"owlatsync/reconcile/rounds"
	"owlatsync/source"
)

// Session is what the syncs of one configuration share: the deployment, its budget and the ledger.
type Session struct {
	Config *config.Config
	Client *owlat.Client // nil: the command does not use the deployment
	Ledger Ledger

	opener  Opener
	sources *sources
	engine  *reconcile.Engine
	limited atomic.Int64 // requests that met the rate limit
	unsent  *unsent      // nil: there is an API key
	errands *Errands     // nil: none are done
}

// Open opens the ledger, and a client if use includes the deployment. Use must be what the configuration was read with. Without an
// API key the client sends nothing, and NoKey tells whether a request would have been sent. The session's configuration has the ids of the
// topics that cfg names, see Resolve. Close ends the session.
func (o Opener) Open(ctx context.Context, cfg *config.Config, use config.Use) (*Session, error) {
	s := &Session{Config: cfg, opener: o, sources: &sources{opener: o}}
	var err error
	if use&config.UseURL != 0 {
		if s.Client, err = s.connect(); err != nil {
			return nil, err
		}
	}
	if s.Ledger, err = o.Ledger(ctx, cfg); err != nil {
		s.disconnect()
		return nil, err
	}
	if s.Config, err = s.Resolve(ctx, cfg); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	s.engine = s.newEngine(nil)
	return s, nil
}

// newEngine returns an engine whose plans ask Owlat through outside; nil: as runs do.
func (s *Session) newEngine(outside *owlat.Client) *reconcile.Engine {
	// Temporary files hold what the ledger holds, so they belong beside it, if there is room.
	scratch := s.Config.Ledger.Folder()
	if s.Ledger.Unwritable() != nil {
		scratch = ""
	}
	return reconcile.New(s.Client, s.Ledger, reconcile.Options{
		Logger: s.opener.Logger, Scratch: scratch, Outside: outside, Shared: s.Config.Ledger.Postgres(), Departed: s.departed,
	})
}

// departed records that a person was found to have left topics, as a webhook would.
func (s *Session) departed(ctx context.Context, d reconcile.Departure) error {
	routes := RoutesOf(s.Config)
	if s.opener.Routes != nil {
		routes = s.opener.Routes()
	}
	return feedback.Find(ctx, s.Ledger, d, routes, s.opener.Found)
}

// RoutesOf returns which events go to the write-backs of a configuration.
func RoutesOf(cfg *config.Config) (routes []feedback.Route) {
	for _, w := range cfg.WriteBacks {
		routes = append(routes, feedback.Route{Target: w.Name, On: w.On})
	}
	return routes
}

// Poll makes a round that looks for people who have left topics.
func (s *Session) Poll(ctx context.Context, o rounds.Options) (ledger.Round, error) {
	return s.engine.Poller().Poll(ctx, o)
}

// Close closes the ledger, the sources that stay open, and the client's connections.
func (s *Session) Close() error {
	defer s.disconnect()
	if s.errands != nil {
		s.errands.close()
	}
	err := s.sources.keep(nil)
	if ledgerErr := s.Ledger.Close(); ledgerErr != nil {
		err = errors.Join(err, fmt.Errorf("close the ledger: %w", ledgerErr))
	}
	return err
}

// KeepSources makes the sources of these syncs stay open from one run to the next, with a connection where that saves time. Those of
// an earlier call that are not among them are closed, once no run uses them. It connects to nothing.
func (s *Session) KeepSources(syncs []config.Sync) error { return s.sources.keep(syncs) }

// Watch returns what tells when rows of a sync with a cursor may have changed, and a function that ends its use. It connects to nothing.
func (s *Session) Watch(sync config.Sync) (*source.Watch, func() error, error) {
	src, closeSource, err := s.sources.open(sync)
	if err != nil {
		return nil, nil, err
	}
	watch, err := src.Watch()
	if err != nil {
		return nil, nil, errors.Join(err, closeSource())
	}
	return watch, closeSource, nil
}

func (s *Session) connect() (*owlat.Client, error) {
	observe := owlat.WithObserver(s.count)
	if s.Config.Owlat.NoKey == nil {
		return s.opener.Client(s.Config.Owlat, observe, owlat.WithLimiter(HoldersLimiter(s.Config)))
	}
	to := s.Config.Owlat
	to.APIKey, to.MoreKeys = config.NoKey, nil
	s.unsent = &unsent{why: to.NoKey}
	return s.opener.Client(to, observe, owlat.WithTransport(s.unsent), owlat.WithRetries(0))
}

func (s *Session) disconnect() {
	if s.Client != nil {
		s.Client.CloseIdleConnections()
	}
}

// NoKey returns why there is no API key, if a request would have needed one.
func (s *Session) NoKey() error {
	if s.unsent == nil || !s.unsent.asked.Load() {
		return nil
	}
	return problem.Usage(s.unsent.why)
}

func (s *Session) count(a owlat.Attempt) {
	if a.Status == http.StatusTooManyRequests && !a.ByToken {
		s.limited.Add(1)
	}
}

// Refused returns how many requests of the session have met the rate limit.
func (s *Session) Refused() int { return int(s.limited.Load()) }

// Engine returns the engine that all syncs of the session share.
func (s *Session) Engine() *reconcile.Engine { return s.engine }

// Estimate returns how long that many requests take from now on within the budget.
func (s *Session) Estimate(requests int) time.Duration { return s.Client.Estimate(requests) }

// Rate returns how many requests a second the budget allows.
func (s *Session) Rate() float64 {
	rate, _ := s.Client.Rate()
	return rate
}

// pruneAhead is how long after the session before a session may be for certain, where only the ledger's clock tells.
const pruneAhead = 24 * time.Hour

// Prune drops history that is older than the configuration keeps it, and returns how many lines and runs. A clock that is once set far
// ahead drops nothing: Owlat's clock must agree or, where no answer has told it, the runs before.
func (s *Session) Prune(ctx context.Context) (int64, error) {
	now, err := s.prunesAt(ctx, s.Ledger.Now())
	if err != nil {
		return 0, err
	}
	return s.Ledger.Prune(ctx, now.Add(-s.Config.History))
}

func (s *Session) prunesAt(ctx context.Context, now time.Time) (time.Time, error) {
	if s.Client != nil {
		if earliest, _, known := s.Client.ServerTime(time.Now().Add(now.Sub(s.Ledger.Now()))); known {
			if earliest.Before(now) {
				return earliest, nil
			}
			return now, nil
		}
	}
	runs, err := s.Ledger.Runs(ctx, "", len(s.Config.Syncs)+1) // those of this session and one before
	if err != nil || len(runs) == 0 {
		return now, err
	}
	if believed := runs[len(runs)-1].Started.Add(pruneAhead); believed.Before(now) {
		return believed, nil
	}
	return now, nil
}

// Run runs one sync. observe is told everything that happens.
func (s *Session) Run(ctx context.Context, sync config.Sync, o reconcile.RunOptions, observe func(progress.Value)) (report *owlatsync.Report, err error) {
	o.Observers = append(o.Observers, complete(observe)...)
	err = s.withSource(sync, func(rs reconcile.Sync) (err error) {
		report, err = s.engine.Run(ctx, rs, o)
		return err
	})
	return report, err
}

// Approve applies the plan of a held run of the sync. observe is told everything that happens.
func (s *Session) Approve(ctx context.Context, sync config.Sync, held int64, o reconcile.RunOptions, observe func(progress.Value)) (report *owlatsync.Report, err error) {
	o.Observers = append(o.Observers, complete(observe)...)
	err = s.withSource(sync, func(rs reconcile.Sync) (err error) {
		report, err = s.engine.Approve(ctx, rs, held, o)
		return err
	})
	return report, err
}

// Listener is told what planning finds. Functions may be nil.
type Listener struct {
	Progress func(progress.Value)
	Row      func(*owlatsync.Row)           // each row of the source as it is read; it is valid during the call
	Decision func(reconcile.Decision) error // each decision; an error ends the plan
}

// Plan plans one sync and applies nothing.
func (s *Session) Plan(ctx context.Context, sync config.Sync, tell Listener) (summary owlatsync.Summary, err error) {
	engine, end, err := s.planner(ctx)
	if err != nil {
		return summary, err
	}
	defer func() { err = errors.Join(err, end()) }()
	err = s.withSource(sync, func(rs reconcile.Sync) (err error) {
		if tell.Row != nil {
			rs.Source = watched{rs.Source, tell.Row}
		}
		summary, err = engine.Plan(ctx, rs, reconcile.PlanOptions{Each: tell.Decision, Observers: complete(tell.Progress)})
		return err
	})
	return summary, err
}

// Verify compares the sources of the syncs, the ledger and Owlat as the options say. observe is told how far it is.
func (s *Session) Verify(ctx context.Context, syncs []config.Sync, o reconcile.VerifyOptions, observe func(progress.Value)) (result reconcile.Verified, err error) {
	var opened []reconcile.Sync
	for _, sync := range syncs {
		src, closeSource, openErr := s.opener.Source(sync)
		if openErr != nil {
			return result, fmt.Errorf("sync %q: %w", sync.Name, openErr)
		}
		defer func() { err = errors.Join(err, closeSource()) }()
		opened = append(opened, sync.Reconcile(src))
	}
	engine := s.engine
	if o.Members { // which is read beside runs
		outside, end, err := s.planner(ctx)
		if err != nil {
			return result, err
		}
		defer func() { err = errors.Join(err, end()) }()
		engine = outside
	}
	o.Observers = append(o.Observers, complete(observe)...)
	return engine.Verify(ctx, opened, o)
}

// Knows reports whether the session can read memberships: it has the deployment's unsubscribe secret, and an API key.
func (s *Session) Knows() bool {
	return s.Client != nil && s.unsent == nil && s.Client.Preferences.Configured()
}

// complete returns an observer that is told everything, none if observe is nil.
func complete(observe func(progress.Value)) []progress.Observer {
	if observe == nil {
		return nil
	}
	return []progress.Observer{{Each: observe, Complete: true}}
}

// Unsendable reads the source of a sync and tells each row that cannot be sent; l has what is known about the rows. See may be nil, and is otherwise shown each row
// as it is read, which is valid during the call.
func Unsendable(ctx context.Context, o Opener, cfg *config.Config, l ledger.Reader, sync config.Sync, see func(*owlatsync.Row), each func(reconcile.Trouble) error) (err error) {
	src, closeSource, err := o.Source(sync)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeSource()) }()
	rs := sync.Reconcile(src)
	if see != nil {
		rs.Source = watched{rs.Source, see}
	}
	return reconcile.Unsendable(ctx, l, rs, cfg.Ledger.Folder(), func(d reconcile.Decision) error {
		return each(reconcile.TroubleOf(d, sync.Name))
	})
}

// Retry lets the next run try failed rows of the sync at once: those with the keys, or all if there are no keys. It returns their
// number.
func (s *Session) Retry(ctx context.Context, sync config.Sync, keys []string) (int, error) {
	return s.Ledger.Retry(ctx, sync.Name, keys, s.Ledger.Now())
}

// withSource opens the source of a sync and passes the sync in the engine's form.
func (s *Session) withSource(sync config.Sync, do func(reconcile.Sync) error) (err error) {
	src, closeSource, err := s.sources.open(sync)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeSource()) }()
	return do(sync.Reconcile(src))
}

// EndsAll reports whether the error that ended a sync would end the next one too.
func EndsAll(err error) bool {
	if _, wrong := errors.AsType[*ledger.DeploymentError](err); wrong || errors.Is(err, reconcile.ErrUnavailable) || errors.Is(err, ledger.ErrAway) {
		return true
	}
	switch exitcode.Of(err) {
	case exitcode.Refused, exitcode.Locked, exitcode.Interrupted:
		return true
	}
	return errors.Is(err, owlat.ErrNoRoute)
}

// watched shows each row of a source to a function before the engine gets it.
type watched struct {
	reconcile.Source
	see func(*owlatsync.Row)
}

// Rows streams the source once.
func (w watched) Rows(ctx context.Context) iter.Seq2[*owlatsync.Row, error] {
	return func(yield func(*owlatsync.Row, error) bool) {
		for row, err := range w.Source.Rows(ctx) {
			if err == nil {
				w.see(row)
			}
			if !yield(row, err) {
				return
			}
		}
	}
}

// RowKeys returns the keys that a person typed in the form of the sync's row keys.
func RowKeys(sync config.Sync, typed []string) []string { return sync.RowKeys(typed) }
