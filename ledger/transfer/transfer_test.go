package transfer

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	_ "modernc.org/sqlite"

	"owlatsync"
	"owlatsync/internal/testdb"
	"owlatsync/ledger"
	"owlatsync/ledger/memory"
	"owlatsync/ledger/postgres"
	"owlatsync/ledger/sqlite"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// opener makes a new ledger for a test.
type opener func(t testing.TB) ledger.Store

func openFile(t testing.TB) ledger.Store {
	t.Helper()
	l, err := sqlite.Open(t.Context(), "sqlite", filepath.Join(t.TempDir(), "ledger.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return l
}

// everywhere runs a test with ledgers of every kind.
func everywhere(t *testing.T, test func(t *testing.T, openFresh opener)) {
	t.Helper()
	t.Parallel()
	for name, open := range kinds(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open)
		})
	}
}

// kinds are the openers of all kinds of ledgers. Without a server there is none in PostgreSQL.
func kinds(t *testing.T) map[string]opener {
	t.Helper()
	all := map[string]opener{"file": openFile, "memory": func(testing.TB) ledger.Store { return memory.New() }}
	if os.Getenv(testdb.PostgresVariable) == "" && os.Getenv("CI") != "true" {
		return all
	}
	var once sync.Once
	var db *postgres.Database
	all["PostgreSQL"] = func(testing.TB) ledger.Store {
		once.Do(func() { db = openDatabase(t) })
		l, err := db.Ledger(t.Context(), rand.Text())
		if err != nil {
			t.Error(err)
		}
		return l
	}
	return all
}

func openDatabase(t *testing.T) *postgres.Database {
	t.Helper()
	db, err := postgres.Open(t.Context(), postgres.Options{DSN: testdb.Postgres(t), MaxConns: 4})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	return db
}

func rowRecord(key string) ledger.Record {
	return ledger.Record{Sync: "users", Run: 1, Event: "created", Entry: &ledger.Entry{Key: key, ContactID: "contact of " + key}}
}

// under calls do with the lock and gives it back.
func under(t testing.TB, l ledger.Store, claim ledger.Claim, do func(k ledger.Lock) error) {
	t.Helper()
	k, err := l.Acquire(t.Context(), claim)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(do(k), k.Release()); err != nil {
		t.Fatal(err)
	}
}

func put(t testing.TB, l ledger.Store, records ...ledger.Record) {
	t.Helper()
	under(t, l, ledger.Claim{}, func(k ledger.Lock) error { return k.Record(t.Context(), records...) })
}

func bind(t testing.TB, l ledger.Store, deployment string) {
	t.Helper()
	under(t, l, ledger.Claim{Deployment: deployment}, func(ledger.Lock) error { return nil })
}

