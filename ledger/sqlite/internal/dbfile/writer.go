package dbfile

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"

	"owlatsync/ledger"
)

// Durability says whether a transaction must be on the disk when it is committed.
type Durability string

const (
	Durable Durability = "FULL"
	// Lazy transactions reach the disk with the next durable one.
	Lazy Durability = "NORMAL"
)

// Writer is the one connection that writes. Only the holder of the file's write token may use it.
type Writer struct {
	db    *sql.DB
	conn  *sql.Conn // nil before the first transaction and after drop
	stmts map[string]*sql.Stmt
	mode  Durability
}

func newWriter(c driver.Connector) *Writer {
	db := sql.OpenDB(c)
	db.SetMaxOpenConns(1)
	return &Writer{db: db}
}

// probe returns an error if the file cannot be written. A transaction that only begins would not tell.
func (w *Writer) probe(ctx context.Context) error {
	t, err := w.Begin(ctx, Durable)
	if err != nil {
		return err
	}
	if err := t.Exec("DELETE FROM meta WHERE false"); err != nil {
		t.Rollback()
		return err
	}
	return t.Commit()
}

// Conn returns the connection, nil before the first transaction and after a failure that left its state unknown.
func (w *Writer) Conn() *sql.Conn { return w.conn }

// Mode returns the durability of the last transaction.
func (w *Writer) Mode() Durability { return w.mode }

// Tx is a transaction of the writer. Its context cannot be cancelled: a transaction that has begun is brought to its end.
type Tx struct {
	ctx context.Context
	w   *Writer
}

// Begin begins a transaction, which Commit or Rollback ends.
func (w *Writer) Begin(ctx context.Context, d Durability) (Tx, error) {
	t := Tx{ctx: context.WithoutCancel(ctx), w: w}
	return t, w.begin(t.ctx, d)
}

// Commit commits the transaction. After an error nothing of it happened.
func (t Tx) Commit() error {
	err := t.Exec("COMMIT")
	if err != nil {
		t.Rollback()
	}
	return err
}

// Rollback undoes the transaction.
func (t Tx) Rollback() {
	if err := t.Exec("ROLLBACK"); err != nil {
		t.w.drop()
	}
}

func (w *Writer) connect(ctx context.Context) error {
	if w.conn != nil {
		return nil
	}
	conn, err := w.db.Conn(ctx)
	if err != nil {
		return err
	}
	w.conn, w.stmts, w.mode = conn, make(map[string]*sql.Stmt), Durable
	return nil
}

func (w *Writer) begin(ctx context.Context, d Durability) error {
	if err := w.connect(ctx); err != nil {
		return err
	}
	if w.mode != d {
		if _, err := w.conn.ExecContext(ctx, "PRAGMA synchronous = "+string(d)); err != nil {
			w.drop()
			return err
		}
		w.mode = d
	}
	err := (Tx{ctx: ctx, w: w}).Exec("BEGIN IMMEDIATE")
	if err != nil && HintFor(err) != ledger.ErrBusy {
		w.drop()
	}
	return err
}

// drop gives up a connection whose state is unknown; the next transaction opens another.
func (w *Writer) drop() {
	for _, s := range w.stmts {
		_ = s.Close()
	}
	_ = w.conn.Raw(func(any) error { return driver.ErrBadConn })
	_ = w.conn.Close()
	w.conn, w.stmts = nil, nil
}

func (w *Writer) close() error {
	var errs []error
	for _, s := range w.stmts {
		errs = append(errs, s.Close())
	}
	if w.conn != nil {
		errs = append(errs, w.conn.Close())
	}
	return errors.Join(append(errs, w.db.Close())...)
}

// stmt prepares a statement once per connection. Its texts are constants.
func (t Tx) stmt(query string) (*sql.Stmt, error) {
	if s, ok := t.w.stmts[query]; ok {
		return s, nil
	}
	s, err := t.w.conn.PrepareContext(t.ctx, query)
	if err != nil {
		return nil, err
	}
	t.w.stmts[query] = s
	return s, nil
}

// Exec runs a statement, which is prepared once per connection.
func (t Tx) Exec(query string, args ...any) error {
	s, err := t.stmt(query)
	if err != nil {
		return err
	}
	_, err = s.ExecContext(t.ctx, args...)
	return err
}

// Affect runs a statement like Exec, and returns how many rows it changed.
func (t Tx) Affect(query string, args ...any) (int64, error) {
	s, err := t.stmt(query)
	if err != nil {
		return 0, err
	}
	result, err := s.ExecContext(t.ctx, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// Each calls scan for every row of a query. Scan must not change what the query reads.
func (t Tx) Each(query string, args []any, scan func(*sql.Rows) error) error {
	rows, err := t.w.conn.QueryContext(t.ctx, query, args...)
	if err != nil {
		return err
	}
	return EachRow(rows, scan)
}

// Row scans the single row of a query.
func (t Tx) Row(query string, args []any, into ...any) error {
	s, err := t.stmt(query)
	if err != nil {
		return err
	}
	return s.QueryRowContext(t.ctx, args...).Scan(into...)
}
