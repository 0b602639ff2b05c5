// Package server is the PostgreSQL server of the ledgers: how it is connected to, what its errors mean, how texts pass, and the schema with its
// migrations. It knows nothing of what the ledgers say.
package server

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgxpool"

	"owlatsync/ledger"
)

// DefaultSchema is the schema of a DSN that names none.
const DefaultSchema = "owlat_sync"

// Options are those of package postgres.
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

// DB is the schema on its server. Its methods are safe for concurrent use.
type DB struct {
	Pool     *pgxpool.Pool
	Streams  *pgxpool.Pool // for reads whose caller does something else meanwhile, so that they take no connection from Pool
	Schema   string
	ReadOnly bool
	Log      *slog.Logger
	Silence  time.Duration // how long the server may leave a statement unanswered; only tests change it
	queries  sync.Map      // string to string: see SQL
}

// Close closes the connections.
func (d *DB) Close() {
	d.Streams.Close()
	d.Pool.Close()
}

// Connect makes the pools of connections.
func Connect(ctx context.Context, o Options) (*DB, error) {
	config, schema, err := parse(o)
	if err != nil {
		return nil, err
	}
	d := &DB{Schema: schema, ReadOnly: o.ReadOnly, Log: o.Logger, Silence: StatementTimeout}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	config.ConnConfig.Tracer = limiter{d}
	if d.Pool, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return nil, withoutSecrets(err)
	}
	config = config.Copy()
	config.MaxConns, config.MinConns, config.MinIdleConns, config.MaxConnIdleTime = maxStreams, 0, 0, streamIdle
	if d.Streams, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		d.Pool.Close()
		return nil, withoutSecrets(err)
	}
	return d, nil
}

const (
	// maxStreams is the largest number of connections for streams.
	maxStreams = 64
	// streamIdle is how long a connection for streams is kept that nobody uses.
	streamIdle = 30 * time.Second
)

// schemaName is what a schema may be called, so that it needs no quotes.
var schemaName = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,62}$`)

// readBuffer is how much a connection reads at once at the most, in bytes.
const readBuffer = 64 << 10

// parse returns what pgx is to do with the DSN, and the schema.
func parse(o Options) (*pgxpool.Config, string, error) {
	dsn, schema, err := SplitDSN(o.DSN)
	if err != nil {
		return nil, "", err
	}
	config, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, "", withoutSecrets(err)
	}
	switch {
	case o.MaxConns > 0:
		config.MaxConns = o.MaxConns
	case !strings.Contains(dsn, "pool_max_conns="):
		config.MaxConns = 10
	}
	config.PingTimeout = pingTimeout
	config.MaxConns = max(config.MaxConns, 4) // a migration needs two, and so does who takes a lock over
	// Statements without names work behind a PgBouncer, whatever its version. Text that pgx would put together itself is never used.
	if !strings.Contains(dsn, "default_query_exec_mode=") {
		config.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	}
	if config.ConnConfig.ConnectTimeout == 0 {
		config.ConnConfig.ConnectTimeout = 5 * time.Second
	}
	if _, named := config.ConnConfig.RuntimeParams["application_name"]; !named && !strings.Contains(dsn, "application_name=") {
		config.ConnConfig.RuntimeParams["application_name"] = "owlat-sync"
	}
	// A peer that is cut off is noticed, also while nothing is asked of it.
	dialer := net.Dialer{Control: limitUnheard, KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 5 * time.Second, Interval: 2 * time.Second, Count: 3}}
	config.ConnConfig.DialFunc = dialer.DialContext
	// The index of a large sync is some megabytes, which come in fewer pieces so.
	config.ConnConfig.BuildFrontend = func(r io.Reader, w io.Writer) *pgproto3.Frontend {
		return pgproto3.NewFrontend(bufio.NewReaderSize(r, readBuffer), w)
	}
	config.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		teach(conn)
		// Whoever freezes in a transaction that is not the ledger's own, as River's are, blocks others no longer either. A pooler may give
		// the session to another of our connections, which is as good. To compile a statement takes a second, and none of the ledger's runs as long.
		_, err := conn.Exec(ctx, "SET idle_in_transaction_session_timeout = '5s'; SET jit = off")
		return err
	}
	return config, schema, nil
}

// SplitDSN takes the schema out of a DSN. The rest is what pgx understands.
func SplitDSN(dsn string) (rest, schema string, err error) {
	u, err := url.Parse(dsn)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return "", "", fmt.Errorf("%w: it is none such as postgres://user@host/database?schema=%s", ledger.ErrBadURL, DefaultSchema)
	}
	query := u.Query()
	schema = query.Get("schema")
	if schema == "" {
		schema = DefaultSchema
	}
	if !schemaName.MatchString(schema) || strings.HasPrefix(schema, "pg_") {
		return "", "", fmt.Errorf("%w: the schema %q is no plain name, which has lower-case letters, digits and underscores", ledger.ErrBadURL, schema)
	}
	query.Del("schema")
	u.RawQuery = query.Encode()
	return u.String(), schema, nil
}

// Masked returns a DSN for people: without its password and its parameters but the schema.
func Masked(dsn string) string {
	u, err := url.Parse(dsn)
	if err != nil {
		return "postgres://…"
	}
	schema := u.Query().Get("schema")
	u.RawQuery, u.Fragment = "", ""
	if schema != "" {
		u.RawQuery = url.Values{"schema": {schema}}.Encode()
	}
	if u.User != nil {
		u.User = url.User(u.User.Username())
	}
	return u.String()
}

// withoutSecrets returns the error of a connection without the DSN, which pgx repeats.
func withoutSecrets(err error) error {
	if parse, ok := errors.AsType[*pgconn.ParseConfigError](err); ok {
		_, what, _ := strings.Cut(parse.Error(), "`: ") // behind the DSN, in which no such quote can be
		return fmt.Errorf("%w: %s", ledger.ErrBadURL, what)
	}
	return err
}

// inSchema finds the names that begin with @.
var inSchema = regexp.MustCompile(`@([a-z_]+)`)

// SQL puts the schema into a query: names that begin with @ are in it.
func (d *DB) SQL(query string) string {
	if known, ok := d.queries.Load(query); ok {
		return known.(string)
	}
	full := inSchema.ReplaceAllString(query, d.Schema+".$1")
	d.queries.Store(query, full)
	return full
}
