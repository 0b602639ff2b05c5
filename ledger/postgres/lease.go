package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"owlatsync/ledger"
)

// The kinds of leases.
const (
	kindRun   = "run"
	kindHome  = "home"
	kindShare = "share"
)

// Lease is the right to do something about a deployment that only one process has at a time. It is renewed until it is released. Its
// methods are safe for concurrent use.
type Lease struct {
	leases *leases
	grant
	ctx      context.Context // ends with the lease
	cancel   context.CancelCauseFunc
	until    atomic.Int64 // by steady, when it can no longer be relied on
	end      *time.Timer  // ends it then
	released atomic.Bool
	lost     atomic.Pointer[error] // why; nil: it is not known to be lost
}

// grant is a lease as the server knows it.
type grant struct {
	deployment int64
	kind       string
	epoch      int64
	holder     int64
}

// Home takes the lease of the kind "home" on a deployment: the right to make its runs. If another holder has it, Home fails with a
// *ledger.LockedError. The lease ends with ctx.
func (d *Database) Home(ctx context.Context, name string, owner ledger.Owner) (*Lease, error) {
	return d.lease(ctx, name, kindHome, owner, "the home of a deployment")
}

// Share takes the lease of the kind "share" on a deployment, for the purpose that people are told: the right to that part of the budget
// that holders of the lock leave to others. It waits until no other holder has it. The lease ends with ctx.
func (d *Database) Share(ctx context.Context, name string, owner ledger.Owner, purpose string) (*Lease, error) {
	for {
		l, err := d.lease(ctx, name, kindShare, owner, purpose)
		if !errors.Is(err, ledger.ErrLocked) {
			return l, err
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(d.timing.look):
		}
	}
}

// Live reports whether a service works with the database: a node has told within the time that it lives.
func (d *Database) Live(ctx context.Context, within time.Duration) (live bool, err error) {
	err = d.pool.QueryRow(ctx, d.sql("SELECT EXISTS (SELECT FROM @nodes WHERE seen > clock_timestamp() - $1::bigint * interval '1 microsecond')"), within.Microseconds()).Scan(&live)
	if err != nil {
		err = fmt.Errorf("look whether a service works with the ledger: %w", explain(ctx, err))
	}
	return live, err
}

// Holder returns who has the lock of a deployment's ledger, nil if nobody has it.
func (d *Database) Holder(ctx context.Context, name string) (*ledger.LockedError, error) {
	deployment, err := d.find(ctx, name)
	var who *ledger.LockedError
	if err == nil && deployment != 0 {
		who, err = d.leases.holder(ctx, deployment, kindRun)
	}
	if err != nil {
		err = fmt.Errorf("look who has the ledger: %w", explain(ctx, err))
	}
	return who, err
}

func (d *Database) lease(ctx context.Context, name, kind string, owner ledger.Owner, purpose string) (*Lease, error) {
	const doing = "take the %s of deployment %q: %w"
	if d.closed.Load() {
		return nil, fmt.Errorf(doing, kind, name, ledger.ErrClosed)
	}
	deployment, err := d.create(ctx, name)
	if err != nil {
		return nil, fmt.Errorf(doing, kind, name, explain(ctx, err))
	}
	l, err := d.leases.take(ctx, deployment, kind, owner, purpose, nil)
	if errors.Is(err, ledger.ErrLocked) {
		return nil, err
	} else if err != nil {
		return nil, fmt.Errorf(doing, kind, name, explain(ctx, err))
	}
	return l, nil
}

// Context ends when the lease cannot be relied on any more, with an error that matches ledger.ErrLockLost as its cause, when it is
// released, or when the context ends under which it was taken.
func (l *Lease) Context() context.Context { return l.ctx }

// Epoch returns the number of the lease, which is larger than that of every earlier lease of its kind on the deployment.
func (l *Lease) Epoch() int64 { return l.epoch }

// Check returns nil while the lease is certainly held, and an error that matches ledger.ErrLockLost once its holder cannot be sure.
func (l *Lease) Check() error {
	switch {
	case l.released.Load():
		return errReleased
	case steady() >= time.Duration(l.until.Load()):
		l.lose(errNotRenewed)
	}
	return l.whyLost()
}

// whyLost returns why the lease is lost, nil if that is not known.
func (l *Lease) whyLost() error {
	if why := l.lost.Load(); why != nil {
		return *why
	}
	return nil
}

// Release gives the lease back. Further calls do nothing. It is no error if the lease was lost before. If the server cannot be reached,
// the lease ends by itself.
func (l *Lease) Release() error {
	if l.released.Swap(true) {
		return nil
	}
	l.end.Stop()
	l.cancel(nil)
	l.leases.remove(l)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(l.ctx), endTimeout)
	defer cancel()
	db := l.leases.db
	_, err := db.pool.Exec(ctx, db.sql("UPDATE @leases SET expires = '-infinity' WHERE deployment = $1 AND kind = $2 AND epoch = $3 AND holder = $4"),
		l.deployment, l.kind, l.epoch, l.holder)
	if err != nil {
		db.log.Warn("a lease could not be given back and ends by itself", "kind", l.kind, "epoch", l.epoch, "error", explain(ctx, err))
	}
	return nil
}

