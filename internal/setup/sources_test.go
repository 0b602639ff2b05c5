package setup_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"owlatsync/internal/config"
	"owlatsync/internal/testdb"
	"owlatsync/reconcile"
)

// TestSourcesStayOpen counts the connections of runs whose source stays open, and of others.
func TestSourcesStayOpen(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	dsn := testdb.Postgres(t)
	conn, err := pgconn.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	ask := func(query string) string {
		t.Helper()
		results, err := conn.Exec(t.Context(), query).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		if last := results[len(results)-1]; len(last.Rows) > 0 {
			return string(last.Rows[0][0])
		}
		return ""
	}
	ask("CREATE TABLE users (id int PRIMARY KEY, email text, v int); INSERT INTO users VALUES (1, 'ann@example.com', 1)")
	p.env["SHOP"] = dsn
	write := func(query string) *config.Config {
		p.write(t, "owlat-sync.yaml", fmt.Sprintf("owlat: {requests_per_second: 1000}\nsyncs:\n  users:\n    source: {dsn: \"${SHOP}\", query: \"%s\", cursor: v, overlap: 1}\n    key: id\n    fields: {email: email}\n", query))
		return p.load(t, config.UseAll)
	}
	cfg := write("SELECT id, email, v FROM users")
	s := p.open(t, config.UseAll)
	connected := func(want string) {
		t.Helper()
		count := ""
		for range 200 { // the server needs a moment to let go of a connection
			if count = ask("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'owlat-sync'"); count == want {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
		t.Errorf("%s connections, want %s", count, want)
	}
	run := func(cfg *config.Config) {
		t.Helper()
		if report, err := s.Run(t.Context(), *cfg.Sync("users"), reconcile.RunOptions{Confirm: yes}, nil); err != nil || report.Rows != 1 {
			t.Fatalf("%+v, %v", report, err)
		}
	}
	run(cfg)
	connected("0")
	if err := s.KeepSources(cfg.Syncs); err != nil {
		t.Fatal(err)
	}
	run(cfg)
	connected("1")
	before := ask("SELECT pid FROM pg_stat_activity WHERE application_name = 'owlat-sync' AND datname = current_database()")
	watch, done, err := s.Watch(*cfg.Sync("users"))
	if err != nil {
		t.Fatal(err)
	}
	if moved, err := watch.Moved(t.Context()); !moved || err != nil {
		t.Errorf("moved %v: %v", moved, err)
	}
	run(cfg)
	if now := ask("SELECT pid FROM pg_stat_activity WHERE application_name = 'owlat-sync' AND datname = current_database()"); now != before {
		t.Errorf("runs and watch had the connections %s and %s", before, now)
	}
	other := write("SELECT id, email, v FROM users WHERE id > 0")
	run(other) // it is not one that stays open
	connected("1")
	if err := s.KeepSources(other.Syncs); err != nil { // while the watch is in use
		t.Fatal(err)
	}
	connected("1")
	if err := done(); err != nil {
		t.Error(err)
	}
	connected("0")
	run(other)
	connected("1")
	if err := s.KeepSources(nil); err != nil {
		t.Fatal(err)
	}
	connected("0")
	if _, _, err := s.Watch(*newPlace(t).load(t, config.UseAll).Sync("users")); err == nil {
		t.Error("a source without a cursor is watched")
	}
}
