package wake_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	_ "modernc.org/sqlite" // the driver of ledgers

	"owlatsync"
	"owlatsync/internal/config"
	"owlatsync/internal/setup"
	"owlatsync/internal/testdb"
	"owlatsync/internal/turns"
	"owlatsync/internal/wake"
	"owlatsync/owlat/owlattest"
	"owlatsync/reconcile"
)

// documented returns the trigger of docs/realtime.md, and its configuration with the server, the ledger and the topic of a test.
func documented(t *testing.T, dsn, topic string) (trigger, configuration string) {
	t.Helper()
	page, err := os.ReadFile("../../docs/realtime.md")
	if err != nil {
		t.Fatal(err)
	}
	block := func(language string) string {
		found := regexp.MustCompile("(?s)```" + language + "\n(.*?)```").FindSubmatch(page)
		if found == nil {
			t.Fatalf("the page has no block of %s", language)
		}
		return string(found[1])
	}
	c := block("yaml")
	for _, r := range [][2]string{
		{"postgres://app@db.example/app", `"` + dsn + `"`}, {"k57newsletter0000000000000000000", topic},
		{`{url: "https://example.convex.site", api_key: "${OWLAT_API_KEY}"}`, "{requests_per_second: 1000}"},
	} {
		if !strings.Contains(c, r[0]) {
			t.Fatalf("the configuration of the page has no %s", r[0])
		}
		c = strings.ReplaceAll(c, r[0], r[1])
	}
	trigger = block("sql")
	if lines := strings.Count(strings.ReplaceAll(trigger, "\n\n", "\n"), "\n"); lines > 10 {
		t.Errorf("the trigger has %d lines", lines)
	}
	return trigger, c
}

// TestTheDocumentedTriggerWakes makes the table, the trigger and the configuration of docs/realtime.md, and changes rows.
func TestTheDocumentedTriggerWakes(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	server := &owlattest.Server{NoLimit: true}
	listener := httptest.NewServer(server)
	defer listener.Close()
	dsn := testdb.Postgres(t)
	trigger, configuration := documented(t, dsn, server.AddTopic("news", false))
	db, err := pgconn.Connect(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(context.Background())
	do := func(statement string) {
		t.Helper()
		if _, err := db.Exec(ctx, statement).ReadAll(); err != nil {
			t.Fatal(err)
		}
	}
	do("CREATE TABLE users (id int PRIMARY KEY, email text, name text, newsletter bool, seen int)")
	do("INSERT INTO users SELECT i, 'p' || i || '@example.com', 'A', true FROM generate_series(1, 20) AS i")
	do(trigger)

	path := filepath.Join(t.TempDir(), "owlat-sync.yaml")
	if err := os.WriteFile(path, []byte(configuration), 0o600); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{config.EnvURL: listener.URL, config.EnvAPIKey: server.AddKey()}
	cfg, err := config.Load(path, config.UseAll, func(name string) (string, bool) { value, ok := env[name]; return value, ok })
	if err != nil {
		t.Fatal(err)
	}
	session, err := setup.Opener{Drivers: setup.Drivers{SQLite: "sqlite"}}.Open(ctx, cfg, config.UseAll)
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	if err := session.KeepSources(cfg.Syncs); err != nil {
		t.Fatal(err)
	}
	requests := make(chan turns.Request, 100)
	waker := wake.New(wake.Options{Wake: func(_ context.Context, r turns.Request) { requests <- r }, Logger: slog.New(slog.DiscardHandler)})
	defer waker.Close()
	if err := waker.Set(cfg.Syncs); err != nil {
		t.Fatal(err)
	}
	runs := func(want string) {
		t.Helper()
		select {
		case r := <-requests:
			yes := func(owlatsync.Summary) (bool, error) { return true, nil }
			report, err := session.Run(ctx, *cfg.Sync(r.Sync), reconcile.RunOptions{Keys: r.Keys, Confirm: yes}, nil)
			if err != nil {
				t.Fatal(err)
			}
			got := fmt.Sprintf("%v:", r.Keys)
			for _, o := range owlatsync.Outcomes {
				if n := report.Outcomes[o]; n > 0 {
					got += fmt.Sprintf(" %s %d", o, n)
				}
			}
			if got != want {
				t.Errorf("%s, want %s", got, want)
			}
		case <-time.After(30 * time.Second):
			t.Fatalf("nothing wakes the sync, want %s", want)
		}
	}
	runs("[]: created 20")
	do("INSERT INTO users VALUES (21, 'p21@example.com', 'A', false)")
	runs("[21]: created 1")
	do("UPDATE users SET name = 'B' WHERE id = 1; UPDATE users SET newsletter = false WHERE id = 2")
	runs("[1 2]: updated 2")
	if c, ok := server.Contact("p2@example.com"); !ok || len(c.Topics) != 0 {
		t.Errorf("who withdrew is still on a topic: %+v", c)
	}
	do("UPDATE users SET seen = 1") // a column of which the sync knows nothing
	do("DELETE FROM users WHERE id = 3")
	do("UPDATE users SET email = 'x' || email WHERE id = 4")
	runs("[4]: renamed 1")
	do("INSERT INTO users SELECT i, 'q' || i || '@example.com', 'A', true FROM generate_series(100, 201) AS i")
	r := <-requests
	if r.Keys != nil {
		t.Errorf("102 rows at once became %d keys", len(r.Keys))
	}
}
