package postgres

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
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgxpool"

	"owlatsync/ledger"
)

// DefaultSchema is the schema of a DSN that names none.
const DefaultSchema = "owlat_sync"

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
	pool     *pgxpool.Pool
	streams  *pgxpool.Pool // for reads whose caller does something else meanwhile, so that they take no connection from it
	schema   string
	readOnly bool
	timing   timing
	leases   leases
	queries  sync.Map // string to string: see sql
	closed   atomic.Bool
	log      *slog.Logger
}

// timing is how long leases live.
type timing struct {
	life   time.Duration // of a lease that nobody renews
	renew  time.Duration // between renewals
	margin time.Duration // how long before its end a holder counts a lease as lost: more than renew, so that a server may lose one renewal
	look   time.Duration // between two looks at a lease that somebody waits for
}

// lifetimes are the timing of every process. All processes that share a database must have the same.
var lifetimes = timing{life: 8 * time.Second, renew: 2 * time.Second, margin: 2500 * time.Millisecond, look: 250 * time.Millisecond}

// Open connects to the database, and creates its schema or brings it up to date. If it may not, the error names the command that does.
// It refuses a server that acknowledges what it has not written (synchronous_commit is off), and one that cannot be written (a standby).
// The error holds no password.
func Open(ctx context.Context, o Options) (*Database, error) {
	return openWith(ctx, o, lifetimes)
}

func openWith(ctx context.Context, o Options, times timing) (*Database, error) {
	d, err := connect(ctx, o, times)
	if err != nil {
		return nil, fmt.Errorf("open ledger %s: %w", Masked(o.DSN), err)
	}
	if err := d.prepare(ctx); err != nil {
		d.Close()
		return nil, fmt.Errorf("open ledger %s: %w", Masked(o.DSN), explain(ctx, err))
	}
	return d, nil
}

func connect(ctx context.Context, o Options, times timing) (*Database, error) {
	config, schema, err := parse(o)
	if err != nil {
		return nil, err
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, withoutSecrets(err)
	}
	config = config.Copy()
	config.MaxConns, config.MinConns, config.MinIdleConns, config.MaxConnIdleTime = maxStreams, 0, 0, streamIdle
	streams, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		pool.Close()
		return nil, withoutSecrets(err)
	}
	d := &Database{pool: pool, streams: streams, schema: schema, readOnly: o.ReadOnly, timing: times, log: o.Logger}
	if d.log == nil {
		d.log = slog.New(slog.DiscardHandler)
	}
	d.leases.db = d
	return d, nil
}

const (
	// maxStreams is the largest number of connections for streams.
	maxStreams = 64
	// streamIdle is how long a connection for streams is kept that nobody uses.
	streamIdle = 30 * time.Second
)

// readBuffer is how much a connection reads at once at the most, in bytes.
const readBuffer = 64 << 10

// schemaName is what a schema may be called, so that it needs no quotes.
var schemaName = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,62}$`)

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
	dialer := net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 5 * time.Second, Interval: 2 * time.Second, Count: 3}}
	config.ConnConfig.DialFunc = dialer.DialContext
	// The index of a large sync is some megabytes, which come in fewer pieces so.
	config.ConnConfig.BuildFrontend = func(r io.Reader, w io.Writer) *pgproto3.Frontend {
		return pgproto3.NewFrontend(bufio.NewReaderSize(r, readBuffer), w)
	}
	config.AfterConnect = func(_ context.Context, conn *pgx.Conn) error {
		teach(conn)
		return nil
	}
	return config, schema, nil
}

// SplitDSN takes the schema out of a DSN. The rest is what pgx understands.
func SplitDSN(dsn string) (rest, schema string, err error) {
	u, err := url.Parse(dsn)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return "", "", errors.New("the ledger is no URL such as postgres://user@host/database?schema=" + DefaultSchema)
	}
	query := u.Query()
	schema = query.Get("schema")
	if schema == "" {
		schema = DefaultSchema
	}
	if !schemaName.MatchString(schema) || strings.HasPrefix(schema, "pg_") {
		return "", "", fmt.Errorf("the schema %q of the ledger is no plain name: use lower-case letters, digits and underscores", schema)
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
		return fmt.Errorf("the ledger's DSN cannot be read: %w", errors.Unwrap(parse))
	}
	return err
}

// inSchema finds the names that begin with @.
var inSchema = regexp.MustCompile(`@([a-z_]+)`)

// sql puts the schema into a query: names that begin with @ are in it.
func (d *Database) sql(query string) string {
	if known, ok := d.queries.Load(query); ok {
		return known.(string)
	}
	full := inSchema.ReplaceAllString(query, d.schema+".$1")
	d.queries.Store(query, full)
	return full
}

// Pool returns the connections, for others that keep something in the same schema.
func (d *Database) Pool() *pgxpool.Pool { return d.pool }

// Schema returns the name of the schema.
func (d *Database) Schema() string { return d.schema }

// Names returns the names of all deployments of which something is kept, in alphabetical order.
func (d *Database) Names(ctx context.Context) (names []string, err error) {
	rows, err := d.pool.Query(ctx, d.sql("SELECT name FROM @deployments ORDER BY name"))
	err = eachRow(rows, err, func(rows pgx.Rows) error {
		var name string
		err := rows.Scan(&name)
		names = append(names, name)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the deployments of the ledger: %w", explain(ctx, err))
	}
	return names, nil
}

// Close gives all leases back and closes the connections. All streams must have ended. Further calls do nothing.
func (d *Database) Close() {
	if d.closed.Swap(true) {
		return
	}
	d.leases.close()
	d.streams.Close()
	d.pool.Close()
}

// Ledger returns the ledger of a deployment. It is there without anything being written: the first write makes its rows.
func (d *Database) Ledger(ctx context.Context, name string) (*Ledger, error) {
	if d.closed.Load() {
		return nil, fmt.Errorf("open the ledger of deployment %q: %w", name, ledger.ErrClosed)
	}
	b := &base{db: d, name: name, done: make(chan struct{})}
	if _, err := b.number(ctx); err != nil {
		return nil, fmt.Errorf("open the ledger of deployment %q: %w", name, explain(ctx, err))
	}
	return newLedger(b), nil
}
