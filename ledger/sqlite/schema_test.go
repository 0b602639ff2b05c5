package sqlite

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/ledger/sqlite/internal/age"
	"owlatsync/ledger/sqlite/internal/dbfile"
)

// later is the schema of a program that knows one migration more.
func later(t *testing.T, statements string) fs.FS {
	t.Helper()
	files := fstest.MapFS{}
	names, err := fs.Glob(migrations, "*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		text, err := fs.ReadFile(migrations, name)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = &fstest.MapFile{Data: text}
	}
	next := numberOf(t, names[len(names)-1]) + 1
	files[fmt.Sprintf("%04d_later.sql", next)] = &fstest.MapFile{
		Data: fmt.Appendf(nil, "-- +goose Up\nPRAGMA user_version = %d;\n%s\n", next, statements),
	}
	return files
}

func TestMigrationsAreNumbered(t *testing.T) {
	t.Parallel()
	names, err := fs.Glob(migrations, "*.sql")
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	before := 0
	for _, name := range names {
		text, err := fs.ReadFile(migrations, name)
		if err != nil {
			t.Fatal(err)
		}
		number := numberOf(t, name)
		if number <= before || !strings.HasPrefix(name, fmt.Sprintf("%04d_", number)) || !strings.Contains(string(text), fmt.Sprintf("\nPRAGMA user_version = %d;\n", number)) {
			t.Errorf("%s does not follow number %d or does not say so", name, before)
		}
		before = number
	}
}

// numberOf returns the number of a migration.
func numberOf(t *testing.T, name string) int {
	t.Helper()
	text, _, _ := strings.Cut(name, "_")
	number, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return number
}

