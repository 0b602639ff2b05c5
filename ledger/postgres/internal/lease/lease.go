// Package lease has what a process may do about a deployment that no other process may do at the same time: leases on the clock of the
// server, and the fence that goes with the lock of a run.
package lease

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"owlatsync/ledger"
	"owlatsync/ledger/postgres/internal/server"
)

// The kinds of leases. Run is the lock of a ledger, Share the right to what its holder leaves of the budget.
const (
	Run   = "run"
	Home  = "home"
	Share = "share"
)

// Lease is the right to do something about a deployment that only one process has at a time. It is renewed until it is released. Its
// methods are safe for concurrent use.
type Lease struct {
	leases *Leases
	Grant
	ctx      context.Context // ends with the lease
	cancel   context.CancelCauseFunc
	until    atomic.Int64 // by steady, when it can no longer be relied on
	end      *time.Timer  // ends it then
	released atomic.Bool
	lost     atomic.Pointer[error] // why; nil: it is not known to be lost
}

// Grant is a lease as the server knows it.
type Grant struct {
	Deployment int64
	Kind       string
	Number     int64 // its epoch
	Holder     int64 // random: tells it from one with the same epoch that the server has lost
}

// Context ends when the lease cannot be relied on any more, with an error that matches ledger.ErrLockLost as its cause, when it is
// released, or when the context ends under which it was taken.
func (l *Lease) Context() context.Context { return l.ctx }

// Epoch returns the number of the lease, which is larger than that of every earlier lease of its kind on the deployment.
func (l *Lease) Epoch() int64 { return l.Number }

// Check returns nil while the lease is certainly held, and an error that matches ledger.ErrLockLost once its holder cannot be sure.
func (l *Lease) Check() error {
	switch {
	case l.released.Load():
		return ErrReleased
	case Steady() >= time.Duration(l.until.Load()):
		l.Lose(ErrNotRenewed)
	}
	return l.WhyLost()
}

// WhyLost returns why the lease is lost, nil if that is not known.
func (l *Lease) WhyLost() error {
	if why := l.lost.Load(); why != nil {
		return *why
	}
	return nil
}

// Released reports whether the lease was given back.
func (l *Lease) Released() bool { return l.released.Load() }

// Release gives the lease back. Further calls do nothing. It is no error if the lease was lost before. If the server cannot be reached,
// the lease ends by itself.
func (l *Lease) Release() error {
	if l.released.Swap(true) {
		return nil
	}
	l.forget()
	l.leases.giveBack(l)
	return nil
}

// forget ends what goes on for a lease that was given back.
func (l *Lease) forget() {
	l.end.Stop()
	l.cancel(nil)
	l.leases.remove(l)
}

// giveBackAll gives leases back that nobody uses any more.
const giveBackAll = `UPDATE @leases l SET expires = '-infinity' FROM unnest($1::bigint[], $2::text[], $3::bigint[]) AS m (deployment, kind, holder)
	WHERE l.deployment = m.deployment AND l.kind = m.kind AND l.holder = m.holder`

// giveBack gives leases back. If the server cannot be reached, they end by themselves.
func (s *Leases) giveBack(given ...*Lease) {
	if len(given) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), server.EndTimeout)
	defer cancel()
	var deployments, holders []int64
	var kinds []string
	for _, l := range given {
		deployments, kinds, holders = append(deployments, l.Deployment), append(kinds, l.Kind), append(holders, l.Holder)
	}
	if _, err := s.db.Pool.Exec(ctx, s.db.SQL(giveBackAll), deployments, kinds, holders); err != nil {
		s.db.Log.Warn("leases could not be given back and end by themselves", "leases", len(given), "error", server.Explain(ctx, err))
	}
}

// Why a lease is of no use.
var (
	ErrReleased   = errors.New("the lock on the ledger was given back before")
	ErrNotRenewed = fmt.Errorf("%w (the lease could not be renewed in time: see that PostgreSQL can be reached)", ledger.ErrLockLost)
	ErrTaken      = fmt.Errorf("%w (the lease has ended, or another has it)", ledger.ErrLockLost)
)

// Lose ends the lease. That another has it counts more than that it could not be renewed.
func (l *Lease) Lose(why error) {
	if !l.lost.CompareAndSwap(nil, &why) && !errors.Is(why, ErrNotRenewed) {
		l.lost.Store(&why)
	}
	l.cancel(why)
	l.leases.remove(l)
}

// relyOn makes the lease one that can be relied on for its time from when it was asked for.
func (l *Lease) relyOn(asked time.Duration) {
	t := l.leases.timing
	until := asked + t.Life - t.Margin
	l.until.Store(int64(until))
	l.end.Reset(max(0, until-Steady()))
}

// Leases are those that a process holds.
type Leases struct {
	db      *server.DB
	timing  Timing
	closed  bool
	mu      sync.Mutex
	held    map[*Lease]struct{}
	renewer *renewer // nil: there is nothing to renew
}

// New returns the leases of a process, which has none.
func New(db *server.DB, t Timing) *Leases { return &Leases{db: db, timing: t} }

// Look is the time between two looks at a lease that somebody waits for.
func (s *Leases) Look() time.Duration { return s.timing.Look }

