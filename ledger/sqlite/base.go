package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"owlatsync/ledger/sqlite/internal/age"
	"owlatsync/ledger/sqlite/internal/dbfile"
)

// base is what all parts of a ledger share: the file, and the queue of writes.
type base struct {
	f      *dbfile.File
	driver string
	queue  queue
	ids    map[string]int64 // committed ids of syncs; only for the holder of the write token
	growth age.Growth       // only for the holder of the write token
}

// query calls each for every row of a short read.
func (b *base) query(ctx context.Context, query string, args []any, each func(*sql.Rows) error) error {
	return b.f.Query(ctx, query, args, each)
}

// forgetSecret returns the secret, nil if nobody was ever forgotten.
func (b *base) forgetSecret(ctx context.Context) ([]byte, error) {
	var text string
	err := b.f.Readers.QueryRowContext(ctx, "SELECT value FROM meta WHERE name = ?1", forgetSecret).Scan(&text)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return decodeSecret(text)
}

// update waits for the writer and runs fn in one transaction.
func (b *base) update(ctx context.Context, doing string, d dbfile.Durability, fn func(*tx) error) error {
	if err := b.transact(ctx, d, fn); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}

func (b *base) transact(ctx context.Context, d dbfile.Durability, fn func(*tx) error) error {
	if err := b.f.TakeWriter(ctx); err != nil {
		return err
	}
	defer b.f.LeaveWriter()
	return dbfile.Explain(context.WithoutCancel(ctx), b.write(ctx, d, fn))
}

// tx is a transaction on the tables of the ledger.
type tx struct {
	dbfile.Tx
	ids   map[string]int64 // committed ids of syncs
	fresh map[string]int64 // ids of syncs that the transaction created
	packs map[int64][]byte // changed packs that are not written yet
	// latest is the epoch known to be the latest lock's; 0: not known yet.
	latest int64
	acts   bool      // it records what follows from what was, or will be, sent to Owlat
	closes bool      // nothing may be recorded after it for long
	grown  *age.Done // the generation that it makes; nil: it stays
}

// write runs fn in a transaction, commits it if fn returns nil, and rolls it back otherwise. The caller holds the write token.
func (b *base) write(ctx context.Context, d dbfile.Durability, fn func(*tx) error) error {
	raw, err := b.f.Writer.Begin(ctx, d)
	if err != nil {
		return err
	}
	t := &tx{Tx: raw, ids: b.ids}
	err = fn(t)
	if err == nil {
		err = t.writePacks()
	}
	if err == nil {
		err = b.grow(t)
	}
	if err != nil {
		t.Rollback()
		return err
	}
	if err := t.Commit(); err != nil {
		return err
	}
	for name, id := range t.fresh {
		b.ids[name] = id
	}
	return b.growth.Committed(b.f.Name(), t.grown, d == dbfile.Durable)
}

// syncID returns the id of a sync, and creates the sync if it is new.
func (t *tx) syncID(name string) (int64, error) {
	if id, ok := t.ids[name]; ok {
		return id, nil
	}
	if id, ok := t.fresh[name]; ok {
		return id, nil
	}
	if name == "" {
		return 0, errors.New("the sync has no name")
	}
	if err := t.Exec("INSERT INTO syncs (name, set_back) VALUES (?1, (SELECT set_back FROM age)) ON CONFLICT DO NOTHING", name); err != nil {
		return 0, err
	}
	var id int64
	if err := t.Row("SELECT id FROM syncs WHERE name = ?1", []any{name}, &id); err != nil {
		return 0, err
	}
	if t.fresh == nil {
		t.fresh = make(map[string]int64)
	}
	t.fresh[name] = id
	return id, nil
}
