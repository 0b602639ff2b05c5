// Package lifecycle has no program: it tests a configuration that makes five events of the tables of a service.
package lifecycle

import (
	"database/sql"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"owlatsync"
	"owlatsync/internal/config"
	"owlatsync/internal/setup"
	"owlatsync/internal/testdb"
	"owlatsync/owlat/owlattest"
	"owlatsync/reconcile"
)

// service is the database of a service beside an Owlat of its own.
type service struct {
	*testing.T
	db     *sql.DB
	dsn    string
	server *owlattest.Server
	url    string
	key    string
	ledger string

	mu    sync.Mutex
	heard []string
}

func TestLifecycle(t *testing.T) {
	t.Parallel()
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		file := filepath.Join(t.TempDir(), "app.db")
		lifecycle(t, "sqlite", file, "sqlite:"+file, "sqlite.sql")
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		dsn := testdb.Postgres(t)
		lifecycle(t, "pgx", dsn, dsn, "postgres.sql")
	})
}

// lifecycle lives with some users from their signing up to their payments.
func lifecycle(t *testing.T, driver, database, dsn, schema string) {
	db, err := sql.Open(driver, database)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	s := &service{T: t, db: db, dsn: dsn, server: &owlattest.Server{NoLimit: true}, ledger: filepath.Join(t.TempDir(), "ledger.db")}
	s.key = s.server.AddKey()
	s.server.OnAnswer = s.hear
	listener := httptest.NewServer(s.server)
	defer listener.Close()
	s.url = listener.URL
	tables, err := os.ReadFile(schema)
	if err != nil {
		t.Fatal(err)
	}
	s.exec(string(tables))

	// Before the first run: a user who has long been there, and has paid.
	s.exec("INSERT INTO users (id, email, first_name, plan) VALUES (1, 'ada@example.com', 'Ada', 'pro')")
	s.exec("INSERT INTO projects VALUES (1, 1)")
	s.exec("INSERT INTO payments VALUES (1, 1, 900, 'EUR', '" + at(-48*time.Hour) + "')")
	s.run(`ada@example.com signed_up {"plan":"pro"}`) // the contact is created; nothing else is new

	// Somebody tries it, and has a project at once. Ada pays again.
	s.exec("INSERT INTO users (id, email, first_name, plan, trial_ends_at) VALUES (2, 'bob@example.com', 'Bob', 'trial', '" + at(14*24*time.Hour) + "')")
	s.exec("INSERT INTO projects VALUES (2, 2)")
	s.exec("INSERT INTO payments VALUES (2, 1, 900, 'EUR', '" + at(-time.Minute) + "')")
	s.run(`ada@example.com payment_received {"amount":900,"currency":"EUR"}`, `bob@example.com activated {}`, `bob@example.com signed_up {"plan":"trial"}`)
	s.run()

	// The trial draws to its end, is made longer, and draws to its end again.
	s.exec("UPDATE users SET trial_ends_at = '" + at(47*time.Hour) + "' WHERE id = 2")
	s.run(`bob@example.com trial_expiring {"daysLeft":2}`)
	s.run()
	s.exec("UPDATE users SET trial_ends_at = '" + at(7*24*time.Hour) + "' WHERE id = 2")
	s.run()
	s.exec("UPDATE users SET trial_ends_at = '" + at(10*time.Hour) + "' WHERE id = 2")
	s.run(`bob@example.com trial_expiring {"daysLeft":1}`)

	// He buys, twice between two runs.
	s.exec("UPDATE users SET plan = 'lite' WHERE id = 2")
	s.exec("UPDATE users SET plan = 'pro' WHERE id = 2")
	s.exec("INSERT INTO payments VALUES (3, 2, 400, 'EUR', '" + at(-time.Minute) + "'), (4, 2, 500, 'EUR', '" + at(-time.Second) + "')")
	s.run(`bob@example.com payment_received {"amount":400,"currency":"EUR"}`, `bob@example.com payment_received {"amount":500,"currency":"EUR"}`,
		`bob@example.com plan_changed {"new":"pro","old":"trial"}`)
	s.run()
}

// at returns a time of now and a while, as both databases take it.
func at(while time.Duration) string { return time.Now().Add(while).UTC().Format(time.RFC3339) }

func (s *service) exec(statements string) {
	s.Helper()
	if _, err := s.db.ExecContext(s.Context(), statements); err != nil {
		s.Fatal(err)
	}
}

// hear takes in what the emulator was told.
func (s *service) hear(r owlattest.Request, status int) {
	if r.Route != owlattest.RouteEvents || status != http.StatusCreated {
		return
	}
	var body struct {
		Email, EventName string
		EventProperties  map[string]any
	}
	_ = json.Unmarshal(r.Body, &body)
	if body.EventProperties == nil {
		body.EventProperties = map[string]any{}
	}
	properties, _ := json.Marshal(body.EventProperties)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heard = append(s.heard, body.Email+" "+body.EventName+" "+string(properties))
}

// run runs both syncs as "owlat-sync run" does, and compares the events that reach Owlat.
func (s *service) run(want ...string) {
	s.Helper()
	variables := map[string]string{"DATABASE_URL": s.dsn, "OWLAT_URL": s.url, "OWLAT_API_KEY": s.key}
	cfg, err := config.Load("lifecycle.yaml", config.UseAll, func(name string) (string, bool) { v, ok := variables[name]; return v, ok })
	if err != nil {
		s.Fatal(err)
	}
	cfg.Ledger = config.Ledger{Path: s.ledger}
	session, err := setup.Opener{Drivers: setup.Drivers{SQLite: "sqlite"}}.Open(s.Context(), cfg, config.UseAll)
	if err != nil {
		s.Fatal(err)
	}
	defer session.Close()
	agreed := reconcile.RunOptions{Confirm: func(owlatsync.Summary) (bool, error) { return true, nil }}
	for _, sync := range cfg.Syncs {
		if report, err := session.Run(s.Context(), sync, agreed, nil); err != nil || report.Outcomes[owlatsync.Failed] > 0 {
			s.Fatalf("%s: %+v, %v", sync.Name, report, err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	slices.Sort(s.heard)
	if diff := cmp.Diff(want, s.heard); diff != "" {
		s.Errorf("events (-want +got):\n%s", diff)
	}
	s.heard = nil
}
