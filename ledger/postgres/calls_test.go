package postgres

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"owlatsync/ledger"
	"owlatsync/ledger/postgres/internal/server"
)

// newsOf is news number n about a person.
func newsOf(n int, person string) ledger.News {
	at := time.Date(2026, 11, 28, 10, 0, 0, 0, time.UTC)
	f := ledger.Feedback{Event: "topic.unsubscribed", ContactID: person, Email: person + "@example.com", At: at, Received: at}
	binary.BigEndian.PutUint64(f.Hash[:], uint64(n)+1)
	return ledger.News{
		Feedback: f, OptOuts: []ledger.OptOut{{ContactID: person, Topic: "b", At: at}, {ContactID: person, Topic: "a", At: at}},
		Suppressions: []ledger.Suppression{{Email: f.Email, Reason: ledger.Bounced, At: at}}, Known: map[string]string{f.Email: person},
		Deliveries: []ledger.Delivery{{Target: "crm", Person: person}},
	}
}

// commits returns how many transactions of the ledger's feedback were committed: each takes numbers once.
func commits(t *testing.T, l *Ledger) (n int) {
	t.Helper()
	if err := l.row(t.Context(), "SELECT count(DISTINCT xmin::text) FROM @feedback WHERE deployment = $1", nil, &n); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestNewsShareTransactions takes news in from many goroutines of two processes, each news in both.
func TestNewsShareTransactions(t *testing.T) {
	t.Parallel()
	dsn := migrated.Postgres(t)
	nodes := []*Ledger{openLedger(t, openDatabase(t, dsn), "acme"), openLedger(t, openDatabase(t, dsn), "acme")}
	const workers, each = 32, 8
	var fresh atomic.Int64
	ids := make([][2]int64, workers*each)
	var wg sync.WaitGroup
	for w := range workers {
		for node, l := range nodes {
			wg.Go(func() {
				for i := range each {
					n := w*each + i
					took, err := l.TakeIn(t.Context(), newsOf(n, fmt.Sprint("person", n%7)))
					if err != nil || took.ID == 0 {
						t.Errorf("news %d is feedback %d: %v", n, took.ID, err)
					}
					if took.New {
						fresh.Add(1)
					}
					ids[n][node] = took.ID
				}
			})
		}
	}
	wg.Wait()
	for n, id := range ids {
		if id[0] != id[1] {
			t.Errorf("news %d is feedback %d on one node and %d on the other", n, id[0], id[1])
		}
	}
	if fresh.Load() != workers*each {
		t.Errorf("%d news were new, not %d", fresh.Load(), workers*each)
	}
	counts, err := nodes[0].DeliveryCounts(t.Context())
	if err != nil || counts["crm"][ledger.DeliveryWaiting] != workers*each {
		t.Errorf("deliveries %v: %v", counts, err)
	}
	if n := commits(t, nodes[0]); n > workers*each/2 {
		t.Errorf("%d news took %d transactions", workers*each, n)
	}
}

// TestNewsThatCannotBeWrittenFailAlone takes in what a trigger refuses beside what it lets pass.
func TestNewsThatCannotBeWrittenFailAlone(t *testing.T) {
	t.Parallel()
	l := fresh(t)
	err := l.update(t.Context(), "make a trigger", server.Durable, func(t *tx) error {
		return errors.Join(
			t.Exec(`CREATE FUNCTION @refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'refused'; END $$`),
			t.Exec(`CREATE TRIGGER refuse BEFORE INSERT ON @feedback FOR EACH ROW WHEN (NEW.contact = 'bad') EXECUTE FUNCTION @refuse()`))
	})
	if err != nil {
		t.Fatal(err)
	}
	batch := make([]*call, 5)
	for i := range batch {
		news := newsOf(i, map[bool]string{true: "bad", false: "good"}[i == 2])
		batch[i] = &call{news: &news, done: make(chan error, 1)}
		l.calls.add(batch[i])
	}
	l.writeCalls()
	for i, c := range batch {
		if err := <-c.done; (err != nil) != (i == 2) || c.taken.New != (i != 2) {
			t.Errorf("call %d: new %v, %v", i, c.taken.New, err)
		}
	}
}

// TestACallThatWaitsCanBeGivenUp ends the context of a call that waits for the transaction before it.
func TestACallThatWaitsCanBeGivenUp(t *testing.T) {
	t.Parallel()
	l := fresh(t)
	l.calls.add(&call{done: make(chan error, 1)}) // somebody seems to write
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := l.TakeIn(ctx, newsOf(1, "x"))
		done <- err
	}()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("given up with %v", err)
	}
	l.writeCalls()
	if found, err := l.Feedbacks(t.Context(), "", "", 0, 0); err != nil || len(found) > 0 {
		t.Errorf("taken in all the same: %+v, %v", found, err)
	}
}

// TestRetryBesideARun lets failed rows be tried again and again while a run records them.
func TestRetryBesideARun(t *testing.T) {
	t.Parallel()
	l := fresh(t)
	k := takeLock(t, l)
	failed := func(i int) ledger.Record {
		e := entryOf(fmt.Sprint(i))
		e.Failure = &ledger.Failure{Class: ledger.RetryLater, Attempts: 3}
		return ledger.Record{Sync: "users", Entry: e, Event: "failed"}
	}
	var all []ledger.Record
	for i := range 50 {
		all = append(all, failed(i))
	}
	if err := k.Record(t.Context(), all...); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range 20 {
				if err := k.Record(t.Context(), failed((49-i)*(w%2)+i*(1-w%2)), failed((i*7+w)%50)); err != nil {
					t.Errorf("record: %v", err)
				}
			}
		})
	}
	for range 2 {
		wg.Go(func() {
			for range 10 {
				if n, err := l.Retry(t.Context(), "users", nil, time.Now()); err != nil || n != 50 {
					t.Errorf("retried %d: %v", n, err)
				}
			}
		})
	}
	wg.Wait()
	changes, err := l.Changes(t.Context(), 0, 0)
	if err != nil || len(changes) != 50+160+1000 || changes[len(changes)-1].Number != int64(len(changes)) {
		t.Errorf("%d lines of history: %v", len(changes), err)
	}
}