// furnish puts something of every kind into a ledger.
func furnish(t *testing.T, l ledger.Store) {
	t.Helper()
	at := time.Date(2026, 11, 23, 10, 0, 0, 123_456_000, time.UTC)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	k, err := l.Acquire(t.Context(), ledger.Claim{Purpose: "a run", Deployment: "https://owlat.example.com"})
	must(err)
	full := &ledger.Entry{
		Key: "full \xff\x00\u2028", ContactID: "contact1", Email: "new@example.com", Identity: "old@example.com",
		Fields: owlatsync.Texts{owlatsync.FirstName: "Zoë <😀>", owlatsync.LastName: "O'Hara\x00\"%"}, Origin: ledger.OriginAdopted,
		Fingerprint: ledger.Fingerprint{Hi: 1<<64 - 1, Lo: 1},
		Memberships: []ledger.Membership{{Topic: "topic1", Consent: true, State: ledger.MemberAdded, At: at}},
		Events:      []ledger.EventMark{{Name: "created", On: ledger.OnCreated, State: ledger.EventUnknown, At: at}},
		Failure: &ledger.Failure{Class: ledger.GiveUp, Reason: "<&>", Attempts: 8, First: at, Last: at, NextTry: at, Parked: true,
			Fingerprint: ledger.Fingerprint{Hi: 1<<63 + 1, Lo: 5}, Absence: true},
		FirstSeen: at, ChangedAt: at, Witness: at,
	}
	must(k.Record(t.Context(), ledger.Record{Sync: "users", Run: 1, Entry: full, Event: "adopted", Note: "note \xff"},
		ledger.Record{Sync: "users", Run: 1, Entry: full, Event: "topic added", Note: "topic1"}))
	for _, key := range []string{"1", "2", "3"} {
		must(k.Record(t.Context(), rowRecord(key), ledger.Record{Sync: "orders", Entry: &ledger.Entry{Key: key, ContactID: "other contact of " + key, Email: "same@example.com"}}))
	}
	doubtful := &ledger.Entry{Key: "in doubt", ContactID: "contact3", Email: "doubt@example.com", Doubt: true}
	must(k.Record(t.Context(), ledger.Record{Sync: "users", Entry: doubtful}))
	found, err := l.Entries(t.Context(), "users", []string{"in doubt"})
	must(err)
	if got := found["in doubt"]; got == nil || !got.Doubt {
		t.Fatalf("an entry in doubt is kept as %+v", got)
	}
	report := owlatsync.NewReport("users", "1")
	report.Rows, report.Seconds = 3, 1.5
	summary := &owlatsync.Summary{Sync: "orders", Rows: 2, Duration: time.Second, Outcomes: map[owlatsync.Outcome]int{owlatsync.Created: 2}}
	for _, r := range []ledger.Run{
		{Sync: "users", Mode: ledger.ModeRun, Started: at, Finished: at.Add(time.Second), Status: ledger.StatusOK, Message: "fine", Report: report},
		{Sync: "orders", Mode: ledger.ModeRun, Owner: ledger.Owner{Host: "host.example", PID: 7}, Started: at, Stage: ledger.StageEnding,
			Status: ledger.StatusHeld, Part: owlatsync.Part{Only: []string{"a", "\xff"}, Limit: 3}, Summary: summary,
			Guards: []owlatsync.Hit{{Guard: owlatsync.GuardFirstRun, Reason: "first"}}},
		{Sync: "users", Mode: ledger.ModeRun, Started: at, Status: ledger.StatusRunning},
		{Sync: "empty", Mode: ledger.ModeRun, Started: at, Status: ledger.StatusRunning},
	} {
		id, err := k.BeginRun(t.Context(), ledger.Run{Sync: r.Sync, Mode: r.Mode, Owner: r.Owner, Started: r.Started})
		must(err)
		must(k.KeepPlan(t.Context(), id, []ledger.PlanItem{{Key: "1"}}))
		if r.ID = id; r.Status != ledger.StatusRunning {
			must(k.EndRun(t.Context(), ledger.Ending{Run: r, Adopted: r.Sync == "orders"}))
		}
	}
	must(k.Record(t.Context(), ledger.Record{Sync: "users", Entry: &ledger.Entry{Key: "gone", ContactID: "contact2", Email: "gone@example.com"}}))
	must(k.Release())
	_, err = l.TakeIn(t.Context(), ledger.News{Feedback: ledger.Feedback{Event: "email.complained", Received: at}, Suppressions: []ledger.Suppression{
		{Email: "new@example.com", Reason: ledger.NeverMail, At: at, Sent: at.Add(time.Second), Told: at.Add(time.Minute)}, {Email: "gone@example.com", Reason: ledger.Bounced, At: at.Add(time.Second)},
	}})
	must(err)
	must(l.NoteOptOuts(t.Context(), ledger.OptOut{ContactID: "contact1", Topic: "topic1", At: at, Written: at.Add(time.Hour)},
		ledger.OptOut{ContactID: "contact2", Topic: "topic1", At: at, Since: at.Add(-time.Hour)}))
	must(l.NoteAudit(t.Context(), ledger.AuditLine{Who: "ada \xff", Way: ledger.ByCommand, What: ledger.DeedRetry, Sync: "users", Run: 2, Count: 3}))
	must(l.NoteAudit(t.Context(), ledger.AuditLine{Who: ledger.WhoMachine, Way: ledger.ByPage, What: ledger.DeedSignIn}))
	for _, address := range []string{"gone@example.com", "away@example.com"} {
		_, err := l.ForgetPerson(t.Context(), address)
		must(err)
	}
}

