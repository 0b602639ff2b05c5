package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"owlatsync/ledger"
)

// Bookmark returns how far the sync has read its source, the zero value where that is not known.
func (l *Ledger) Bookmark(ctx context.Context, sync string) (ledger.Bookmark, error) {
	var b ledger.Bookmark
	var full, due sql.NullInt64
	var again string
	err := l.readers.QueryRowContext(ctx, `SELECT settings, mark, full_at, due, entries, again FROM bookmarks
		WHERE sync = (SELECT id FROM syncs WHERE name = ?1)`, sync).
		Scan(&b.Settings, &b.Mark, &full, &due, &b.Entries, &again)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return ledger.Bookmark{}, nil
	case err != nil:
		return ledger.Bookmark{}, fmt.Errorf("read a bookmark of the ledger: %w", explain(ctx, err))
	}
	b.Full, b.Due = timeOf(full), timeOf(due)
	var keys []text
	if err := json.Unmarshal([]byte(again), &keys); err != nil {
		return ledger.Bookmark{}, fmt.Errorf("read a bookmark of the ledger: %w (%w)", ErrCorrupt, err)
	}
	for _, key := range keys {
		b.Again = append(b.Again, string(key))
	}
	return b, nil
}

// SetBookmark durably replaces the sync's bookmark.
func (l *Ledger) SetBookmark(ctx context.Context, sync string, b ledger.Bookmark) error {
	keys := make([]text, len(b.Again))
	for i, key := range b.Again {
		keys[i] = text(key)
	}
	again, err := json.Marshal(keys)
	if err != nil {
		return fmt.Errorf("record a bookmark in ledger: %w", err)
	}
	return l.update(ctx, "record a bookmark in ledger", durable, func(t *tx) error {
		id, err := t.syncID(sync)
		if err != nil {
			return err
		}
		return t.exec(`INSERT INTO bookmarks (sync, settings, mark, full_at, due, entries, again) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
			ON CONFLICT (sync) DO UPDATE SET settings = excluded.settings, mark = excluded.mark, full_at = excluded.full_at,
				due = excluded.due, entries = excluded.entries, again = excluded.again`,
			id, b.Settings, b.Mark, timeOrNull(b.Full), timeOrNull(b.Due), b.Entries, string(again))
	})
}