// Take takes a lease, or fails with a *ledger.LockedError. Also, unless nil, runs in the same transaction. Right after a standby has taken
// the server's place it first waits for as long as a lease lives.
func (s *Leases) Take(ctx context.Context, deployment int64, kind string, owner ledger.Owner, purpose string, also func(context.Context, pgx.Tx, Grant) error) (*Lease, error) {
	if locked, err := s.Who(ctx, deployment, kind); locked != nil || err != nil {
		if locked != nil {
			return nil, locked
		}
		return nil, err
	}
	g := Grant{Deployment: deployment, Kind: kind, Holder: rand.Int64()}
	asked := Steady()
	err := s.db.Transact(ctx, server.Durable, func(t pgx.Tx, ctx context.Context) error {
		err := t.QueryRow(ctx, s.db.SQL(takeLease), deployment, kind, g.Holder, server.Text(owner.Host), owner.PID, server.Text(purpose), s.timing.Life.Microseconds()).Scan(&g.Number)
		if err == nil && also != nil {
			err = also(ctx, t, g)
		}
		return err
	})
	if errors.Is(err, pgx.ErrNoRows) { // the server has just taken over, or another was faster
		switch waited, err := s.outlast(ctx); {
		case err != nil:
			return nil, err
		case waited:
			return s.Take(ctx, deployment, kind, owner, purpose, also)
		}
		locked, err := s.Who(ctx, deployment, kind)
		if err != nil {
			return nil, err
		}
		return nil, cmp.Or(locked, &ledger.LockedError{Owner: owner, Since: time.Now(), Purpose: purpose}) // who has given it back
	}
	if err != nil {
		return nil, err
	}
	l := &Lease{leases: s, Grant: g}
	l.ctx, l.cancel = context.WithCancelCause(ctx)
	l.end = time.AfterFunc(time.Hour, func() { _ = l.Check() })
	l.relyOn(asked)
	if !s.add(l) {
		return nil, errors.Join(ledger.ErrClosed, l.Release())
	}
	return l, nil
}

// outlast waits for the end of leases that the server may have lost because it is a standby that has taken over without the latest commits:
// their holders rely on them until they learn of it. It reports whether it had to wait.
func (s *Leases) outlast(ctx context.Context) (waited bool, err error) {
	var left int64
	if err := s.db.Pool.QueryRow(ctx, s.db.SQL("SELECT @outlast($1)"), s.timing.Life.Microseconds()).Scan(&left); err != nil || left <= 0 {
		return false, err
	}
	s.db.Log.Warn("another server of PostgreSQL has taken over; no lock is taken until those have ended that it may have lost", "wait", time.Duration(left)*time.Microsecond)
	select {
	case <-time.After(time.Duration(left) * time.Microsecond):
		return true, nil
	case <-ctx.Done():
		return true, context.Cause(ctx)
	}
}

// takeLease takes a lease that nobody has, unless a server has just taken over. $7 is how long it lives, in microseconds.
const takeLease = `INSERT INTO @leases AS l (deployment, kind, epoch, holder, host, pid, purpose, since, expires)
	SELECT $1::bigint, $2::text, 1, $3::bigint, $4::bytea, $5::bigint, $6::bytea, clock_timestamp(), clock_timestamp() + $7::bigint * interval '1 microsecond'
	WHERE @outlast($7) = 0
	ON CONFLICT (deployment, kind) DO UPDATE SET epoch = greatest(l.epoch, l.least) + 1, holder = excluded.holder, host = excluded.host, pid = excluded.pid,
		purpose = excluded.purpose, since = excluded.since, expires = excluded.expires
	WHERE l.expires <= clock_timestamp()
	RETURNING epoch`

// Who returns who has a lease, nil if nobody has it. It changes nothing, not even a row's lock.
func (s *Leases) Who(ctx context.Context, deployment int64, kind string) (*ledger.LockedError, error) {
	var locked ledger.LockedError
	var held bool
	err := s.db.Pool.QueryRow(ctx, s.db.SQL("SELECT host, pid, since, purpose, expires > clock_timestamp() FROM @leases WHERE deployment = $1 AND kind = $2"), deployment, kind).
		Scan(&locked.Host, &locked.PID, &locked.Since, &locked.Purpose, &held)
	switch {
	case errors.Is(err, pgx.ErrNoRows), err == nil && !held:
		return nil, nil
	case err != nil:
		return nil, err
	}
	return &locked, nil
}

func (s *Leases) add(l *Lease) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	if s.held == nil {
		s.held = make(map[*Lease]struct{})
	}
	s.held[l] = struct{}{}
	if s.renewer == nil {
		s.renewer = startRenewer(s)
	}
	return true
}

// remove forgets a lease. The renewer ends by itself once there is nothing to renew.
func (s *Leases) remove(l *Lease) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.held, l)
}

// all returns the leases that are held. If there is none, the renewer is let go.
func (s *Leases) all() []*Lease {
	s.mu.Lock()
	defer s.mu.Unlock()
	held := make([]*Lease, 0, len(s.held))
	for l := range s.held {
		held = append(held, l)
	}
	if len(held) == 0 {
		s.renewer = nil
	}
	return held
}

// Close gives all leases back and waits for the end of the renewer.
func (s *Leases) Close() {
	s.mu.Lock()
	s.closed = true
	r := s.renewer
	held := make([]*Lease, 0, len(s.held))
	for l := range s.held {
		held = append(held, l)
	}
	s.mu.Unlock()
	given := held[:0]
	for _, l := range held {
		if !l.released.Swap(true) {
			l.forget()
			given = append(given, l)
		}
	}
	s.giveBack(given...)
	if r != nil {
		r.stop()
	}
}
