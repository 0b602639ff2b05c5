package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"owlatsync/ledger"
	"owlatsync/ledger/internal/entry"
	"owlatsync/ledger/postgres/internal/entryrow"
)

// topicID returns the number of a topic, and makes it if it is new. It runs on its own, because a number that nobody uses does no harm.
func (t *tx) topicID(topic string) (id int64, err error) {
	if id, known := t.l.topics.Of(topic); known {
		return id, nil
	}
	err = t.Row("SELECT id FROM @topics WHERE deployment = $1 AND sha256(topic) = sha256($2::bytea)", []any{t.deployment, topic}, &id)
	if err == nil {
		t.l.topics.Keep(topic, id)
	}
	if errors.Is(err, pgx.ErrNoRows) {
		err = t.Row(`INSERT INTO @topics AS t (deployment, topic) VALUES ($1, $2)
			ON CONFLICT (deployment, sha256(topic)) DO UPDATE SET topic = t.topic RETURNING id`, []any{t.deployment, topic}, &id)
	}
	return id, err
}

// scanEntry reads entryrow.Columns; before takes the columns in front of them.
func (b *base) scanEntry(ctx context.Context, rows pgx.Rows, before ...any) (number int64, e *ledger.Entry, err error) {
	return entryrow.Scan(rows, func(stored []byte) ([]ledger.Membership, error) { return b.decodeMembers(ctx, stored) }, before...)
}

// decodeMembers returns the memberships of an entry. If another process has made a topic meanwhile, it reads the topics again.
func (b *base) decodeMembers(ctx context.Context, stored []byte) ([]ledger.Membership, error) {
	if len(stored) == 0 {
		return nil, nil
	}
	ms, err := entry.DecodeMembers(stored, b.topics.All())
	if !errors.Is(err, ledger.ErrCorrupt) {
		return ms, err
	}
	if err := b.loadTopics(ctx); err != nil {
		return nil, err
	}
	return entry.DecodeMembers(stored, b.topics.All())
}

// loadTopics reads all topics of the deployment.
func (b *base) loadTopics(ctx context.Context) error {
	return b.query(ctx, "SELECT id, topic FROM @topics WHERE deployment = $1", nil, func(rows pgx.Rows) error {
		var id int64
		var topic string
		err := rows.Scan(&id, &topic)
		if err == nil {
			b.topics.Keep(topic, id)
		}
		return err
	})
}

// source is where entries are read.
type source struct{ b *base }

// Query implements entries.Source.
func (s source) Query(ctx context.Context, query string, args []any, each func(pgx.Rows) error) error {
	return s.b.query(ctx, query, args, each)
}

// Stream implements entries.Source.
func (s source) Stream(ctx context.Context, query string, args []any, each func(pgx.Rows) error) error {
	return s.b.stream(ctx, query, args, each)
}

// Scan implements entries.Source.
func (s source) Scan(ctx context.Context, rows pgx.Rows, before ...any) (number int64, e *ledger.Entry, err error) {
	return s.b.scanEntry(ctx, rows, before...)
}
