package sqlite

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
	"modernc.org/sqlite"

	"owlatsync/ledger"
	"owlatsync/ledger/ledgertest"
)

func TestMain(m *testing.M) {
	sql.Register("plain", plainDriver{})
	goleak.VerifyTestMain(m)
}

// plainDriver is an SQLite driver that can do no more than a database/sql driver must.
type plainDriver struct{}

type (
	plainConn struct{ inner driver.Conn }
	plainStmt struct{ inner driver.Stmt }
)

func (plainDriver) Open(name string) (driver.Conn, error) {
	c, err := new(sqlite.Driver).Open(name)
	if err != nil {
		return nil, err
	}
	return plainConn{c}, nil
}

func (c plainConn) Prepare(query string) (driver.Stmt, error) {
	s, err := c.inner.Prepare(query)
	if err != nil {
		return nil, err
	}
	return plainStmt{s}, nil
}

func (c plainConn) Close() error { return c.inner.Close() }

//lint:ignore SA1019 the driver is to be an old one
func (c plainConn) Begin() (driver.Tx, error) { return c.inner.Begin() }

func (s plainStmt) Close() error  { return s.inner.Close() }
func (s plainStmt) NumInput() int { return s.inner.NumInput() }

//lint:ignore SA1019 the driver is to be an old one
func (s plainStmt) Exec(args []driver.Value) (driver.Result, error) { return s.inner.Exec(args) }

//lint:ignore SA1019 the driver is to be an old one
func (s plainStmt) Query(args []driver.Value) (driver.Rows, error) { return s.inner.Query(args) }

// openIn opens the ledger of a folder and leaves the closing to the caller.
func openIn(t testing.TB, folder string) *Ledger {
	t.Helper()
	l, err := Open(t.Context(), "sqlite", filepath.Join(folder, "ledger.db"))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// openFresh opens a ledger of the test's own.
func openFresh(t testing.TB) *Ledger {
	t.Helper()
	l := openIn(t, t.TempDir())
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return l
}

// takeLock takes the lock until the test ends or gives it back.
func takeLock(t testing.TB, l *Ledger) *lock {
	t.Helper()
	k, err := l.acquire(t.Context(), ledger.Claim{Purpose: "a run"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := k.Release(); err != nil {
			t.Errorf("release: %v", err)
		}
	})
	return k
}

// under calls do with the lock and gives it back.
func under(t testing.TB, l *Ledger, do func(k *lock) error) {
	t.Helper()
	k, err := l.acquire(t.Context(), ledger.Claim{Purpose: "a write"})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(do(k), k.Release()); err != nil {
		t.Fatal(err)
	}
}

// losing is a ledger whose lock is lost as it may be: somebody removes the file.
type losing struct{ *Ledger }

func (l losing) LoseLock() error { return os.Remove(l.f.Name() + ".lock") }

func TestConformance(t *testing.T) {
	t.Parallel()
	ledgertest.Run(t, func(t testing.TB, folder string) ledgertest.Ledger { return losing{openIn(t, folder)} })
}

func TestPlainDriver(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "ledger.db")
	for range 2 {
		l, err := Open(t.Context(), "plain", file)
		if err != nil {
			t.Fatal(err)
		}
		put(t, l, "1", "2")
		mustHold(t, l, "1", "2")
		if s, err := l.Standing(t.Context(), "users"); err != nil || s.Entries != 2 {
			t.Errorf("standing %+v: %v", s, err)
		}
		var synchronous string
		if err := l.f.Writer.Conn().QueryRowContext(t.Context(), "PRAGMA synchronous").Scan(&synchronous); err != nil || synchronous != "2" {
			t.Errorf("synchronous is %s: %v", synchronous, err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
