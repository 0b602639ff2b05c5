package reconcile_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"owlatsync"
	"owlatsync/owlat/owlattest"
	"owlatsync/reconcile"
	"owlatsync/source"
)

// users is a world whose source is a table that counts its changes in column v.
type users struct {
	*world
	db      *sql.DB
	version int
	query   string
	blind   bool // the source does not know when its rows changed
}

func newUsers(t testing.TB, topics ...reconcile.Topic) *users {
	t.Helper()
	u := &users{world: newWorld(t, topics...), query: "SELECT id, email, name, news, v FROM users ORDER BY id"}
	u.sync.FullEvery = time.Hour
	db, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "users.db"))
	if err != nil {
		t.Fatal(err)
	}
	u.db = db
	t.Cleanup(u.close)
	u.exec("CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT, name TEXT, news BOOLEAN DEFAULT 1, v INTEGER)")
	return u
}

// close lets a bubble end.
func (u *users) close() {
	_ = u.db.Close()
	_ = u.ledger.Close()
}

func (u *users) exec(statement string, args ...any) {
	u.t.Helper()
	if _, err := u.db.Exec(statement, args...); err != nil {
		u.t.Fatal(err)
	}
}

// put writes a row, as an application does that counts changes.
func (u *users) put(id int, email, name string) {
	u.t.Helper()
	u.version++
	u.exec("INSERT INTO users (id, email, name, v) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE SET email = ?2, name = ?3, v = ?4",
		id, email, name, u.version)
}

// far puts changes between what there is and what follows, more than the overlap.
func (u *users) far() { u.version += 10 }

func (u *users) source() *source.Table {
	u.t.Helper()
	m := source.Mapping{Key: []string{"id"}, Email: "email", Fields: owlatsync.Texts{owlatsync.FirstName: "name"}}
	for range u.sync.Topics {
		m.Topics = append(m.Topics, "news")
	}
	table, err := source.SQL(u.db, source.SQLite, u.query, m)
	if err == nil && !u.blind {
		table, err = table.WithCursor(source.Cursor{Column: "v", Step: 1})
	}
	if err != nil {
		u.t.Fatal(err)
	}
	return table
}

// synced runs and compares how the source was read and what came of it, written "changes: updated 1".
func (u *users) synced(want string) {
	u.t.Helper()
	u.syncedWith(runOptions{}, want)
}

func (u *users) syncedWith(o runOptions, want string) {
	u.t.Helper()
	report, err := u.try(context.Background(), o, u.source())
	if err != nil {
		u.t.Fatalf("run: %v", err)
	}
	u.reports(report, want)
}

func (u *users) reports(report *owlatsync.Report, want string) {
	u.t.Helper()
	got := "all:"
	if report.Reading != nil {
		got = fmt.Sprintf("%s:", report.Reading.Mode)
	}
	for _, o := range owlatsync.Outcomes {
		if n := report.Outcomes[o]; n > 0 {
			got += fmt.Sprintf(" %s %d", o, n)
		}
	}
	if got != want {
		u.t.Errorf("%q, want %q", got, want)
	}
}

// ahead plans and compares as synced does.
func (u *users) ahead(want string) {
	u.t.Helper()
	e, client := u.engine()
	defer client.CloseIdleConnections()
	s := u.sync
	s.Source = u.source()
	summary, err := e.Plan(context.Background(), s, reconcile.PlanOptions{})
	if err != nil {
		u.t.Fatal(err)
	}
	u.reports(&owlatsync.Report{Reading: summary.Reading, Outcomes: summary.Outcomes}, want)
}

func TestOnlyChangesAreRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		u := newUsers(t)
		defer u.close()
		u.sync.OnMissing = reconcile.MissingDelete
		u.sync.Guards = reconcile.Guards{FirstRun: true} // an increment without rows is no empty source
		u.synced("full:")
		for id := range 5 {
			u.put(id+1, fmt.Sprintf("p%d@example.com", id+1), "A")
		}
		u.synced("full: created 5")
		u.ahead("changes: unchanged 2") // within the overlap
		u.far()
		u.put(1, "p1@example.com", "B")
		u.put(6, "p6@example.com", "F")
		u.exec("DELETE FROM users WHERE id = 3")
		u.exec("UPDATE users SET name = 'C' WHERE id = 2") // and nobody counts it
		u.ahead("changes: created 1 updated 1 unchanged 2")
		u.synced("changes: created 1 updated 1 unchanged 2")
		u.synced("changes: unchanged 2")
		u.exec("DELETE FROM users WHERE v > 5")
		u.synced("changes:")
		if u.server.Len() != 6 {
			t.Errorf("%d contacts: absence was acted on before all rows were read", u.server.Len())
		}
		time.Sleep(time.Hour)
		u.synced("full: updated 1 unchanged 2 removed 3")
		if u.server.Len() != 3 {
			t.Errorf("%d contacts after all rows were read", u.server.Len())
		}
		u.synced("changes: unchanged 2") // from the highest count there is now
	})
}

