package fresh

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"owlatsync"
	"owlatsync/internal/bench/made"
	"owlatsync/internal/config"
	"owlatsync/internal/events"
	"owlatsync/internal/setup"
	"owlatsync/internal/turns"
	"owlatsync/internal/wake"
	"owlatsync/ledger"
	"owlatsync/owlat/owlattest"
	"owlatsync/reconcile"
)

// place has the tables, an emulator, and what a service is made of.
type place struct {
	conn     *pgx.Conn
	answered chan time.Time // when an update of a contact was answered
	cfg      *config.Config
	session  *setup.Session
	log      locked
	closes   []func() error
}

// locked is the log, which is shown if something goes wrong.
type locked struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *locked) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (p *place) close() error {
	var errs []error
	for _, f := range slices.Backward(p.closes) {
		errs = append(errs, f())
	}
	return errors.Join(errs...)
}

func (p *place) open(ctx context.Context, latency time.Duration) error {
	dsn, drop, err := made.Database(ctx, 1)
	if err != nil {
		return err
	}
	p.closes = append(p.closes, drop)
	if p.conn, err = pgx.Connect(ctx, dsn); err != nil {
		return fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	p.closes = append(p.closes, func() error { return p.conn.Close(context.WithoutCancel(ctx)) })
	for _, w := range ways {
		statements := []string{
			"CREATE TABLE " + w.name + " (id bigint PRIMARY KEY, email text, name text, at timestamptz)",
			fmt.Sprintf("INSERT INTO %[1]s SELECT n, '%[1]s' || n || '@example.com', 'First', now() - interval '1 day' FROM generate_series(1, %[2]d) AS n", w.name, tableRows),
			"CREATE INDEX ON " + w.name + " (at)", "VACUUM ANALYZE " + w.name,
		}
		if w.notify != "" {
			statements = append(statements, fmt.Sprintf("CREATE FUNCTION %s_changed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_notify(%s); RETURN NULL; END $$", w.name, w.notify),
				fmt.Sprintf("CREATE TRIGGER changed AFTER INSERT OR UPDATE ON %[1]s FOR EACH ROW EXECUTE FUNCTION %[1]s_changed()", w.name))
		}
		for _, statement := range statements {
			if _, err := p.conn.Exec(ctx, statement); err != nil {
				return fmt.Errorf("make the table %s: %w", w.name, err)
			}
		}
	}
	server := &owlattest.Server{NoLimit: true} // the client keeps to the budget
	listener := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		server.ServeHTTP(w, r)
		if r.Method == http.MethodPut {
			select {
			case p.answered <- time.Now():
			default:
			}
		}
	}))
	p.closes = append(p.closes, func() error { listener.Close(); return nil })
	folder, err := os.MkdirTemp("", "owlat-sync-bench-")
	if err != nil {
		return err
	}
	p.closes = append(p.closes, func() error { return os.RemoveAll(folder) })
	env := map[string]string{config.EnvURL: listener.URL, config.EnvAPIKey: server.AddKey()}
	if err := p.fill(ctx, folder, env, dsn); err != nil {
		return err
	}
	if err := server.InjectFaults(owlattest.Fault{Kind: owlattest.Latency, Delay: latency}); err != nil {
		return err
	}
	if p.session, err = p.load(ctx, folder, env, "", dsn); err != nil {
		return err
	}
	p.closes = append(p.closes, p.session.Close)
	if err := p.session.KeepSources(p.cfg.Syncs); err != nil {
		return err
	}
	return p.serve(ctx)
}

// load opens a session of the configuration, which begins with head.
func (p *place) load(ctx context.Context, folder string, env map[string]string, head, dsn string) (*setup.Session, error) {
	path := filepath.Join(folder, "owlat-sync.yaml")
	if err := os.WriteFile(path, []byte(head+configuration(dsn)), 0o600); err != nil {
		return nil, err
	}
	var err error
	p.cfg, err = config.Load(path, config.UseAll, func(name string) (string, bool) { value, ok := env[name]; return value, ok })
	if err != nil {
		return nil, err
	}
	return setup.Opener{Drivers: setup.Drivers{SQLite: "sqlite"}}.Open(ctx, p.cfg, config.UseAll)
}

// fill makes the first runs, without a budget.
func (p *place) fill(ctx context.Context, folder string, env map[string]string, dsn string) (err error) {
	s, err := p.load(ctx, folder, env, "owlat: {requests_per_second: 10000}\n", dsn)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	yes := func(owlatsync.Summary) (bool, error) { return true, nil }
	for _, sync := range p.cfg.Syncs {
		report, err := s.Run(ctx, sync, reconcile.RunOptions{Confirm: yes}, nil)
		if err != nil {
			return fmt.Errorf("the first run of %s: %w", sync.Name, err)
		}
		if report.Outcomes[owlatsync.Created] != tableRows {
			return fmt.Errorf("the first run of %s: %v", sync.Name, report.Outcomes)
		}
	}
	return nil
}

// serve lets the syncs run by themselves.
func (p *place) serve(ctx context.Context) error {
	logger := slog.New(slog.NewTextHandler(&p.log, nil))
	queue := turns.New(p.session.Ledger, events.NewHub(time.Now), p, logger)
	if err := queue.SetSyncs(ctx, p.cfg.Names()); err != nil {
		return err
	}
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		queue.Run(context.WithoutCancel(ctx), stop)
	}()
	waker := wake.New(wake.Options{
		Wake: func(_ context.Context, r turns.Request) { queue.Submit(r) },
		Watch: func(sync config.Sync) (wake.Watcher, func() error, error) {
			watch, done, err := p.session.Watch(sync)
			return watch, done, err
		},
		Logger: logger,
	})
	p.closes = append(p.closes, func() error {
		waker.Close()
		close(stop)
		<-done
		return nil
	})
	if err := waker.Set(p.cfg.Syncs); err != nil {
		return err
	}
	for { // until everybody listens and has caught up
		runs, err := p.session.Ledger.Runs(ctx, "", 0)
		if err != nil {
			return err
		}
		if len(runs) >= 2*len(ways) && !slices.ContainsFunc(runs, func(r ledger.Run) bool { return r.Status == ledger.StatusRunning }) {
			return nil
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
}

// Run implements turns.Runner.
func (p *place) Run(ctx context.Context, j *turns.Job) (again bool, err error) {
	_, err = p.session.Run(ctx, *p.cfg.Sync(j.Sync), reconcile.RunOptions{Stop: j.Stop, Keys: j.Keys, Run: j.Request.Run, Turn: j}, nil)
	return false, err
}
