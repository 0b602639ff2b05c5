package setup

import (
	"context"
	"errors"
	"sync"

	"owlatsync/internal/config"
	"owlatsync/ledger"
	"owlatsync/ledger/postgres"
)

// Databases are the databases of PostgreSQL in which the ledgers of a process are. All ledgers of one database share its connections.
// The zero value has none. It is safe for concurrent use.
type Databases struct {
	mu   sync.Mutex
	open map[databaseKey]*sharedDatabase
	kept []func() // what closes those that stay open; nil: none do
}

type databaseKey struct {
	dsn   config.Secret
	reads bool
}

type sharedDatabase struct {
	users int
	ready chan struct{} // closed when db or err is set
	db    *postgres.Database
	err   error
}

// Database opens the database of a ledger in PostgreSQL, or returns the one that is open. It is closed when every release was called.
func (o Opener) Database(ctx context.Context, in config.Ledger) (db *postgres.Database, release func(), err error) {
	all := o.Databases
	if all == nil {
		all = &Databases{}
	}
	return all.use(databaseKey{in.DSN, o.Reads}, func() (*postgres.Database, error) { return openDatabase(ctx, o, in) })
}

// Keep makes every database that is opened from now on stay open until end is called, for whoever looks at many deployments one after the other.
func (d *Databases) Keep() (end func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.kept = make([]func(), 0, 1)
	return func() {
		d.mu.Lock()
		kept := d.kept
		d.kept = nil
		d.mu.Unlock()
		for _, release := range kept {
			release()
		}
	}
}

// examine is postgres.Examine over the connections of a database that is open, if it is.
func (d *Databases) examine(ctx context.Context, key databaseKey, name string) (ledger.Condition, error) {
	if d != nil {
		if shared, _ := d.join(key, false); shared != nil {
			if db, release, err := d.await(key, shared); err == nil {
				defer release()
				return db.Examine(ctx, name)
			}
		}
	}
	return postgres.Examine(ctx, postgres.Options{DSN: key.dsn.Reveal(), ReadOnly: key.reads}, name)
}

func openDatabase(ctx context.Context, o Opener, in config.Ledger) (*postgres.Database, error) {
	options := postgres.Options{DSN: in.DSN.Reveal(), Logger: o.Logger, ReadOnly: o.Reads}
	db, err := postgres.Open(ctx, options)
	if o.Reads && errors.Is(err, postgres.ErrOutdated) {
		options.ReadOnly = false // as with a file, the first use of a new version brings the ledger up to date
		db, err = postgres.Open(ctx, options)
	}
	return db, err
}

func (d *Databases) use(key databaseKey, open func() (*postgres.Database, error)) (db *postgres.Database, release func(), err error) {
	shared, first := d.join(key, true)
	if first {
		if shared.db, shared.err = open(); shared.err == nil {
			d.keep(key, shared)
		}
		close(shared.ready)
	}
	return d.await(key, shared)
}

// join counts one more user of a database, and reports whether it is the first one, who opens it. Without begins, nobody is the first.
func (d *Databases) join(key databaseKey, begins bool) (shared *sharedDatabase, first bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	shared, there := d.open[key]
	if !there && !begins {
		return nil, false
	}
	if !there {
		shared = &sharedDatabase{ready: make(chan struct{})}
		if d.open == nil {
			d.open = make(map[databaseKey]*sharedDatabase)
		}
		d.open[key] = shared
	}
	shared.users++
	return shared, !there
}

// await returns a database that was joined, once it is open.
func (d *Databases) await(key databaseKey, shared *sharedDatabase) (db *postgres.Database, release func(), err error) {
	<-shared.ready
	release = sync.OnceFunc(func() { d.leave(key, shared) })
	if shared.err != nil {
		release()
		return nil, nil, shared.err
	}
	return shared.db, release, nil
}

// keep counts one more user of a database that is to stay open.
func (d *Databases) keep(key databaseKey, shared *sharedDatabase) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.kept == nil {
		return
	}
	shared.users++
	d.kept = append(d.kept, sync.OnceFunc(func() { d.leave(key, shared) }))
}

func (d *Databases) leave(key databaseKey, shared *sharedDatabase) {
	d.mu.Lock()
	shared.users--
	last := shared.users == 0
	if last && d.open[key] == shared {
		delete(d.open, key)
	}
	d.mu.Unlock()
	if last && shared.db != nil {
		shared.db.Close()
	}
}

// inDatabase is a ledger that gives its database back when it is closed.
type inDatabase struct {
	*postgres.Ledger
	release func()
}

// Close closes the ledger.
func (l inDatabase) Close() error {
	defer l.release()
	return l.Ledger.Close()
}

func (o Opener) postgres(ctx context.Context, cfg *config.Config) (Ledger, error) {
	db, release, err := o.Database(ctx, cfg.Ledger)
	if err != nil {
		return nil, err
	}
	l, err := db.Ledger(ctx, cfg.Name)
	if err != nil {
		release()
		return nil, err
	}
	return inDatabase{l, release}, nil
}
