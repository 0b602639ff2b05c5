package source

import (
	"context"
	"fmt"

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
}

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
	if from.text != "" {
		query = q.wrapping().Changed(query, from.since())
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
		key = append(key, wrap.Column{Name: c.Name, DatabaseType: c.DatabaseType, Kind: c.kind, Any: from.column == ""})
	}
	query, args := s.of.wrapping().Again(s.of.text(), from.since(), key, split(keys, len(key)))
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
	found, err := s.lookUp(ctx, s.of.wrapping().Top(s.of.text(), from.since(), k))
	switch {
	case err != nil || len(found) == 0:
		return "", "", err
	case s.of.loose():
		return found[0][0], found[0][1], nil
	}
	return "", found[0][0], nil
}

func (s queryScan) indexed(ctx context.Context, from bound) (bool, error) {
	return s.of.wrapping().Indexed(ctx, s.lookUp, s.of.text(), from.since())
}
