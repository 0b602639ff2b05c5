package writeback

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"owlatsync/internal/statement"
)

// Postgres is a database of PostgreSQL. settings are made for each transaction, because poolers refuse them at the connection.
func Postgres(connString string, settings map[string]string) (Database, error) {
	config, err := pgconn.ParseConfig(connString)
	if err != nil {
		return nil, errors.New("read the DSN of the write-back: the driver does not take it; correct its options")
	}
	return &postgres{config, settings}, nil
}

type postgres struct {
	config   *pgconn.Config
	settings map[string]string
}

func (*postgres) lexicon() statement.Lexicon { return statement.Postgres }

func (*postgres) stamp(at time.Time) string { return at.Format("2006-01-02T15:04:05.000Z") }

func (p *postgres) connect(ctx context.Context) (connection, error) {
	conn, err := pgconn.ConnectConfig(ctx, p.config.Copy())
	if err != nil {
		return nil, pgSaid(err)
	}
	return &pgConnection{conn, p.settings}, nil
}

type pgConnection struct {
	conn     *pgconn.PgConn
	settings map[string]string
}

func (c *pgConnection) close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = c.conn.Close(ctx)
}

// check prepares the statement in a transaction that is rolled back. EXPLAIN also asks whether the user may do it; it cannot be had of a
// CALL.
func (c *pgConnection) check(ctx context.Context, b statement.Bound) error {
	if err := c.begin(ctx); err != nil {
		return err
	}
	defer func() { _, _ = c.conn.Exec(ctx, "ROLLBACK").ReadAll() }()
	if _, err := c.conn.Prepare(ctx, "", b.SQL, nil); err != nil {
		return pgSaid(err)
	}
	read, err := c.conn.Exec(ctx, "SHOW transaction_read_only").ReadAll()
	switch {
	case err != nil:
		return pgSaid(err)
	case len(read) == 1 && len(read[0].Rows) == 1 && string(read[0].Rows[0][0]) == "on":
		return errors.New("the database only lets this user read, or is a copy of another one; name the one to write to as \"dsn\" of the write-back")
	case b.Counts:
		explain := c.conn.ExecParams(ctx, "EXPLAIN "+b.SQL, make([][]byte, len(b.Params)), nil, nil, nil).Read()
		return pgSaid(explain.Err)
	}
	return nil
}

// begin begins a transaction with the settings.
func (c *pgConnection) begin(ctx context.Context) error {
	if _, err := c.conn.Exec(ctx, "BEGIN").ReadAll(); err != nil {
		return pgSaid(err)
	}
	for _, name := range slices.Sorted(maps.Keys(c.settings)) {
		set := c.conn.ExecParams(ctx, "SELECT set_config($1, $2, true)", [][]byte{[]byte(name), []byte(c.settings[name])}, nil, nil, nil).Read()
		if set.Err != nil {
			return pgSaid(set.Err)
		}
	}
	return nil
}

// run needs a transaction of its own only for the settings. Without one, a procedure may commit by itself.
func (c *pgConnection) run(ctx context.Context, b statement.Bound, values []*string) (int64, error) {
	params := make([][]byte, len(values))
	for i, v := range values {
		if v != nil {
			params[i] = []byte(*v)
		}
	}
	if len(c.settings) > 0 {
		if err := c.begin(ctx); err != nil {
			return 0, err
		}
	}
	result := c.conn.ExecParams(ctx, b.SQL, params, nil, nil, nil).Read()
	if len(c.settings) == 0 {
		return result.CommandTag.RowsAffected(), pgSaid(result.Err)
	}
	if result.Err != nil {
		_, _ = c.conn.Exec(ctx, "ROLLBACK").ReadAll()
		return 0, pgSaid(result.Err)
	}
	_, err := c.conn.Exec(ctx, "COMMIT").ReadAll()
	return result.CommandTag.RowsAffected(), pgSaid(err)
}

// pgSaid puts an error of PostgreSQL into words, and says whether the database is down for every notice: no connection, no room, no
// right, or a statement that does not fit the tables.
func pgSaid(err error) error {
	if err == nil {
		return nil
	}
	said, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return down(err)
	}
	message, _, _ := strings.Cut(said.Message, `: "`) // what follows may be somebody's data
	text := fmt.Errorf("%s (SQLSTATE %s)%s", message, said.Code, pgAdvice[said.Code])
	switch {
	case begins(said.Code, "42601", "42P02", "42P18"):
		return misfit(&SyntaxError{text})
	case begins(said.Code, "25", "3F", "42"):
		return misfit(text)
	case begins(said.Code, "08", "28", "3D", "53", "57P", "58", "XX"):
		return down(text)
	}
	return text
}

func begins(code string, classes ...string) bool {
	return slices.ContainsFunc(classes, func(class string) bool { return strings.HasPrefix(code, class) })
}

// pgAdvice is what to do about an error of PostgreSQL.
var pgAdvice = map[string]string{
	"25006": "; name a database that can be written as \"dsn\" of the write-back",
	"28P01": "; check user name and password in the DSN",
	"3D000": "; check the name of the database in the DSN",
	"42501": "; grant the user of the write-back what the statement does, or give the write-back a \"dsn\" of its own",
	"42P18": "; write its type, as in :email::text",
	"42883": "; write the types of the parameters, as in :key::bigint",
}
