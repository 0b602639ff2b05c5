package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"modernc.org/sqlite"

	"owlatsync/ledger"
	"owlatsync/ledger/sqlite/internal/dbfile"
)

// bubble runs a test on a ledger of its own in fake time.
func bubble(t *testing.T, test func(t *testing.T, l *Ledger)) {
	t.Helper()
	folder := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		l := openIn(t, folder)
		test(t, l)
		if err := l.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
}

func rowRecord(key string) ledger.Record {
	return ledger.Record{Sync: "users", Run: 1, Event: "created", Entry: &ledger.Entry{Key: key}}
}

// recordLater records in a goroutine and gives the result when it is there.
func recordLater(ctx context.Context, k *lock, records ...ledger.Record) <-chan error {
	done := make(chan error, 1)
	go func() { done <- k.Record(ctx, records...) }()
	return done
}

func TestFakeTime(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, l *Ledger) {
		k := takeLock(t, l)
		start := time.Now()
		var results []<-chan error
		for i := range 20 {
			time.Sleep(time.Minute)
			results = append(results, recordLater(t.Context(), k, rowRecord(fmt.Sprint(i))))
		}
		for _, r := range results {
			if err := <-r; err != nil {
				t.Error(err)
			}
		}
		found, err := l.Entries(t.Context(), "users", []string{"19"})
		if err != nil || len(found) != 1 {
			t.Fatal(len(found), err)
		}
		if want := start.Add(20 * time.Minute); !found["19"].ChangedAt.Equal(want) {
			t.Errorf("changed at %v, not %v", found["19"].ChangedAt, want)
		}
		if passed := time.Since(start); passed != 20*time.Minute {
			t.Errorf("%v passed", passed)
		}
	})
}

// onCommit has the writer's connection call hook before each commit; a hook that returns false makes the commit fail.
func onCommit(t *testing.T, l *Ledger, hook func() bool) {
	t.Helper()
	err := l.f.Writer.Conn().Raw(func(conn any) error {
		conn.(sqlite.HookRegisterer).RegisterCommitHook(func() int32 {
			if hook() {
				return 0
			}
			return 1
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestWaitingRecordsShareATransaction(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, l *Ledger) {
		put(t, l, "first")
		k := takeLock(t, l)
		commits := 0
		onCommit(t, l, func() bool { commits++; return true })
		l.f.Token() <- struct{}{}
		var keys []string
		var results []<-chan error
		for i := range 50 {
			keys = append(keys, fmt.Sprint(i), fmt.Sprintf("%d again", i))
			results = append(results, recordLater(t.Context(), k, rowRecord(keys[2*i]), rowRecord(keys[2*i+1])))
		}
		synctest.Wait()
		l.f.LeaveWriter()
		for _, r := range results {
			if err := <-r; err != nil {
				t.Error(err)
			}
		}
		mustHold(t, l, keys...)
		if commits != 1 {
			t.Errorf("%d commits", commits)
		}
	})
}

func TestFailedCommit(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, l *Ledger) {
		put(t, l, "first")
		k := takeLock(t, l)
		fail := true
		onCommit(t, l, func() bool { return !fail })
		l.f.Token() <- struct{}{}
		first, second := recordLater(t.Context(), k, rowRecord("1")), recordLater(t.Context(), k, ledger.Record{Sync: "new", Entry: &ledger.Entry{Key: "1"}})
		synctest.Wait()
		l.f.LeaveWriter()
		for _, r := range []<-chan error{first, second} {
			if err := <-r; err == nil {
				t.Error("acknowledged what was not committed")
			}
		}
		mustHold(t, l, "first")
		if found, err := l.Entries(t.Context(), "users", []string{"1"}); err != nil || len(found) != 0 {
			t.Errorf("%d entries that were not committed: %v", len(found), err)
		}
		fail = false
		// The sync "new" got its number in the transaction that failed.
		if err := k.Record(t.Context(), ledger.Record{Sync: "new", Entry: &ledger.Entry{Key: "1"}}); err != nil {
			t.Fatal(err)
		}
		if s, err := l.Standing(t.Context(), "new"); err != nil || s.Entries != 1 {
			t.Errorf("standing %+v: %v", s, err)
		}
	})
}

// TestOneBadRecordFailsAlone makes one of three calls that share a transaction too large to be written.
func TestOneBadRecordFailsAlone(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, l *Ledger) {
		put(t, l, "first")
		k := takeLock(t, l)
		const limitLength = 0
		if _, err := sqlite.Limit(l.f.Writer.Conn(), limitLength, 10_000); err != nil {
			t.Fatal(err)
		}
		large := rowRecord("large")
		large.Note = strings.Repeat("x", 20_000)
		l.f.Token() <- struct{}{}
		good1 := recordLater(t.Context(), k, rowRecord("good1"))
		synctest.Wait()
		bad := recordLater(t.Context(), k, rowRecord("beside large"), large)
		synctest.Wait()
		good2 := recordLater(t.Context(), k, rowRecord("good2"))
		synctest.Wait()
		l.f.LeaveWriter()
		if err := <-good1; err != nil {
			t.Errorf("a good record failed: %v", err)
		}
		if err := <-bad; err == nil {
			t.Error("a record too large to be written was acknowledged")
		}
		if err := <-good2; err != nil {
			t.Errorf("a good record failed: %v", err)
		}
		mustHold(t, l, "first", "good1", "good2")
		found, err := l.Entries(t.Context(), "users", []string{"large", "beside large"})
		if err != nil || len(found) != 0 {
			t.Errorf("of the failed call %d entries are there: %v", len(found), err)
		}
	})
}

