package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"owlatsync/ledger"
	"owlatsync/ledger/postgres/internal/lease"
	"owlatsync/ledger/postgres/internal/server"
)

// Home takes the lease of the kind "home" on a deployment: the right to make its runs. If another holder has it, Home fails with a
// *ledger.LockedError. The lease ends with ctx.
func (d *Database) Home(ctx context.Context, name string, owner ledger.Owner) (*Lease, error) {
	return d.db.lease(ctx, name, lease.Home, owner, "the home of a deployment")
}

// Share takes the lease of the kind "share" on a deployment, for the purpose that people are told: the right to that part of the budget
// that holders of the lock leave to others. It waits until no other holder has it. The lease ends with ctx.
func (d *Database) Share(ctx context.Context, name string, owner ledger.Owner, purpose string) (*Lease, error) {
	for {
		l, err := d.db.lease(ctx, name, lease.Share, owner, purpose)
		if !errors.Is(err, ledger.ErrLocked) {
			return l, err
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(d.db.leases.Look()):
		}
	}
}

// Live reports whether a service works with the database: a node has told within the time that it lives.
func (d *Database) Live(ctx context.Context, within time.Duration) (live bool, err error) {
	err = d.db.Pool.QueryRow(ctx, d.db.SQL("SELECT EXISTS (SELECT FROM @nodes WHERE seen > clock_timestamp() - $1::bigint * interval '1 microsecond')"), within.Microseconds()).Scan(&live)
	if err != nil {
		err = fmt.Errorf("look whether a service works with the ledger: %w", server.Explain(ctx, err))
	}
	return live, err
}

// Holder returns who has the lock of a deployment's ledger, nil if nobody has it.
func (d *Database) Holder(ctx context.Context, name string) (*ledger.LockedError, error) {
	deployment, err := d.db.find(ctx, name)
	var who *ledger.LockedError
	if err == nil && deployment != 0 {
		who, err = d.db.leases.Who(ctx, deployment, lease.Run)
	}
	if err != nil {
		err = fmt.Errorf("look who has the ledger: %w", server.Explain(ctx, err))
	}
	return who, err
}

func (d *core) lease(ctx context.Context, name, kind string, owner ledger.Owner, purpose string) (*Lease, error) {
	const doing = "take the %s of deployment %q: %w"
	if d.closed.Load() {
		return nil, fmt.Errorf(doing, kind, name, ledger.ErrClosed)
	}
	deployment, err := d.create(ctx, name)
	if err != nil {
		return nil, fmt.Errorf(doing, kind, name, server.Explain(ctx, err))
	}
	l, err := d.leases.Take(ctx, deployment, kind, owner, purpose, nil)
	if errors.Is(err, ledger.ErrLocked) {
		return nil, err
	} else if err != nil {
		return nil, fmt.Errorf(doing, kind, name, server.Explain(ctx, err))
	}
	return &Lease{l}, nil
}
