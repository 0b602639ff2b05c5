package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"owlatsync/internal/testdb"
	"owlatsync/internal/turns"
	"owlatsync/ledger"
	"owlatsync/ledger/postgres"
	"owlatsync/reconcile/progress"
)

const schema = "owlat_sync"

// world is a database and the nodes that share it.
type world struct {
	t    *testing.T
	dsn  string
	pool *pgxpool.Pool // not of a node
	now  Clock         // PostgreSQL's
	ttl  time.Duration // of leases

	mu    sync.Mutex
	homes []*fakeHome // that were ever opened
	runs  []madeRun
	hold  chan struct{} // runs wait until it is closed; nil: they end at once
	// opens is called while a deployment is opened; nil: nothing is.
	opens func(deployment string)
	// states is how far runs are, wherever they go on.
	states map[int64]progress.State
	// failAt is a node from which the source cannot be reached.
	failAt string
	// deaf has the nodes at which Owlat does not answer, and heard says that it did before.
	deaf map[string]bool
	// deafTo is a deployment whose Owlat does not answer at any node.
	deafTo string
	// unheard is how often homes were asked that had heard nothing for too long.
	unheard int
	heard   bool
}

type madeRun struct {
	deployment, node string
	turns.Request
}

// migrated is a database with the tables of the ledger and of River in it.
var migrated = testdb.Template{Prepare: func(ctx context.Context, dsn string) error {
	_, _, err := postgres.Migrate(ctx, postgres.Options{DSN: dsn})
	return err
}}

func newWorld(t *testing.T) *world {
	t.Helper()
	dsn := migrated.Postgres(t)
	pool, err := pgxpool.New(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	db, err := postgres.Open(t.Context(), postgres.Options{DSN: dsn, MaxConns: 4})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	return &world{t: t, dsn: dsn, pool: pool, now: db.Clock(), ttl: 2 * time.Second}
}

// member is a node with its way to the database, which can be cut.
type member struct {
	*Node
	w     *world
	pool  *pgxpool.Pool
	cut   atomic.Bool
	mu    sync.Mutex
	conns map[net.Conn]bool
}

func (w *world) node(name string, change func(*Options), deployments ...Deployment) *member {
	w.t.Helper()
	m := &member{w: w, conns: make(map[net.Conn]bool)}
	config, err := pgxpool.ParseConfig(w.dsn)
	if err != nil {
		w.t.Fatal(err)
	}
	config.MaxConns = 10
	config.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	var dialer net.Dialer
	config.ConnConfig.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if m.cut.Load() {
			return nil, errors.New("the way to the database is cut")
		}
		c, err := dialer.DialContext(ctx, network, addr)
		if err == nil {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.conns[c] = true
		}
		return c, err
	}
	if m.pool, err = pgxpool.NewWithConfig(w.t.Context(), config); err != nil {
		w.t.Fatal(err)
	}
	o := Options{Pool: m.pool, Schema: schema, Clock: w.now, ID: name, Homes: m, Leases: m, Linger: time.Second, Look: 400 * time.Millisecond, Soft: 5 * time.Second, Logger: quietIn(w.t, name)}
	if change != nil {
		change(&o)
	}
	if m.Node, err = New(w.t.Context(), o); err != nil {
		w.t.Fatal(err)
	}
	if err := m.SetDeployments(deployments); err != nil {
		w.t.Fatal(err)
	}
	if err := m.Start(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		m.cut.Store(false)
		if !m.ending() {
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			defer cancel()
			if err := m.Stop(ctx); err != nil {
				w.t.Errorf("stop %s: %v", name, err)
			}
		}
		m.pool.Close()
	})
	return m
}

// kill ends a node without ceremony: nothing that it does reaches the database any more.
func (m *member) kill() {
	m.cut.Store(true)
	m.mu.Lock()
	defer m.mu.Unlock()
	for c := range m.conns {
		c.Close()
	}
}

func quietIn(t *testing.T, name string) *slog.Logger {
	if os.Getenv("OWLATSYNC_TEST_LOG") == "" {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelInfo})).With("node", name)
}

