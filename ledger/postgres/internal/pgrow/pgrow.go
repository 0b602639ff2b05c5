// Package pgrow is how the parts of the ledger in PostgreSQL pass rows: a transaction and a read, both on the rows of one deployment.
// In their queries names that begin with @ are in the ledger's schema, and $1 is the number of the deployment.
package pgrow

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// Tx is a transaction.
type Tx interface {
	// Change runs a statement with the number of the deployment before its arguments, and returns how many rows it changed.
	Change(query string, args ...any) (int64, error)
	// Find calls each for every row of a query, likewise.
	Find(query string, args []any, each func(pgx.Rows) error) error
	// Number gives out the next n numbers of a kind and returns the last; 0 only keeps others from theirs until the transaction ends.
	Number(kind string, n int) (last int64, err error)
}

// The kinds of numbers.
const (
	Runs       = "run"
	History    = "history"
	Feedback   = "feedback"
	Deliveries = "delivery"
	Audit      = "audit"
)

// Read calls each for every row of a short read, with the number of the deployment before its arguments.
type Read func(ctx context.Context, query string, args []any, each func(pgx.Rows) error) error

// Moment is a time of a BIGINT column that is to be scanned; NULL is the zero time.
type Moment struct{ time.Time }

// ScanInt64 implements pgtype.Int64Scanner.
func (m *Moment) ScanInt64(n pgtype.Int8) error {
	m.Time = time.Time{}
	if n.Valid {
		m.Time = time.UnixMicro(n.Int64).UTC()
	}
	return nil
}

// TimeOrNull is the time as an argument, NULL for the zero time.
func TimeOrNull(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMicro()
}

// Nullable is a text of an array that is to be BYTEA[], NULL for the empty text.
func Nullable(s string) []byte {
	if s == "" {
		return nil
	}
	return []byte(s)
}

// Bytes are texts that are to be BYTEA[].
func Bytes(texts []string) [][]byte {
	all := make([][]byte, len(texts))
	for i, s := range texts {
		all[i] = append([]byte{}, s...) // the empty text is not NULL
	}
	return all
}

// Limit is a LIMIT, NULL below 1: all.
func Limit(n int) any {
	if n < 1 {
		return nil
	}
	return n
}
