package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"owlatsync/ledger"
	"owlatsync/ledger/internal/entry"
	"owlatsync/ledger/postgres/internal/change"
	"owlatsync/ledger/postgres/internal/entryrow"
	"owlatsync/ledger/postgres/internal/server"
)

// SetBack makes the ledger one that is older than what was done with it, for the case that this cannot be noticed: the server was put
// back from a backup. See ledger.SetBack. It takes the lock as a run does.
func (l *Ledger) SetBack(ctx context.Context) (err error) {
	k, err := l.locker.acquire(ctx, ledger.Claim{Purpose: "noticing that the ledger is older than what was done"})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, k.Release()) }()
	return k.setBack(ctx)
}

// mend makes the entries safe if commits were lost under an earlier lock.
func (k *lock) mend(ctx context.Context) error {
	var behind bool
	if err := k.row(ctx, "SELECT behind FROM @deployments WHERE id = $1", nil, &behind); err != nil {
		return fmt.Errorf("see how old the ledger is: %w", server.Explain(ctx, err))
	}
	if !behind {
		return nil
	}
	k.db.Log.Warn("PostgreSQL lost what it had acknowledged, so the ledger is older than what was done: its entries are made safe", "deployment", k.name)
	return k.setBack(ctx)
}

// setBack makes every entry safe and notes in each sync that it is set back. It works in small transactions; before the last one, the ledger
// still counts as behind.
func (k *lock) setBack(ctx context.Context) error {
	const doing = "make a ledger safe that is older than what was done"
	err := k.update(ctx, doing, server.Durable, func(t *tx) error {
		_, err := t.Change("UPDATE @deployments SET behind = true WHERE id = $1 AND NOT behind")
		return err
	})
	if err != nil {
		return err
	}
	for after, more := (numbered{}), true; more; {
		err := k.update(ctx, doing, server.Durable, func(t *tx) (err error) {
			after, more, err = t.setBackSome(after)
			return err
		})
		if err != nil {
			return err
		}
	}
	return k.update(ctx, doing, server.Durable, func(t *tx) error {
		now := k.Now().UnixMicro()
		if err := t.Exec("UPDATE @syncs SET set_back = $2 WHERE deployment = $1", t.deployment, now); err != nil {
			return err
		}
		if err := t.Exec("DELETE FROM @bookmarks WHERE sync IN (SELECT id FROM @syncs WHERE deployment = $1)", t.deployment); err != nil {
			return err
		}
		_, err := t.Change("UPDATE @deployments SET set_back = $2, behind = false WHERE id = $1", now)
		return err
	})
}

// numbered is the place of an entry.
type numbered struct{ sync, number int64 }

// setBackPage is how many entries one transaction makes safe.
const setBackPage = 1000

// setBackSome makes the entries of one page safe.
func (t *tx) setBackSome(after numbered) (last numbered, more bool, err error) {
	var syncs, numbers []int64
	var entries []*ledger.Entry
	n := 0
	err = t.Each("SELECT e.sync, "+entryrow.Columns+` FROM @entries e WHERE e.sync IN (SELECT id FROM @syncs WHERE deployment = $1)
		AND (e.sync, e.number) > ($2, $3) ORDER BY e.sync, e.number LIMIT $4`, []any{t.deployment, after.sync, after.number, setBackPage}, func(rows pgx.Rows) error {
		number, e, err := t.l.scanEntry(t.ctx, rows, &last.sync)
		if err != nil && !errors.Is(err, ledger.ErrCorrupt) {
			err = fmt.Errorf("%w (%w)", ledger.ErrCorrupt, err)
		}
		last.number = number
		if n++; err == nil && ledger.SetBack(e) {
			syncs, numbers, entries = append(syncs, last.sync), append(numbers, number), append(entries, e)
		}
		return err
	})
	if err != nil || len(entries) == 0 {
		return last, n == setBackPage, err
	}
	now := t.l.Now()
	kept, marks := make([]entryrow.Row, len(entries)), make([][]byte, len(entries))
	for i, e := range entries {
		if kept[i], err = entryrow.Encode(e, now); err != nil {
			return last, false, err
		}
		members, err := entry.EncodeMembers(e.Memberships, t.topicID)
		if err != nil {
			return last, false, err
		}
		kept[i].SetMembers(members)
		mark := entry.MarkOf(e)
		marks[i] = mark[:]
	}
	if err := t.Exec(entryrow.Put, append([]any{t.deployment, syncs, numbers}, entryrow.Arrays(kept)...)...); err != nil {
		return last, false, err
	}
	return last, n == setBackPage, t.Exec(change.SetMarks, syncs, numbers, marks)
}

// trialRoom is how much a trial asks the disk for, in bytes.
const trialRoom = 64 << 10

// Try makes a durable write that changes nothing and asks the disk for some room, and returns why the ledger does not take one, nil if it
// does.
func (l *Ledger) Try(ctx context.Context) error {
	return l.update(ctx, "try to write the ledger", server.Durable, func(t *tx) error {
		if _, err := t.Change("UPDATE @deployments SET name = name WHERE id = $1"); err != nil {
			return err
		}
		// It goes to the write-ahead log alone.
		if err := t.Exec("SELECT pg_logical_emit_message(true, 'owlat-sync', repeat('x', $1))", trialRoom); err != nil {
			return err
		}
		// Tables may be on another disk, and hardly any write makes one larger. What is sorted beyond the memory goes to a file beside them, which
		// leaves nothing behind.
		if err := t.Exec("SET LOCAL work_mem = '64kB'; SET LOCAL temp_tablespaces = ''"); err != nil {
			return err
		}
		return t.Exec("SELECT count(*) FROM (SELECT FROM generate_series(1, 2 * $1 / 1024) n ORDER BY repeat(n::text, 1024 / length(n::text)) OFFSET 0) sorted", trialRoom)
	})
}