// lease is a lease as the ledger gives them, with the clock of PostgreSQL.
type lease struct {
	m      *member
	id     int64 // of the deployment
	epoch  int64
	ctx    context.Context
	end    context.CancelCauseFunc
	until  atomic.Int64 // in nanoseconds since start
	start  time.Time
	closed chan struct{}
}

// Home implements Leases.
func (m *member) Home(ctx context.Context, deployment string) (Lease, error) {
	l := &lease{m: m, start: time.Now(), closed: make(chan struct{})}
	err := m.pool.QueryRow(ctx, `INSERT INTO owlat_sync.deployments AS d (name) VALUES ($1) ON CONFLICT (name) DO UPDATE SET name = d.name RETURNING id`, deployment).Scan(&l.id)
	if err != nil {
		return nil, err
	}
	err = m.pool.QueryRow(ctx, `INSERT INTO owlat_sync.leases (deployment, kind, epoch, holder, host, pid, purpose, since, expires) VALUES ($1, 'home', 1, 0, '', 0, '', now(), now() + $2::interval)
		ON CONFLICT (deployment, kind) DO UPDATE SET epoch = leases.epoch + 1, expires = excluded.expires WHERE leases.expires < now() RETURNING epoch`, l.id, m.w.ttl).Scan(&l.epoch)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, &ledger.LockedError{}
	} else if err != nil {
		return nil, err
	}
	l.until.Store(int64(m.w.ttl))
	l.ctx, l.end = context.WithCancelCause(context.Background())
	go l.renew()
	return l, nil
}

func (l *lease) renew() {
	tick := time.NewTicker(l.m.w.ttl / 8)
	defer tick.Stop()
	for {
		select {
		case <-l.closed:
			return
		case <-tick.C:
		}
		sent := time.Since(l.start)
		ctx, cancel := context.WithTimeout(context.Background(), l.m.w.ttl/4)
		tag, err := l.m.pool.Exec(ctx, "UPDATE owlat_sync.leases SET expires = now() + $3::interval WHERE deployment = $1 AND kind = 'home' AND epoch = $2 AND expires > now()", l.id, l.epoch, l.m.w.ttl)
		cancel()
		switch {
		case err == nil && tag.RowsAffected() == 1:
			l.until.Store(int64(sent + l.m.w.ttl))
		case err == nil, l.Check() != nil:
			l.end(ledger.ErrLockLost)
			return
		}
	}
}

func (l *lease) Context() context.Context { return l.ctx }
func (l *lease) Epoch() int64             { return l.epoch }

func (l *lease) Check() error {
	if l.ctx.Err() != nil || time.Since(l.start) >= time.Duration(l.until.Load()) {
		return ledger.ErrLockLost
	}
	return nil
}

func (l *lease) Release() error {
	close(l.closed)
	l.end(context.Canceled)
	_, err := l.m.pool.Exec(context.Background(), "UPDATE owlat_sync.leases SET expires = now() WHERE deployment = $1 AND kind = 'home' AND epoch = $2 AND expires > now()", l.id, l.epoch)
	return err
}

// fakeHome is a home that makes runs by noting them.
type fakeHome struct {
	m     *member
	name  string
	lease Lease
	open  time.Time

	mu     sync.Mutex
	going  int
	idle   time.Time
	closed time.Time
	stop   chan struct{}
}

// Open implements Homes.
func (m *member) Open(_ context.Context, deployment string, l Lease) (Home, error) {
	h := &fakeHome{m: m, name: deployment, lease: l, open: time.Now(), idle: time.Now(), stop: make(chan struct{})}
	m.w.mu.Lock()
	opens := m.w.opens
	m.w.homes = append(m.w.homes, h)
	m.w.mu.Unlock()
	if opens != nil {
		opens(deployment)
	}
	return h, nil
}

func (h *fakeHome) Start(context.Context) error { return nil }

func (h *fakeHome) Stop(context.Context) {
	close(h.stop)
	h.m.w.until(5*time.Second, "the home has nothing in hand", func() bool { return !h.Idle().IsZero() })
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = time.Now()
}

