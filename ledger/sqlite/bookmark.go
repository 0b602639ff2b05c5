package sqlite

import (
	"context"
	"encoding/json"
	"fmt"

	"owlatsync/ledger"
	"owlatsync/ledger/internal/entry"
	"owlatsync/ledger/sqlite/internal/dbfile"
	"owlatsync/ledger/sqlite/internal/heard"
)

const upsertBookmark = `INSERT INTO bookmarks (sync, settings, mark, full_at, due, entries, again) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
	ON CONFLICT (sync) DO UPDATE SET settings = excluded.settings, mark = excluded.mark, full_at = excluded.full_at,
		due = excluded.due, entries = excluded.entries, again = excluded.again`

// encodeBookmark returns the arguments of upsertBookmark after the sync.
func encodeBookmark(b ledger.Bookmark) ([]any, error) {
	keys := make([]ledger.Text, len(b.Again))
	for i, key := range b.Again {
		keys[i] = ledger.Text(key)
	}
	again, err := json.Marshal(keys)
	return []any{b.Settings, b.Mark, entry.TimeOrNull(b.Full), entry.TimeOrNull(b.Due), b.Entries, string(again)}, err
}

// KeepRound implements ledger.Writer.
func (k *lock) KeepRound(ctx context.Context, round ledger.Round) error {
	return k.update(ctx, "record a round in ledger", dbfile.Durable, func(t *tx) error { return heard.KeepRound(t.Tx, round) })
}

// SetBookmark implements ledger.Writer.
func (k *lock) SetBookmark(ctx context.Context, sync string, b ledger.Bookmark) error {
	const doing = "record a bookmark in ledger"
	args, err := encodeBookmark(b)
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return k.update(ctx, doing, dbfile.Durable, func(t *tx) error {
		id, err := t.syncID(sync)
		if err != nil {
			return err
		}
		return t.Exec(upsertBookmark, append([]any{id}, args...)...)
	})
}