// contents is everything that a ledger tells of itself, plans apart.
func contents(t *testing.T, l ledger.Store) map[string]any {
	t.Helper()
	all := make(map[string]any)
	keep := func(name string, value any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(name, err)
		}
		all[name] = value
	}
	syncs, err := l.Syncs(t.Context())
	keep("syncs", syncs, err)
	for _, sync := range syncs {
		entries, err := collect(l.All(t.Context(), sync))
		keep("entries of "+sync, entries, err)
		for _, e := range entries {
			history, err := l.History(t.Context(), sync, e.Key)
			keep("history of "+sync+" "+e.Key, history, err)
		}
		index, err := collect(l.Index(t.Context(), sync))
		keep("index of "+sync, index, err)
		standing, err := l.Standing(t.Context(), sync)
		standing.SetBack = time.Time{} // TestAnImportIsSetBack looks at it
		keep("standing of "+sync, standing, err)
	}
	runs, err := l.Runs(t.Context(), "", 0)
	keep("runs", runs, err)
	forgotten, err := l.Forgotten(t.Context(), []string{"gone@example.com", "away@example.com", "new@example.com"})
	keep("forgotten", forgotten, err)
	optOuts, err := l.OptOuts(t.Context(), []string{"contact1"})
	keep("opt-outs", optOuts, err)
	optOuts, err = l.OptOuts(t.Context(), []string{"contact2"})
	keep("opt-outs of a forgotten person", optOuts, err)
	suppressions, err := l.Suppressions(t.Context(), []string{"gone@example.com", "away@example.com", "new@example.com"})
	keep("suppressions", suppressions, err)
	changes, err := l.Changes(t.Context(), 0, 0)
	keep("changes", changes, err)
	audit, err := l.AuditLines(t.Context(), 0, 0)
	keep("audit", audit, err)
	deployment, err := l.Deployment(t.Context())
	keep("deployment", deployment, err)
	return all
}

