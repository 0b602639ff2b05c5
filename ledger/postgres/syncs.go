package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"owlatsync/ledger"
	"owlatsync/ledger/internal/entry"
	"owlatsync/ledger/postgres/internal/entries"
	"owlatsync/ledger/postgres/internal/heard"
	"owlatsync/ledger/postgres/internal/pgrow"
	"owlatsync/ledger/postgres/internal/server"
)

// syncReader reads what the ledger knows about syncs and persons besides entries.
type syncReader struct{ *base }

// ofSync is the number of the sync with the name $2.
const ofSync = entries.OfSync

// Deployment returns the base URL of the deployment that the ledger is tied to, empty if it is not tied yet.
func (r syncReader) Deployment(ctx context.Context) (string, error) {
	var bound server.Text
	err := r.row(ctx, "SELECT bound FROM @deployments WHERE id = $1", nil, &bound)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return "", fmt.Errorf("read the ledger's deployment: %w", server.Explain(ctx, err))
	}
	return string(bound), nil
}

// Standing counts the sync's entries as of one instant. It is zero for an unknown sync. Packs know how many entries they mark, unless a node of an
// earlier version loaded them; to count a million entries would take a fraction of a second.
func (r syncReader) Standing(ctx context.Context, sync string) (ledger.Standing, error) {
	var s ledger.Standing
	var open int
	var setBack pgrow.Moment
	err := r.row(ctx, `SELECT s.adopted, s.set_back,
			coalesce((SELECT CASE WHEN count(live) = count(*) THEN coalesce(sum(live), 0) END FROM @packs WHERE sync = s.id),
				(SELECT count(*) FROM @entries WHERE sync = s.id AND departed IS NULL)),
			(SELECT count(*) FROM @entries WHERE sync = s.id AND departed IS NOT NULL),
			(SELECT count(*) FROM @entries WHERE sync = s.id AND state <> 0),
			(SELECT count(*) FROM @entries WHERE sync = s.id AND state <> 0 AND state >= $3),
			(SELECT count(*) FROM @entries WHERE sync = s.id AND state <> 0 AND state = $4),
			(SELECT count(*) FROM @entries WHERE sync = s.id AND asked >= $5), `+entries.OptedOut+`
		FROM @syncs s WHERE s.deployment = $1 AND s.name = $2`,
		[]any{sync, entry.Failing, entry.Parked, r.Now().Add(-ledger.ConfirmWithin).UnixMicro()},
		&s.Adopted, &setBack, &s.Entries, &s.Departed, &open, &s.Failing, &s.Parked, &s.Asked, &s.OptedOut)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return ledger.Standing{}, fmt.Errorf("count entries of the ledger: %w", server.Explain(ctx, err))
	}
	s.Applied, s.SetBack = s.Entries-open, setBack.Time
	return s, nil
}

// SyncState returns what a run must know about the sync before it reads the index. Its time does not grow with the entries.
func (r syncReader) SyncState(ctx context.Context, sync string) (s ledger.SyncState, err error) {
	var setBack pgrow.Moment
	err = r.row(ctx, `SELECT coalesce(s.adopted, false), CASE WHEN s.id IS NULL THEN d.set_back ELSE s.set_back END,
			EXISTS (SELECT 1 FROM @entries WHERE sync = s.id AND state <> 0)
		FROM @deployments d LEFT JOIN @syncs s ON s.deployment = d.id AND s.name = $2 WHERE d.id = $1`, []any{sync}, &s.Adopted, &setBack, &s.Open)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return ledger.SyncState{}, fmt.Errorf("read the ledger's syncs: %w", server.Explain(ctx, err))
	}
	s.SetBack = setBack.Time
	return s, nil
}

const upsertBookmark = `INSERT INTO @bookmarks (sync, settings, mark, full_at, due, entries, again) VALUES ($1, $2, $3, $4, $5, $6, $7)
	ON CONFLICT (sync) DO UPDATE SET settings = excluded.settings, mark = excluded.mark, full_at = excluded.full_at,
		due = excluded.due, entries = excluded.entries, again = excluded.again`

// encodeBookmark returns the arguments of upsertBookmark after the sync.
func encodeBookmark(b ledger.Bookmark) ([]any, error) {
	keys := make([]ledger.Text, len(b.Again))
	for i, key := range b.Again {
		keys[i] = ledger.Text(key)
	}
	again, err := json.Marshal(keys)
	return []any{b.Settings, b.Mark, pgrow.TimeOrNull(b.Full), pgrow.TimeOrNull(b.Due), b.Entries, again}, err
}

// KeepRound implements ledger.Writer.
func (k runWriter) KeepRound(ctx context.Context, round ledger.Round) error {
	return k.update(ctx, "record a round in ledger", server.Durable, func(t *tx) error { return heard.KeepRound(t, round) })
}

// SetBookmark implements ledger.Writer.
func (k runWriter) SetBookmark(ctx context.Context, sync string, b ledger.Bookmark) error {
	const doing = "record a bookmark in ledger"
	args, err := encodeBookmark(b)
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return k.update(ctx, doing, server.Durable, func(t *tx) error {
		id, err := t.syncID(sync)
		if err != nil {
			return err
		}
		return t.Exec(upsertBookmark, append([]any{id}, args...)...)
	})
}

// Bookmark returns how far the sync has read its source, the zero value if that is not known.
func (r syncReader) Bookmark(ctx context.Context, sync string) (ledger.Bookmark, error) {
	var b ledger.Bookmark
	var full, due pgrow.Moment
	var again []byte
	err := r.row(ctx, "SELECT settings, mark, full_at, due, entries, again FROM @bookmarks WHERE sync = "+ofSync, []any{sync},
		&b.Settings, &b.Mark, &full, &due, &b.Entries, &again)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return ledger.Bookmark{}, nil
	case err != nil:
		return ledger.Bookmark{}, fmt.Errorf("read a bookmark of the ledger: %w", server.Explain(ctx, err))
	}
	b.Full, b.Due = full.Time, due.Time
	var keys []ledger.Text
	if err := json.Unmarshal(again, &keys); err != nil {
		return ledger.Bookmark{}, fmt.Errorf("read a bookmark of the ledger: %w (%w)", ledger.ErrCorrupt, err)
	}
	for _, key := range keys {
		b.Again = append(b.Again, string(key))
	}
	return b, nil
}
