package setup

import (
	"context"
	"errors"
	"sync"

	"owlatsync/internal/config"
	"owlatsync/ledger/postgres"
)

// Databases are the databases of PostgreSQL in which the ledgers of a process are. All ledgers of one database share its connections.
// The zero value has none. It is safe for concurrent use.
type Databases struct {
	mu   sync.Mutex
	open map[databaseKey]*sharedDatabase
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
	d.mu.Lock()
	shared, there := d.open[key]
	if !there {
		shared = &sharedDatabase{ready: make(chan struct{})}
		if d.open == nil {
			d.open = make(map[databaseKey]*sharedDatabase)
		}
		d.open[key] = shared
	}
	shared.users++
	d.mu.Unlock()
	if !there {
		shared.db, shared.err = open()
		close(shared.ready)
	}
	<-shared.ready
	release = sync.OnceFunc(func() { d.leave(key, shared) })
	if shared.err != nil {
		release()
		return nil, nil, shared.err
	}
	return shared.db, release, nil
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