func (h *fakeHome) Unheard() (string, time.Duration, bool) {
	h.m.w.mu.Lock()
	defer h.m.w.mu.Unlock()
	if !h.m.w.deaf[h.m.ID()] && h.m.w.deafTo != h.name {
		return "", 0, false
	}
	lasts := time.Since(h.open)
	if lasts >= h.m.o.Silent {
		h.m.w.unheard++
	}
	return "Owlat", lasts, h.m.w.heard
}

func (h *fakeHome) Idle() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.idle
}

func (h *fakeHome) busy(n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.going += n
	if h.idle = (time.Time{}); h.going == 0 {
		h.idle = time.Now()
	}
}

func (h *fakeHome) Do(ctx context.Context, r turns.Request) turns.Outcome {
	h.busy(1)
	defer h.busy(-1)
	w := h.m.w
	w.mu.Lock()
	hold := w.hold
	w.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-h.stop:
			return turns.Outcome{}
		case <-h.lease.Context().Done():
			return turns.Outcome{}
		case <-ctx.Done():
			return turns.Outcome{Status: ledger.StatusInterrupted, Err: ctx.Err(), Ended: true}
		}
	}
	select {
	case <-h.stop:
		return turns.Outcome{}
	default:
	}
	if h.lease.Check() != nil {
		return turns.Outcome{}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failAt == h.m.ID() {
		return turns.Outcome{Err: errors.New("the source is away"), Again: true, Ended: true}
	}
	if r.Run != 0 && slices.ContainsFunc(w.runs, func(m madeRun) bool { return m.Run == r.Run && m.deployment == h.name }) {
		return turns.Outcome{Run: r.Run, Status: ledger.StatusOK, Err: &ledger.RunEndedError{Run: r.Run, Status: ledger.StatusOK}, Ended: true}
	}
	w.runs = append(w.runs, madeRun{h.name, h.m.ID(), r})
	return turns.Outcome{Run: int64(len(w.runs)), Status: ledger.StatusOK, Ended: true}
}

func (h *fakeHome) Cancel(_ context.Context, run int64) error {
	return &turns.NotCancellableError{Run: run, Status: ledger.StatusOK}
}

func (h *fakeHome) Waiting(context.Context, string) (turns.Waiting, error) {
	return turns.Waiting{}, nil
}

func (h *fakeHome) Progress(run int64) (progress.State, bool) {
	h.m.w.mu.Lock()
	defer h.m.w.mu.Unlock()
	st, ok := h.m.w.states[run]
	return st, ok
}

func (h *fakeHome) Call(ctx context.Context, request json.RawMessage) (json.RawMessage, error) {
	h.busy(1)
	defer h.busy(-1)
	switch string(request) {
	case `"wrong"`:
		return nil, errors.New("it is wrong")
	case `"hang"`:
		select {
		case <-ctx.Done():
		case <-h.stop:
		case <-h.lease.Context().Done():
		}
		return nil, errors.New("it has ended")
	}
	return json.Marshal(fmt.Sprintf("%s did %s", h.m.ID(), request))
}

func (w *world) made() []madeRun {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.runs)
}

func (w *world) holdRuns() (let func()) {
	hold := make(chan struct{})
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hold = hold
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.hold != nil {
			close(w.hold)
			w.hold = nil
		}
	}
}

// until waits for something that a real server brings about.
func (w *world) until(within time.Duration, what string, ok func() bool) {
	w.t.Helper()
	deadline := time.Now().Add(within)
	for !ok() {
		if time.Now().After(deadline) {
			w.t.Fatalf("%s: not within %s\n%s", what, within, w.jobs())
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// jobs tells what is in River's table.
func (w *world) jobs() (text string) {
	rows, err := w.pool.Query(context.Background(), "SELECT format('%s %s %s %s %s attempt=%s by %s %s %s', id, queue, kind, state, args, attempt, attempted_by, metadata, errors) FROM owlat_sync.river_job ORDER BY id")
	if err != nil {
		return err.Error()
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err.Error()
	}
	for _, one := range all {
		text += one + "\n"
	}
	return text
}

func (w *world) count(where string, args ...any) (n int) {
	w.t.Helper()
	if err := w.pool.QueryRow(context.Background(), "SELECT count(*) FROM owlat_sync.river_job WHERE "+where, args...).Scan(&n); err != nil {
		w.t.Fatal(err)
	}
	return n
}