func collect[T any](seq iter.Seq2[T, error]) (all []T, err error) {
	for v, err := range seq {
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, nil
}

func exported(t *testing.T, l ledger.Store) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Export(t.Context(), l, &b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// mustBeEmpty fails unless the ledger can still be imported into.
func mustBeEmpty(t *testing.T, l ledger.Store) {
	t.Helper()
	err := l.Snapshot(t.Context(), func(s ledger.Snapshot) error {
		n := len(s.Deployment()) + len(s.ForgetSecret()) + int(s.LastNumber()) +
			count(t, s.Syncs()) + count(t, s.Runs()) + count(t, s.Entries()) + count(t, s.History()) + count(t, s.OptOuts()) + count(t, s.Suppressions()) + count(t, s.Forgotten()) + count(t, s.Audit())
		if n != 0 {
			t.Errorf("%d things are there", n)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func count[T any](t *testing.T, seq iter.Seq2[T, error]) int {
	t.Helper()
	all, err := collect(seq)
	if err != nil {
		t.Error(err)
	}
	return len(all)
}

func TestExportAndImport(t *testing.T) {
	everywhere(t, func(t *testing.T, openFresh opener) {
		l := openFresh(t)
		furnish(t, l)
		export := exported(t, l)
		want := contents(t, l)
		runs := want["runs"].([]ledger.Run)
		if len(want["opt-outs"].([]ledger.OptOut)) != 1 || len(want["opt-outs of a forgotten person"].([]ledger.OptOut)) != 1 {
			t.Errorf("opt-outs %v, %v", want["opt-outs"], want["opt-outs of a forgotten person"])
		}
		if len(want["suppressions"].(map[string]ledger.Suppression)) != 2 {
			t.Errorf("suppressions %v", want["suppressions"])
		}
		if runs[2].Status != "held" {
			t.Fatalf("runs %+v", runs)
		}
		runs[2].Status = "superseded" // without its plan

		copied := openFresh(t)
		if err := Import(t.Context(), copied, iotest.OneByteReader(bytes.NewReader(export))); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, contents(t, copied)); diff != "" {
			t.Errorf("the copy (-want +got):\n%s", diff)
		}
		under(t, copied, ledger.Claim{}, func(k ledger.Lock) error {
			if id, err := k.BeginRun(t.Context(), ledger.Run{Sync: "users"}); err != nil || id != 5 {
				t.Errorf("the next run has the number %d: %v", id, err)
			}
			return k.Record(t.Context(), rowRecord("goes on"))
		})

		// A second generation tells the same, but for the time and the run that was held.
		again := openFresh(t)
		if err := Import(t.Context(), again, bytes.NewReader(export)); err != nil {
			t.Fatal(err)
		}
		lines, others := strings.Split(string(export), "\n"), strings.Split(string(exported(t, again)), "\n")
		if len(lines) != len(others) {
			t.Fatalf("%d lines became %d", len(lines), len(others))
		}
		for i := range lines[:len(lines)-2] {
			if i > 0 && lines[i] != strings.Replace(others[i], "superseded", "held", 1) {
				t.Errorf("line %d is\n%s\nand was\n%s", i+1, others[i], lines[i])
			}
		}
	})
}

// TestRunsThatWaitEndWithAnImport queues a run and lets another wait: nobody lets them go on elsewhere.
func TestRunsThatWaitEndWithAnImport(t *testing.T) {
	everywhere(t, func(t *testing.T, openFresh opener) {
		from, into := openFresh(t), openFresh(t)
		under(t, from, ledger.Claim{}, func(k ledger.Lock) error {
			id, err := k.BeginRun(t.Context(), ledger.Run{Sync: "users"})
			return errors.Join(err, k.PauseRun(t.Context(), id))
		})
		if _, _, err := from.Enqueue(t.Context(), ledger.Run{Sync: "users", Full: true, Approves: 7}); err != nil {
			t.Fatal(err)
		}
		if err := Import(t.Context(), into, bytes.NewReader(exported(t, from))); err != nil {
			t.Fatal(err)
		}
		if queued, err := into.Queued(t.Context()); err != nil || len(queued) > 0 {
			t.Errorf("queued %+v: %v", queued, err)
		}
		runs, err := into.Runs(t.Context(), "users", 0)
		if err != nil || len(runs) != 2 || runs[0].Status != ledger.StatusCancelled || !runs[0].Full || runs[0].Approves != 7 || runs[1].Status != ledger.StatusDied {
			t.Errorf("runs %+v: %v", runs, err)
		}
	})
}

// TestAnImportIsSetBack makes entries safe, because runs may have done anything since the export.
func TestAnImportIsSetBack(t *testing.T) {
	everywhere(t, func(t *testing.T, openFresh opener) {
		at := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
		from := openFresh(t)
		put(t, from, ledger.Record{Sync: "users", Entry: &ledger.Entry{
			Key: "1", ContactID: "c", Origin: ledger.OriginCreated, Fingerprint: ledger.Fingerprint{Hi: 1, Lo: 1}, ChangedAt: at,
			Memberships: []ledger.Membership{{Topic: "no", State: ledger.MemberOut, At: at}, {Topic: "yes", Consent: true, State: ledger.MemberAdded, At: at}},
			Events:      []ledger.EventMark{{Name: "e", On: ledger.OnUpdated, State: ledger.EventDue, At: at}},
		}})
		into := openFresh(t)
		if err := Import(t.Context(), into, bytes.NewReader(exported(t, from))); err != nil {
			t.Fatal(err)
		}
		got, err := into.Entries(t.Context(), "users", []string{"1"})
		want := &ledger.Entry{
			Key: "1", ContactID: "c", Origin: ledger.OriginCreated, ChangedAt: at,
			Memberships: []ledger.Membership{{Topic: "yes", Consent: true, State: ledger.MemberAdded, At: at}},
			Events:      []ledger.EventMark{{Name: "e", On: ledger.OnUpdated, State: ledger.EventSent, At: at}},
		}
		if diff := cmp.Diff(want, got["1"]); err != nil || diff != "" {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
		if s, err := into.SyncState(t.Context(), "users"); err != nil || s.SetBack.IsZero() {
			t.Errorf("state %+v, %v", s, err)
		}
		under(t, into, ledger.Claim{}, func(k ledger.Lock) error {
			id, err := k.BeginRun(t.Context(), ledger.Run{Sync: "users"})
			if err != nil {
				return err
			}
			return k.EndRun(t.Context(), ledger.Ending{Run: ledger.Run{ID: id, Status: ledger.StatusOK}, Adopted: true})
		})
		if s, err := into.SyncState(t.Context(), "users"); err != nil || !s.SetBack.IsZero() {
			t.Errorf("state after a run %+v, %v", s, err)
		}
	})
}

func TestExportIsLinesOfJSON(t *testing.T) {
	everywhere(t, func(t *testing.T, openFresh opener) {
		l := openFresh(t)
		furnish(t, l)
		before := time.Now().Add(-time.Second)
		export := exported(t, l)
		lines := bytes.SplitAfter(export, []byte("\n"))
		lines = lines[:len(lines)-1]
		var kinds []string
		for _, line := range lines {
			var fields map[string]json.RawMessage
			if err := json.Unmarshal(line, &fields); err != nil || len(fields) != 1 {
				t.Fatalf("%s: %v", line, err)
			}
			for kind := range fields {
				if len(kinds) == 0 || kinds[len(kinds)-1] != kind {
					kinds = append(kinds, kind)
				}
			}
		}
		if diff := cmp.Diff([]string{"ledger", "sync", "run", "entry", "history", "opt_out", "suppression", "forgotten", "audit", "end"}, kinds); diff != "" {
			t.Errorf("kinds (-want +got):\n%s", diff)
		}
		var head struct {
			Ledger struct {
				Version    int
				Deployment string
				Time       time.Time
			}
		}
		if err := json.Unmarshal(lines[0], &head); err != nil {
			t.Fatal(err)
		}
		if h := head.Ledger; h.Version != version || h.Deployment != "https://owlat.example.com" || h.Time.Before(before) || h.Time.After(time.Now()) {
			t.Errorf("first line %s", lines[0])
		}
		if sum := sha256.Sum256(bytes.Join(lines[:len(lines)-1], nil)); string(lines[len(lines)-1]) !=
			fmt.Sprintf(`{"end":{"lines":%d,"sha256":"%s"}}`+"\n", len(lines)-1, hex.EncodeToString(sum[:])) {
			t.Errorf("last line %s", lines[len(lines)-1])
		}
	})
}

func TestExportOfAnEmptyLedger(t *testing.T) {
	everywhere(t, func(t *testing.T, openFresh opener) {
		export := exported(t, openFresh(t))
		l := openFresh(t)
		for range 2 {
			if err := Import(t.Context(), l, bytes.NewReader(export)); err != nil {
				t.Fatal(err)
			}
			mustBeEmpty(t, l)
		}
	})
}

// signed gives lines their right last line.
func signed(lines ...string) string {
	body := strings.Join(append(lines, ""), "\n")
	return fmt.Sprintf(`%s{"end":{"lines":%d,"sha256":"%x"}}`+"\n", body, len(lines), sha256.Sum256([]byte(body)))
}

func TestImportRefuses(t *testing.T) {
	everywhere(t, func(t *testing.T, openFresh opener) {
		const head = `{"ledger":{"version":1,"time":"2026-11-23T10:00:00Z"}}`
		for _, c := range []struct {
			name, export string
			want         error
			says         string
		}{
			{"nothing", "", ErrNotExport, ""},
			{"a CSV file", "id,email\n1,a@example.com\n", ErrNotExport, ""},
			{"an SQLite file", "SQLite format 3\x00" + strings.Repeat("\x00", 5000), ErrNotExport, ""},
			{"other JSON", `{"id":1}` + "\n", ErrNotExport, ""},
			{"no version", signed(`{"ledger":{}}`), ErrNotExport, ""},
			{"no head", signed(`{"sync":{"name":"users"}}`), ErrNotExport, ""},
			{"an endless first line", strings.Repeat("x", maxLine+10), ErrNotExport, ""},
			{"a newer version", `{"ledger":{"version":8,"time":"2026-11-23T10:00:00Z","new":true}}` + "\n", ErrNewerExport, "its version is 8"},
			{"no more than a head", head + "\n", ErrDamagedExport, "its last line is missing"},
			{"no JSON", signed(head, `{"sync":`), ErrDamagedExport, "line 2"},
			{"an unknown kind", signed(head, `{"sync":{"name":"users"}}`, `{"what":{}}`), ErrDamagedExport, "line 3"},
			{"an unknown field", signed(head, `{"sync":{"name":"users","what":1}}`), ErrDamagedExport, "line 2"},
			{"a field of another kind", signed(head, `{"sync":{"name":"users","adopted":"zoe@example.com"}}`), ErrDamagedExport, "sync.adopted is no bool"},
			{"two kinds in a line", signed(head, `{"sync":{"name":"users"},"forgotten":"00"}`), ErrDamagedExport, "line 2"},
			{"no kind in a line", signed(head, `{}`), ErrDamagedExport, "line 2"},
			{"two objects in a line", signed(head, `{"sync":{"name":"users"}} {}`), ErrDamagedExport, "line 2"},
			{"an empty line", signed(head, ``), ErrDamagedExport, "line 2"},
			{"a second head", signed(head, head), ErrDamagedExport, "line 2"},
			{"a sync without a name", signed(head, `{"sync":{"name":""}}`), ErrDamagedExport, "no name"},
			{"an entry without a sync", signed(head, `{"entry":{"key":"1"}}`), ErrDamagedExport, "no name"},
			{"an entry without a key", signed(head, `{"entry":{"sync":"users","key":""}}`), ErrDamagedExport, "no key"},
			{"an entry twice", signed(head, `{"entry":{"sync":"users","key":"1"}}`, `{"entry":{"sync":"users","key":"1"}}`), ErrDamagedExport, "contradicts"},
			{"a run twice", signed(head, `{"run":{"id":1,"sync":"a","mode":"","status":""}}`, `{"run":{"id":1,"sync":"b","mode":"","status":""}}`), ErrDamagedExport, "line 3"},
			{"a doubt with a fingerprint", signed(head, `{"entry":{"sync":"users","key":"1","doubt":true,"fingerprint":"00000000000000010000000000000000"}}`),
				ErrDamagedExport, "in doubt"},
			{"a line of history twice", signed(head, `{"history":{"number":2,"sync":"users","key":"1","at":"2026-11-23T10:00:00Z","event":"a"}}`,
				`{"history":{"number":2,"sync":"users","key":"1","at":"2026-11-23T10:00:00Z","event":"b"}}`), ErrDamagedExport, "line 3"},
			{"a short fingerprint", signed(head, `{"entry":{"sync":"users","key":"1","fingerprint":"00"}}`), ErrDamagedExport, "fingerprint"},
			{"a bad key", signed(head, `{"entry":{"sync":"users","key":{"base64":"!"}}}`), ErrDamagedExport, "line 2"},
			{"a short hash", signed(head, `{"forgotten":"00"}`), ErrDamagedExport, "hash"},
			{"an opt-out of nobody", signed(head, `{"opt_out":{"contact":"","topic":"t","at":"2026-11-23T10:00:00Z"}}`), ErrDamagedExport, "no contact"},
			{"an opt-out twice", signed(head, `{"opt_out":{"contact":"c","topic":"t","at":"2026-11-23T10:00:00Z"}}`,
				`{"opt_out":{"contact":"c","topic":"t","at":"2026-11-23T10:00:00Z"}}`), ErrDamagedExport, "contradicts"},
			{"a suppression for no reason", signed(head, `{"suppression":{"email":"zoe@example.com","reason":"mood","at":"2026-11-23T10:00:00Z"}}`), ErrDamagedExport, "no known reason"},
			{"an action of nobody", signed(head, `{"audit":{"at":"2026-11-23T10:00:00Z","who":"","by":"page","what":"run"}}`), ErrDamagedExport, "does not say who"},
			{"an action twice", signed(head, `{"audit":{"number":2,"at":"2026-11-23T10:00:00Z","who":"ada","by":"page","what":"run"}}`,
				`{"audit":{"number":2,"at":"2026-11-23T10:00:00Z","who":"ada","by":"page","what":"run"}}`), ErrDamagedExport, "contradicts"},
			{"a suppression twice", signed(head, `{"suppression":{"email":"a","reason":"bounced","at":"2026-11-23T10:00:00Z"}}`,
				`{"suppression":{"email":"a","reason":"complained","at":"2026-11-23T10:00:00Z"}}`), ErrDamagedExport, "contradicts"},
			{"a bad secret", signed(`{"ledger":{"version":1,"forget_secret":"00"}}`), ErrDamagedExport, "secret"},
			{"an endless line", head + "\n" + strings.Repeat("x", maxLine+10), ErrDamagedExport, "longer"},
			{"something after the end", signed(head) + "{}\n", ErrDamagedExport, "follows"},
			{"two exports", signed(head) + signed(head), ErrDamagedExport, "follows"},
			{"a wrong count", strings.Replace(signed(head), `"lines":1`, `"lines":2`, 1), ErrDamagedExport, "not those"},
		} {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				l := openFresh(t)
				err := Import(t.Context(), l, strings.NewReader(c.export))
				if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "@example.com") {
					t.Errorf("error %v", err)
				}
				mustBeEmpty(t, l)
				if err := Import(t.Context(), l, strings.NewReader(signed(head, `{"sync":{"name":"users"}}`))); err != nil {
					t.Errorf("afterwards: %v", err)
				}
			})
		}
	})
}

// TestADamagedExportIsNotHalfImported cuts an export at every byte, and changes every byte of it. Into a file and into PostgreSQL, where an import takes
// much longer, it does so at every eleventh; "make soak" does at each.
func TestADamagedExportIsNotHalfImported(t *testing.T) {
	everywhere(t, func(t *testing.T, openFresh opener) {
		from, l := openFresh(t), openFresh(t)
		put(t, from, ledger.Record{Sync: "users", Run: 1, Event: "created", Note: "as planned", Entry: &ledger.Entry{
			Key: "1", ContactID: "contact 1", Email: "1@example.com", Identity: "1@example.com", Fingerprint: ledger.Fingerprint{Hi: 1, Lo: 2},
		}})
		bind(t, from, "https://owlat.example.com")
		export := exported(t, from)
		try := func(damage string, at int, damaged []byte) {
			t.Helper()
			err := Import(t.Context(), l, bytes.NewReader(damaged))
			if !errors.Is(err, ErrDamagedExport) && !errors.Is(err, ErrNotExport) && !errors.Is(err, ErrNewerExport) {
				t.Errorf("%s at byte %d of %d: %v", damage, at, len(export), err)
			}
			mustBeEmpty(t, l)
		}
		step := 11
		if _, inMemory := l.(*memory.Ledger); inMemory || os.Getenv("OWLATSYNC_SOAK") != "" {
			step = 1
		}
		for at := 0; at < len(export)-1; at += step { // the last newline is not missed
			try("cut", at, export[:at])
			changed := bytes.Clone(export)
			changed[at] ^= 1
			try("changed", at, changed)
		}
		if err := Import(t.Context(), l, bytes.NewReader(export)); err != nil {
			t.Error(err)
		}
	})
}

func TestImportOnlyIntoAnEmptyLedger(t *testing.T) {
	everywhere(t, func(t *testing.T, openFresh opener) {
		from := openFresh(t)
		furnish(t, from)
		export := exported(t, from)
		for name, given := range map[string]func(l ledger.Store) error{
			"a row": func(l ledger.Store) error { put(t, l, rowRecord("1")); return nil },
			"a sync": func(l ledger.Store) error {
				under(t, l, ledger.Claim{}, func(k ledger.Lock) error { return k.SetBookmark(t.Context(), "users", ledger.Bookmark{}) })
				return nil
			},
			"an opt-out": func(l ledger.Store) error {
				return l.NoteOptOuts(t.Context(), ledger.OptOut{ContactID: "c", Topic: "t", At: time.Now()})
			},
			"a forgotten person":   func(l ledger.Store) error { _, err := l.ForgetPerson(t.Context(), "a@example.com"); return err },
			"another deployment":   func(l ledger.Store) error { bind(t, l, "https://other.example.com"); return nil },
			"the same, once again": func(l ledger.Store) error { return Import(t.Context(), l, bytes.NewReader(export)) },
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				l := openFresh(t)
				if err := given(l); err != nil {
					t.Fatal(err)
				}
				before := exported(t, l)
				if err := Import(t.Context(), l, bytes.NewReader(export)); !errors.Is(err, ledger.ErrNotEmpty) {
					t.Errorf("error %v", err)
				}
				_, was, _ := bytes.Cut(before, []byte("\n"))
				_, is, _ := bytes.Cut(exported(t, l), []byte("\n"))
				if i, j := bytes.LastIndex(was, []byte(`{"end"`)), bytes.LastIndex(is, []byte(`{"end"`)); !bytes.Equal(was[:i], is[:j]) {
					t.Error("the ledger was changed")
				}
			})
		}
		t.Run("bound to the same deployment", func(t *testing.T) {
			t.Parallel()
			l := openFresh(t)
			bind(t, l, "https://owlat.example.com")
			if err := Import(t.Context(), l, bytes.NewReader(export)); err != nil {
				t.Error(err)
			}
		})
		t.Run("not while a run holds it", func(t *testing.T) {
			t.Parallel()
			l := openFresh(t)
			k, err := l.Acquire(t.Context(), ledger.Claim{Purpose: "a run"})
			if err != nil {
				t.Fatal(err)
			}
			if err := Import(t.Context(), l, bytes.NewReader(export)); !errors.Is(err, ledger.ErrLocked) {
				t.Errorf("error %v", err)
			}
			mustBeEmpty(t, l)
			if err := k.Release(); err != nil {
				t.Error(err)
			}
		})
	})
}

func TestExportAndImportThatFail(t *testing.T) {
	everywhere(t, func(t *testing.T, openFresh opener) {
		broken := errors.New("the pipe is broken")
		l := openFresh(t)
		furnish(t, l)
		export := exported(t, l)
		if err := Export(t.Context(), l, brokenWriter{broken}); !errors.Is(err, broken) {
			t.Errorf("export: %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := Export(ctx, l, io.Discard); !errors.Is(err, context.Canceled) {
			t.Errorf("a cancelled export: %v", err)
		}
		put(t, l, rowRecord("after")) // nothing is left locked

		into := openFresh(t)
		half := bytes.NewReader(export[:len(export)/2])
		if err := Import(t.Context(), into, io.MultiReader(half, iotest.ErrReader(broken))); !errors.Is(err, broken) {
			t.Errorf("import: %v", err)
		}
		mustBeEmpty(t, into)
		ctx, cancel = context.WithCancel(t.Context())
		defer cancel()
		cancelling := io.MultiReader(bytes.NewReader(export[:len(export)/2]), readerFunc(func([]byte) (int, error) { cancel(); return 0, io.EOF }),
			bytes.NewReader(export[len(export)/2:]))
		if err := Import(ctx, into, cancelling); !errors.Is(err, context.Canceled) {
			t.Errorf("a cancelled import: %v", err)
		}
		mustBeEmpty(t, into)
		if err := Import(t.Context(), into, bytes.NewReader(export)); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	})
}

type brokenWriter struct{ err error }

func (w brokenWriter) Write([]byte) (int, error) { return 0, w.err }

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// TestExportStreams pipes a ledger of many megabytes into another and looks at the memory that is in use meanwhile.
func TestExportStreams(t *testing.T) {
	if testing.Short() {
		t.Skip("moves a ledger of 12 MB")
	}
	from, into := openFile(t), openFile(t)
	const rows, size = 1000, 12_000
	for i := 0; i < rows; i += 500 {
		var records []ledger.Record
		for n := range 500 {
			r := rowRecord(fmt.Sprint(i + n))
			r.Note = strings.Repeat("x", size)
			records = append(records, r)
		}
		put(t, from, records...)
	}
	inUse := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before, most, moved, next := inUse(), uint64(0), 0, 0
	r, w := io.Pipe()
	exportErr := make(chan error, 1)
	go func() {
		err := Export(t.Context(), from, w)
		exportErr <- err
		_ = w.CloseWithError(err)
	}()
	measured := readerFunc(func(p []byte) (int, error) {
		n, err := r.Read(p)
		if moved += n; moved >= next {
			next += 2 << 20
			most = max(most, inUse())
		}
		return n, err
	})
	if err := Import(t.Context(), into, measured); err != nil {
		t.Fatal(err)
	}
	if err := <-exportErr; err != nil {
		t.Fatal(err)
	}
	if moved < rows*size || most > before+4<<20 {
		t.Errorf("to move %d MB, up to %d KB were in use, %d KB before", moved>>20, most>>10, before>>10)
	}
	found, err := into.Entries(t.Context(), "users", []string{"0", "999"})
	if err != nil || len(found) != 2 {
		t.Errorf("%d entries: %v", len(found), err)
	}
}
