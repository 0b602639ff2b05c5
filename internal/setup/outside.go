package setup

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"sync"
	"time"

	"owlatsync/internal/config"
	"owlatsync/internal/errand"
	"owlatsync/ledger"
	"owlatsync/ledger/postgres"
	"owlatsync/owlat"
	"owlatsync/reconcile"
)

// How the budget of each key is parted that several machines use, because their ledger is in PostgreSQL. Whoever has the lock takes
// HoldersPart; SharePart is for one at a time of those who have it not, where no service has their requests sent.
const (
	HoldersPart = 0.97
	SharePart   = 0.03
)

// LinksShare is the part of the pace of requests by links that whoever sends beside runs has: a service may send at its whole pace meanwhile, and nothing tells
// one of the other.
const LinksShare = 0.5

// BesideLinks returns the option of a client that sends by links beside runs.
func BesideLinks(to config.Owlat) owlat.Option {
	return owlat.WithPreferencesRate(LinksShare * cmp.Or(to.PreferencesPerSecond, owlat.DefaultPreferencesRate))
}

// livesWithin is how long ago a node of a service may last have told that it lives.
const livesWithin = 10 * time.Second

// budget returns the limiter of whoever has this part of the configured budget.
func budget(to config.Owlat, part float64) *owlat.Limiter {
	if to.RequestsPerSecond == 0 {
		return owlat.NewPartLimiter(part).ForKeys(1 + len(to.MoreKeys))
	}
	to.RequestsPerSecond *= part
	return Limiter(to)
}

// HoldersLimiter returns the limiter of whoever has the lock of the ledger. If other machines may have had the budget until now, it
// counts as spent.
func HoldersLimiter(cfg *config.Config) *owlat.Limiter {
	if !cfg.Ledger.Postgres() {
		return Limiter(cfg.Owlat)
	}
	l := budget(cfg.Owlat, HoldersPart)
	l.Drain()
	return l
}

// Lines reach what a running service does for others; see Opener.Line.
type Lines func(context.Context, *postgres.Database) (line errand.Line, end func(), err error)

// Outside is a client for whoever has not the lock of the ledger; see OpenOutside.
type Outside struct {
	*owlat.Client
	ends []func() error
}

// Close gives back what the client needs.
func (o *Outside) Close() error {
	o.CloseIdleConnections()
	var errs []error
	for i := len(o.ends) - 1; i >= 0; i-- {
		errs = append(errs, o.ends[i]())
	}
	return errors.Join(errs...)
}

// OpenOutside returns a client that sends beside runs, for the purpose that people are told. With a ledger in a file it is an ordinary
// client, whose limiter notices who else uses the key. With one in PostgreSQL several machines share the key. There the requests are
// sent by the service, if one works with the ledger. If none does, and locks is set, the client takes the lock of the ledger, and with it
// the budget, if the lock is free. Otherwise its
// first request waits for the turn with SharePart of the budget, which one has at a time.
func OpenOutside(ctx context.Context, o Opener, cfg *config.Config, purpose string, locks bool) (_ *Outside, err error) {
	client, err := o.Client(cfg.Owlat)
	if err != nil {
		return nil, err
	}
	out := &Outside{Client: client}
	if !cfg.Ledger.Postgres() {
		return out, nil
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, out.Close())
		}
	}()
	db, release, err := o.Database(ctx, cfg.Ledger)
	if err != nil {
		return out, err
	}
	out.ends = append(out.ends, func() error { release(); return nil })
	through, err := out.throughService(ctx, o, cfg, db)
	if through || err != nil {
		return out, err
	}
	if locks {
		if locked, err := out.underLock(ctx, cfg, db, purpose); locked || err != nil {
			return out, err
		}
	}
	return out, out.withShare(ctx, cfg, db, purpose)
}

