package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"owlatsync/ledger"
	"owlatsync/ledger/internal/intern"
	"owlatsync/ledger/internal/waiting"
	"owlatsync/ledger/sqlite/internal/age"
	"owlatsync/ledger/sqlite/internal/dbfile"
	"owlatsync/ledger/sqlite/internal/pack"
)

// base is what all parts of a ledger share: the file, and the queue of writes.
type base struct {
	f      *dbfile.File
	driver string
	queue  waiting.Queue[*commit]
	names  names       // only for the holder of the write token
	growth age.Growth  // only for the holder of the write token
	full   atomic.Bool // the last durable transaction found no room
}

// Now implements ledger.Clock: who uses the file is on this machine.
func (b *base) Now() time.Time { return time.Now() }

// names are the numbers of what recurs.
type names struct {
	syncs, topics intern.Numbers[string]
	phrases       intern.Numbers[phrase]
}

// phrase is what lines of history say.
type phrase struct{ event, note string }

func (n *names) commit() {
	n.syncs.Commit()
	n.topics.Commit()
	n.phrases.Commit()
}

func (n *names) rollback() {
	n.syncs.Rollback()
	n.topics.Rollback()
	n.phrases.Rollback()
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
	names *names
	packs pack.Changed
	// latest is the epoch known to be the latest lock's; 0: not known yet.
	latest int64
	acts   bool      // it records what follows from what was, or will be, sent to Owlat
	closes bool      // nothing may be recorded after it for long
	grown  *age.Done // the generation that it makes; nil: it stays
}

// write runs fn in a transaction, commits it if fn returns nil, and rolls it back otherwise. The caller holds the write token.
func (b *base) write(ctx context.Context, d dbfile.Durability, fn func(*tx) error) error {
	err := b.writeOnce(ctx, d, fn)
	if full := dbfile.HintFor(err) == ledger.ErrFull; full || err == nil && d == dbfile.Durable {
		b.full.Store(full)
	}
	return err
}

func (b *base) writeOnce(ctx context.Context, d dbfile.Durability, fn func(*tx) error) error {
	raw, err := b.f.Writer.Begin(ctx, d)
	if err != nil {
		return err
	}
	t := &tx{Tx: raw, names: &b.names}
	err = fn(t)
	if err == nil {
		err = t.packs.Write(t.Tx)
	}
	if err == nil {
		err = b.grow(t)
	}
	if err != nil {
		t.Rollback()
		b.names.rollback()
		return err
	}
	if err := t.Commit(); err != nil {
		b.names.rollback()
		return err
	}
	b.names.commit()
	return b.growth.Committed(b.f.Name(), t.grown, d == dbfile.Durable)
}

// syncID returns the id of a sync, and creates the sync if it is new.
func (t *tx) syncID(name string) (int64, error) {
	if name == "" {
		return 0, errors.New("the sync has no name")
	}
	return t.names.syncs.Of(name, func() (int64, error) {
		return t.number("INSERT INTO syncs (name, set_back) VALUES (?1, (SELECT set_back FROM age)) ON CONFLICT DO NOTHING",
			"SELECT id FROM syncs WHERE name = ?1", name)
	})
}

// topicID returns the number of a topic.
func (t *tx) topicID(topic string) (int64, error) {
	return t.names.topics.Of(topic, func() (int64, error) {
		return t.number("INSERT INTO topics (topic) VALUES (?1) ON CONFLICT DO NOTHING", "SELECT id FROM topics WHERE topic = ?1", topic)
	})
}

// phraseID returns the number of a phrase, nil for one that is kept as it is, because it may never come again.
func (t *tx) phraseID(p phrase) (any, error) {
	if p.note != "" && !t.names.topics.Has(p.note) {
		return nil, nil
	}
	return t.names.phrases.Of(p, func() (int64, error) {
		return t.number("INSERT INTO phrases (event, note) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
			"SELECT id FROM phrases WHERE event = ?1 AND note = ?2", p.event, p.note)
	})
}

// number returns the number of what recurs, and makes it if it is new.
func (t *tx) number(insert, find string, text ...any) (id int64, err error) {
	if err := t.Exec(insert, text...); err != nil {
		return 0, err
	}
	err = t.Row(find, text, &id)
	return id, err
}