// TestFirstVersion opens a ledger that the first version of the schema wrote.
func TestFirstVersion(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	text, err := os.ReadFile(filepath.Join("testdata", "version1.sql"))
	if err != nil {
		t.Fatal(err)
	}
	execFile(t, filepath.Join(folder, "ledger.db"), string(text))
	l := openIn(t, folder)
	defer l.Close()

	at := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	address := "ada@example.com"
	want := map[string]*ledger.Entry{
		"1": {
			Key: "1", ContactID: "contact1", Email: address, Identity: address, Fields: owlatsync.Texts{owlatsync.FirstName: "Ada", owlatsync.LastName: "Example"},
			Origin: ledger.OriginCreated, Fingerprint: ledger.Fingerprint{Hi: 1, Lo: 2},
			Memberships: []ledger.Membership{{Topic: "topic1", Consent: true, State: ledger.MemberAdded, At: at}},
			FirstSeen:   at, ChangedAt: at,
		},
		"2": {
			Key: "2", ContactID: "contact2", Email: "new@example.com", Identity: "old@example.com", Origin: ledger.OriginAdopted,
			Intent:    ledger.Intent{Create: at, Local: true},
			Failure:   &ledger.Failure{Class: ledger.RetryLater, Category: "internal", Status: 500, Reason: "Owlat failed", Attempts: 1, First: at, Last: at, NextTry: at},
			FirstSeen: at, ChangedAt: at,
		},
	}
	got, err := l.Entries(t.Context(), "users", []string{"1", "2"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
	mustHold(t, l, "1", "2")
	standing, err := l.Standing(t.Context(), "users")
	if diff := cmp.Diff(ledger.Standing{Entries: 2, Applied: 1, Failing: 1, Adopted: true}, standing); err != nil || diff != "" {
		t.Errorf("standing: %v (-want +got):\n%s", err, diff)
	}
	runs, err := l.Runs(t.Context(), "", 0)
	if diff := cmp.Diff([]ledger.Run{{ID: 1, Sync: "users", Mode: "run", Started: at, Status: "running"}}, runs); err != nil || diff != "" {
		t.Errorf("runs: %v (-want +got):\n%s", err, diff)
	}
	var all []*ledger.Entry
	for e, err := range l.All(t.Context(), "users") {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
	}
	if diff := cmp.Diff([]*ledger.Entry{want["1"], want["2"]}, all); diff != "" {
		t.Errorf("all entries (-want +got):\n%s", diff)
	}
	history, err := l.History(t.Context(), "users", "1")
	if diff := cmp.Diff([]ledger.HistoryLine{{Number: 1, Sync: "users", Key: "1", At: at, Run: 1, Event: "created"}}, history); err != nil || diff != "" {
		t.Errorf("history: %v (-want +got):\n%s", err, diff)
	}
	if items, err := collect(l.Plan(t.Context(), 1)); err != nil || len(items) > 0 {
		t.Errorf("the plan of a run that is not held: %v, %v", items, err)
	}
	if _, err := l.Acquire(t.Context(), ledger.Claim{Deployment: "https://other.example.com"}); !errors.As(err, new(*ledger.DeploymentError)) {
		t.Errorf("bound to another deployment: %v", err)
	}
	put(t, l, "3")
	mustHold(t, l, "1", "2", "3")

	// What came with later versions works on what the first one wrote.
	events := []ledger.EventMark{{Name: "user_created", On: ledger.OnCreated, State: ledger.EventDue, At: at}}
	want["1"].Events = events
	under(t, l, func(k *lock) error { return k.Record(t.Context(), ledger.Record{Sync: "users", Entry: want["1"]}) })
	if got, err = l.Entries(t.Context(), "users", []string{"1"}); err != nil || !cmp.Equal(got["1"].Events, events) {
		t.Errorf("events %+v: %v", got["1"], err)
	}
	if removed, err := l.Prune(t.Context(), at.Add(time.Second)); err != nil || removed != 1 {
		t.Errorf("pruned %d lines: %v", removed, err)
	}
	if rows, err := l.ForgetPerson(t.Context(), address); err != nil || rows != 1 {
		t.Errorf("forgot %d rows: %v", rows, err)
	}
	if found := traces(t, folder, address); len(found) > 0 {
		t.Errorf("a trace: %v", found)
	}
	mustHold(t, l, "2", "3")
}

// TestSeventhVersion opens a ledger that the seventh version of the schema wrote.
func TestSeventhVersion(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	text, err := os.ReadFile(filepath.Join("testdata", "version7.sql"))
	if err != nil {
		t.Fatal(err)
	}
	execFile(t, filepath.Join(folder, "ledger.db"), string(text))
	l := openIn(t, folder)
	defer l.Close()
	mustBeSound(t, l)

	at := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	entry := func(key string, change func(e *ledger.Entry)) *ledger.Entry {
		address := "row" + key + "@example.com"
		e := &ledger.Entry{
			Key: key, ContactID: "contact" + key, Email: address, Identity: address, Origin: ledger.OriginCreated, FirstSeen: at, ChangedAt: at,
		}
		change(e)
		return e
	}
	want := []*ledger.Entry{
		entry("1", func(e *ledger.Entry) { e.Fingerprint = ledger.Fingerprint{Hi: 1 << 63, Lo: 7} }),
		entry("2", func(e *ledger.Entry) { e.Doubt, e.Intent = true, ledger.Intent{Create: at, Local: true} }),
		entry("3", func(e *ledger.Entry) {
			e.Doubt = true
			e.Failure = &ledger.Failure{Class: ledger.RetryLater, Category: "internal", Status: 500, Reason: "Owlat failed", Attempts: 2,
				First: at, Last: at, NextTry: at, Fingerprint: ledger.Fingerprint{Hi: 1<<64 - 1, Lo: 1<<63 + 1}}
		}),
		entry("4", func(e *ledger.Entry) {
			e.Fingerprint = ledger.Fingerprint{Hi: 9, Lo: 8}
			e.Failure = &ledger.Failure{Class: ledger.GiveUp, Category: "forbidden", Status: 403, Reason: `refused: "fingerprint":{"Hi":1,"Lo":0}`,
				Attempts: 8, First: at, Last: at, NextTry: at, Parked: true, Absence: true}
		}),
		entry("5", func(e *ledger.Entry) {
			e.Failure = &ledger.Failure{Class: ledger.RetryLater, Category: ledger.CategoryNetwork, Reason: `"fingerprint":{"Hi":1,"Lo":0}`,
				Attempts: 1, First: at, Last: at, NextTry: at, Fingerprint: ledger.Fingerprint{Hi: 1, Lo: 5}}
		}),
		entry("6", func(*ledger.Entry) {}),
	}
	got, err := collect(l.All(t.Context(), "users"))
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("entries: %v (-want +got):\n%s", err, diff)
	}
	open, err := collect(l.Open(t.Context(), "users"))
	if err != nil || len(open) != 5 {
		t.Errorf("%d open entries: %v", len(open), err)
	}

	report := owlatsync.NewReport("users", "1")
	report.Rows = 3
	run := func(id int64, mode ledger.Mode, status ledger.Status, message string) ledger.Run {
		r := ledger.Run{ID: id, Sync: "users", Mode: mode, Started: at, Status: status, Message: message}
		if status != ledger.StatusRunning {
			r.Finished, r.Report = at.Add(time.Second), report
		}
		return r
	}
	runs, err := l.Runs(t.Context(), "users", 0)
	if diff := cmp.Diff([]ledger.Run{
		run(4, ledger.ModeRun, ledger.StatusRunning, ""), run(3, ledger.ModeRun, ledger.StatusHeld, "too many removals"),
		run(2, ledger.ModeRun, ledger.StatusFailedRows, "one row failed"),
	}, runs); err != nil || diff != "" {
		t.Errorf("runs: %v (-want +got):\n%s", err, diff)
	}
	for id, want := range map[int64]int{1: 0, 2: 0, 3: 2, 4: 0} {
		if items, err := collect(l.Plan(t.Context(), id)); err != nil || len(items) != want {
			t.Errorf("%d items of run %d: %v", len(items), id, err)
		}
	}

	under(t, l, func(k *lock) error {
		if k.Epoch() != 1 {
			t.Errorf("the first epoch is %d", k.Epoch())
		}
		id, err := k.BeginRun(t.Context(), ledger.Run{Sync: "users"})
		if err == nil {
			err = k.EndRun(t.Context(), ledger.Ending{
				Run: ledger.Run{ID: id, Status: ledger.StatusOK}, Settled: map[int64]ledger.Status{3: ledger.StatusSuperseded},
			})
		}
		return err
	})
	for id, want := range map[int64]ledger.Status{3: ledger.StatusSuperseded, 4: ledger.StatusDied} {
		if r, err := l.Run(t.Context(), id); err != nil || r.Status != want {
			t.Errorf("run %d: %+v, %v", id, r, err)
		}
	}
	if b, err := l.Bookmark(t.Context(), "users"); err != nil || b.Mark != "n 7" {
		t.Errorf("bookmark %+v: %v", b, err)
	}
}

// TestTwelfthVersion opens a ledger that the twelfth version of the schema wrote: with memberships as JSON, and with all the texts of its
// history.
func TestTwelfthVersion(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	text, err := os.ReadFile(filepath.Join("testdata", "version12.sql"))
	noError(t, err)
	file := filepath.Join(folder, "ledger.db")
	execFile(t, file, string(text))
	noError(t, age.Keep(file, age.Done{Ledger: "fbe5a637256ce3e54de96a150535aee1", Generation: 2}))
	l := openIn(t, folder)
	defer l.Close()
	mustBeSound(t, l)

	at := time.Date(2026, 11, 23, 10, 0, 0, 123456000, time.UTC)
	entry := func(key string, ms ...ledger.Membership) *ledger.Entry {
		address := "row" + key + "@example.com"
		return &ledger.Entry{
			Key: key, ContactID: "k57ae3c4mxh2h0zqjmkz1q0v2s7nbd1" + key, Email: address, Identity: address, Origin: ledger.OriginCreated,
			Fields:      owlatsync.Texts{owlatsync.FirstName: "Ada", owlatsync.LastName: "Example"},
			Fingerprint: ledger.Fingerprint{Hi: 1, Lo: 2}, Memberships: ms, FirstSeen: at, ChangedAt: at, Witness: at,
		}
	}
	want := []*ledger.Entry{
		entry("1", ledger.Membership{Topic: "topic1", Consent: true, State: ledger.MemberAdded, At: at}),
		entry("2", ledger.Membership{Topic: "topic1", State: ledger.MemberLeft, At: at, Renewed: at.Add(time.Hour), Sent: at.Add(time.Minute)},
			ledger.Membership{Topic: "topic2", Consent: true, State: ledger.MemberUnsure, At: at, Pending: at.Add(time.Second), Unmailed: true}),
		entry("3", ledger.Membership{Topic: "topic2", State: ledger.MemberOut, At: at}),
	}
	want[2].Depart("keep")
	day := time.UnixMicro(1795514400123456).UTC()
	lines := []ledger.HistoryLine{
		{Number: 1, Sync: "users", Key: "1", At: day, Run: 1, Event: "created"},
		{Number: 2, Sync: "users", Key: "1", At: day, Run: 1, Event: "topic added", Note: "topic1"},
		{Number: 3, Sync: "users", Key: "2", At: day, Run: 1, Event: "failed", Note: "Owlat failed for row2@example.com"},
		{Number: 4, Sync: "users", Key: "3", At: day, Run: 1, Event: "topic removed", Note: "topic2"},
	}
	holds := func(when string) {
		t.Helper()
		mustBeSound(t, l)
		got, err := collect(l.All(t.Context(), "users"))
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: entries: %v (-want +got):\n%s", when, err, diff)
		}
		history, err := l.Changes(t.Context(), 0, len(lines))
		if diff := cmp.Diff(lines, history); err != nil || diff != "" {
			t.Errorf("%s: history: %v (-want +got):\n%s", when, err, diff)
		}
		sharers, err := l.Sharers(t.Context(), []string{want[1].ContactID, "k57ae3c4mxh2h0zqjmkz1q0v2s7nbd19"})
		if err != nil || len(sharers) != 1 || sharers[0].Entry.Key != "2" {
			t.Errorf("%s: sharers: %+v, %v", when, sharers, err)
		}
	}
	holds("as it was")

	// What is recorded anew is kept in today's form, beside what is not.
	want[1].Memberships[1].State = ledger.MemberAdded
	want[0].Memberships = nil
	under(t, l, func(k *lock) error {
		return k.Record(t.Context(), ledger.Record{Sync: "users", Entry: want[1], Event: "topic added", Note: "topic2"}, ledger.Record{Sync: "users", Entry: want[0]})
	})
	holds("when some is recorded anew")
	var old, anew, none int
	noError(t, l.f.Readers.QueryRow("SELECT count(memberships), count(members), count(*) FILTER (WHERE coalesce(memberships, members) IS NULL) FROM entries").Scan(&old, &anew, &none))
	if old != 1 || anew != 1 || none != 1 {
		t.Errorf("%d entries have the old form, %d the new one, %d neither", old, anew, none)
	}
	copied := openFresh(t)
	noError(t, pour(t, l, copied))
	mustBeSound(t, copied)
	if removed, err := l.Prune(t.Context(), day.Add(time.Microsecond)); err != nil || removed != 4 {
		t.Errorf("pruned %d lines: %v", removed, err)
	}
}