// throughService makes the client one whose requests a service sends, if one lives.
func (o *Outside) throughService(ctx context.Context, opener Opener, cfg *config.Config, db *postgres.Database) (bool, error) {
	if opener.Line == nil {
		return false, nil
	}
	if live, err := db.Live(ctx, livesWithin); !live || err != nil {
		return false, err
	}
	line, end, err := opener.Line(ctx, db)
	if err != nil {
		return false, fmt.Errorf("reach the service that works with the ledger: %w", err)
	}
	o.ends = append(o.ends, func() error { end(); return nil })
	o.Client, err = errand.NewClient(o.Client, cfg.Owlat.APIKey.Reveal(), line, cfg.Name, http.DefaultTransport.(*http.Transport).Clone())
	return err == nil, err
}

// underLock makes the client one that has the budget, if the lock of the ledger is free.
func (o *Outside) underLock(ctx context.Context, cfg *config.Config, db *postgres.Database, purpose string) (bool, error) {
	l, err := db.Ledger(ctx, cfg.Name)
	if err != nil {
		return false, err
	}
	lock, err := l.Acquire(ctx, ledger.Claim{Purpose: purpose})
	switch {
	case errors.Is(err, ledger.ErrLocked), errors.Is(err, ledger.ErrReadOnly), errors.Is(err, ledger.ErrFull):
		return false, l.Close()
	case err != nil:
		return false, errors.Join(err, l.Close())
	}
	o.ends = append(o.ends, l.Close, lock.Release)
	return true, o.under(lock.Check, HoldersLimiter(cfg))
}

// withShare makes the client one that has the share of the budget which holders of the lock leave. Its first request waits for the turn.
func (o *Outside) withShare(ctx context.Context, cfg *config.Config, db *postgres.Database, purpose string) error {
	limiter := budget(cfg.Owlat, SharePart)
	t := &turn{take: func() (*postgres.Lease, error) {
		host, _ := os.Hostname() // empty if there is none
		lease, err := db.Share(ctx, cfg.Name, ledger.Owner{Host: host, PID: os.Getpid()}, purpose)
		if err != nil {
			return nil, err
		}
		// Another may have used it a moment ago, and requests that wait here have tokens of their keys already.
		limiter.Drain()
		if err := limiter.WaitEach(ctx); err != nil {
			return nil, errors.Join(err, lease.Release())
		}
		return lease, nil
	}}
	o.ends = append(o.ends, t.end)
	return o.under(t.Check, limiter)
}

// under makes the client one that sends while check finds nothing wrong, at the pace of the limiter.
func (o *Outside) under(check func() error, limiter *owlat.Limiter) (err error) {
	o.Client, err = o.With(owlat.WithLimiter(limiter), owlat.WithBeforeSend(func(context.Context, owlat.Attempt) error { return check() }))
	return err
}

// turn is the turn with the share of the budget, which is waited for when it is needed.
type turn struct {
	take func() (*postgres.Lease, error)

	mu    sync.Mutex
	lease *postgres.Lease // nil: it was not needed yet
	loose bool            // nothing may be written, so that others are not known of
}

// Check waits for the turn if need be, and fails once it is over.
func (t *turn) Check() (err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.lease == nil && !t.loose {
		t.lease, err = t.take()
		if t.loose = errors.Is(err, ledger.ErrReadOnly); err != nil && !t.loose {
			return err
		}
	}
	if t.loose {
		return nil
	}
	return t.lease.Check()
}

func (t *turn) end() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.lease == nil {
		return nil
	}
	return t.lease.Release()
}

// planner returns the engine of plans, which have no lock, and what ends its use.
func (s *Session) planner(ctx context.Context) (*reconcile.Engine, func() error, error) {
	if s.Client == nil || s.unsent != nil || !s.Config.Ledger.Postgres() {
		return s.engine, func() error { return nil }, nil
	}
	out, err := OpenOutside(ctx, s.opener, s.Config, "a plan", false)
	if err != nil {
		return nil, nil, err
	}
	client, err := out.With(owlat.WithObserver(s.count))
	if err != nil {
		return nil, nil, errors.Join(err, out.Close())
	}
	return s.newEngine(client), out.Close, nil
}
