package faults

import (
	"database/sql"
	"net/url"
	"sync"

	"modernc.org/sqlite"

	"owlatsync/internal/sqltap"
)

// failingDriver opens ledgers whose commits can be made to fail.
const failingDriver = "sqlite-failing"

func registerDriver() {
	sql.Register(failingDriver, sqltap.Driver(new(sqlite.Driver), func(name string) sqltap.Tap {
		uri, err := url.Parse(name)
		if err != nil {
			return nil
		}
		return func(query string, run func() error) error {
			if query != "COMMIT" {
				return run()
			}
			return failing.of(uri.Path)(run)
		}
	}))
}

// failing says what becomes of commits, by the file of the ledger.
var failing commits

type commits struct {
	mu     sync.Mutex
	byFile map[string]func(run func() error) error
}

func (c *commits) add(file string, commit func(run func() error) error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byFile == nil {
		c.byFile = make(map[string]func(func() error) error)
	}
	c.byFile[file] = commit
}

func (c *commits) remove(file string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.byFile, file)
}

func (c *commits) of(file string) func(func() error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if commit := c.byFile[file]; commit != nil {
		return commit
	}
	return func(run func() error) error { return run() }
}

// sqliteError is an error as SQLite's driver returns it.
type sqliteError struct {
	code int
	text string
}

func (e *sqliteError) Error() string { return e.text }
func (e *sqliteError) Code() int     { return e.code }

var (
	errDisk = &sqliteError{10, "disk I/O error (10)"}
	errFull = &sqliteError{13, "database or disk is full (13)"}
)

// commitFault is a fault of the ledger.
type commitFault struct {
	from moment
	err  error
	made bool // the commit is made all the same
}

// moment is since when commits fail.
type moment int

const (
	sinceAnswer moment = iota // Owlat has answered the request of the operation
	sincePlan                 // the run begins to apply its plan
	sinceOpen                 // the ledger is opened
)

func (w *world) failCommit(run func() error) error {
	f := w.variant.commit
	w.mu.Lock()
	fails := (f.from == sinceOpen || f.from == sincePlan && w.planned || w.met) && !(w.once && w.hits > 0)
	if fails {
		w.hits++
	}
	w.mu.Unlock()
	if !fails {
		return run()
	}
	if f.made {
		if err := run(); err != nil {
			return err
		}
	}
	return f.err
}