func TestCancelledWhileWaiting(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, l *Ledger) {
		k := takeLock(t, l)
		l.f.Token() <- struct{}{}
		ctx, cancel := context.WithCancel(t.Context())
		cancelled := recordLater(ctx, k, rowRecord("cancelled"))
		other := recordLater(t.Context(), k, rowRecord("other"))
		removes := make(chan error, 1)
		go func() { removes <- k.Remove(ctx, "users", []string{"other"}) }()
		synctest.Wait()
		cancel()
		if err := <-cancelled; !errors.Is(err, context.Canceled) {
			t.Errorf("record: %v", err)
		}
		if err := <-removes; !errors.Is(err, context.Canceled) {
			t.Errorf("remove: %v", err)
		}
		l.f.LeaveWriter()
		if err := <-other; err != nil {
			t.Errorf("the other record: %v", err)
		}
		mustHold(t, l, "other")
		if found, err := l.Entries(t.Context(), "users", []string{"cancelled"}); err != nil || len(found) != 0 {
			t.Errorf("the cancelled record is there: %v", err)
		}
	})
}

// TestCancelledWhileWriting cancels a call that a transaction has taken: it must wait for the truth.
func TestCancelledWhileWriting(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, l *Ledger) {
		k := takeLock(t, l)
		l.f.Token() <- struct{}{}
		ctx, cancel := context.WithCancel(t.Context())
		result := recordLater(ctx, k, rowRecord("1"))
		synctest.Wait()
		taken := l.queue.TakeAll()
		cancel()
		synctest.Wait()
		select {
		case err := <-result:
			t.Fatalf("returned %v before its transaction ended", err)
		default:
		}
		taken[0].done <- nil
		if err := <-result; err != nil {
			t.Errorf("returned %v for what was written", err)
		}
		l.f.LeaveWriter()
	})
}

func TestCloseEndsWaiting(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		l := openIn(t, folder)
		k := takeLock(t, l)
		l.f.Token() <- struct{}{}
		waiting := recordLater(t.Context(), k, rowRecord("waiting"))
		bound := make(chan error, 1)
		go func() { bound <- k.SetBookmark(t.Context(), "users", ledger.Bookmark{}) }()
		synctest.Wait()
		closed := make(chan error, 1)
		go func() { closed <- l.Close() }()
		if err := <-waiting; !errors.Is(err, ledger.ErrClosed) {
			t.Errorf("record: %v", err)
		}
		if err := <-bound; !errors.Is(err, ledger.ErrClosed) {
			t.Errorf("set bookmark: %v", err)
		}
		synctest.Wait()
		select {
		case <-closed:
			t.Error("closed under a writer")
		default:
		}
		l.f.LeaveWriter()
		if err := <-closed; err != nil {
			t.Error(err)
		}
		if _, err := l.Acquire(t.Context(), ledger.Claim{Purpose: "a run"}); !errors.Is(err, ledger.ErrClosed) {
			t.Errorf("acquire: %v", err)
		}
	})
}