// TestEveryVersionIsMigrated opens ledgers as each earlier version of the schema leaves them. What later versions than the fifth
// leave is what they make of it, because they write entries otherwise.
func TestEveryVersionIsMigrated(t *testing.T) {
	t.Parallel()
	const marked = 5
	names, err := fs.Glob(migrations, "*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for version := 1; version < len(names); version++ {
		t.Run(fmt.Sprint(version), func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			file := filepath.Join(folder, "ledger.db")
			openAs := func(version int) {
				t.Helper()
				earlier := fstest.MapFS{}
				for _, name := range names[:version] {
					text, err := fs.ReadFile(migrations, name)
					if err != nil {
						t.Fatal(err)
					}
					earlier[name] = &fstest.MapFile{Data: text}
				}
				old, err := openWith(t.Context(), "sqlite", file, earlier)
				if err != nil {
					t.Fatal(err)
				}
				if err := old.Close(); err != nil {
					t.Fatal(err)
				}
			}
			openAs(min(version, marked))
			doubtful := markedEntries(t, file)
			openAs(version)

			l := openIn(t, folder)
			defer l.Close()
			mustHold(t, l, "old2", "old298", "old998")
			mustBeSound(t, l)
			for e, err := range l.All(t.Context(), "users") {
				if err != nil || e.Doubt != doubtful[e.Key] || e.Doubt && !e.Fingerprint.IsZero() {
					t.Errorf("%+v: %v", e, err)
				}
			}
			copied := openFresh(t)
			if err := pour(t, l, copied); err != nil {
				t.Error(err)
			}
			mustBeSound(t, copied)
			live(t, l, "grace@example.com", "Gracenomia", "k57graceful")
			mustBeSound(t, l)
		})
	}
}

