package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"owlatsync/ledger"
	"owlatsync/ledger/postgres/internal/server"
)

// tx is a transaction on the rows of one deployment.
type tx struct {
	pgx.Tx
	ctx context.Context // of the one call that the transaction is for
	l   *base
	// deployment is the number of the deployment.
	deployment int64
}

// sql puts the schema into a query: names that begin with @ are in it.
func (t *tx) sql(query string) string { return t.l.db.SQL(query) }

// Exec runs a statement.
func (t *tx) Exec(query string, args ...any) error {
	_, err := t.Affect(query, args...)
	return err
}

// Affect runs a statement and returns how many rows it changed.
func (t *tx) Affect(query string, args ...any) (int64, error) {
	tag, err := t.Tx.Exec(t.ctx, t.sql(query), server.AsTexts(args)...)
	return tag.RowsAffected(), err
}

// Row reads one row. Without one the error matches pgx.ErrNoRows.
func (t *tx) Row(query string, args []any, into ...any) error {
	return t.Tx.QueryRow(t.ctx, t.sql(query), server.AsTexts(args)...).Scan(into...)
}

// Each calls each for every row.
func (t *tx) Each(query string, args []any, each func(pgx.Rows) error) error {
	rows, err := t.Tx.Query(t.ctx, t.sql(query), server.AsTexts(args)...)
	return server.EachRow(rows, err, each)
}

// numbers gives out the next n numbers of a kind and returns the last. Others wait for theirs until the transaction ends.
func (t *tx) numbers(kind string, n int) (last int64, err error) {
	err = t.Row(`INSERT INTO @counters AS c (deployment, kind, last) VALUES ($1, $2, $3)
		ON CONFLICT (deployment, kind) DO UPDATE SET last = c.last + excluded.last RETURNING last`, []any{t.deployment, kind, n}, &last)
	return last, err
}

// syncID returns the number of a sync, and creates the sync if it is new.
func (t *tx) syncID(name string) (id int64, err error) {
	if name == "" {
		return 0, errors.New("the sync has no name")
	}
	if id := t.l.syncs.of(name); id != 0 {
		return id, nil
	}
	err = t.Row("SELECT id FROM @syncs WHERE deployment = $1 AND name = $2", []any{t.deployment, name}, &id)
	if err == nil {
		t.l.syncs.keep(name, id) // it was there before, and no sync is ever removed
	}
	if errors.Is(err, pgx.ErrNoRows) {
		err = t.Row(`INSERT INTO @syncs AS s (deployment, name, set_back) VALUES ($1, $2, (SELECT set_back FROM @deployments WHERE id = $1))
			ON CONFLICT (deployment, name) DO UPDATE SET name = s.name RETURNING id`, []any{t.deployment, name}, &id)
	}
	return id, err
}

// query calls each for every row of a short read. $1 is the number of the deployment, 0 if nothing was ever written; args follow.
func (b *base) query(ctx context.Context, query string, args []any, each func(pgx.Rows) error) error {
	return b.read(ctx, func(deployment int64) error {
		rows, err := b.db.Pool.Query(ctx, b.db.SQL(query), append([]any{deployment}, server.AsTexts(args)...)...)
		return server.EachRow(rows, err, each)
	})
}

// stream is query for reads whose caller does something else meanwhile.
func (b *base) stream(ctx context.Context, query string, args []any, each func(pgx.Rows) error) error {
	return b.read(ctx, func(deployment int64) error {
		return b.db.Stream(ctx, b.db.Streams, b.db.SQL(query), append([]any{deployment}, server.AsTexts(args)...), each)
	})
}

// row reads one row, as query does. Without one the error matches pgx.ErrNoRows.
func (b *base) row(ctx context.Context, query string, args []any, into ...any) error {
	return b.read(ctx, func(deployment int64) error {
		return b.db.Pool.QueryRow(ctx, b.db.SQL(query), append([]any{deployment}, server.AsTexts(args)...)...).Scan(into...)
	})
}

// read calls fn with the number of the deployment.
func (b *base) read(ctx context.Context, fn func(deployment int64) error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if b.isClosed() {
		return ledger.ErrClosed
	}
	deployment, err := b.number(ctx)
	if err != nil {
		return err
	}
	return fn(deployment)
}

// update runs fn in one transaction that needs no lock.
func (b *base) update(ctx context.Context, doing string, d server.Durability, fn func(*tx) error) error {
	if err := b.transact(ctx, d, fn); err != nil {
		return fmt.Errorf("%s: %w", doing, server.Explain(ctx, err))
	}
	return nil
}

// transact runs fn in one transaction, which it commits if fn returns nil.
func (b *base) transact(ctx context.Context, d server.Durability, fn func(*tx) error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if b.isClosed() {
		return ledger.ErrClosed
	}
	deployment, err := b.create(ctx)
	if err != nil {
		return err
	}
	return b.db.Transact(ctx, d, func(raw pgx.Tx, ctx context.Context) error {
		return fn(&tx{Tx: raw, ctx: ctx, l: b, deployment: deployment})
	})
}
