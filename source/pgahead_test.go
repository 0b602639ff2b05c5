package source_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"testing"
	"time"

	"owlatsync/internal/testdb"
	"owlatsync/source"
)

const (
	connections = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'owlat-sync'"
	connected   = "SELECT coalesce(min(pid), 0) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'owlat-sync'"
)

// TestConnectSavesTheScanAConnection makes a connection ahead; only the first scan after it has it.
func TestConnectSavesTheScanAConnection(t *testing.T) {
	t.Parallel()
	dsn := testdb.Postgres(t)
	db := openDB(t, "pgx", dsn)
	table := must(source.Postgres(dsn, "SELECT pg_backend_pid() AS id, 'a@example.com' AS email", idAndEmail))
	scan := func() string {
		rows, err := read(t.Context(), table)
		if err != nil || len(rows) != 1 {
			t.Fatalf("%d rows, %v", len(rows), err)
		}
		return rows[0].Key
	}
	release := table.Connect(t.Context())
	eventually(t, func() bool { return queryInt(t, db, connections) == 1 })
	made := fmt.Sprint(queryInt(t, db, connected))
	if used := scan(); used != made {
		t.Errorf("the scan was on connection %s, not on %s that was made for it", used, made)
	}
	if used := scan(); used == made {
		t.Errorf("a second scan was on connection %s too", used)
	}
	release()
	eventually(t, func() bool { return queryInt(t, db, connections) == 0 })

	release = table.Connect(t.Context())
	again := table.Connect(t.Context()) // of another run: one connection is enough
	eventually(t, func() bool { return queryInt(t, db, connections) == 1 })
	again()
	if n := queryInt(t, db, connections); n != 1 {
		t.Errorf("there are %d connections while one waits", n)
	}
	release()
	eventually(t, func() bool { return queryInt(t, db, connections) == 0 })

	release = table.Connect(t.Context())
	table.Age(time.Hour)
	made = fmt.Sprint(queryInt(t, db, connected))
	if used := scan(); used == made {
		t.Error("a scan was on a connection that had been idle for an hour")
	}
	release()
	eventually(t, func() bool { return queryInt(t, db, connections) == 0 })
}

// TestConnectThatFailsIsTheScansError has a wrong password, and somebody who gives up a connection that another scan would use.
func TestConnectThatFailsIsTheScansError(t *testing.T) {
	t.Parallel()
	dsn := testdb.Postgres(t)
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(u.User.Username(), "wrong")
	table := must(source.Postgres(u.String(), "SELECT 1 AS id, 'a@example.com' AS email", idAndEmail))
	_, plain := read(t.Context(), table)
	release := table.Connect(t.Context())
	_, err = read(t.Context(), table)
	release()
	if plain == nil || err == nil || err.Error() != plain.Error() {
		t.Errorf("the error is %q, and without a connection made ahead %q", err, plain)
	}

	table = must(source.Postgres(dsn, "SELECT 1 AS id, 'a@example.com' AS email", idAndEmail))
	given, giveUp := context.WithCancel(t.Context())
	giveUp()
	release = table.Connect(given)
	rows, err := read(t.Context(), table)
	release()
	if err != nil || len(rows) != 1 {
		t.Errorf("%d rows and %v after somebody else gave up connecting", len(rows), err)
	}
	release = table.Connect(given)
	_, err = read(given, table)
	release()
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want context.Canceled", err)
	}
}
