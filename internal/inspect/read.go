package inspect

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// The most rows per table and the most tables that are sampled.
const (
	sampleRows   = 200
	sampleTables = 16
)

// Look says how a database is looked at.
type Look struct {
	// Order returns the tables whose rows are of interest, the likeliest first. It gets a catalog without samples. Only the first 16 are
	// sampled. Nil: no table is.
	Order func(*Catalog) []*Table
	// Limit is the time limit of one query, because a view may take long before its first row; 0: ten seconds.
	Limit time.Duration
	// Settings are settings of a PostgreSQL server, by name, for all that is read.
	Settings map[string]string
}

func (l Look) limit() time.Duration {
	if l.Limit > 0 {
		return l.Limit
	}
	return 10 * time.Second
}

// rows is what *sql.Rows and pgx.Rows have in common.
type rows interface {
	Next() bool
	Scan(dest ...any) error
	Err() error
}

// queryFunc runs a query in its own read-only transaction and hands its rows to each.
type queryFunc func(ctx context.Context, query string, args []any, each func(rows) error) error

// sqlQuery runs queries on a database/sql handle. ReadOnly asks the driver for a read-only transaction.
func sqlQuery(db *sql.DB, readOnly bool, limit time.Duration) queryFunc {
	return func(ctx context.Context, query string, args []any, each func(rows) error) (err error) {
		ctx, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		tx, err := db.BeginTx(ctx, &sql.TxOptions{ReadOnly: readOnly})
		if err != nil {
			return err
		}
		defer func() {
			if rollback := tx.Rollback(); err == nil && !errors.Is(rollback, sql.ErrTxDone) {
				err = rollback
			}
		}()
		rs, err := tx.QueryContext(ctx, query, args...)
		if err != nil {
			return err
		}
		defer rs.Close()
		return drain(rs, each)
	}
}

func drain(rs rows, each func(rows) error) error {
	for rs.Next() {
		if err := each(rs); err != nil {
			return err
		}
	}
	return rs.Err()
}

// builder collects columns into tables. The columns of one table must come together.
type builder struct {
	look   Look
	tables []Table
	at     map[[2]string]int // of tables, by schema and name, once all are known
}

// ref adds a foreign key to its table, whose columns are known already.
func (b *builder) ref(schema, table string, r Ref) {
	if t := b.table(schema, table); t != nil {
		t.Refs = append(t.Refs, r)
	}
}

// table returns a table, nil if there is none of that name. It may be called once all are known.
func (b *builder) table(schema, name string) *Table {
	if b.at == nil {
		b.at = make(map[[2]string]int, len(b.tables))
		for i, t := range b.tables {
			b.at[[2]string{t.Schema, t.Name}] = i
		}
	}
	if i, known := b.at[[2]string{schema, name}]; known {
		return &b.tables[i]
	}
	return nil
}

func (b *builder) column(schema, table string, view bool, c Column, keyPosition int) {
	n := len(b.tables)
	if n == 0 || b.tables[n-1].Schema != schema || b.tables[n-1].Name != table {
		b.tables = append(b.tables, Table{Schema: schema, Name: table, View: view})
		n++
	}
	t := &b.tables[n-1]
	t.Columns = append(t.Columns, c)
	if keyPosition > 0 {
		for len(t.Key) < keyPosition {
			t.Key = append(t.Key, "")
		}
		t.Key[keyPosition-1] = c.Name
	}
}

// catalog drops what cannot be written into a query, and samples the likely tables.
func (b *builder) catalog(ctx context.Context, d Dialect, query queryFunc) (*Catalog, error) {
	c := &Catalog{Dialect: d}
	for _, t := range b.tables {
		if !usable(t.Name) || !usable(t.Schema+".") {
			continue
		}
		t.Columns = slices.DeleteFunc(t.Columns, func(c Column) bool { return !usable(c.Name) })
		if slices.ContainsFunc(t.Key, func(k string) bool { return !usable(k) }) {
			t.Key = nil
		}
		c.Tables = append(c.Tables, t)
	}
	if b.look.Order == nil {
		return c, nil
	}
	for i, candidate := range b.look.Order(c) {
		if i == sampleTables {
			break
		}
		if err := c.sample(ctx, query, candidate); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// sample reads some rows of the table. A table that cannot be read, such as a slow view or one whose base is gone, stays without a
// sample. Only the end of ctx is an error.
func (c *Catalog) sample(ctx context.Context, query queryFunc, t *Table) error {
	var columns []*Column
	var exprs []string
	for i := range t.Columns {
		if col := &t.Columns[i]; col.Kind != Other && col.Kind != Binary {
			columns = append(columns, col)
			exprs = append(exprs, c.Dialect.asText(col))
		}
	}
	from := c.Dialect.QuoteTable(t)
	values := make([]sql.NullString, len(columns))
	dest := make([]any, len(columns))
	for i := range values {
		dest[i] = &values[i]
	}
	err := query(ctx, fmt.Sprintf("SELECT %s FROM %s LIMIT %d", strings.Join(exprs, ", "), from, sampleRows), nil, func(rs rows) error {
		if err := rs.Scan(dest...); err != nil {
			return err
		}
		for i, v := range values {
			if v.Valid {
				columns[i].Sample = append(columns[i].Sample, v.String)
			} else {
				columns[i].Nulls++
			}
		}
		return nil
	})
	if err == nil {
		count := fmt.Sprintf("SELECT count(*) FROM (SELECT 1 AS one FROM %s LIMIT %d) AS counted", from, RowsCounted+1)
		err = query(ctx, count, nil, func(rs rows) error { return rs.Scan(&t.Rows) })
	}
	if err != nil {
		for _, col := range columns {
			col.Sample, col.Nulls = nil, 0
		}
		return ctx.Err()
	}
	t.Sampled = true
	return nil
}
