package postgres

import (
	"github.com/jackc/pgx/v5"

	"owlatsync/ledger/postgres/internal/load"
)

var _ load.Tx = (*tx)(nil)

// Change implements pgrow.Tx.
func (t *tx) Change(query string, args ...any) (int64, error) {
	return t.Affect(query, append([]any{t.deployment}, args...)...)
}

// Find implements pgrow.Tx.
func (t *tx) Find(query string, args []any, each func(pgx.Rows) error) error {
	return t.Each(query, append([]any{t.deployment}, args...), each)
}

// Number implements pgrow.Tx.
func (t *tx) Number(kind string, n int) (last int64, err error) { return t.numbers(kind, n) }

// Fence keeps the holder of the lock from writing until the transaction ends. It comes before all else, so that the two never wait for each
// other.
func (t *tx) Fence() error {
	return t.Exec("SELECT 1 FROM @fences WHERE deployment = $1 FOR UPDATE", t.deployment)
}

// Deployment implements load.Tx.
func (t *tx) Deployment() int64 { return t.deployment }

// Copy implements load.Tx.
func (t *tx) Copy(table pgx.Identifier, columns []string, rows [][]any) error {
	_, err := t.CopyFrom(t.ctx, table, columns, pgx.CopyFromRows(rows))
	return err
}

// Sync implements load.Tx.
func (t *tx) Sync(name string) (int64, error) { return t.syncID(name) }

// Topic implements load.Tx.
func (t *tx) Topic(topic string) (int64, error) { return t.topicID(topic) }
