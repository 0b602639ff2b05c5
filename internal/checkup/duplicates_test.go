package checkup_test

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"owlatsync"
	"owlatsync/internal/checkup"
	"owlatsync/internal/config"
	"owlatsync/internal/setup"
	"owlatsync/owlat/owlattest"
	"owlatsync/reconcile"
)

// TestDuplicatesAreNamed: a check names the rows that do not count with those that do, which the ledger knows if one of them has the
// contact, and says where the two consent to different topics.
func TestDuplicatesAreNamed(t *testing.T) {
	t.Parallel()
	server := &owlattest.Server{NoLimit: true}
	listener := httptest.NewServer(server)
	defer listener.Close()
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("owlat-sync.yaml", `owlat: {requests_per_second: 1000}
syncs:
  users:
    source: {dsn: "csv:users.csv"}
    key: id
    fields: {email: email}
    topics: [{id: `+server.AddTopic("news", false)+`, when: news}]
`)
	env := map[string]string{config.EnvURL: listener.URL, config.EnvAPIKey: server.AddKey()}
	cfg, err := config.Load(filepath.Join(dir, "owlat-sync.yaml"), config.UseAll, func(name string) (string, bool) {
		value, ok := env[name]
		return value, ok
	})
	if err != nil {
		t.Fatal(err)
	}
	opener := setup.Opener{Drivers: setup.Drivers{SQLite: "sqlite"}}
	check := func() (message string, rows []checkup.Row) {
		t.Helper()
		report, err := checkup.Check(t.Context(), checkup.Question{Opener: opener, Config: cfg, Syncs: cfg.Syncs, Rows: 10, Listener: new(heard)})
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range report.Checks {
			if f.Subject == "duplicates" {
				if f.Status != checkup.Warning {
					t.Errorf("%+v", f)
				}
				message = f.Message
			}
		}
		return message, report.Syncs[0].Rows
	}
	const list = "id,email,news\n1,ann@example.com,1\n2,bob@example.com,1\n3,ANN@example.com,0\n2,bob@example.com,1\nx@y,ann@example.com,1\n"
	write("users.csv", list)
	got, rows := check()
	want := `3 of 5 rows do not count, because another row has the same key or address; in 1 of them the consents differ
line 4: the row with key 1 has the same address and counts, because it stands first in the source; the two consent to different topics, and only what that one says counts
line 5: the source has another row with this key, in line 3, and the first one counts
line 6: the row with key 1 has the same address and counts, because it stands first in the source`
	if got != want {
		t.Errorf("without a ledger it says\n%s\nwant\n%s", got, want)
	}
	if !rows[0].Valid || rows[2].Valid || rows[2].Outcome != owlatsync.Duplicate || !strings.Contains(rows[2].Reason, "the row with key 1 has") {
		t.Errorf("rows %+v", rows)
	}

	write("users.csv", "id,email,news\nx@y,ann@example.com,1\n")
	s, err := opener.Open(t.Context(), cfg, config.UseAll)
	if err != nil {
		t.Fatal(err)
	}
	yes := func(owlatsync.Summary) (bool, error) { return true, nil }
	if _, err := s.Run(t.Context(), cfg.Syncs[0], reconcile.RunOptions{Confirm: yes}, nil); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	write("users.csv", list+"4,ann@example.com,1\n")
	got, rows = check()
	want = `4 of 6 rows do not count, because another row has the same key or address; in 1 of them the consents differ
line 4: another row (line 6) has the same address and counts, because the contact is its own; the two consent to different topics, and only what that one says counts
line 2: another row (line 6) has the same address and counts, because the contact is its own
line 5: the source has another row with this key, in line 3, and the first one counts
and 1 more; "owlat-sync failures --kind duplicate" lists all`
	if got != want {
		t.Errorf("with a ledger it says\n%s\nwant\n%s", got, want)
	}
	if rows[0].Valid || !rows[4].Valid {
		t.Errorf("rows %+v", rows)
	}

	write("users.csv", "id,email,news\n1,ann@example.com,1\n")
	if got, _ := check(); got != "" {
		t.Errorf("nobody is there twice, and it says %q", got)
	}
}
