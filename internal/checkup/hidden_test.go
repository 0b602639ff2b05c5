package checkup_test

import (
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"owlatsync/internal/checkup"
	"owlatsync/internal/config"
	"owlatsync/internal/setup"
	"owlatsync/internal/testdb"
	"owlatsync/owlat/owlattest"
)

// A check tells of row-level security, and names an enumeration.
func TestCheckTellsOfHiddenRows(t *testing.T) {
	t.Parallel()
	dsn := testdb.Postgres(t)
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	role := "checked_" + strings.TrimPrefix(u.Path, "/owlatsync_")
	u.User = url.UserPassword(role, "pw")
	execute := func(statements string) {
		if _, err := conn.Exec(t.Context(), statements); err != nil {
			t.Error(err)
		}
	}
	execute(`CREATE TYPE plan AS ENUM ('free'); CREATE TABLE users (id int, email text, plan plan DEFAULT 'free', tenant int DEFAULT 1);
		INSERT INTO users VALUES (1, 'a@example.com'), (2, 'b@example.com'); ALTER TABLE users ENABLE ROW LEVEL SECURITY;
		CREATE ROLE ` + role + ` LOGIN PASSWORD 'pw'; GRANT SELECT ON users TO ` + role + `; CREATE POLICY tenants ON users USING (tenant = 1)`)
	defer execute("DROP OWNED BY " + role + "; DROP ROLE " + role)

	server := &owlattest.Server{NoLimit: true}
	listener := httptest.NewServer(server)
	defer listener.Close()
	env := map[string]string{config.EnvURL: listener.URL, config.EnvAPIKey: server.AddKey(), "DSN": u.String()}
	cfg, err := config.Parse(filepath.Join(t.TempDir(), "owlat-sync.yaml"), []byte(`owlat: {requests_per_second: 1000}
syncs:
  users:
    source: {dsn: "${DSN}", query: "SELECT id, email, plan FROM users"}
    key: id
    fields: {email: email}
`), func(name string) (string, bool) { return env[name], env[name] != "" })
	if err != nil {
		t.Fatal(err)
	}
	var told heard
	report, err := checkup.Check(t.Context(), checkup.Question{Opener: setup.Opener{Drivers: setup.Drivers{SQLite: "sqlite"}}, Config: cfg, Syncs: cfg.Syncs, Rows: 1, Listener: &told})
	if err != nil || !report.OK || report.Warnings != 1 {
		t.Errorf("report %+v and %v, want one warning", report, err)
	}
	for _, want := range []struct{ subject, message string }{{"hidden rows", "row-level security may hide rows of users from the database user " + role}, {"columns", "plan plan"}} {
		if !slices.ContainsFunc(report.Checks, func(f checkup.Finding) bool {
			return f.Subject == want.subject && strings.Contains(f.Message, want.message)
		}) {
			t.Errorf("no finding of %s says %q: %+v", want.subject, want.message, report.Checks)
		}
	}
}
