package programs

import (
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// TestFailOverLosesTheLatest shows that a fail-over of the world is one that loses what was confirmed last, and nothing else.
func TestFailOverLosesTheLatest(t *testing.T) {
	t.Parallel()
	if !HasPostgres() {
		t.Skip(ErrNoPostgres)
	}
	dir, err := os.MkdirTemp("", "owlat-sync-failover-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	primary, err := NewPostgres(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(primary.Close)
	exec := func(p *Postgres, statement string) {
		t.Helper()
		conn, err := pgx.Connect(t.Context(), p.DSN(p.Addr(), "postgres"))
		if err == nil {
			_, err = conn.Exec(t.Context(), statement)
		}
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.Close(t.Context())
	}
	exec(primary, "CREATE TABLE x (n int)")
	standby, err := primary.Standby(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(standby.Close)
	exec(primary, "INSERT INTO x VALUES (1)")
	for began := time.Now(); count(t, standby) < 1; <-time.After(5 * time.Millisecond) {
		if time.Since(began) > 30*time.Second {
			t.Fatal("the standby does not follow")
		}
	}
	if err := standby.StopFollowing(t.Context()); err != nil {
		t.Fatal(err)
	}
	exec(primary, "INSERT INTO x VALUES (2)")
	primary.Crash()
	if err := standby.Promote(); err != nil {
		t.Fatal(err)
	}
	exec(standby, "INSERT INTO x VALUES (3)")
	if n := count(t, standby); n != 2 {
		t.Errorf("%d rows are there, want the first and the third", n)
	}
}

func count(t *testing.T, p *Postgres) (n int) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), p.DSN(p.Addr(), "postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM x").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
