package postgres

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"owlatsync/ledger"
	"owlatsync/ledger/postgres/internal/server"
)

// within is long enough for what is to end by itself.
const within = time.Minute

// TestADeafServer is there, takes everything and says nothing.
func TestADeafServer(t *testing.T) {
	t.Parallel()
	p, through := newProxy(t, migrated.Postgres(t))
	d := openDatabase(t, through+"&connect_timeout=1")
	l := openLedger(t, d, "")
	k := takeLock(t, l)
	put(t, k, "before")
	d.db.Silence = 300 * time.Millisecond
	p.set(drops)
	for name, what := range map[string]func(ctx context.Context) error{
		"names":   func(ctx context.Context) error { _, err := d.Names(ctx); return err },
		"holder":  func(ctx context.Context) error { _, err := d.Holder(ctx, ""); return err },
		"live":    func(ctx context.Context) error { _, err := d.Live(ctx, time.Minute); return err },
		"home":    func(ctx context.Context) error { _, err := d.Home(ctx, "another", ledger.Owner{}); return err },
		"syncs":   func(ctx context.Context) error { _, err := l.Syncs(ctx); return err },
		"entries": func(ctx context.Context) error { _, err := l.Entries(ctx, "users", []string{"before"}); return err },
		"index": func(ctx context.Context) error {
			for _, err := range l.Index(ctx, "users") {
				return err
			}
			return nil
		},
		"snapshot": func(ctx context.Context) error {
			return l.Snapshot(ctx, func(ledger.Snapshot) error { return nil })
		},
		"try":     func(ctx context.Context) error { return l.Try(ctx) },
		"acquire": func(ctx context.Context) error { _, err := l.Acquire(ctx, ledger.Claim{}); return err },
		"queue": func(ctx context.Context) error {
			_, _, err := l.Enqueue(ctx, ledger.Run{Sync: "users"})
			return err
		},
		"take in": func(ctx context.Context) error {
			_, err := l.TakeIn(ctx, ledger.News{Feedback: ledger.Feedback{Event: "topic.unsubscribed", ContactID: "1", Received: time.Now()}})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), within)
			defer cancel()
			if err := what(ctx); !errors.Is(err, ledger.ErrAway) {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Run("the holder", func(t *testing.T) {
		t.Parallel()
		<-k.Context().Done()
		if why := context.Cause(k.Context()); !errors.Is(why, ledger.ErrLockLost) {
			t.Errorf("its lock ended with %v", why)
		}
	})
}

// impatient returns a database that soon counts a silent server as away, and a context that ends if it does not.
func impatient(t *testing.T) (*Database, context.Context) {
	t.Helper()
	d := openDatabase(t, migrated.Postgres(t))
	d.db.Silence = 300 * time.Millisecond
	ctx, cancel := context.WithTimeout(t.Context(), within)
	t.Cleanup(cancel)
	return d, ctx
}

// TestAnAnswerThatDoesNotCome is not waited for, unless it may take any time.
func TestAnAnswerThatDoesNotCome(t *testing.T) {
	t.Parallel()
	d, ctx := impatient(t)
	const never, late = "SELECT pg_sleep(600)", "SELECT pg_sleep(0.6)"
	_, err := d.db.Pool.Exec(ctx, never)
	if !server.IsAway(err) || ctx.Err() != nil {
		t.Errorf("a statement: %v", err)
	}
	b := new(pgx.Batch)
	b.Queue(never)
	if err := d.db.Pool.SendBatch(ctx, b).Close(); !server.IsAway(err) || ctx.Err() != nil {
		t.Errorf("a batch: %v", err)
	}
	if _, err := d.db.Pool.Exec(server.Unhurried(ctx), late); err != nil {
		t.Errorf("a statement that may take any time: %v", err)
	}
}

// TestASlowReader may take longer for what the server has told than the server may be silent.
func TestASlowReader(t *testing.T) {
	t.Parallel()
	d, ctx := impatient(t)
	read := 0
	err := d.db.Stream(ctx, d.db.Streams, "SELECT repeat('x', 10000) FROM generate_series(1, 3000)", nil, func(pgx.Rows) error {
		if read++; read == 1 {
			time.Sleep(2 * d.db.Silence) // what is slow is the reader
		}
		return nil
	})
	if err != nil || read != 3000 {
		t.Errorf("%d rows: %v", read, err)
	}
	err = d.db.Stream(ctx, d.db.Streams, "SELECT pg_sleep(600)", nil, func(pgx.Rows) error { return nil })
	if !errors.Is(err, ledger.ErrAway) || ctx.Err() != nil {
		t.Errorf("a server that was silent: %v", err)
	}
}
