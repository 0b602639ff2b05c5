package setup_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"owlatsync"
	"owlatsync/internal/config"
	"owlatsync/internal/exitcode"
	"owlatsync/internal/problem"
	"owlatsync/internal/setup"
	"owlatsync/internal/testdb"
	"owlatsync/ledger"
	"owlatsync/ledger/postgres"
	"owlatsync/reconcile"
)

// ledgerAt returns a configuration that has nothing but a ledger.
func ledgerAt(t *testing.T, name, where string) *config.Config {
	t.Helper()
	l, err := config.ParseLedger(where, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return &config.Config{Name: name, Ledger: l}
}

// TestNoCopyIsMadeOfALedgerThatAServiceWorksWith: the service would go on with it, and the copy would miss what it does.
func TestNoCopyIsMadeOfALedgerThatAServiceWorksWith(t *testing.T) {
	t.Parallel()
	dsn := testdb.Postgres(t)
	from, into := ledgerAt(t, "", dsn), ledgerAt(t, "", "copy.db")
	if err := care.Copy(t.Context(), from, into); !errors.Is(err, setup.ErrNoLedger) {
		t.Errorf("a copy of nothing: %v", err)
	}
	db, err := postgres.Open(t.Context(), postgres.Options{DSN: dsn})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, sql := range []string{
		"INSERT INTO owlat_sync.deployments (name) VALUES ('')",
		"INSERT INTO owlat_sync.nodes (id, host, pid, version, since, seen, detail) VALUES ('a', '', 1, '', now(), now(), '{}')",
	} {
		if _, err := db.Pool().Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	if err := care.Copy(t.Context(), from, into); exitcode.Of(err) != exitcode.Usage || !strings.Contains(fmt.Sprint(err), "a service works with the ledger") {
		t.Errorf("a node lives: %v", err)
	}
	if _, err := os.Stat(into.Ledger.Path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("something was left: %v", err)
	}
	if _, err := db.Pool().Exec(t.Context(), "UPDATE owlat_sync.nodes SET seen = now() - interval '1 minute'"); err != nil {
		t.Fatal(err)
	}
	if err := care.Copy(t.Context(), from, into); err != nil {
		t.Errorf("the node is gone: %v", err)
	}
}

// TestACopyGoesOnWhereTheOtherStopped moves a ledger from a file to PostgreSQL, to another schema, and back to a file.
func TestACopyGoesOnWhereTheOtherStopped(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	first := p.open(t, config.UseAll)
	users := *first.Config.Sync("users")
	if _, err := first.Run(t.Context(), users, reconcile.RunOptions{Confirm: yes}, nil); err != nil {
		t.Fatal(err)
	}
	dsn := testdb.Postgres(t)
	from := first.Config
	for _, to := range []string{dsn, dsn + "&schema=other", "again.db"} {
		into := ledgerAt(t, "", to)
		into.Owlat, into.Syncs, into.File = from.Owlat, from.Syncs, from.File
		if err := care.Copy(t.Context(), from, into); err != nil {
			t.Fatal(err)
		}
		s, err := opener.Open(t.Context(), into, config.UseAll)
		if err != nil {
			t.Fatal(err)
		}
		report, err := s.Run(t.Context(), users, reconcile.RunOptions{}, nil)
		if err != nil || report.Rows != 2 || report.Outcomes[owlatsync.Unchanged] != 2 {
			t.Errorf("a run with the copy in %s: %+v, %v", into.Ledger, report, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if err := care.Copy(t.Context(), from, into); exitcode.Of(err) != exitcode.Usage || !errors.Is(err, ledger.ErrNotEmpty) || problem.HintOf(err) == "" {
			t.Errorf("a second copy into %s: %v", into.Ledger, err)
		}
		from = into
	}
	if err := care.Copy(t.Context(), from, from); exitcode.Of(err) != exitcode.Usage {
		t.Errorf("a copy into itself: %v", err)
	}
	if err := care.Copy(t.Context(), ledgerAt(t, "", "none.db"), ledgerAt(t, "", dsn+"&schema=third")); exitcode.Of(err) != exitcode.Usage || !errors.Is(err, setup.ErrNoLedger) {
		t.Errorf("a copy of nothing: %v", err)
	}
}

// TestALedgerInPostgres tells what is wrong with a database, and never the password.
func TestALedgerInPostgres(t *testing.T) {
	t.Parallel()
	dsn := testdb.Postgres(t)
	owner := ledgerAt(t, "", dsn)
	as := func(change func(*url.URL)) *config.Config {
		u, err := url.Parse(dsn)
		if err != nil {
			t.Fatal(err)
		}
		change(u)
		return ledgerAt(t, "", u.String())
	}
	const secret = "topsecret0123"
	exec(t, dsn, "CREATE ROLE "+role(dsn)+" LOGIN PASSWORD '"+secret+"'")
	t.Cleanup(func() { exec(t, dsn, "DROP OWNED BY "+role(dsn)); exec(t, dsn, "DROP ROLE "+role(dsn)) })
	user := as(func(u *url.URL) { u.User = url.UserPassword(role(dsn), secret) })

	// Before anything was made, the user may not make it.
	if is, err := opener.Examine(t.Context(), owner); err != nil || !is.Missing {
		t.Errorf("a database without a ledger: %+v, %v", is, err)
	}
	exec(t, dsn, "REVOKE CREATE ON DATABASE "+filepath.Base(pathOf(t, dsn))+" FROM PUBLIC")
	if _, err := opener.Examine(t.Context(), user); !errors.Is(err, postgres.ErrOutdated) {
		t.Errorf("a schema that cannot be made: %v", err)
	}
	if l, err := opener.Ledger(t.Context(), user); !errors.Is(err, postgres.ErrOutdated) || l != nil {
		t.Errorf("opened: %v, %v", l, err)
	}
	// The owner makes it, and lets the user in.
	if from, to, err := care.Migrate(t.Context(), owner.Ledger); err != nil || from != 0 || to == 0 {
		t.Fatalf("migrated from %d to %d: %v", from, to, err)
	}
	if _, err := opener.Examine(t.Context(), user); err == nil || !strings.Contains(err.Error(), role(dsn)) {
		t.Errorf("a user that may not write: %v", err)
	}
	exec(t, dsn, "GRANT USAGE ON SCHEMA owlat_sync TO "+role(dsn))
	exec(t, dsn, "GRANT SELECT ON ALL TABLES IN SCHEMA owlat_sync TO "+role(dsn))
	if _, err := opener.Examine(t.Context(), user); err == nil || !strings.Contains(err.Error(), "may not write") {
		t.Errorf("a user that may only read: %v", err)
	}
	if is, err := reader().Examine(t.Context(), user); err != nil || !is.Missing {
		t.Errorf("a reader: %+v, %v", is, err)
	}
	exec(t, dsn, "GRANT INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA owlat_sync TO "+role(dsn))
	exec(t, dsn, "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA owlat_sync TO "+role(dsn))
	if is, err := opener.Examine(t.Context(), user); err != nil || !is.Missing {
		t.Errorf("a user with its rights: %+v, %v", is, err)
	}
	l, err := opener.Ledger(t.Context(), user)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}

	for name, bad := range map[string]*config.Config{
		"a wrong password": as(func(u *url.URL) { u.User = url.UserPassword(role(dsn), secret+"x") }),
		"no database":      as(func(u *url.URL) { u.Path += "none" }),
		"no server":        as(func(u *url.URL) { u.User, u.Host = url.UserPassword("u", secret), "127.0.0.1:1" }),
		"no sync commit":   as(func(u *url.URL) { u.RawQuery += "&options=-c%20synchronous_commit%3Doff" }),
	} {
		_, examined := opener.Examine(t.Context(), bad)
		_, opened := opener.Ledger(t.Context(), bad)
		for _, err := range []error{examined, opened} {
			if err == nil || strings.Contains(err.Error(), secret) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	if aside, err := care.Restore(t.Context(), owner, "owlat-sync.db"); exitcode.Of(err) != exitcode.Usage || problem.HintOf(err) == "" || aside != "" {
		t.Errorf("a backup put back: %q, %v", aside, err)
	}
}

// TestANewerSchema is used by an older program for as long as it says that this will do.
func TestANewerSchema(t *testing.T) {
	t.Parallel()
	dsn := testdb.Postgres(t)
	at := ledgerAt(t, "", dsn)
	_, newest, err := care.Migrate(t.Context(), at.Ledger)
	if err != nil {
		t.Fatal(err)
	}
	exec(t, dsn, "INSERT INTO owlat_sync.ledger_version (version, made) VALUES (9999, now())")
	for _, works := range []bool{true, false} {
		oldest := 9999
		if works {
			oldest = newest
		}
		exec(t, dsn, fmt.Sprintf("UPDATE owlat_sync.schema SET works_with = %d", oldest))
		_, examined := opener.Examine(t.Context(), at)
		l, opened := opener.Ledger(t.Context(), at)
		if opened == nil {
			if err := l.Close(); err != nil {
				t.Error(err)
			}
		}
		for _, err := range []error{examined, opened} {
			if works && err != nil || !works && !errors.Is(err, ledger.ErrNewer) {
				t.Errorf("a schema that works with versions from %d on, and this program knows %d: %v", oldest, newest, err)
			}
		}
	}
}

// TestDeploymentsShareADatabase opens the ledgers of many deployments with one set of connections, and closes it with the last.
func TestDeploymentsShareADatabase(t *testing.T) {
	t.Parallel()
	dsn := testdb.Postgres(t)
	shared := opener
	shared.Databases = &setup.Databases{}
	var opening sync.WaitGroup
	ledgers := make([]setup.Ledger, 8)
	for i := range ledgers {
		opening.Go(func() {
			var err error
			if ledgers[i], err = shared.Ledger(t.Context(), ledgerAt(t, string(rune('a'+i)), dsn)); err != nil {
				t.Error(err)
			}
		})
	}
	opening.Wait()
	first, release, err := shared.Database(t.Context(), ledgerAt(t, "", dsn).Ledger)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range ledgers {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := first.Pool().Ping(t.Context()); err != nil {
		t.Errorf("closed while it is used: %v", err)
	}
	release()
	release()
	if err := first.Pool().Ping(t.Context()); err == nil {
		t.Error("open although nobody uses it")
	}
	second, release, err := shared.Database(t.Context(), ledgerAt(t, "", dsn).Ledger)
	if err != nil || second == first {
		t.Fatalf("opened anew: %v, the same %v", err, second == first)
	}
	release()
}

func reader() setup.Opener {
	o := opener
	o.Reads = true
	return o
}

// pathOf returns the name of the database in a DSN.
func pathOf(t *testing.T, dsn string) string {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	return u.Path
}

// role returns a name for a user of the database in a DSN.
func role(dsn string) string {
	u, err := url.Parse(dsn)
	if err != nil {
		return ""
	}
	return "user_of_" + strings.TrimPrefix(u.Path, "/")
}

func exec(t *testing.T, dsn, statement string) {
	t.Helper()
	conn, err := pgx.Connect(context.WithoutCancel(t.Context()), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	if _, err := conn.Exec(context.WithoutCancel(t.Context()), statement); err != nil {
		t.Errorf("%s: %v", statement, err)
	}
}
