package server

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"owlatsync/ledger"
)

// StatementTimeout is how long one statement may take: a server that is cut off, or there and deaf, says nothing for ever.
const StatementTimeout = 2 * time.Minute

// pingTimeout is how long a connection that was idle may take to tell that it still works.
const pingTimeout = 5 * time.Second

var errSilent = fmt.Errorf("%w (it has said nothing for too long)", ledger.ErrAway)

type unhurriedKey struct{}

// Unhurried returns a context whose statements may take any time, such as a migration.
func Unhurried(ctx context.Context) context.Context {
	return context.WithValue(ctx, unhurriedKey{}, true)
}

// limiter limits what goes on on the connections of a DB, by whomever: it is told of every statement.
type limiter struct{ *DB }

type doneKey struct{}

func (l limiter) begin(ctx context.Context) context.Context {
	if ctx.Value(unhurriedKey{}) != nil {
		return ctx
	}
	ctx, done := context.WithTimeout(ctx, l.Silence)
	return context.WithValue(ctx, doneKey{}, done)
}

func (l limiter) end(ctx context.Context) {
	if done, limited := ctx.Value(doneKey{}).(context.CancelFunc); limited {
		done()
	}
}

// TraceQueryStart implements pgx.QueryTracer.
func (l limiter) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	return l.begin(ctx)
}

// TraceQueryEnd implements pgx.QueryTracer.
func (l limiter) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryEndData) { l.end(ctx) }

// TraceBatchStart implements pgx.BatchTracer.
func (l limiter) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	return l.begin(ctx)
}

// TraceBatchQuery implements pgx.BatchTracer.
func (l limiter) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}

// TraceBatchEnd implements pgx.BatchTracer.
func (l limiter) TraceBatchEnd(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchEndData) { l.end(ctx) }

// TraceCopyFromStart implements pgx.CopyFromTracer.
func (l limiter) TraceCopyFromStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceCopyFromStartData) context.Context {
	return l.begin(ctx)
}

// TraceCopyFromEnd implements pgx.CopyFromTracer.
func (l limiter) TraceCopyFromEnd(ctx context.Context, _ *pgx.Conn, _ pgx.TraceCopyFromEndData) {
	l.end(ctx)
}

// Querier is a pool, a connection or a transaction.
type Querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// Stream calls each for every row of an answer. Each may take its time; the server may not.
func (d *DB) Stream(ctx context.Context, from Querier, sql string, args []any, each func(pgx.Rows) error) error {
	ctx, cancel := context.WithCancelCause(Unhurried(ctx))
	defer cancel(nil)
	silent := time.AfterFunc(d.Silence, func() { cancel(errSilent) })
	defer silent.Stop()
	rows, err := from.Query(ctx, sql, args...)
	err = EachRow(rows, err, func(rows pgx.Rows) error {
		silent.Stop()
		defer silent.Reset(d.Silence)
		return each(rows)
	})
	if why := context.Cause(ctx); err != nil && errors.Is(why, errSilent) {
		return why
	}
	return err
}