func TestWhatHasAllRowsRead(t *testing.T) {
	t.Parallel()
	repair := func(u *users) {
		e, client := u.engine()
		defer client.CloseIdleConnections()
		s := u.sync
		s.Source = u.source()
		if _, err := e.Verify(t.Context(), []reconcile.Sync{s}, reconcile.VerifyOptions{Repair: true}); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name    string
		between func(u *users)
		want    string
	}{
		{"nothing", func(*users) {}, "changes: unchanged 2"},
		{"the query", func(u *users) { u.query += " " }, "full: unchanged 3"},
		{"a topic", func(u *users) { u.sync.Topics = []reconcile.Topic{{ID: u.server.AddTopic("more", false)}} }, "full: unchanged 3"},
		{"a policy", func(u *users) { u.sync.OnMissing = reconcile.MissingLeave }, "full: unchanged 3"},
		{"the ledger is lost", func(u *users) { u.loseLedger() }, "full: adopted 3"},
		{"verify finds nothing", repair, "changes: unchanged 2"},
		{"verify repairs", func(u *users) {
			u.call("PUT", "/contacts/"+u.contact("a@example.com").ID, `{"firstName":"Else"}`)
			repair(u)
		}, "full: updated 1 unchanged 2"},
		{"somebody is forgotten", func(u *users) {
			if _, err := u.ledger.ForgetPerson(t.Context(), "b@example.com"); err != nil {
				t.Fatal(err)
			}
		}, "full: adopted 1 unchanged 2"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			u := newUsers(t)
			u.t = t
			for id, email := range []string{"a@example.com", "b@example.com", "c@example.com"} {
				u.put(id+1, email, "A")
				u.far()
			}
			u.version -= 10
			u.put(3, "c@example.com", "A")
			u.put(2, "b@example.com", "A")
			u.synced("full: created 3")
			tt.between(u)
			u.synced(tt.want)
		})
	}
	t.Run("asked for", func(t *testing.T) {
		t.Parallel()
		u := newUsers(t)
		u.put(1, "a@example.com", "A")
		u.synced("full: created 1")
		u.call("PUT", "/contacts/"+u.contact("a@example.com").ID, `{"firstName":"Else"}`)
		u.synced("changes: unchanged 1")
		u.syncedWith(runOptions{Full: true}, "full: updated 1")
	})
}

// A row that failed is read again when its time has come, although it has not changed.
func TestAFailedRowIsReadAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		u := newUsers(t)
		defer u.close()
		u.sync.FullEvery = 1000 * time.Hour
		u.put(1, "a@example.com", "A")
		u.put(2, "b@example.com", "B")
		u.synced("full: created 2")
		u.far()
		u.put(1, "a@example.com", "C")
		u.far()
		u.put(2, "b@example.com", "B")
		if err := u.server.InjectFaults(owlattest.Fault{Kind: owlattest.StatusError, Status: 500, Method: "PUT"}); err != nil {
			t.Fatal(err)
		}
		u.synced("changes: unchanged 1 failed 1")
		u.synced("changes: unchanged 1 failed 1")
		u.synced("changes: unchanged 1 failed 1") // it waits, and what the lost answer left in doubt is looked up
		before := u.requests()
		u.synced("changes: unchanged 1 failed 1")
		u.sent(before)
		for range 10 {
			time.Sleep(80 * time.Hour)
			u.synced("changes: unchanged 1 failed 1")
		}
		u.server.ClearFaults()
		time.Sleep(80 * time.Hour)
		u.synced("changes: unchanged 1 failed 1") // it was given up, and is still told of
		if n, err := u.ledger.Retry(t.Context(), "users", []string{"1"}, time.Now()); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		u.synced("changes: updated 1 unchanged 1")
		u.synced("changes: unchanged 1")
	})
}

