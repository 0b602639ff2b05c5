package server

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// Durability says when a transaction must survive a crash of the server.
type Durability bool

const (
	Durable Durability = true  // before its commit returns
	Lazy    Durability = false // soon, and in any case before the next durable one
)

// beginning begins a transaction. Whoever freezes in it blocks others for the time given; nobody waits longer for a row than that.
func (d Durability) beginning() string {
	const begin = "BEGIN; SET LOCAL idle_in_transaction_session_timeout = '5s'; SET LOCAL lock_timeout = '8s'"
	if d == Lazy {
		return begin + "; SET LOCAL synchronous_commit = off"
	}
	return begin
}

// EndTimeout is the time that the end of a transaction may take whose context has ended.
const EndTimeout = 8 * time.Second

// Transact runs fn in one transaction on any rows.
func (d *DB) Transact(ctx context.Context, how Durability, fn func(pgx.Tx, context.Context) error) error {
	if d.ReadOnly {
		return ErrReadOnly
	}
	raw, err := d.Pool.BeginTx(ctx, pgx.TxOptions{BeginQuery: how.beginning()})
	if err != nil {
		return err
	}
	err = fn(raw, ctx)
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), EndTimeout)
	defer cancel()
	if err != nil {
		_ = raw.Rollback(ending) // the error before tells more
		return err
	}
	if err = raw.Commit(ending); err != nil && StateOf(err) == "" || IsAway(err) {
		return &UnansweredError{Err: err}
	}
	return err
}

// EachRow calls each for every row of an answer.
func EachRow(rows pgx.Rows, err error, each func(pgx.Rows) error) error {
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := each(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
