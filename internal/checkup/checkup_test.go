package checkup_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	_ "modernc.org/sqlite" // the driver of ledgers

	"owlatsync/internal/checkup"
	"owlatsync/internal/config"
	"owlatsync/internal/exitcode"
	"owlatsync/internal/setup"
	"owlatsync/owlat/owlattest"
)

// heard is what a listener was told, a line each.
type heard []string

func (h *heard) add(format string, args ...any) { *h = append(*h, fmt.Sprintf(format, args...)) }

func (h *heard) Owlat(config.Owlat)      { h.add("owlat") }
func (h *heard) Ledger(string)           { h.add("ledger") }
func (h *heard) Source(s config.Sync)    { h.add("source %s", s.Name) }
func (h *heard) Feedback()               { h.add("feedback") }
func (h *heard) Found(f checkup.Finding) { h.add("%s %s", f.Subject, f.Status) }
func (h *heard) Rows(_ config.Sync, rows []checkup.Row) {
	h.add("%d rows, the last %v %s", len(rows), rows[len(rows)-1].Valid, rows[len(rows)-1].Email)
}

func check(t *testing.T, server *owlattest.Server, topic, rows string, scopes ...string) (checkup.Report, heard) {
	t.Helper()
	return checkSource(t, server, "csv:users.csv", "email: email", topic, rows, scopes...)
}

func checkSource(t *testing.T, server *owlattest.Server, dsn, fields, topic, rows string, scopes ...string) (checkup.Report, heard) {
	t.Helper()
	dir := t.TempDir()
	listener := httptest.NewServer(server)
	defer listener.Close()
	env := map[string]string{config.EnvURL: listener.URL, config.EnvAPIKey: server.AddKey(scopes...)}
	for name, text := range map[string]string{
		"users.csv": rows,
		"owlat-sync.yaml": `owlat: {requests_per_second: 1000}
syncs:
  users:
    source: {dsn: "` + dsn + `"}
    key: id
    fields: {` + fields + `}
    topics: [{id: ` + topic + `}]
`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cfg, err := config.Load(filepath.Join(dir, "owlat-sync.yaml"), config.UseAll, func(name string) (string, bool) {
		value, ok := env[name]
		return value, ok
	})
	if err != nil {
		t.Fatal(err)
	}
	var told heard
	report, err := checkup.Check(t.Context(), checkup.Question{
		Opener: setup.Opener{Drivers: setup.Drivers{SQLite: "sqlite"}},
		Config: cfg, Syncs: cfg.Syncs, Rows: 2, Listener: &told,
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(cfg.Ledger.Path); err == nil || len(server.Contacts()) > 0 {
		t.Error("something was changed")
	}
	return report, told
}

func TestCheck(t *testing.T) {
	t.Parallel()
	const good = "id,email\n1,ann@example.com\n2,bob@example.com\n3,cy@example.com\n"
	for _, test := range []struct {
		name   string
		topic  string // empty: one that is there
		rows   string
		scopes []string
		code   exitcode.Code
		warned int
		heard  []string
	}{
		{"in order", "", good, nil, exitcode.OK, 0, []string{
			"owlat", "deployment ok", "API key ok", "scope contacts:read ok", "scope contacts:write ok", "unsubscribe secret note", "scope topics:write ok", "topic ID ok",
			"ledger", "file ok", "source users", "columns ok", "rows ok", "2 rows, the last true bob@example.com"}},
		{"no such topic", "k57nosuchtopic000000000000000000", good, nil, exitcode.Usage, 0, []string{
			"owlat", "deployment ok", "API key ok", "scope contacts:read ok", "scope contacts:write ok", "unsubscribe secret note", "scope topics:write ok", "topic ID failed",
			"ledger", "file ok", "source users", "columns ok", "rows ok", "2 rows, the last true bob@example.com"}},
		{"a key that may not write, and a bad row", "", "id,email\n1,ann@example.com\n2,bob\n", []string{owlattest.ScopeContactsRead}, exitcode.Refused, 1, []string{
			"owlat", "deployment ok", "API key ok", "scope contacts:read ok", "scope contacts:write failed", "unsubscribe secret note", "scope topics:write failed",
			"ledger", "file ok", "source users", "columns ok", "rows warning", "2 rows, the last false bob"}},
		{"no row that can be sent", "", "id,email\n1,ann\n", nil, exitcode.Usage, 0, []string{
			"owlat", "deployment ok", "API key ok", "scope contacts:read ok", "scope contacts:write ok", "unsubscribe secret note", "scope topics:write ok", "topic ID ok",
			"ledger", "file ok", "source users", "columns ok", "rows failed", "1 rows, the last false ann"}},
		{"a column that is not there", "", "id,mail\n1,ann@example.com\n", nil, exitcode.Usage, 0, []string{
			"owlat", "deployment ok", "API key ok", "scope contacts:read ok", "scope contacts:write ok", "unsubscribe secret note", "scope topics:write ok", "topic ID ok",
			"ledger", "file ok", "source users", "columns ok", "mapping failed"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server := &owlattest.Server{NoLimit: true}
			topic := test.topic
			if topic == "" {
				topic = server.AddTopic("news", false)
			}
			report, told := check(t, server, topic, test.rows, test.scopes...)
			for i := range test.heard {
				if rest, ok := strings.CutPrefix(test.heard[i], "topic ID "); ok {
					test.heard[i] = "topic " + topic + " " + rest
				}
			}
			if !slices.Equal(told, test.heard) {
				t.Errorf("heard\n%q\nwant\n%q", []string(told), test.heard)
			}
			if report.Code != test.code || report.Warnings != test.warned || report.OK != (test.code == exitcode.OK) || report.Type != "check" || len(report.Syncs) != 1 {
				t.Errorf("report %+v, want code %d and %d warnings", report, test.code, test.warned)
			}
		})
	}
}

// TestCheckWantsTheScopeOfLooks: a sync that may not overwrite any value must look first.
func TestCheckWantsTheScopeOfLooks(t *testing.T) {
	t.Parallel()
	server := &owlattest.Server{NoLimit: true}
	scopes := []string{owlattest.ScopeContactsWrite, owlattest.ScopeTopicsWrite}
	report, told := checkSource(t, server, "csv:users.csv", "email: {column: email, overwrite: if_ours}", server.AddTopic("news", false), "id,email\n1,ann@example.com\n", scopes...)
	if report.Code != exitcode.Refused || !slices.Contains(told, "scope contacts:read failed") {
		t.Errorf("code %d, heard %q", report.Code, told)
	}
}

func TestACheckEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var told heard
	_, err := checkup.Check(ctx, checkup.Question{
		Opener: setup.Opener{Drivers: setup.Drivers{SQLite: "sqlite"}},
		Config: &config.Config{Owlat: config.Owlat{URL: "https://example.com", APIKey: config.NoKey}, Ledger: config.Ledger{Path: filepath.Join(t.TempDir(), "x.db")}}, Listener: &told,
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v", err)
	}
}
