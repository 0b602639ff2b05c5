package postgres

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"owlatsync/ledger"
	"owlatsync/ledger/postgres/internal/clock"
	"owlatsync/ledger/postgres/internal/lease"
	"owlatsync/ledger/postgres/internal/server"
)

// DefaultSchema is the schema of a DSN that names none.
const DefaultSchema = server.DefaultSchema

// Options say where the ledgers are.
type Options struct {
	// DSN is a URL such as postgres://user:password@host/database?schema=owlat_sync. The schema is where the ledgers are; the rest is as
	// libpq and pgx understand it.
	DSN string
	// Logger gets what goes on by itself, such as a lease that could not be renewed; nil: nowhere.
	Logger *slog.Logger
	// MaxConns is the largest number of connections; 0: that of the DSN, or ten.
	MaxConns int32
	// ReadOnly changes nothing: not even the schema is brought up to date.
	ReadOnly bool
}

// Database is the schema with the ledgers of all deployments. Its methods are safe for concurrent use.
type Database struct {
	db *core
}

// core is what all ledgers of a database share.
type core struct {
	*server.DB
	leases *lease.Leases
	clock  *clock.Clock
	closed atomic.Bool
}

// Open connects to the database, and creates its schema or brings it up to date. If it may not, the error names the command that does.
// It refuses a server that acknowledges what it has not written (synchronous_commit is off), and one that cannot be written (a standby).
// The error holds no password.
func Open(ctx context.Context, o Options) (*Database, error) {
	return openWith(ctx, o, lease.Lifetimes)
}

func openWith(ctx context.Context, o Options, times lease.Timing) (*Database, error) {
	db, err := server.Connect(ctx, server.Options(o))
	if err != nil {
		return nil, fmt.Errorf("open ledger %s: %w", Masked(o.DSN), err)
	}
	now := clock.Of(db)
	if err = db.Prepare(ctx); err == nil {
		err = now.Ask(ctx)
	}
	if err != nil {
		now.Close()
		db.Close()
		return nil, fmt.Errorf("open ledger %s: %w", Masked(o.DSN), server.Explain(ctx, err))
	}
	return &Database{&core{DB: db, leases: lease.New(db, times), clock: now}}, nil
}

// ErrOutdated says that the schema is not up to date and that the user may not change it.
var ErrOutdated = server.ErrOutdated

// Migrations tells the migrations that Migrate would make, those of River's tables too. It changes nothing.
func Migrations(ctx context.Context, o Options) (m ledger.Migrations, err error) {
	err = withServer(ctx, o, func(db *server.DB) (err error) {
		m, err = db.Migrations(ctx)
		return err
	})
	return m, err
}

// Migrate creates the schema or brings it up to date, with River's tables in it, and returns its versions before and after. It is safe
// while other processes do the same, and while runs go on.
func Migrate(ctx context.Context, o Options) (from, to int, err error) {
	err = withServer(ctx, o, func(db *server.DB) (err error) {
		from, to, err = db.Migrate(ctx)
		return err
	})
	return from, to, err
}

// withServer connects for a migration, and calls do if the server can be relied on.
func withServer(ctx context.Context, o Options, do func(*server.DB) error) error {
	db, err := server.Connect(ctx, server.Options(o))
	if err == nil {
		defer db.Close()
		if err = db.Check(ctx); err == nil {
			err = do(db)
		}
	}
	if err != nil {
		return fmt.Errorf("migrate ledger %s: %w", Masked(o.DSN), server.Explain(ctx, err))
	}
	return nil
}

// Examine tells whether the ledger of a deployment is there and to which Owlat it belongs. It changes nothing. The ledger is missing
// until something is written to it. Examine fails as Open would where only the schema is missing or outdated and the user may not change that, or
// where the user may not write; ReadOnly leaves out both.
func Examine(ctx context.Context, o Options, name string) (is ledger.Condition, err error) {
	if o.MaxConns == 0 {
		o.MaxConns = 1
	}
	db, err := server.Connect(ctx, server.Options(o))
	if err == nil {
		defer db.Close()
		is, err = db.Examine(ctx, name)
	}
	if err != nil {
		return ledger.Condition{}, fmt.Errorf("open ledger %s: %w", Masked(o.DSN), server.Explain(ctx, err))
	}
	return is, nil
}

// Examine is the function of this name with the connections of the database.
func (d *Database) Examine(ctx context.Context, name string) (is ledger.Condition, err error) {
	if is, err = d.db.Examine(ctx, name); err != nil {
		return ledger.Condition{}, fmt.Errorf("examine the ledger: %w", server.Explain(ctx, err))
	}
	return is, nil
}

// SplitDSN takes the schema out of a DSN. The rest is what pgx understands.
func SplitDSN(dsn string) (rest, schema string, err error) { return server.SplitDSN(dsn) }

// Masked returns a DSN for people: without its password and its parameters but the schema.
func Masked(dsn string) string { return server.Masked(dsn) }

// Pool returns the connections, for others that keep something in the same schema.
func (d *Database) Pool() *pgxpool.Pool { return d.db.Pool }

// Schema returns the name of the schema.
func (d *Database) Schema() string { return d.db.Schema }

// Names returns the names of all deployments of which something is kept, in alphabetical order.
func (d *Database) Names(ctx context.Context) (names []string, err error) {
	rows, err := d.db.Pool.Query(ctx, d.db.SQL("SELECT name FROM @deployments ORDER BY name"))
	err = server.EachRow(rows, err, func(rows pgx.Rows) error {
		var name string
		err := rows.Scan(&name)
		names = append(names, name)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the deployments of the ledger: %w", server.Explain(ctx, err))
	}
	return names, nil
}

// Close gives all leases back and closes the connections. All streams must have ended. Further calls do nothing.
func (d *Database) Close() {
	if d.db.closed.Swap(true) {
		return
	}
	d.db.leases.Close()
	d.db.clock.Close()
	d.db.DB.Close()
}

// Ledger returns the ledger of a deployment. It is there without anything being written: the first write makes its rows.
func (d *Database) Ledger(ctx context.Context, name string) (*Ledger, error) {
	if d.db.closed.Load() {
		return nil, fmt.Errorf("open the ledger of deployment %q: %w", name, ledger.ErrClosed)
	}
	b := &base{db: d.db, name: name, done: make(chan struct{})}
	if _, err := b.number(ctx); err != nil {
		return nil, fmt.Errorf("open the ledger of deployment %q: %w", name, server.Explain(ctx, err))
	}
	return newLedger(b), nil
}

// Lease is the right to do something about a deployment that only one process has at a time. It is renewed until it is released.
// Its methods are safe for concurrent use.
type Lease struct{ held *lease.Lease }

// Context ends when the lease cannot be relied on any more, with an error that matches ledger.ErrLockLost as its cause, when it is
// released, or when the context ends under which it was taken.
func (l *Lease) Context() context.Context { return l.held.Context() }

// Epoch returns the number of the lease, which is larger than that of every earlier lease of its kind on the deployment.
func (l *Lease) Epoch() int64 { return l.held.Epoch() }

// Check returns nil while the lease is certainly held, and an error that matches ledger.ErrLockLost once its holder cannot be sure.
func (l *Lease) Check() error { return l.held.Check() }

// Release gives the lease back. Further calls do nothing. If the server cannot be reached, the lease ends by itself.
func (l *Lease) Release() error { return l.held.Release() }
