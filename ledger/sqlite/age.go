package sqlite

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"owlatsync/ledger"
	"owlatsync/ledger/sqlite/internal/dbfile"
)

// growEvery is how often the generation grows at the most while a run records, so that a copy made in a run is noticed to be older
// and the file beside the ledger costs little.
const growEvery = time.Second

// ageing is how a ledger grows older. Only the holder of the write token uses it.
type ageing struct {
	on   bool        // it is known that the ledger is not older than what was done
	last dbfile.Done // the generation of the last commit that grew; zero: none under this opening
	at   time.Time   // of that commit
	acts bool        // something was recorded since that commit that a copy from before it would not know
	kept dbfile.Done // what was last kept
}

// grow lets the generation grow with the transaction if it is time.
func (b *base) grow(t *tx) error {
	a := &b.ageing
	if !a.on {
		return nil
	}
	a.acts = a.acts || t.acts
	switch {
	case a.at.IsZero(), time.Since(a.at) >= growEvery, time.Since(a.at) < 0:
	case a.acts && t.closes, a.acts && a.kept != a.last:
	default:
		return nil
	}
	log, err := b.f.Log()
	if err != nil {
		return err
	}
	var next dbfile.Done
	if err := t.Row(growAge, []any{log}, &next.Ledger, &next.Generation); err != nil {
		return err
	}
	t.grown = &next
	return nil
}

// growAge lets the generation grow under the present log.
const growAge = `UPDATE age SET base = iif(log = ?1, base, generation - 1), log = ?1, generation = generation + 1 RETURNING ledger, generation`

// grew notes a committed transaction, and keeps beside the ledger what it did before anything follows from it.
func (b *base) grew(t *tx, d dbfile.Durability) error {
	a := &b.ageing
	if t.grown != nil {
		a.last, a.at = *t.grown, time.Now()
	}
	if !a.acts || d != dbfile.Durable || a.last == a.kept {
		return nil
	}
	if err := b.f.KeepDone(a.last); err != nil {
		return fmt.Errorf("keep beside the ledger how far it is (%s): %w", b.f.AgePath(), err)
	}
	a.kept, a.acts = a.last, false
	return nil
}

// Why a ledger is older than what was done.
const (
	olderCopy    = "an older copy is in the place of the ledger"
	olderOther   = "another ledger was used in this place since"
	olderRun     = "the ledger is a copy that was made while a run went on"
	olderUnknown = "nothing tells how old the ledger is: the file beside it whose name ends in .age is missing"
)

// older says why a ledger may be older than what was done with it, empty if it is not. Used says that it holds something. Done is
// what the file beside it has; known says that there is one. Pure.
func older(age dbfile.Age, used bool, done dbfile.Done, known bool) string {
	switch {
	case !used, !known && age.Generation == 0: // new, or of a version that kept no age
		return ""
	case !known:
		return olderUnknown
	case age.Ledger != done.Ledger:
		return olderOther
	case age.Generation < done.Generation:
		return olderCopy
	case len(age.Copied) >= len(dbfile.CopiedInRun) && age.Copied[:len(dbfile.CopiedInRun)] == dbfile.CopiedInRun:
		return olderRun
	}
	return ""
}

// age returns the age of the ledger, and whether it holds anything.
func (b *base) age(ctx context.Context) (a dbfile.Age, used bool, err error) {
	into := append(a.Into(), &used)
	err = b.f.Readers.QueryRowContext(ctx, "SELECT "+dbfile.AgeColumns+`, EXISTS (SELECT 1 FROM syncs) OR EXISTS (SELECT 1 FROM opt_outs)
		OR EXISTS (SELECT 1 FROM forgotten) FROM age`).Scan(into...)
	return a, used, err
}

// older says why the ledger may be older than what was done with it, and keeps beside it how far it is if nothing says so yet.
func (l *Ledger) older(ctx context.Context) (why string, err error) {
	for again := false; ; again = true {
		done, known := l.f.Before()
		if again {
			if done, known, err = l.f.ReadDone(); err != nil {
				return "", err
			}
		}
		age, used, err := l.age(ctx)
		if err != nil {
			return "", err
		}
		if why = older(age, used, done, known); why != "" && !again {
			continue // another process may have kept it meanwhile
		}
		if why == "" && (!known || done.Ledger != age.Ledger) {
			err = l.f.KeepDone(dbfile.Done{Ledger: age.Ledger, Generation: age.Generation})
		}
		return why, err
	}
}

// mind notices that the ledger is older than what was done with it, and makes its entries safe.
func (l *Ledger) mind(ctx context.Context) error {
	deadline := time.Now().Add(dbfile.OpenPatience)
	for {
		why, err := l.older(ctx)
		if err != nil {
			return err
		}
		if why == "" {
			l.ageing.on = true
			return nil
		}
		err = l.setBack(ctx, false)
		if !errors.Is(err, ledger.ErrLocked) || time.Now().After(deadline) {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(50 * time.Millisecond):
		}
	}
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
		if err := t.Exec("UPDATE syncs SET set_back = ?1", time.Now().UnixMicro()); err != nil {
			return err
		}
		if err := t.Exec("DELETE FROM bookmarks"); err != nil {
			return err
		}
		name := make([]byte, 16)
		if _, err := rand.Read(name); err != nil {
			return err
		}
		if err := t.Exec("UPDATE age SET was = ledger, ledger = ?1, copied = ''", hex.EncodeToString(name)); err != nil {
			return err
		}
		t.acts, t.closes = true, true
		l.ageing.on = true
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
	err = t.Each("SELECT e.sync, "+entryColumns+" FROM entries e WHERE e.id > ?1 ORDER BY e.id LIMIT ?2", []any{after, entryPage}, func(rows *sql.Rows) error {
		var h held
		var err error
		if last, h.Entry, err = scanEntry(rows, &h.sync); err != nil && !errors.Is(err, ledger.ErrCorrupt) {
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
		args, err := encodeEntry(h.Entry, now)
		if err != nil {
			return 0, false, err
		}
		if err := t.putEntry(upsertEntry, h.sync, args, encodeMark(h.Entry)); err != nil {
			return 0, false, err
		}
	}
	return last, n == entryPage, nil
}
