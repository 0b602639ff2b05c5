package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"

	"owlatsync/ledger"
)

// durability says whether a transaction must be on the disk when it is committed.
type durability string

const (
	durable durability = "FULL"
	// lazy transactions reach the disk with the next durable one.
	lazy durability = "NORMAL"
)

// writer is the one connection that writes. Whoever holds the ledger's write token uses it.
type writer struct {
	db    *sql.DB
	conn  *sql.Conn // nil until needed, and after doubt
	stmts map[string]*sql.Stmt
	mode  durability
	syncs map[string]int64 // ids that are committed
}

func newWriter(c driver.Connector) *writer {
	db := sql.OpenDB(c)
	db.SetMaxOpenConns(1)
	return &writer{db: db, syncs: make(map[string]int64)}
}

// probe reports an error unless the file can be written. Beginning a transaction would not tell.
func (w *writer) probe(ctx context.Context) error {
	return w.transact(ctx, durable, func(t *tx) error { return t.exec("DELETE FROM meta WHERE false") })
}

// tx is a transaction of the writer. Its context cannot be cancelled: what has begun is brought to an end.
type tx struct {
	ctx   context.Context
	w     *writer
	syncs map[string]int64 // ids that came to be in it
	packs map[int64][]byte // changed, but not written yet
	// latest is the epoch of the lock that is known to be the latest, 0: not known yet.
	latest int64
}

// transact runs fn in a transaction that is committed when fn returns nil and rolled back otherwise.
func (w *writer) transact(ctx context.Context, d durability, fn func(*tx) error) error {
	t := &tx{ctx: context.WithoutCancel(ctx), w: w}
	if err := w.begin(t.ctx, d); err != nil {
		return err
	}
	err := fn(t)
	if err == nil {
		err = t.writePacks()
	}
	if err != nil {
		w.rollback(t.ctx)
		return err
	}
	if err := t.exec("COMMIT"); err != nil {
		w.rollback(t.ctx)
		return err
	}
	for name, id := range t.syncs {
		w.syncs[name] = id
	}
	return nil
}

func (w *writer) connect(ctx context.Context) error {
	if w.conn != nil {
		return nil
	}
	conn, err := w.db.Conn(ctx)
	if err != nil {
		return err
	}
	w.conn, w.stmts, w.mode = conn, make(map[string]*sql.Stmt), durable
	return nil
}

func (w *writer) begin(ctx context.Context, d durability) error {
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
	err := (&tx{ctx: ctx, w: w}).exec("BEGIN IMMEDIATE")
	if err != nil && hintFor(err) != ledger.ErrBusy {
		w.drop()
	}
	return err
}

func (w *writer) rollback(ctx context.Context) {
	if err := (&tx{ctx: ctx, w: w}).exec("ROLLBACK"); err != nil {
		w.drop()
	}
}

// drop gives up a connection whose state is in doubt; the next transaction opens another.
func (w *writer) drop() {
	for _, s := range w.stmts {
		_ = s.Close()
	}
	_ = w.conn.Raw(func(any) error { return driver.ErrBadConn })
	_ = w.conn.Close()
	w.conn, w.stmts = nil, nil
}

func (w *writer) close() error {
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
func (t *tx) stmt(query string) (*sql.Stmt, error) {
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

func (t *tx) exec(query string, args ...any) error {
	s, err := t.stmt(query)
	if err != nil {
		return err
	}
	_, err = s.ExecContext(t.ctx, args...)
	return err
}

// affect is exec for who wants to know how many rows it changed.
func (t *tx) affect(query string, args ...any) (int64, error) {
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

// each calls scan for every row of a query. It must not change what the query reads.
func (t *tx) each(query string, args []any, scan func(*sql.Rows) error) error {
	rows, err := t.w.conn.QueryContext(t.ctx, query, args...)
	if err != nil {
		return err
	}
	return eachRow(rows, scan)
}

// row scans the one row of a query.
func (t *tx) row(query string, args []any, into ...any) error {
	s, err := t.stmt(query)
	if err != nil {
		return err
	}
	return s.QueryRowContext(t.ctx, args...).Scan(into...)
}

// syncID returns the id of a sync and gives it one if it is new.
func (t *tx) syncID(name string) (int64, error) {
	if id, ok := t.w.syncs[name]; ok {
		return id, nil
	}
	if id, ok := t.syncs[name]; ok {
		return id, nil
	}
	if name == "" {
		return 0, errors.New("the sync has no name")
	}
	if err := t.exec("INSERT INTO syncs (name) VALUES (?1) ON CONFLICT DO NOTHING", name); err != nil {
		return 0, err
	}
	var id int64
	if err := t.row("SELECT id FROM syncs WHERE name = ?1", []any{name}, &id); err != nil {
		return 0, err
	}
	if t.syncs == nil {
		t.syncs = make(map[string]int64)
	}
	t.syncs[name] = id
	return id, nil
}
