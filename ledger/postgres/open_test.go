package postgres

import (
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"owlatsync/internal/testdb"
	"owlatsync/ledger"
	"owlatsync/ledger/ledgertest"
	"owlatsync/ledger/postgres/internal/server"
)

// administer runs statements on a database.
func administer(t testing.TB, dsn string, statements ...string) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	for _, s := range statements {
		if _, err := conn.Exec(ctx, s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// TestNothingIsCompiled looks at connections of a server that would compile what it thinks long, which takes longer than all that a ledger asks.
func TestNothingIsCompiled(t *testing.T) {
	t.Parallel()
	dsn := testdb.Postgres(t)
	db, err := Open(t.Context(), Options{DSN: dsn})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var jit, idle string
	err = db.Pool().QueryRow(t.Context(), "SELECT current_setting('jit'), current_setting('idle_in_transaction_session_timeout')").Scan(&jit, &idle)
	if err != nil || jit != "off" || idle != "5s" {
		t.Errorf("jit is %q, and a transaction may idle for %q: %v", jit, idle, err)
	}
}

// TestManyOpenAtOnce has as many open a new database at the same instant, also where they have few connections to it together.
func TestManyOpenAtOnce(t *testing.T) {
	t.Parallel()
	for name, through := range map[string]func(t *testing.T, dsn string) string{
		"directly": func(_ *testing.T, dsn string) string { return dsn }, "through a pooler": func(t *testing.T, dsn string) string { t.Helper(); return testdb.PgBouncer(t, dsn, 3) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dsn := testdb.Postgres(t)
			openAtOnce(t, dsn, through(t, dsn))
		})
	}
}

// openAtOnce opens the database through another DSN several times at once.
func openAtOnce(t *testing.T, dsn, through string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			d, err := Open(ctx, Options{DSN: through, MaxConns: 4})
			if err != nil {
				t.Error(err)
				return
			}
			defer d.Close()
			l, err := d.Ledger(t.Context(), "acme")
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := l.Syncs(t.Context()); err != nil {
				t.Error(err)
			}
			if err := l.Try(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	from, to, err := Migrate(t.Context(), Options{DSN: dsn})
	if err != nil || from != server.Newest() || to != from {
		t.Errorf("migrated from %d to %d: %v", from, to, err)
	}
	d := openDatabase(t, dsn)
	var versions, river int
	if err := d.db.Pool.QueryRow(t.Context(), d.db.SQL("SELECT (SELECT count(*) FROM @ledger_version), (SELECT count(*) FROM @river_job)")).Scan(&versions, &river); err != nil || versions != server.Newest() {
		t.Errorf("%d versions were made: %v", versions, err)
	}
}

// TestAMigrationThatBreaksOffIsMadeUpFor: the schema does not count as up to date before the tables of River are there.
func TestAMigrationThatBreaksOffIsMadeUpFor(t *testing.T) {
	t.Parallel()
	dsn := testdb.Postgres(t)
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(t.Context(), "CREATE SCHEMA owlat_sync; CREATE TABLE owlat_sync.river_job ()"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Migrate(t.Context(), Options{DSN: dsn}); err == nil {
		t.Fatal("a table is in the way, and nothing is said")
	}
	if _, err := conn.Exec(t.Context(), "DROP TABLE owlat_sync.river_job"); err != nil {
		t.Fatal(err)
	}
	d := openDatabase(t, dsn)
	var river int
	if err := d.db.Pool.QueryRow(t.Context(), d.db.SQL("SELECT count(*) FROM @river_job")).Scan(&river); err != nil {
		t.Errorf("opened after a migration that broke off: %v", err)
	}
}

func TestASchemaOfItsOwn(t *testing.T) {
	t.Parallel()
	dsn := migrated.Postgres(t)
	d, other := openDatabase(t, dsn), openDatabase(t, dsn+"&schema=another_one")
	put(t, takeLock(t, openLedger(t, d, "")), "1")
	if names, err := other.Names(t.Context()); err != nil || len(names) != 0 {
		t.Errorf("names %v: %v", names, err)
	}
	if d.Schema() != DefaultSchema || other.Schema() != "another_one" {
		t.Errorf("schemas %s and %s", d.Schema(), other.Schema())
	}
}

func TestRefusedDSNs(t *testing.T) {
	t.Parallel()
	for _, dsn := range []string{
		"", "ledger.db", "mysql://user:verysecret@127.0.0.1/db", "postgres://user:verysecret@127.0.0.1/db?schema=A", "postgres://user:verysecret@127.0.0.1/db?schema=a-b",
		"postgres://user:verysecret@127.0.0.1/db?schema=pg_toast", "postgres://user:verysecret@127.0.0.1:x/db", "postgres://user:verysecret@127.0.0.1/db?sslmode=sometimes",
		"postgres://user:verysecret@127.0.0.1:1/db?connect_timeout=1", "postgres://user:verysecret@127.0.0.1/db?pool_max_conns=0",
		"postgres://user:very%60:%20secret@127.0.0.1/db?pool_max_conns=many",
	} {
		_, err := Open(t.Context(), Options{DSN: dsn})
		if err == nil {
			t.Errorf("%q was opened", dsn)
		} else if strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "%!") {
			t.Errorf("the error has the password, or nothing: %v", err)
		}
	}
	if _, err := Open(t.Context(), Options{DSN: "postgres://user:verysecret@127.0.0.1:1/db?connect_timeout=1"}); !errors.Is(err, ledger.ErrAway) {
		t.Errorf("nobody listens: %v", err)
	}
	if _, err := Open(t.Context(), Options{DSN: "postgres://user@127.0.0.1/db?pool_max_conns=0"}); err == nil || !strings.HasSuffix(err.Error(), "pool_max_conns too small") {
		t.Errorf("no connections: %v", err)
	}
	if got, want := Masked("postgres://user:verysecret@db.example/ledger?sslmode=require&schema=s&password=verysecret"), "postgres://user@db.example/ledger?schema=s"; got != want {
		t.Errorf("masked as %s, want %s", got, want)
	}
}

// TestAServerThatLetsNobodyIn says what to look at, in one line also if several addresses were tried.
func TestAServerThatLetsNobodyIn(t *testing.T) {
	t.Parallel()
	u, err := url.Parse(testdb.Postgres(t))
	if err != nil {
		t.Fatal(err)
	}
	said := func(change func(u *url.URL)) string {
		other := *u
		change(&other)
		_, err := Open(t.Context(), Options{DSN: other.String()})
		if err == nil {
			t.Fatal("it was opened")
		}
		return err.Error()
	}
	for want, change := range map[string]func(u *url.URL){
		"the database of the ledger does not exist":                func(u *url.URL) { u.Path = "/nowhere" },
		"the server does not let the user of the ledger in":        func(u *url.URL) { u.User = url.UserPassword("nobody_of_the_ledger", "verysecret") },
		"the server of the ledger cannot be reached":               func(u *url.URL) { u.Host = "127.0.0.1:1,127.0.0.1:2" },
		"refuses the connection: remove the parameter":             func(u *url.URL) { u.RawQuery += "&nonsense=1" },
		"the server does not let the user of the ledger in: see t": func(u *url.URL) { u.User, u.RawQuery = url.User("nobody_of_the_ledger"), "sslmode=prefer" },
	} {
		got := said(change)
		if strings.Count(got, "127.0.0.1:1 ") > 1 {
			t.Errorf("the same is said twice: %q", got)
		}
		if !strings.Contains(got, want) || strings.ContainsAny(got, "\n\t") || strings.Contains(got, "verysecret") {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestAServerThatSaysNo answers what is not easily had of a real one: nothing is lost if one tries again.
func TestAServerThatSaysNo(t *testing.T) {
	t.Parallel()
	for want, answer := range map[string]string{
		"the server of the ledger is not as the URL wants it: see sslmode":          "N",
		"the server of the ledger has no connection left for its user: raise max_c": "E\x00\x00\x00\x25SFATAL\x00C53300\x00Mtoo many of them\x00\x00",
	} {
		server, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = server.Close() })
		go func() {
			for {
				conn, err := server.Accept()
				if err != nil {
					return
				}
				_, _ = conn.Read(make([]byte, 1024))
				_, _ = io.WriteString(conn, answer)
				_ = conn.Close()
			}
		}()
		mode := "disable"
		if answer == "N" {
			mode = "require"
		}
		_, err = Open(t.Context(), Options{DSN: "postgres://u:verysecret@" + server.Addr().String() + "/x?sslmode=" + mode})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "verysecret") || !errors.Is(err, ledger.ErrAway) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// TestAServerThatTakesNoWrites says so, and not that a file cannot be written.
func TestAServerThatTakesNoWrites(t *testing.T) {
	t.Parallel()
	dsn := migrated.Postgres(t) + "&default_transaction_read_only=on"
	l := openLedger(t, openDatabase(t, dsn), "")
	if err := l.Try(t.Context()); !errors.Is(err, ledger.ErrReadOnly) || !strings.Contains(err.Error(), "takes no writes") || strings.Contains(err.Error(), "file") {
		t.Errorf("a write: %v", err)
	}
}

// TestMigrationsAreNamedBeforeTheyAreMade by whoever may read, and who finds none needs no right to make any.
func TestMigrationsAreNamedBeforeTheyAreMade(t *testing.T) {
	t.Parallel()
	dsn := testdb.Postgres(t)
	of := func(m ledger.Migrations) (of map[string]int) {
		of = make(map[string]int)
		for _, one := range m.Missing {
			if one.Name == "" || one.Version != of[one.Of]+1 {
				t.Errorf("the migration %+v", one)
			}
			of[one.Of] = one.Version
		}
		return of
	}
	m, err := Migrations(t.Context(), Options{DSN: dsn, ReadOnly: true})
	if got := of(m); err != nil || m.Version != 0 || m.Newest != server.Newest() || got["ledger"] != server.Newest() || got["river"] == 0 || len(got) != 2 {
		t.Errorf("of a new ledger: %+v, %v", m, err)
	}
	if from, to, err := Migrate(t.Context(), Options{DSN: dsn}); from != 0 || to != m.Newest || err != nil {
		t.Fatalf("from %d to %d: %v", from, to, err)
	}
	reads := dsn + "&default_transaction_read_only=on"
	if m, err := Migrations(t.Context(), Options{DSN: reads}); len(m.Missing) > 0 || m.Version != m.Newest || err != nil {
		t.Errorf("of one that is up to date: %+v, %v", m, err)
	}
	if from, to, err := Migrate(t.Context(), Options{DSN: reads}); from != to || err != nil {
		t.Errorf("nothing is to be done: from %d to %d, %v", from, to, err)
	}
	administer(t, dsn, "DELETE FROM owlat_sync.river_migration WHERE version > 6", "DELETE FROM owlat_sync.ledger_version WHERE version > 1")
	m, err = Migrations(t.Context(), Options{DSN: reads})
	if err != nil || len(m.Missing) < 2 || m.Missing[0] != (ledger.Migration{Of: "river", Version: 7, Name: m.Missing[0].Name}) || m.Version != 1 {
		t.Errorf("of an older one: %+v, %v", m, err)
	}
}

func TestAServerThatLosesWhatItAcknowledgesIsRefused(t *testing.T) {
	t.Parallel()
	dsn := testdb.Postgres(t)
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	administer(t, dsn, "ALTER DATABASE "+strings.TrimPrefix(u.Path, "/")+" SET synchronous_commit = off")
	for name, open := range map[string]func() error{
		"open":    func() error { _, err := Open(t.Context(), Options{DSN: dsn}); return err },
		"migrate": func() error { _, _, err := Migrate(t.Context(), Options{DSN: dsn}); return err },
	} {
		if err := open(); err == nil || !strings.Contains(err.Error(), "synchronous_commit is off") || !strings.Contains(err.Error(), "opted out") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestANewerSchema(t *testing.T) {
	t.Parallel()
	dsn := migrated.Postgres(t)
	d := openDatabase(t, dsn)
	old := openLedger(t, d, "old")
	k := takeLock(t, old)
	put(t, k, "1")
	administer(t, dsn, "ALTER TABLE owlat_sync.entries ADD COLUMN later BIGINT NOT NULL DEFAULT 1", "ALTER TABLE owlat_sync.runs ADD COLUMN later TEXT",
		"ALTER TABLE owlat_sync.leases ADD COLUMN later TEXT", "INSERT INTO owlat_sync.ledger_version VALUES (99, now())")
	put(t, k, "2") // who has it open goes on
	if _, err := k.BeginRun(t.Context(), ledger.Run{Sync: "users"}); err != nil {
		t.Error(err)
	}
	mustHold(t, old, "1", "2")
	put(t, takeLock(t, openLedger(t, openDatabase(t, dsn), "")), "1") // it says that this program still works with it
	if from, to, err := Migrate(t.Context(), Options{DSN: dsn}); err != nil || from != 99 || to != 99 {
		t.Errorf("migrated from %d to %d: %v", from, to, err)
	}
	administer(t, dsn, "UPDATE owlat_sync.schema SET works_with = 99")
	if _, err := Open(t.Context(), Options{DSN: dsn}); !errors.Is(err, ledger.ErrNewer) {
		t.Errorf("opened: %v", err)
	}
	mustHold(t, openLedger(t, d, ""), "1") // who has it open goes on
}

func TestReadOnly(t *testing.T) {
	t.Parallel()
	dsn := testdb.Postgres(t)
	if _, err := Open(t.Context(), Options{DSN: dsn, ReadOnly: true}); !errors.Is(err, ErrOutdated) {
		t.Errorf("a schema that is not there: %v", err)
	}
	put(t, takeLock(t, openLedger(t, openDatabase(t, dsn), "")), "1")
	d, err := Open(t.Context(), Options{DSN: dsn, ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	l, unknown := openLedger(t, d, ""), openLedger(t, d, "unknown")
	mustHold(t, l, "1")
	if syncs, err := unknown.Syncs(t.Context()); err != nil || len(syncs) != 0 {
		t.Errorf("syncs of an unknown deployment: %v, %v", syncs, err)
	}
	if !errors.Is(l.Unwritable(), ledger.ErrReadOnly) {
		t.Errorf("unwritable: %v", l.Unwritable())
	}
	for _, l := range []*Ledger{l, unknown} {
		if _, err := l.Acquire(t.Context(), ledger.Claim{}); !errors.Is(err, ledger.ErrReadOnly) && !errors.Is(err, ledger.ErrLocked) {
			t.Errorf("acquired: %v", err)
		}
		if err := l.Try(t.Context()); !errors.Is(err, ledger.ErrReadOnly) {
			t.Errorf("written: %v", err)
		}
	}
}

// TestLeastPrivilege has one user who owns the schema, and one who only works with it.
func TestLeastPrivilege(t *testing.T) {
	t.Parallel()
	dsn := testdb.Postgres(t)
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	role := strings.TrimPrefix(u.Path, "/") + "_user"
	administer(t, dsn, "CREATE ROLE "+role+" LOGIN PASSWORD 'simple'")
	t.Cleanup(func() { administer(t, dsn, "DROP OWNED BY "+role, "DROP ROLE "+role) })
	u.User = url.UserPassword(role, "simple")
	if _, err := Open(t.Context(), Options{DSN: u.String()}); !errors.Is(err, ErrOutdated) || !strings.Contains(err.Error(), "owlat-sync ledger migrate") {
		t.Errorf("a user who may not create the schema: %v", err)
	}
	if _, _, err := Migrate(t.Context(), Options{DSN: dsn}); err != nil {
		t.Fatal(err)
	}
	administer(t, dsn, "GRANT USAGE ON SCHEMA owlat_sync TO "+role, "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA owlat_sync TO "+role,
		"GRANT USAGE ON ALL SEQUENCES IN SCHEMA owlat_sync TO "+role)
	l := openLedger(t, openDatabase(t, u.String()), "")
	k := takeLock(t, l)
	put(t, k, "1")
	run, err := k.BeginRun(t.Context(), ledger.Run{Sync: "users"})
	if err != nil {
		t.Fatal(err)
	}
	if err := k.EndRun(t.Context(), ledger.Ending{Run: ledger.Run{ID: run, Status: ledger.StatusOK}}); err != nil {
		t.Error(err)
	}
	if err := l.Try(t.Context()); err != nil {
		t.Error(err)
	}
	if err := k.Release(); err != nil {
		t.Error(err)
	}
	if rows, err := l.ForgetPerson(t.Context(), "1@example.com"); rows != 1 || err != nil {
		t.Errorf("forgot %d rows: %v", rows, err)
	}
}

// TestAFullDisk has the server say that its disk is full.
func TestAFullDisk(t *testing.T) {
	t.Parallel()
	dsn := migrated.Postgres(t)
	l := openLedger(t, openDatabase(t, dsn), "")
	k := takeLock(t, l)
	put(t, k, "before")
	administer(t, dsn, `CREATE FUNCTION full_disk() RETURNS TRIGGER LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$`,
		"CREATE TRIGGER full_disk AFTER INSERT ON owlat_sync.history EXECUTE FUNCTION full_disk()")
	results := make(chan error)
	for _, key := range keysOf("full", 3) {
		go func() { results <- tryPut(t.Context(), k, key) }()
	}
	for range 3 {
		if err := <-results; !errors.Is(err, ledger.ErrFull) {
			t.Errorf("recorded on a full disk: %v", err)
		}
	}
	if err := k.Check(); err != nil {
		t.Errorf("check: %v", err)
	}
	administer(t, dsn, "DROP TRIGGER full_disk ON owlat_sync.history")
	put(t, k, "after")
	mustHold(t, l, "before", "after")
	if found, err := l.Entries(t.Context(), "users", keysOf("full", 3)); err != nil || len(found) != 0 {
		t.Errorf("written on a full disk: %v, %v", found, err)
	}
}

// TestBehindAPgBouncer has each transaction on any connection to the server, and few of them.
func TestBehindAPgBouncer(t *testing.T) {
	t.Parallel()
	conform(t, testdb.PgBouncer(t, migrated.Postgres(t), 12), ledgertest.RunInProcess)
}