func TestLockedByAnotherProgram(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, l *Ledger) {
		put(t, l, "1")
		k := takeLock(t, l)
		db, err := sql.Open("sqlite", dbfile.URI(l.f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		db.SetMaxOpenConns(1)
		if _, err := db.Exec("BEGIN EXCLUSIVE"); err != nil {
			t.Fatal(err)
		}
		first, second := recordLater(t.Context(), k, rowRecord("2")), recordLater(t.Context(), k, rowRecord("3"))
		for _, r := range []<-chan error{first, second} {
			if err := <-r; !errors.Is(err, ledger.ErrBusy) {
				t.Errorf("recorded in a locked file: %v", err)
			}
		}
		mustHold(t, l, "1")
		if _, err := Open(t.Context(), "sqlite", l.f.Path()); !errors.Is(err, ledger.ErrBusy) {
			t.Errorf("opened a locked file: %v", err)
		}
		later := recordLater(t.Context(), k, rowRecord("4"))
		time.Sleep(time.Second)
		if _, err := db.Exec("ROLLBACK"); err != nil {
			t.Fatal(err)
		}
		if err := <-later; err != nil {
			t.Errorf("the lock was given back in time: %v", err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		mustHold(t, l, "1", "4")
	})
}

func TestHistory(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, l *Ledger) {
		k := takeLock(t, l)
		start := time.Now()
		for _, r := range []ledger.Record{
			{Event: "intent", Note: "about to create"}, {Event: "created"}, {}, {Event: "updated", Note: "first name"},
		} {
			r.Sync, r.Run, r.Entry = "users", 7, &ledger.Entry{Key: "1"}
			if err := k.Record(t.Context(), r, rowRecord("2")); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		if err := k.Remove(t.Context(), "users", []string{"1"}); err != nil {
			t.Fatal(err)
		}
		rows, err := l.f.Readers.Query(`SELECT at, run, coalesce(p.event, h.event), coalesce(p.note, h.note) FROM history h LEFT JOIN phrases p ON p.id = h.phrase
			WHERE sync = (SELECT id FROM syncs WHERE name = 'users') AND key = '1' ORDER BY h.id`)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		var got []string
		for rows.Next() {
			var at, run int64
			var event, note string
			if err := rows.Scan(&at, &run, &event, &note); err != nil {
				t.Fatal(err)
			}
			got = append(got, fmt.Sprint(time.UnixMicro(at).Sub(start), " ", run, " ", event, " ", note))
		}
		want := "0s 7 intent about to create, 1s 7 created , 3s 7 updated first name"
		if strings.Join(got, ", ") != want {
			t.Errorf("history %q", got)
		}
	})
}

// TestNumbersOfARecordThatFailedAreForgotten fails a transaction that gave a topic a number, and lets another process take that number.
func TestNumbersOfARecordThatFailedAreForgotten(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	l, other := openIn(t, folder), openIn(t, folder)
	defer l.Close()
	defer other.Close()
	record := func(key, topic string) ledger.Record {
		return ledger.Record{Sync: "users", Event: "topic added", Note: topic, Entry: &ledger.Entry{
			Key: key, Memberships: []ledger.Membership{{Topic: topic, Consent: true, State: ledger.MemberAdded}},
		}}
	}
	refuse := true
	under(t, l, func(k *lock) error {
		noError(t, k.Record(t.Context(), rowRecord("0")))
		onCommit(t, l, func() bool { return !refuse })
		if err := k.Record(t.Context(), record("1", "news")); err == nil {
			t.Error("a refused commit passed")
		}
		return nil
	})
	refuse = false
	under(t, other, func(k *lock) error { return k.Record(t.Context(), record("2", "offers")) })
	under(t, l, func(k *lock) error { return k.Record(t.Context(), record("3", "news"), record("4", "offers")) })
	mustBeSound(t, l)
	for key, topic := range map[string]string{"2": "offers", "3": "news", "4": "offers"} {
		for _, reader := range []*Ledger{l, other} {
			entries, err := reader.Entries(t.Context(), "users", []string{key})
			if err != nil || entries[key] == nil || entries[key].Membership(topic) == nil {
				t.Errorf("row %s: %+v, %v", key, entries[key], err)
			}
			lines, err := reader.History(t.Context(), "users", key)
			if err != nil || len(lines) != 1 || lines[0].Event != "topic added" || lines[0].Note != topic {
				t.Errorf("row %s: %+v, %v", key, lines, err)
			}
		}
	}
}