func TestTooManyFailedRowsHaveAllRead(t *testing.T) {
	t.Parallel()
	u := newUsers(t)
	const n = 1001
	for id := range n {
		u.put(id, fmt.Sprintf("p%d@example.com", id), "A")
	}
	u.synced("full: created 1001")
	u.far()
	u.put(n, "q@example.com", "Q")
	for id := range n { // the addresses that rows are to get are somebody else's
		address := fmt.Sprintf("t%d@example.com", id)
		u.put(id, address, "A")
		u.call("POST", "/contacts", fmt.Sprintf(`{"email":%q}`, address))
	}
	u.synced("changes: created 1 failed 1001")
	u.synced("full: unchanged 1 failed 1001")
}

// A run that was aborted anywhere leaves the mark where it was.
func TestAnAbortedIncrementConverges(t *testing.T) {
	t.Parallel()
	for at := 1; at <= 6; at++ {
		t.Run(fmt.Sprint(at), func(t *testing.T) {
			t.Parallel()
			u := newUsers(t)
			u.workers = 1
			for id := range 4 {
				u.put(id, fmt.Sprintf("p%d@example.com", id), "A")
			}
			u.synced("full: created 4")
			u.far()
			for id := range 6 {
				u.put(id, fmt.Sprintf("p%d@example.com", id), "B")
			}
			ctx, abort := context.WithCancel(t.Context())
			n := 0
			u.server.OnRequest = func(owlattest.Request) {
				if n++; n == at {
					abort()
				}
			}
			report, err := u.try(ctx, runOptions{}, u.source())
			if !errors.Is(err, context.Canceled) || report.Reading.Mode != owlatsync.ReadChanges {
				t.Fatalf("%v, read %v", err, report.Reading)
			}
			u.server.OnRequest = nil
			report, err = u.try(t.Context(), runOptions{}, u.source())
			if err != nil || report.Rows != 6 || report.Outcomes[owlatsync.Failed] > 0 {
				t.Errorf("then %v: %v", report, err)
			}
			for id := range 6 {
				if c := u.contact(fmt.Sprintf("p%d@example.com", id)); c.FirstName != "B" {
					t.Errorf("contact %d is called %q", id, c.FirstName)
				}
			}
			u.syncedWithNoWrite(u.requests())
		})
	}
}

// A run of all rows that did not come to its end is made again, because it may have met changes that nobody counted.
func TestAnAbortedFullScanIsMadeAgain(t *testing.T) {
	t.Parallel()
	u := newUsers(t)
	u.workers = 1
	for id := range 3 {
		u.put(id, fmt.Sprintf("p%d@example.com", id), "A")
	}
	u.synced("full: created 3")
	u.exec("UPDATE users SET name = 'B'")
	u.far()
	u.put(9, "p9@example.com", "N")
	ctx, abort := context.WithCancel(t.Context())
	puts := 0
	u.server.OnRequest = func(r owlattest.Request) {
		if r.Method == "PUT" {
			if puts++; puts == 2 {
				abort()
			}
		}
	}
	if _, err := u.try(ctx, runOptions{Full: true}, u.source()); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	u.server.OnRequest = nil
	report, err := u.try(t.Context(), runOptions{}, u.source())
	if err != nil || report.Reading.Mode != owlatsync.ReadAll {
		t.Errorf("then %v, read %v", err, report.Reading)
	}
	u.syncedWithNoWrite(u.requests())
}

// A run of some rows only does not move the mark.
func TestAPartialRunKeepsTheMark(t *testing.T) {
	t.Parallel()
	u := newUsers(t)
	for id := range 5 {
		u.put(id, fmt.Sprintf("p%d@example.com", id), "A")
	}
	u.synced("full: created 5")
	u.exec("UPDATE users SET name = 'B' WHERE id = 0") // uncounted
	u.far()
	for id := range 3 {
		u.put(id+1, fmt.Sprintf("p%d@example.com", id+1), "B")
		u.far()
	}
	u.syncedWith(runOptions{Limit: 1}, "changes: updated 1 unchanged 1 skipped 2")
	u.syncedWith(runOptions{Only: []string{"3", "0"}}, "changes: updated 2 unchanged 2 skipped 1")
	u.synced("changes: updated 1 unchanged 3")
	u.synced("changes: unchanged 1")
}