// markedEntries writes entries as the first versions of the schema have them, and tells which are in doubt.
func markedEntries(t *testing.T, file string) (doubtful map[string]bool) {
	t.Helper()
	doubtful = make(map[string]bool)
	statements := []string{"INSERT INTO syncs (id, name) VALUES (1, 'users'), (2, 'orders')"}
	for id := 1; id < 1000; id++ {
		if id > 300 && id < 700 || id%9 == 0 {
			continue
		}
		e := &ledger.Entry{Key: fmt.Sprint("old", id), Fingerprint: ledger.Fingerprint{Hi: uint64(id % 5), Lo: uint64(id % 5)}}
		state := 0
		switch id % 5 {
		case 0:
			state = 1
		case 2:
			e.Fingerprint.Lo, doubtful[e.Key], state = 0, true, 1
		}
		email := "NULL"
		if id%4 > 0 {
			e.Email, email = "a@example.com", "'a@example.com'"
		}
		var mark []byte
		for _, part := range []uint64{ledger.HashText(e.Key), ledger.HashText(e.Email), e.Fingerprint.Hi, e.Fingerprint.Lo} {
			mark = binary.LittleEndian.AppendUint64(mark, part)
		}
		statements = append(statements,
			fmt.Sprintf("INSERT INTO entries (id, sync, key, email, first_name, last_name, origin, state) VALUES (%d, %d, '%s', %s, '', '', '', %d)",
				id, 1+id%2, e.Key, email, state),
			fmt.Sprintf("INSERT INTO marks VALUES (%d, %d, x'%x')", 1+id%2, id, mark))
	}
	execFile(t, file, statements...)
	return doubtful
}

