package sqlite

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"owlatsync/ledger"
	"owlatsync/ledger/internal/entry"
	"owlatsync/ledger/sqlite/internal/age"
	"owlatsync/ledger/sqlite/internal/dbfile"
)

// grow lets the generation of the ledger grow with the transaction if it is time.
func (b *base) grow(t *tx) error {
	if !b.growth.Due(t.acts, t.closes) {
		return nil
	}
	log, err := age.Log(b.f.Name())
	if err != nil {
		return err
	}
	t.grown = new(age.Done)
	return t.Row(age.Grow, []any{log}, &t.grown.Ledger, &t.grown.Generation)
}

// age returns the age of the ledger, and whether it holds anything.
func (b *base) age(ctx context.Context) (a age.Age, used bool, err error) {
	into := append(a.Into(), &used)
	err = b.f.Readers.QueryRowContext(ctx, "SELECT "+age.Columns+`, EXISTS (SELECT 1 FROM entries) OR EXISTS (SELECT 1 FROM opt_outs)
		OR EXISTS (SELECT 1 FROM forgotten) OR EXISTS (SELECT 1 FROM feedback) OR EXISTS (SELECT 1 FROM suppressions) FROM age`).Scan(into...)
	return a, used, err
}

// older says why the ledger may be older than what was done with it, and keeps beside it how far it is if nothing says so yet.
func (l *Ledger) older(ctx context.Context) (why string, err error) {
	for again := false; ; again = true {
		done, known := l.f.Before()
		if again {
			if done, known, err = age.Read(l.f.Name()); err != nil {
				return "", err
			}
		}
		is, used, err := l.age(ctx)
		if err != nil {
			return "", err
		}
		if why = age.Older(is, used, done, known); why != "" && !again {
			continue // another process may have kept it meanwhile
		}
		if why == "" && !known && l.Unwritable() == nil { // else the first record says that this ledger is used now
			err = age.Keep(l.f.Name(), age.Done{Ledger: is.Ledger, Generation: is.Generation})
		}
		return why, err
	}
}

// mind notices that the ledger is older than what was done with it, and makes its entries safe.
func (l *Ledger) mind(ctx context.Context) error {
	return dbfile.Patiently(ctx, ledger.ErrLocked, func() error {
		switch why, err := l.older(ctx); {
		case err != nil:
			return err
		case why != "":
			return l.setBack(ctx, false)
		}
		l.growth.On = true
		return nil
	})
}

// SetBack makes the ledger one that is older than what was done with it, for the case that this cannot be noticed: the whole folder
// or machine was put back. See ledger.SetBack. It takes the lock as a run does.
func (l *Ledger) SetBack(ctx context.Context) error { return l.setBack(ctx, true) }

// setBack makes every entry safe and notes in each sync that it is set back, unless force is false and another process has done it.
// It works in small transactions. The last one gives the ledger another name; before that, the ledger is still noticed as older.
func (l *Ledger) setBack(ctx context.Context, force bool) (err error) {
	k, err := l.acquire(ctx, ledger.Claim{Purpose: "noticing that the ledger is older than what was done"})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, k.Release()) }()
	if why, err := l.older(ctx); err != nil || why == "" && !force {
		return err
	}
	const doing = "make a ledger safe that is older than what was done"
	for after, more := int64(0), true; more; {
		err := k.update(ctx, doing, dbfile.Lazy, func(t *tx) (err error) {
			after, more, err = t.setBackSome(after)
			return err
		})
		if err != nil {
			return err
		}
	}
	return k.update(ctx, doing, dbfile.Durable, func(t *tx) error {
		now := time.Now().UnixMicro()
		if err := t.Exec("UPDATE syncs SET set_back = ?1", now); err != nil {
			return err
		}
		if err := t.Exec("DELETE FROM bookmarks"); err != nil {
			return err
		}
		if err := t.Exec("UPDATE age SET was = ledger, ledger = ?1, copied = '', set_back = ?2", rand.Text(), now); err != nil {
			return err
		}
		t.acts, t.closes = true, true
		l.growth.On = true
		return nil
	})
}

// setBackSome makes the entries of one page safe.
func (t *tx) setBackSome(after int64) (last int64, more bool, err error) {
	type held struct {
		sync int64
		*ledger.Entry
	}
	var page []held
	n := 0
	err = t.Each("SELECT e.sync, "+entry.Columns+" FROM entries e WHERE e.id > ?1 ORDER BY e.id LIMIT ?2", []any{after, entry.PageSize}, func(rows *sql.Rows) error {
		var h held
		var err error
		if last, h.Entry, err = entry.Scan(rows, &h.sync); err != nil && !errors.Is(err, ledger.ErrCorrupt) {
			err = fmt.Errorf("%w (%w)", ledger.ErrCorrupt, err)
		}
		if n++; err == nil && ledger.SetBack(h.Entry) {
			page = append(page, h)
		}
		return err
	})
	if err != nil {
		return 0, false, err
	}
	now := time.Now()
	for _, h := range page {
		values, err := entry.Encode(h.Entry, now)
		if err != nil {
			return 0, false, err
		}
		if err := t.putEntry(entry.Upsert, h.sync, &values, entry.MarkOf(h.Entry)); err != nil {
			return 0, false, err
		}
	}
	return last, n == entry.PageSize, nil
}
