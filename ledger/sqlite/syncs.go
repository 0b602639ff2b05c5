package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"owlatsync/ledger"
	"owlatsync/ledger/internal/entry"
	"owlatsync/ledger/sqlite/internal/dbfile"
	"owlatsync/ledger/sqlite/internal/pack"
)

// syncReader reads what the ledger knows about syncs and persons besides entries.
type syncReader struct{ *base }

// Deployment returns the base URL of the deployment that the ledger is tied to, empty if it is not tied yet.
func (r syncReader) Deployment(ctx context.Context) (deployment string, err error) {
	err = r.f.Readers.QueryRowContext(ctx, "SELECT value FROM meta WHERE name = 'deployment'").Scan(&deployment)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", fmt.Errorf("read the ledger's deployment: %w", dbfile.Explain(ctx, err))
	}
	return deployment, nil
}

// Standing counts the sync's entries as of one instant. It is zero for an unknown sync. Those that have not departed have a mark in a pack: to count a million
// of them in their own table would take three times as long.
func (r syncReader) Standing(ctx context.Context, sync string) (s ledger.Standing, err error) {
	fail := func(err error) (ledger.Standing, error) {
		return ledger.Standing{}, fmt.Errorf("count entries of the ledger: %w", dbfile.Explain(ctx, err))
	}
	tx, err := r.f.Readers.BeginTx(ctx, nil) // these connections only read, and not every driver has transactions for that
	if err != nil {
		return fail(err)
	}
	defer func() { _ = tx.Rollback() }() // it has only read
	var open int
	var setBack sql.NullInt64
	err = tx.QueryRowContext(ctx, `SELECT s.adopted, s.set_back,
			(SELECT count(*) FROM entries WHERE sync = s.id AND departed IS NOT NULL),
			(SELECT count(*) FROM entries WHERE sync = s.id AND state <> 0),
			(SELECT count(*) FROM entries WHERE sync = s.id AND state <> 0 AND state >= ?2),
			(SELECT count(*) FROM entries WHERE sync = s.id AND state <> 0 AND state = ?3),
			(SELECT count(*) FROM entries WHERE sync = s.id AND asked >= ?4),
			(SELECT count(DISTINCT e.id) FROM opt_outs o CROSS JOIN entries e ON substr(e.contact_id, -8) = substr(o.contact_id, -8) AND e.contact_id = o.contact_id
				WHERE e.contact_id IS NOT NULL AND e.sync = s.id AND e.departed IS NULL)
		FROM syncs s WHERE s.name = ?1`, sync, entry.Failing, entry.Parked, time.Now().Add(-ledger.ConfirmWithin).UnixMicro()).
		Scan(&s.Adopted, &setBack, &s.Departed, &open, &s.Failing, &s.Parked, &s.Asked, &s.OptedOut)
	if errors.Is(err, sql.ErrNoRows) {
		return ledger.Standing{}, nil
	}
	if err == nil {
		s.Entries, err = pack.Count(ctx, tx, sync)
	}
	if err != nil {
		return fail(err)
	}
	s.Applied, s.SetBack = s.Entries-open, entry.TimeOf(setBack)
	return s, nil
}

// SyncState returns what a run must know about the sync before it reads the index. Its time does not grow with the entries.
func (r syncReader) SyncState(ctx context.Context, sync string) (s ledger.SyncState, err error) {
	var setBack sql.NullInt64
	err = r.f.Readers.QueryRowContext(ctx, `SELECT s.adopted, s.set_back, EXISTS (SELECT 1 FROM entries WHERE sync = s.id AND state <> 0)
		FROM syncs s WHERE s.name = ?1`, sync).Scan(&s.Adopted, &setBack, &s.Open)
	if errors.Is(err, sql.ErrNoRows) { // what holds for a sync that is not known
		err = r.f.Readers.QueryRowContext(ctx, "SELECT set_back FROM age").Scan(&setBack)
	}
	if err != nil {
		return ledger.SyncState{}, fmt.Errorf("read the ledger's syncs: %w", dbfile.Explain(ctx, err))
	}
	s.SetBack = entry.TimeOf(setBack)
	return s, nil
}

// Bookmark returns how far the sync has read its source, the zero value if that is not known.
func (r syncReader) Bookmark(ctx context.Context, sync string) (ledger.Bookmark, error) {
	var b ledger.Bookmark
	var full, due sql.NullInt64
	var again string
	err := r.f.Readers.QueryRowContext(ctx, `SELECT settings, mark, full_at, due, entries, again FROM bookmarks
		WHERE sync = (SELECT id FROM syncs WHERE name = ?1)`, sync).
		Scan(&b.Settings, &b.Mark, &full, &due, &b.Entries, &again)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return ledger.Bookmark{}, nil
	case err != nil:
		return ledger.Bookmark{}, fmt.Errorf("read a bookmark of the ledger: %w", dbfile.Explain(ctx, err))
	}
	b.Full, b.Due = entry.TimeOf(full), entry.TimeOf(due)
	var keys []ledger.Text
	if err := json.Unmarshal([]byte(again), &keys); err != nil {
		return ledger.Bookmark{}, fmt.Errorf("read a bookmark of the ledger: %w (%w)", ledger.ErrCorrupt, err)
	}
	for _, key := range keys {
		b.Again = append(b.Again, string(key))
	}
	return b, nil
}

// Forgotten returns the normalised addresses of forgotten persons: those given to ForgetPerson, and those found with them. It
// leaves out the others.
func (r syncReader) Forgotten(ctx context.Context, addresses []string) (map[string]bool, error) {
	forgotten := make(map[string]bool)
	if err := r.forgotten(ctx, addresses, forgotten); err != nil {
		return nil, fmt.Errorf("look up who was forgotten in the ledger: %w", dbfile.Explain(ctx, err))
	}
	return forgotten, nil
}

func (r syncReader) forgotten(ctx context.Context, addresses []string, forgotten map[string]bool) error {
	if len(addresses) == 0 {
		return nil
	}
	secret, err := r.forgetSecret(ctx)
	if secret == nil || err != nil {
		return err
	}
	for chunk := range slices.Chunk(addresses, entry.MaxParameters) {
		byHash := make(map[string]string, len(chunk))
		hashes := make([]any, len(chunk))
		for i, address := range chunk {
			hash := ledger.HashAddress(secret, address)
			byHash[string(hash)], hashes[i] = address, hash
		}
		err := r.query(ctx, "SELECT hash FROM forgotten WHERE hash IN ("+entry.Places(len(chunk))+")", hashes, func(rows *sql.Rows) error {
			var hash []byte
			err := rows.Scan(&hash)
			forgotten[byHash[string(hash)]] = true
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