func TestMigration(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	file := filepath.Join(folder, "ledger.db")
	l := openIn(t, folder)
	put(t, l, "1", "2")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}

	l, err := openWith(t.Context(), "sqlite", file, later(t, "ALTER TABLE entries ADD COLUMN extra TEXT;"))
	if err != nil {
		t.Fatal(err)
	}
	mustHold(t, l, "1", "2")
	if _, err := l.f.Readers.Exec("SELECT extra FROM entries"); err != nil {
		t.Errorf("the migration did not happen: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}

	before := readFile(t, file)
	if _, err := Open(t.Context(), "sqlite", file); !errors.Is(err, ledger.ErrNewer) {
		t.Errorf("an older program opened it: %v", err)
	}
	if !bytes.Equal(before, readFile(t, file)) {
		t.Error("an older program changed it")
	}
}

func TestMigrationFailsWhole(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	l := openIn(t, folder)
	put(t, l, "1")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	broken := later(t, "DROP TABLE history;\nALTER TABLE nothing ADD COLUMN extra TEXT;")
	if _, err := openWith(t.Context(), "sqlite", filepath.Join(folder, "ledger.db"), broken); err == nil {
		t.Fatal("a broken migration passed")
	}
	l = openIn(t, folder)
	defer l.Close()
	mustHold(t, l, "1")
	put(t, l, "2")
}

func TestMigrationKeepsOutOfRuns(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	schema := later(t, "CREATE TABLE extra (id INTEGER);")
	synctest.Test(t, func(t *testing.T) {
		l := openIn(t, folder)
		defer l.Close()
		k, err := l.Acquire(t.Context(), ledger.Claim{Purpose: "a long run"})
		if err != nil {
			t.Fatal(err)
		}
		_, err = openWith(t.Context(), "sqlite", filepath.Join(folder, "ledger.db"), schema)
		if locked, ok := errors.AsType[*ledger.LockedError](err); !ok || locked.Purpose != "a long run" {
			t.Fatalf("migrated under a run: %v", err)
		}
		go func() {
			time.Sleep(dbfile.OpenPatience / 2)
			if err := k.Release(); err != nil {
				t.Errorf("release: %v", err)
			}
		}()
		newer, err := openWith(t.Context(), "sqlite", filepath.Join(folder, "ledger.db"), schema)
		if err != nil {
			t.Fatalf("after the run: %v", err)
		}
		if err := newer.Close(); err != nil {
			t.Fatal(err)
		}
	})
}
