package source

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"owlatsync"
	"owlatsync/internal/statement"
	"owlatsync/source/internal/cell"
	"owlatsync/source/internal/dialects"
	"owlatsync/source/internal/pgask"
	"owlatsync/source/internal/pgfault"
	"owlatsync/source/internal/pglink"
	"owlatsync/source/internal/wrap"
)

// Postgres returns the rows of a query on a PostgreSQL server. A URL or libpq's "key=value" form names the server; libpq's
// environment variables and password file count too. The query must be a single statement that returns rows and changes nothing.
// Each scan has its own connection and reads in a REPEATABLE READ READ ONLY transaction. It sets TimeZone, DateStyle,
// extra_float_digits and client_encoding itself, whatever the connection string says. It sets the other settings of the connection
// string, such as search_path, for its transaction only, and prepares nothing that outlives it, so that a pooler of transactions,
// such as PgBouncer, may stand before the server. Connecting may take 15 seconds unless the connection string has a
// connect_timeout.
//
// Postgres connects to nothing. Its error comes from [Mapping.Validate], is [ErrNotQuery] for an empty query, says which file that
// the connection string names cannot be read, or that the connection string is not valid, without a part of it.
func Postgres(connString, query string, m Mapping) (*Table, error) {
	config, err := pglink.Config(connString)
	if err != nil {
		return nil, err
	}
	if strings.TrimSpace(query) == "" {
		return nil, fmt.Errorf("the query is empty: %w", ErrNotQuery)
	}
	settings := pgask.TakeSettings(config)
	return newTable(m, &pgBackend{links: pglink.New(config), query: query, settings: settings})
}

type pgBackend struct {
	links    *pglink.Links
	settings string // statement that makes the settings of the DSN
	query    string
}

func (b *pgBackend) noun() string     { return "the query" }
func (b *pgBackend) castHint() string { return "encode(column, 'hex')" }

func (b *pgBackend) ping(ctx context.Context) error {
	conn, err := b.links.Connect(ctx)
	if err != nil {
		return err
	}
	_ = conn.Close(ctx)
	return nil
}

func (b *pgBackend) connectAhead(ctx context.Context) (release func()) { return b.links.Ahead(ctx) }
func (b *pgBackend) keepConnection() (release func())                  { return b.links.Keep() }

// pgBegin begins the scan's read-only transaction (Invariant 7), and pgForms fixes the form in which values are printed.
const (
	pgBegin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;"
	pgForms = "SET LOCAL TimeZone = 'UTC'; SET LOCAL DateStyle = 'ISO, YMD'; SET LOCAL extra_float_digits = 1; SET LOCAL client_encoding = "
)

func (b *pgBackend) wrapping() *wrap.Dialect { return wrap.Postgres }
func (b *pgBackend) text() string            { return b.query }

func (b *pgBackend) open(ctx context.Context) (cursor, error) {
	return orNil(b.openQuery(ctx, b.query))
}