var (
	errReleased   = errors.New("the lock on the ledger was given back before")
	errNotRenewed = fmt.Errorf("%w (the lease could not be renewed in time: see that PostgreSQL can be reached)", ledger.ErrLockLost)
	errTaken      = fmt.Errorf("%w (the lease has ended, or another has it)", ledger.ErrLockLost)
)

// lose ends the lease. That another has it counts more than that it could not be renewed.
func (l *Lease) lose(why error) {
	if !l.lost.CompareAndSwap(nil, &why) && !errors.Is(why, errNotRenewed) {
		l.lost.Store(&why)
	}
	l.cancel(why)
	l.leases.remove(l)
}

// relyOn makes the lease one that can be relied on for its time from when it was asked for.
func (l *Lease) relyOn(asked time.Duration) {
	t := l.leases.db.timing
	until := asked + t.life - t.margin
	l.until.Store(int64(until))
	l.end.Reset(max(0, until-steady()))
}

// leases are those that this process holds.
type leases struct {
	db      *Database
	mu      sync.Mutex
	held    map[*Lease]struct{}
	renewer *renewer // nil: there is nothing to renew
}

// take takes a lease, or fails with a *ledger.LockedError. Also, unless nil, runs in the same transaction.
func (s *leases) take(ctx context.Context, deployment int64, kind string, owner ledger.Owner, purpose string, also func(context.Context, pgx.Tx, grant) error) (*Lease, error) {
	if locked, err := s.holder(ctx, deployment, kind); locked != nil || err != nil {
		if locked != nil {
			return nil, locked
		}
		return nil, err
	}
	g := grant{deployment: deployment, kind: kind, holder: rand.Int64()}
	asked := steady()
	err := s.db.transact(ctx, durable, func(t pgx.Tx, ctx context.Context) error {
		err := t.QueryRow(ctx, s.db.sql(takeLease), deployment, kind, g.holder, text(owner.Host), owner.PID, text(purpose), s.db.timing.life.Microseconds()).Scan(&g.epoch)
		if err == nil && also != nil {
			err = also(ctx, t, g)
		}
		return err
	})
	if errors.Is(err, pgx.ErrNoRows) { // another was faster
		locked, err := s.holder(ctx, deployment, kind)
		if locked == nil && err == nil {
			locked = &ledger.LockedError{Owner: owner, Since: time.Now(), Purpose: purpose} // and has given it back
		}
		if err != nil {
			return nil, err
		}
		return nil, locked
	}
	if err != nil {
		return nil, err
	}
	l := &Lease{leases: s, grant: g}
	l.ctx, l.cancel = context.WithCancelCause(ctx)
	l.end = time.AfterFunc(time.Hour, func() { _ = l.Check() })
	l.relyOn(asked)
	if !s.add(l) {
		return nil, errors.Join(ledger.ErrClosed, l.Release())
	}
	return l, nil
}

// takeLease takes a lease that nobody has. $7 is how long it lives, in microseconds.
const takeLease = `INSERT INTO @leases AS l (deployment, kind, epoch, holder, host, pid, purpose, since, expires)
	VALUES ($1, $2, 1, $3, $4, $5, $6, clock_timestamp(), clock_timestamp() + $7::bigint * interval '1 microsecond')
	ON CONFLICT (deployment, kind) DO UPDATE SET epoch = greatest(l.epoch, l.least) + 1, holder = excluded.holder, host = excluded.host, pid = excluded.pid,
		purpose = excluded.purpose, since = excluded.since, expires = excluded.expires
	WHERE l.expires <= clock_timestamp()
	RETURNING epoch`

// holder returns who has a lease, nil if nobody has it. It changes nothing, not even a row's lock.
func (s *leases) holder(ctx context.Context, deployment int64, kind string) (*ledger.LockedError, error) {
	var locked ledger.LockedError
	var held bool
	err := s.db.pool.QueryRow(ctx, s.db.sql("SELECT host, pid, since, purpose, expires > clock_timestamp() FROM @leases WHERE deployment = $1 AND kind = $2"), deployment, kind).
		Scan(&locked.Host, &locked.PID, &locked.Since, &locked.Purpose, &held)
	switch {
	case errors.Is(err, pgx.ErrNoRows), err == nil && !held:
		return nil, nil
	case err != nil:
		return nil, err
	}
	return &locked, nil
}

func (s *leases) add(l *Lease) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.db.closed.Load() {
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
func (s *leases) remove(l *Lease) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.held, l)
}

// all returns the leases that are held. If there is none, the renewer is let go.
func (s *leases) all() []*Lease {
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

// close gives all leases back and waits for the end of the renewer.
func (s *leases) close() {
	s.mu.Lock()
	r := s.renewer
	held := make([]*Lease, 0, len(s.held))
	for l := range s.held {
		held = append(held, l)
	}
	s.mu.Unlock()
	for _, l := range held {
		_ = l.Release() // it never fails
	}
	if r != nil {
		r.stop()
	}
}

// self is this process as an owner of leases.
func self() ledger.Owner {
	host, _ := os.Hostname() // empty if there is none
	return ledger.Owner{Host: host, PID: os.Getpid()}
}
