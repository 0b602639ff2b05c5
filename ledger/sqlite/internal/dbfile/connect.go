package dbfile

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
)

// Settings of every connection; the file does not store them.
var (
	// WriterPragmas are the settings of the connection that writes.
	WriterPragmas = []string{
		"PRAGMA busy_timeout = 10000",
		"PRAGMA synchronous = FULL",
		"PRAGMA cache_size = -8192",
		"PRAGMA wal_autocheckpoint = 4096",
		"PRAGMA journal_size_limit = 67108864",
		"PRAGMA temp_store = MEMORY",
	}
	// A new connection pays for each page of its cache, so a small cache is faster for the few look-ups of a run.
	readerPragmas = []string{
		"PRAGMA busy_timeout = 10000",
		"PRAGMA query_only = ON",
		"PRAGMA cache_size = -1024",
		"PRAGMA temp_store = MEMORY",
	}
	// Streams read everything once: cached pages are of no use, and making room for them takes longer than reading.
	streamPragmas = []string{
		"PRAGMA busy_timeout = 10000",
		"PRAGMA query_only = ON",
		"PRAGMA cache_size = -256",
		"PRAGMA temp_store = MEMORY",
	}
)

// connector opens connections of any SQLite driver and applies the pragmas.
type connector struct {
	open    func(context.Context) (driver.Conn, error)
	driver  driver.Driver
	pragmas []string
}

func newConnector(name, path string, pragmas []string) (*connector, error) {
	return newConnectorTo(name, URI(path), pragmas)
}

func newConnectorTo(name, dsn string, pragmas []string) (*connector, error) {
	probe, err := sql.Open(name, dsn)
	if err != nil {
		return nil, fmt.Errorf("find the driver %q: %w", name, err)
	}
	c := &connector{driver: probe.Driver(), pragmas: pragmas}
	if err := probe.Close(); err != nil {
		return nil, fmt.Errorf("find the driver %q: %w", name, err)
	}
	c.open = func(context.Context) (driver.Conn, error) { return c.driver.Open(dsn) }
	if dc, ok := c.driver.(driver.DriverContext); ok {
		inner, err := dc.OpenConnector(dsn)
		if err != nil {
			return nil, fmt.Errorf("use the driver %q: %w", name, err)
		}
		c.open = inner.Connect
	}
	return c, nil
}

// URI returns the URI of the file at the path. It escapes what a driver would read as parameters.
func URI(path string) string {
	path = filepath.ToSlash(path)
	if path[0] != '/' {
		path = "/" + path
	}
	return (&url.URL{Scheme: "file", Path: path}).String()
}

func (c *connector) Driver() driver.Driver { return c.driver }

func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.open(ctx)
	if err != nil {
		return nil, err
	}
	for _, pragma := range c.pragmas {
		if err := execOn(ctx, conn, pragma); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
	}
	return conn, nil
}

func execOn(ctx context.Context, conn driver.Conn, query string) error {
	if execer, ok := conn.(driver.ExecerContext); ok {
		if _, err := execer.ExecContext(ctx, query, nil); !errors.Is(err, driver.ErrSkip) {
			return err
		}
	}
	stmt, err := conn.Prepare(query)
	if err != nil {
		return err
	}
	defer stmt.Close()
	if s, ok := stmt.(driver.StmtExecContext); ok {
		_, err = s.ExecContext(ctx, nil)
	} else {
		//lint:ignore SA1019 the only way for drivers without contexts
		_, err = stmt.Exec(nil)
	}
	return err
}
