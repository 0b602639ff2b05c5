// Package sqltap puts a tap between database/sql and a driver. With it, tests can fail a statement, or end the process, before or
// after the statement takes effect, and look at what survives.
package sqltap

import (
	"context"
	"database/sql/driver"
	"fmt"
)

// Tap is called in place of executing a statement that returns no rows, such as COMMIT. It may call run, which executes the
// statement. The program sees the error that Tap returns. Connections may call it at the same time.
type Tap func(query string, run func() error) error

// Driver returns a driver that opens connections of inner. choose returns the tap for a data source name; nil means none. The
// connections of inner must support contexts, as those of modernc.org/sqlite do.
func Driver(inner driver.Driver, choose func(name string) Tap) driver.Driver {
	return &tapped{inner, choose}
}

type tapped struct {
	inner  driver.Driver
	choose func(name string) Tap
}

func (d *tapped) Open(name string) (driver.Conn, error) {
	c, err := d.inner.Open(name)
	if err != nil {
		return nil, err
	}
	tap := d.choose(name)
	if tap == nil {
		return c, nil
	}
	inner, ok := c.(innerConn)
	if !ok {
		_ = c.Close()
		return nil, fmt.Errorf("tap the driver: its connections (%T) know no contexts", c)
	}
	return &conn{inner, tap}, nil
}

type innerConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.SessionResetter
	driver.Validator
}

type conn struct {
	innerConn
	tap Tap
}

// Prepare is only for the interface: database/sql uses PrepareContext.
func (c *conn) Prepare(query string) (driver.Stmt, error) {
	return c.PrepareContext(context.Background(), query)
}

func (c *conn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	s, err := c.innerConn.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	inner, ok := s.(innerStmt)
	if !ok {
		_ = s.Close()
		return nil, fmt.Errorf("tap the driver: its statements (%T) know no contexts", s)
	}
	return &stmt{inner, c.tap, query}, nil
}

func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (result driver.Result, err error) {
	err = c.tap(query, func() (err error) {
		result, err = c.innerConn.ExecContext(ctx, query, args)
		return err
	})
	return result, err
}

type innerStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

type stmt struct {
	innerStmt
	tap   Tap
	query string
}

func (s *stmt) ExecContext(ctx context.Context, args []driver.NamedValue) (result driver.Result, err error) {
	err = s.tap(s.query, func() (err error) {
		result, err = s.innerStmt.ExecContext(ctx, args)
		return err
	})
	return result, err
}
