package source

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"owlatsync"
	"owlatsync/source/internal/cell"
	"owlatsync/source/internal/wrap"
)

// sqlSource is a backend that can run other queries than its own.
type sqlSource interface {
	backend
	// wrapping says how to put queries around the source's query; nil: that is not possible.
	wrapping() *wrap.Dialect
	text() string
	openQuery(ctx context.Context, query string) (sqlScan, error)
	// look begins a read-only transaction for a few small queries.
	look(ctx context.Context, do func(lookUp) error) error
}

// lookUp returns the few rows of a query as texts.
type lookUp = func(ctx context.Context, query string) ([][]string, error)

// sqlScan is a scan that can go on with further queries in the same snapshot.
type sqlScan interface {
	cursor
	// requery goes on with the rows of another query with the same columns. All earlier rows must have been read.
	requery(ctx context.Context, query string, args []any) error
	// lookUp returns the few rows of a query as texts. All earlier rows must have been read.
	lookUp(ctx context.Context, query string) ([][]string, error)
}

// queries asks an SQL database for what changed.
type queries struct{ sqlSource }

func (q queries) loose() bool { return q.wrapping().Loose }

func (q queries) openChanged(ctx context.Context, from bound) (following, error) {
	query := q.text()
	if from.Text != "" {
		query = q.wrapping().Changed(query, from)
	}
	return q.openScan(ctx, query)
}

func (q queries) openNone(ctx context.Context, _ string) (following, error) {
	c, err := q.openScan(ctx, q.wrapping().None(q.text()))
	if err != nil {
		return nil, fmt.Errorf("the query cannot be asked for a part of its rows, for which it must be one that can stand in parentheses after FROM: %w", err)
	}
	return c, nil
}

func (q queries) openScan(ctx context.Context, query string) (following, error) {
	c, err := q.openQuery(ctx, query)
	if err != nil {
		return nil, err
	}
	return queryScan{c, q}, nil
}

// queryScan is a scan of an SQL database that can go on.
type queryScan struct {
	sqlScan
	of queries
}

func (s queryScan) again(ctx context.Context, from bound, b *binding, keys []string) error {
	var key []wrap.Column
	for _, at := range b.key {
		c := b.columns[at]
		key = append(key, wrap.Column{Name: c.Name, DatabaseType: c.DatabaseType, Kind: c.kind, Any: from.Column == ""})
	}
	query, args := s.of.wrapping().Again(s.of.text(), from, key, split(keys, len(key)))
	return s.requery(ctx, query, args)
}

// split returns the parts of keys, without those that are none of so many columns.
func split(keys []string, columns int) [][]string {
	parts := make([][]string, 0, len(keys))
	for _, key := range keys {
		if values := owlatsync.SplitKey(key, columns); values != nil {
			parts = append(parts, values)
		}
	}
	return parts
}

func (s queryScan) top(ctx context.Context, from bound, k cell.Kind) (typ, text string, err error) {
	return s.of.value(ctx, s.lookUp, s.of.wrapping().Top(s.of.text(), from, k))
}

// value returns the only value that a query finds, with its type if each value has its own.
func (q queries) value(ctx context.Context, ask lookUp, query string) (typ, text string, err error) {
	found, err := ask(ctx, query)
	switch {
	case err != nil || len(found) == 0:
		return "", "", err
	case q.loose():
		return found[0][0], found[0][1], nil
	}
	return "", found[0][0], nil
}

func (q queries) look(ctx context.Context, do func(looking) error) error {
	return q.sqlSource.look(ctx, func(ask lookUp) error { return do(queryLook{q, ask}) })
}

// queryLook asks an SQL database how far a cursor is.
type queryLook struct {
	of  queries
	ask lookUp
}

func (l queryLook) peak(ctx context.Context, from bound, k cell.Kind) (typ, text string, err error) {
	return l.of.value(ctx, l.ask, l.of.wrapping().Peak(l.of.text(), from, k, time.Now()))
}

func (l queryLook) count(ctx context.Context, from bound, most int) (int, error) {
	found, err := l.ask(ctx, l.of.wrapping().Count(l.of.text(), from, most))
	if err != nil || len(found) == 0 {
		return 0, err
	}
	return strconv.Atoi(found[0][0])
}

func (s queryScan) indexed(ctx context.Context, from bound) (bool, error) {
	return s.of.wrapping().Indexed(ctx, s.lookUp, s.of.text(), from)
}