func (b *pgBackend) openQuery(ctx context.Context, query string) (sqlScan, error) {
	c, err := b.transaction(ctx)
	if err != nil {
		return nil, err
	}
	if err := c.describe(query); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

func (b *pgBackend) look(ctx context.Context, do func(lookUp) error) error {
	c, err := b.transaction(ctx)
	if err != nil {
		return err
	}
	defer c.close()
	return do(c.lookUp)
}

// transaction returns a scan that has not asked for anything yet. A connection that was kept may have been lost meanwhile, and another one
// is made.
func (b *pgBackend) transaction(ctx context.Context) (*pgCursor, error) {
	conn, err := b.links.Get(ctx)
	if err != nil {
		return nil, err
	}
	for {
		c := &pgCursor{conn: conn, links: b.links, ctx: ctx}
		err := b.begin(ctx, conn.PgConn)
		if err == nil {
			return c, nil
		}
		lost := conn.Kept && conn.IsClosed() && ctx.Err() == nil
		if c.close(); !lost {
			return nil, err
		}
		if conn, err = b.links.Connect(ctx); err != nil {
			return nil, err
		}
	}
}

// begin begins the transaction of a scan.
func (b *pgBackend) begin(ctx context.Context, conn *pgconn.PgConn) error {
	begin, encoding := pgBegin, "'UTF8'"
	if conn.ParameterStatus("server_encoding") == "SQL_ASCII" {
		// Such a database holds any bytes. With UTF-8 asked for, it would end the scan at the first invalid ones.
		encoding = "'SQL_ASCII'"
	}
	if b.settings != "" {
		if _, err := conn.Exec(ctx, begin).ReadAll(); err != nil {
			return fmt.Errorf("begin a read-only transaction: %w", pgfault.Explain(err, ""))
		}
		if _, err := conn.Exec(ctx, b.settings).ReadAll(); err != nil {
			return fmt.Errorf("make the settings of the PostgreSQL DSN: %w", pgfault.Setting(err))
		}
		begin = ""
	}
	if _, err := conn.Exec(ctx, begin+pgForms+encoding).ReadAll(); err != nil {
		return fmt.Errorf("begin a read-only transaction: %w", pgfault.Explain(err, ""))
	}
	return nil
}

// describe learns the columns of a query. Preparing describes a statement without running it, and takes only one.
func (c *pgCursor) describe(query string) error {
	described, err := c.conn.Prepare(c.ctx, "", query, nil)
	reserved := statement.Unquoted(query, statement.Postgres)
	switch {
	case err != nil:
		return fmt.Errorf("check the query: %w", pgfault.Explain(err, cmp.Or(reserved, "correct the query")))
	case len(described.Fields) == 0:
		return fmt.Errorf("the statement returns no columns: %w", ErrNotQuery)
	case len(described.ParamOIDs) > 0:
		return errors.New("check the query: it has a parameter such as $1, and there is no value for it")
	case reserved != "" && len(described.Fields) == 1 && strings.HasSuffix(described.Fields[0].Name, "user"):
		return errors.New("check the query: it asks for the name of the database user, and for no table; " + reserved)
	}
	types := pgtype.NewMap()
	for _, f := range described.Fields {
		name := fmt.Sprintf(unnamedType+"%d", f.DataTypeOID)
		if t, ok := types.TypeForOID(f.DataTypeOID); ok {
			name = t.Name
		}
		c.cols = append(c.cols, column{Column{f.Name, name}, dialects.PostgresKind(f.DataTypeOID)})
	}
	return nil
}

// pgCursor is a scan on its own connection. All values come as text, in which PostgreSQL can print every type.
type pgCursor struct {
	conn   *pglink.Link
	links  *pglink.Links
	ctx    context.Context // the scan's own: a cursor lives no longer
	reader *pgconn.ResultReader
	cols   []column
	values [][]byte
	n      int
	done   bool
	buf    []byte
}

func (c *pgCursor) columns() []column            { return c.cols }
func (c *pgCursor) position() owlatsync.Position { return owlatsync.Position{Unit: "row", Number: c.n} }

func (c *pgCursor) next() (bool, error) {
	if c.reader == nil {
		c.reader = c.conn.ExecPrepared(c.ctx, "", nil, nil, nil)
	}
	if c.reader.NextRow() {
		c.values = c.reader.Values()
		c.n++
		return true, nil
	}
	if _, err := c.reader.Close(); err != nil {
		return false, pgfault.Explain(err, "")
	}
	c.done = true
	return false, nil
}

func (c *pgCursor) cell(i int) (cell.Cell, error) {
	v := c.values[i]
	if v == nil {
		return cell.Cell{Null: true}, nil
	}
	return cell.Canonical(c.cols[i].kind, v, &c.buf), nil
}

func (c *pgCursor) requery(ctx context.Context, query string, args []any) error {
	if _, err := c.conn.Prepare(ctx, "", query, nil); err != nil {
		return fmt.Errorf("run the query for single rows: %w", pgfault.Explain(err, ""))
	}
	values := make([][]byte, len(args))
	for i, arg := range args {
		values[i] = fmt.Append(nil, arg)
	}
	c.reader, c.done = c.conn.ExecPrepared(c.ctx, "", values, nil, nil), false
	return nil
}

func (c *pgCursor) lookUp(ctx context.Context, query string) (found [][]string, err error) {
	result := c.conn.ExecParams(ctx, query, nil, nil, nil, nil).Read()
	if result.Err != nil {
		return nil, pgfault.Explain(result.Err, "")
	}
	for _, row := range result.Rows {
		values := make([]string, len(row))
		for i, v := range row {
			values[i] = string(v)
		}
		found = append(found, values)
	}
	return found, nil
}

func (c *pgCursor) close() {
	ctx, cancel := context.WithTimeout(context.Background(), cleanUpTimeout)
	defer cancel()
	switch {
	case c.conn.IsClosed():
	case c.reader != nil && !c.done:
		// The server may still compute rows that nobody will read.
		_ = c.conn.CancelRequest(ctx)
	default:
		// A pooler throws away the server's connection of a client that leaves within a transaction.
		if _, err := c.conn.Exec(ctx, "ROLLBACK").ReadAll(); err == nil {
			c.links.Put(c.conn)
			return
		}
	}
	pglink.Close(c.conn.PgConn)
}
