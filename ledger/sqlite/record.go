package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"owlatsync/ledger"
	"owlatsync/ledger/internal/entry"
	"owlatsync/ledger/sqlite/internal/dbfile"
)

// commit is one call on its way to the disk that shares its transaction with others.
type commit struct {
	lock  *lock           // nil: it needs none
	write func(*tx) error // may be called again, after a rollback
	why   error           // why its lock is lost
	done  chan error      // receives one result
}

// Record makes the records durable in their order, all or none. An entry needs a sync and a key; a zero ChangedAt becomes the
// present time. Calls that come while a transaction is written share the next one. A call that cannot be written, or whose lock is
// lost, fails alone. If ctx ends while the call waits, nothing of it is written. Once its transaction has begun, the call returns
// the true result.
func (k *lock) Record(ctx context.Context, records ...ledger.Record) error {
	if err := k.record(ctx, records); err != nil {
		return fmt.Errorf("record in ledger: %w", err)
	}
	return nil
}

func (k *lock) record(ctx context.Context, records []ledger.Record) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err := k.usable(); err != nil || len(records) == 0 {
		return err
	}
	steps, err := encodeRecords(records, time.Now())
	if err != nil {
		return err
	}
	return k.share(ctx, k, func(t *tx) error { return t.record(steps) })
}

// share writes in a transaction that calls share which come while another one is written. A call that cannot be written, or whose lock
// is lost, fails alone. If ctx ends while the call waits, nothing of it is written. Once its transaction has begun, the call returns
// the true result.
func (b *base) share(ctx context.Context, k *lock, write func(*tx) error) error {
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case b.f.IsClosed():
		return ledger.ErrClosed
	}
	c := &commit{lock: k, write: write, done: make(chan error, 1)}
	b.queue.Add(c)
	select {
	case err := <-c.done:
		return err
	case b.f.Token() <- struct{}{}:
		// The holder of the writer writes for all calls that wait, and for itself unless it was just served.
		b.commitWaiting(context.WithoutCancel(ctx))
		return <-c.done
	case <-ctx.Done():
		if b.queue.Withdraw(c) {
			return context.Cause(ctx)
		}
	case <-b.f.Closed():
		if b.queue.Withdraw(c) {
			return ledger.ErrClosed
		}
	}
	return <-c.done
}

func (b *base) commitWaiting(ctx context.Context) {
	defer b.f.LeaveWriter()
	runtime.Gosched() // lets callers that the last transaction has answered join this one
	batch := b.queue.TakeAll()
	for len(batch) > 0 {
		var culprit *commit
		var lost []*commit
		err := b.write(ctx, dbfile.Durable, func(t *tx) error {
			for _, c := range batch {
				if c.lock != nil {
					if why, err := t.lost(c.lock); err != nil {
						return err
					} else if why != nil {
						c.why, lost = why, append(lost, c)
						continue
					}
				}
				if err := c.write(t); err != nil {
					culprit = c
					return err
				}
			}
			return nil
		})
		for _, c := range lost {
			c.done <- c.lock.lose(c.why)
		}
		batch = without(batch, lost)
		failed := batch
		if err != nil && culprit != nil && !dbfile.ConcernsAll(err) {
			failed = []*commit{culprit}
		}
		err = dbfile.Explain(ctx, err)
		for _, c := range failed {
			c.done <- err
		}
		batch = without(batch, failed)
	}
}

func without(all, some []*commit) []*commit {
	return slices.DeleteFunc(all, func(c *commit) bool { return slices.Contains(some, c) })
}

const returningID = " RETURNING id"

func (t *tx) record(steps []step) error {
	t.acts = true
	for i := range steps {
		s := &steps[i]
		sync, err := t.syncID(s.sync)
		if err != nil {
			return err
		}
		if err := t.putEntry(entry.Upsert, sync, &s.entry, s.mark); err != nil {
			return err
		}
		if s.replaces != "" {
			if err := t.remove(sync, s.replaces); err != nil {
				return err
			}
		}
		if s.event == "" {
			continue
		}
		if err := t.addLine(0, sync, s.key, s.at, s.run, phrase{s.event, s.note}); err != nil {
			return err
		}
	}
	return nil
}

// Remove implements ledger.Writer. It ignores keys without an entry.
func (k *lock) Remove(ctx context.Context, sync string, keys []string) error {
	const doing = "remove from ledger"
	if len(keys) == 0 {
		if err := k.usable(); err != nil {
			return fmt.Errorf("%s: %w", doing, err)
		}
		return nil
	}
	return k.update(ctx, doing, dbfile.Durable, func(t *tx) error {
		id, err := t.syncID(sync)
		if err != nil {
			return err
		}
		t.acts = true
		for _, key := range keys {
			if err := t.remove(id, key); err != nil {
				return err
			}
		}
		return nil
	})
}

func (t *tx) remove(sync int64, key string) error {
	var id int64
	err := t.Row("DELETE FROM entries WHERE sync = ?1 AND key = ?2"+returningID, []any{sync, key}, &id)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	return t.packs.Mark(t.Tx, sync, id, entry.NoMark)
}

// putEntry stores an entry and its mark with one of the statements above.
func (t *tx) putEntry(statement string, sync int64, values *entry.Values, mark [entry.MarkSize]byte) error {
	args, err := values.Bind(sync, t.topicID)
	if err != nil {
		return err
	}
	var id int64
	if err := t.Row(statement+returningID, args, &id); err != nil {
		return err
	}
	return t.packs.Mark(t.Tx, sync, id, mark)
}

// addLine adds a line of history under its number, 0 for the next.
func (t *tx) addLine(number, sync int64, key string, at, run int64, p phrase) error {
	id, err := t.phraseID(p)
	if err != nil {
		return err
	}
	if id != nil {
		p = phrase{}
	}
	return t.Exec(`INSERT INTO history (id, sync, key, at, run, event, note, phrase) VALUES (nullif(?1, 0), ?2, ?3, ?4, ?5, ?6, ?7, ?8)`,
		number, sync, key, at, run, p.event, p.note, id)
}
