package checkup_test

import (
	"database/sql"
	"errors"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"owlatsync"
	"owlatsync/internal/checkup"
	"owlatsync/internal/config"
	"owlatsync/internal/setup"
	"owlatsync/ledger"
	"owlatsync/ledger/sqlite"
	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
)

// site is a folder with a database as source, an emulator and a configuration.
type site struct {
	t      *testing.T
	dir    string
	server *owlattest.Server
	env    map[string]string
}

func newSite(t *testing.T, sections string) *site {
	t.Helper()
	s := &site{t: t, dir: t.TempDir(), server: &owlattest.Server{NoLimit: true}}
	listener := httptest.NewServer(s.server)
	t.Cleanup(listener.Close)
	s.env = map[string]string{config.EnvURL: listener.URL, config.EnvAPIKey: s.server.AddKey()}
	db, err := sql.Open("sqlite", filepath.Join(s.dir, "app.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT, weekly INTEGER, daily INTEGER); INSERT INTO users VALUES (1, 'ada@example.com', 1, 1)"); err != nil {
		t.Fatal(err)
	}
	file := `syncs:
  users:
    source: {dsn: "sqlite:app.db", query: SELECT * FROM users}
    key: id
    fields: {email: email}
    topics: [{id: "` + s.server.AddTopic("weekly", false) + `", when: weekly}, {id: "` + s.server.AddTopic("daily", false) + `", when: daily}]
` + sections
	if err := os.WriteFile(filepath.Join(s.dir, "owlat-sync.yaml"), []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

// check returns what is found about feedback.
func (s *site) check() (found []checkup.Finding, report checkup.Report, all heard) {
	s.t.Helper()
	cfg, err := config.Load(filepath.Join(s.dir, "owlat-sync.yaml"), config.UseAll, func(name string) (string, bool) {
		value, ok := s.env[name]
		return value, ok
	})
	if err != nil {
		s.t.Fatal(err)
	}
	opener := setup.Opener{Drivers: setup.Drivers{SQLite: "sqlite"}}
	report, err = checkup.Check(s.t.Context(), checkup.Question{Opener: opener, Config: cfg, Syncs: cfg.Syncs, Rows: 0, Listener: &all})
	if err != nil {
		s.t.Fatal(err)
	}
	for _, f := range report.Checks {
		if f.Area == checkup.AreaFeedback {
			found = append(found, f)
		}
	}
	return found, report, all
}

// fill opens the ledger and fills it under its lock.
func (s *site) fill(do func(*sqlite.Ledger, ledger.Lock) error) {
	s.t.Helper()
	l, err := sqlite.Open(s.t.Context(), "sqlite", filepath.Join(s.dir, config.DefaultLedger))
	if err != nil {
		s.t.Fatal(err)
	}
	defer l.Close()
	lock, err := l.Acquire(s.t.Context(), ledger.Claim{Deployment: s.env[config.EnvURL]})
	if err != nil {
		s.t.Fatal(err)
	}
	if err := errors.Join(do(l, lock), lock.Release()); err != nil {
		s.t.Fatal(err)
	}
}

// ran records a run that ended so long ago.
func (s *site) ran(created int, ago time.Duration) {
	s.t.Helper()
	s.fill(func(_ *sqlite.Ledger, lock ledger.Lock) error {
		at := time.Now().Add(-ago)
		run := ledger.Run{Sync: "users", Mode: ledger.ModeRun, Started: at, Finished: at, Status: ledger.StatusOK,
			Report: &owlatsync.Report{Outcomes: map[owlatsync.Outcome]int{owlatsync.Created: created}}}
		var err error
		if run.ID, err = lock.BeginRun(s.t.Context(), run); err != nil {
			return err
		}
		run.Status = ledger.StatusOK
		return lock.EndRun(s.t.Context(), ledger.Ending{Run: run})
	})
}

func (s *site) hears(ago time.Duration) {
	s.t.Helper()
	s.fill(func(l *sqlite.Ledger, _ ledger.Lock) error {
		at := time.Now().Add(-ago)
		_, err := l.TakeIn(s.t.Context(), ledger.News{Feedback: ledger.Feedback{Event: "test", At: at, Received: at}})
		return err
	})
}

const secrets = "webhooks: {secrets: [whsec_0123456789]}\n"

func TestNothingToCheckAboutFeedback(t *testing.T) {
	t.Parallel()
	found, report, all := newSite(t, "").check()
	if len(found) > 0 || !report.OK || slices.Contains(all, "feedback") {
		t.Errorf("%+v, %v", found, all)
	}
}

func TestWriteBacksAreChecked(t *testing.T) {
	t.Parallel()
	const by = ", on: [topic.unsubscribed], "
	for _, c := range []struct {
		sections string
		status   checkup.Status
		want     string
	}{
		{secrets + "write_back: [{name: w" + by + "statement: 'UPDATE users SET weekly = 0 WHERE lower(email) = :email AND :topic = 1'}]\n", checkup.OK, "it was not run"},
		{secrets + "write_back: [{name: w" + by + "statement: 'UPDATE users SET weekly = 0 WHERE lower(email) = :email'}]\n", checkup.Warning, "lacks :topic"},
		{secrets + "write_back: [{name: w" + by + "statement: 'UPDATE users SET letter = 0 WHERE id = :key AND :topic = 1'}]\n", checkup.Failed, "no such column: letter"},
		{secrets + "write_back: [{name: w" + by + "statement: 'DELETE FROM users'}]\n", checkup.Failed, "no WHERE"},
		{secrets + "write_back: [{name: w" + by + "file: log/f.ndjson}]\n", checkup.Failed, "no such file"},
		{secrets + "write_back: [{name: w" + by + "file: f.ndjson}]\n", checkup.OK, ""},
		{secrets + "write_back: [{name: w" + by + "webhook: {url: 'https://me.example/in'}}]\n", checkup.OK, "cannot be tried"},
		{"write_back: [{name: w" + by + "file: f.ndjson}]\n", checkup.OK, ""},
	} {
		s := newSite(t, c.sections)
		found, report, all := s.check()
		if len(found) == 0 || !slices.Contains(all, "feedback") {
			t.Fatalf("%s: %+v", c.sections, report)
		}
		f := found[len(found)-1]
		if f.Subject != "write-back w" || f.Status != c.status || !strings.Contains(f.Message, c.want) || (report.Failed > 0) != (c.status == checkup.Failed) {
			t.Errorf("%s: %+v, failed %d", c.sections, f, report.Failed)
		}
		if hasSecrets := strings.HasPrefix(c.sections, secrets); !hasSecrets && (len(found) != 2 || found[0].Status != checkup.Warning || !strings.Contains(found[0].Message, "no secret")) {
			t.Errorf("%s: %+v", c.sections, found)
		}
		db, err := sql.Open("sqlite", filepath.Join(s.dir, "app.db"))
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		var weekly int
		if err := db.QueryRow("SELECT weekly FROM users").Scan(&weekly); err != nil || weekly != 1 {
			t.Errorf("%s: the check wrote: %d, %v", c.sections, weekly, err)
		}
		if _, err := os.Stat(filepath.Join(s.dir, "f.ndjson")); err == nil {
			t.Errorf("%s: the check left a file", c.sections)
		}
	}
}

// Settings that cannot be used here, such as a variable that only the service has, are no failure of the check.
func TestSettingsOfAServiceElsewhere(t *testing.T) {
	t.Parallel()
	found, report, _ := newSite(t, "webhooks: {secrets: ['${HOOK_SECRET}']}\nwrite_back: [{on: [email.bounced], webhook: {url: '${HOOK_URL}'}}]\n").check()
	if len(found) != 1 || found[0].Status != checkup.Warning || !strings.Contains(found[0].Message, "HOOK_SECRET") || report.Failed > 0 {
		t.Errorf("%+v", found)
	}
}

func TestSilenceIsTold(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for _, c := range []struct {
		name, section string
		before        func(s *site)
		status        checkup.Status
		want          string
	}{
		{"nothing was to be told", secrets, func(s *site) { s.ran(0, day) }, checkup.Warning, "none has ever come, so that nobody knows"},
		{"contacts were created", secrets, func(s *site) { s.ran(3, day); s.ran(2, time.Hour) }, checkup.Warning, "none has ever come, although runs have created 5 contacts since"},
		{"contacts were created just now", secrets, func(s *site) { s.ran(3, time.Minute) }, checkup.Warning, "none has ever come, so that nobody knows"},
		{"it has come since", secrets, func(s *site) { s.ran(3, day); s.hears(time.Hour) }, checkup.OK, "the latest came at"},
		{"and none after the next run", secrets, func(s *site) { s.ran(3, 2*day); s.hears(day); s.ran(1, time.Hour) }, checkup.Warning, "the latest came at"},
		{"nobody wants to know", "webhooks: {secrets: [whsec_0123456789], silent_after: off}\n", func(s *site) { s.ran(3, day) }, checkup.OK, ""},
		{"somebody changes contacts", secrets, func(s *site) { s.hears(8 * day); s.moves() }, checkup.Warning, "although 1 of the newest 2 contacts were changed in Owlat by somebody else"},
		{"somebody changes contacts, and webhooks come", secrets, func(s *site) { s.hears(day); s.moves() }, checkup.OK, "the latest came at"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, c.section)
			c.before(s)
			found, report, _ := s.check()
			if len(found) != 1 || found[0].Status != c.status || !strings.Contains(found[0].Message, c.want) || report.Failed > 0 {
				t.Errorf("%+v", found)
			}
			if (c.status == checkup.Warning) != strings.Contains(found[0].Message, "/webhooks/owlat") {
				t.Errorf("it does not say what to do: %s", found[0].Message)
			}
		})
	}
}

// moves makes two contacts, of which one is changed in the dashboard.
func (s *site) moves() {
	s.t.Helper()
	for _, address := range []string{"ada@example.com", "bob@example.com"} {
		if _, err := s.server.AddContact(owlattest.ContactState{Email: address}); err != nil {
			s.t.Fatal(err)
		}
		contact, _ := s.server.Contact(address)
		s.fill(func(_ *sqlite.Ledger, lock ledger.Lock) error {
			e := &ledger.Entry{Key: address, ContactID: contact.ID, Email: address, Identity: address, Origin: ledger.OriginCreated, Witness: contact.UpdatedAt}
			return lock.Record(s.t.Context(), ledger.Record{Sync: "users", Entry: e})
		})
	}
	s.server.ClockAhead = time.Hour
	if err := s.server.EditContact("ada@example.com", owlat.UpdateContactRequest{FirstName: new("Ada")}); err != nil {
		s.t.Fatal(err)
	}
}

// TestASyncThatNothingRuns: a configuration for a service is warned of syncs that it would never run; one for single runs is not.
func TestASyncThatNothingRuns(t *testing.T) {
	t.Parallel()
	for section, warned := range map[string]bool{
		"": false, secrets: true, "serve: {listen: '127.0.0.1:8420'}\n": true, "write_back: [{on: [email.bounced], file: f.ndjson}]\n": true,
		"alerts: [{webhook: {url: 'https://me.example/in', secret: whsec_0123456789}}]\n": true, "webhooks: {secrets: ['${HOOK_SECRET}']}\n": true,
	} {
		_, report, _ := newSite(t, section).check()
		i := slices.IndexFunc(report.Checks, func(f checkup.Finding) bool { return f.Subject == "schedule" })
		if i >= 0 != warned || warned && (report.Checks[i].Status != checkup.Warning || report.Checks[i].Sync != "users" || !strings.Contains(report.Checks[i].Message, "schedule: every")) {
			t.Errorf("%q: %+v", section, report.Checks)
		}
	}
	s := newSite(t, secrets)
	path := filepath.Join(s.dir, "owlat-sync.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(text), "    key: id\n", "    key: id\n    schedule: every 15m\n", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, report, _ := s.check(); !report.OK || slices.ContainsFunc(report.Checks, func(f checkup.Finding) bool { return f.Subject == "schedule" }) {
		t.Errorf("with a schedule: %+v", report.Checks)
	}
}