func TestAHeldPlanIsApprovedAsItWasRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		u := newUsers(t, reconcile.Topic{ID: "news", When: true})
		defer u.close()
		for id := range 40 {
			u.put(id, fmt.Sprintf("p%d@example.com", id), "A")
		}
		u.synced("full: created 40")
		u.sync.OnMissing = reconcile.MissingLeave
		u.synced("full: unchanged 40")
		u.sync.Guards.Removals = reconcile.Limit{Share: 0.1, Rows: 2}
		u.far()
		u.exec("UPDATE users SET news = 0, v = ? WHERE id < 10", u.version)
		held := u.held("changes")
		u.exec("DELETE FROM users WHERE id > 30")
		time.Sleep(time.Hour) // a run would now read all rows
		u.syncedWith(runOptions{Approve: held}, "changes: updated 10")

		held = u.held("full")
		u.sync.Guards.Removals = reconcile.Limit{Share: 1}
		u.put(5, "p5@example.com", "B")
		time.Sleep(time.Minute)
		u.exec("UPDATE users SET name = 'A' WHERE id = 5")
		u.syncedWith(runOptions{Approve: held}, "full: unchanged 31 removed 9")
	})
}

// held makes a run that a guard holds and returns its number.
func (u *users) held(mode owlatsync.ReadingMode) int64 {
	u.t.Helper()
	report, err := u.try(context.Background(), runOptions{}, u.source())
	held, ok := errors.AsType[*reconcile.HeldError](err)
	if !ok || report.Reading.Mode != mode {
		u.t.Fatalf("%v, read %v", err, report.Reading)
	}
	return held.Run
}

// A run of changes does not settle what a run of all rows was held for.
func TestAHeldFullPlanOutlivesIncrements(t *testing.T) {
	t.Parallel()
	u := newUsers(t, reconcile.Topic{ID: "news"})
	u.sync.OnMissing = reconcile.MissingLeave
	for id := range 40 {
		u.put(id, fmt.Sprintf("p%d@example.com", id), "A")
	}
	u.synced("full: created 40")
	u.sync.Guards = reconcile.Guards{Updates: reconcile.Limit{Share: 1}}
	u.exec("DELETE FROM users WHERE id < 39")
	report, err := u.try(t.Context(), runOptions{Full: true}, u.source())
	held, ok := errors.AsType[*reconcile.HeldError](err)
	if !ok || report.Reading.Mode != owlatsync.ReadAll {
		t.Fatal(err)
	}
	u.synced("changes: unchanged 1")
	u.syncedWith(runOptions{Approve: held.Run}, "full: unchanged 1 removed 39")
}

// What follows from absence and could not be done has all rows read again, no sooner than it may be tried.
func TestARemovalThatFailedIsMadeUpFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		u := newUsers(t)
		defer u.close()
		u.sync.FullEvery, u.sync.OnMissing = 1000*time.Hour, reconcile.MissingDelete
		u.put(1, "a@example.com", "A")
		u.put(2, "b@example.com", "B")
		u.synced("full: created 2")
		u.exec("DELETE FROM users WHERE id = 2")
		if err := u.server.InjectFaults(owlattest.Fault{Kind: owlattest.StatusError, Status: 500, Method: "DELETE"}); err != nil {
			t.Fatal(err)
		}
		u.syncedWith(runOptions{Full: true}, "full: unchanged 1 failed 1")
		u.synced("full: unchanged 1 failed 1") // at once, as of any failure
		u.synced("changes: unchanged 1")
		time.Sleep(time.Hour)
		u.server.ClearFaults()
		u.synced("full: unchanged 1 removed 1")
		u.synced("changes: unchanged 1")

		u.put(3, "c@example.com", "C")
		u.synced("changes: created 1 unchanged 1")
		u.exec("DELETE FROM users WHERE id = 3")
		u.put(1, "a@example.com", "New")
		if err := u.server.InjectFaults(owlattest.Fault{Kind: owlattest.StatusError, Status: 500, Method: "PUT"}); err != nil {
			t.Fatal(err)
		}
		u.syncedWith(runOptions{Full: true}, "full: skipped 1 failed 1")
		u.synced("full: skipped 1 failed 1")
		u.synced("full: removed 1 failed 1") // the row waits, and nothing fails
		u.synced("changes: failed 1")
		u.server.ClearFaults()
		time.Sleep(time.Hour)
		u.synced("changes: updated 1")
	})
}
