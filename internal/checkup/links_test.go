package checkup_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"owlatsync/internal/checkup"
	"owlatsync/internal/config"
	"owlatsync/internal/exitcode"
	"owlatsync/internal/setup"
	"owlatsync/internal/sourcedsn"
	"owlatsync/owlat/owlattest"
)

const linkSecret = "the secret of links"

// TestTheUnsubscribeSecret is proven on a contact, or the check says why it cannot be.
func TestTheUnsubscribeSecret(t *testing.T) {
	t.Parallel()
	person := func(t *testing.T, s *owlattest.Server) {
		if _, err := s.AddContact(owlattest.ContactState{Email: "ada@example.com"}); err != nil {
			t.Fatal(err)
		}
	}
	ahead := func(by time.Duration) func(*testing.T, *owlattest.Server) {
		return func(t *testing.T, s *owlattest.Server) {
			s.ClockAhead = by
			person(t, s)
		}
	}
	dated := func(ahead time.Duration) func(http.Handler) http.Handler { // net/http's own server has another clock than the emulator
		return func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Date", time.Now().Add(ahead).UTC().Format(http.TimeFormat))
				next.ServeHTTP(w, r)
			})
		}
	}
	for name, test := range map[string]struct {
		secret string
		given  func(*testing.T, *owlattest.Server)
		scopes []string
		route  func(http.Handler) http.Handler // what stands before Owlat
		status checkup.Status
		code   exitcode.Code
		says   []string
	}{
		"none":      {"", person, nil, nil, checkup.Note, exitcode.OK, []string{"none; if you host Owlat yourself, set owlat.unsubscribe_secret"}},
		"the right": {linkSecret, person, nil, nil, checkup.OK, exitcode.OK, []string{"topics may be named by their names", "\ntopic news (", `"bell\a" (`}},
		"another":   {"somebody else's", person, nil, nil, checkup.Failed, exitcode.Usage, []string{"it is not that of the deployment at http://127.0.0.1:", "UNSUBSCRIBE_SECRET"}},
		"nobody":    {linkSecret, nil, nil, nil, checkup.Note, exitcode.OK, []string{"Owlat has no contact; check again after the first run"}},
		"a key that may not list": {linkSecret, person, []string{owlattest.ScopeContactsWrite, owlattest.ScopeTopicsWrite}, nil, checkup.Note, exitcode.OK,
			[]string{"the key may not list contacts", "contacts:read"}},
		"a clock behind": {linkSecret, ahead(100 * 24 * time.Hour), nil, dated(100 * 24 * time.Hour), checkup.Failed, exitcode.Error, []string{"the clock of this machine is 100d behind that of the deployment"}},
		"a clock ahead":  {linkSecret, ahead(-100 * 24 * time.Hour), nil, nil, checkup.OK, exitcode.OK, nil},
		"an older Owlat": {linkSecret, person, nil, func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.Contains(r.URL.Path, "/prefs/") {
					http.Error(w, "No matching routes found", http.StatusNotFound)
					return
				}
				next.ServeHTTP(w, r)
			})
		}, checkup.Failed, exitcode.Error, []string{"the links of Owlat's mails do not", "older", "owlat.url has a path"}},
		"the network": {linkSecret, person, nil, func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.Contains(r.URL.Path, "/prefs/") {
					panic(http.ErrAbortHandler)
				}
				next.ServeHTTP(w, r)
			})
		}, checkup.Failed, exitcode.Error, []string{"can it be reached from here?"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := &owlattest.Server{NoLimit: true, UnsubscribeSecret: linkSecret}
			server.AddTopic("bell\a", false)
			topic := server.AddTopic("news", false)
			if test.given != nil {
				test.given(t, server)
			}
			handler := http.Handler(server)
			if test.route != nil {
				handler = test.route(server)
			}
			listener := httptest.NewServer(handler)
			defer listener.Close()
			cfg := &config.Config{
				Owlat:  config.Owlat{URL: listener.URL, APIKey: config.Secret(server.AddKey(test.scopes...)), UnsubscribeSecret: config.Secret(test.secret), RequestsPerSecond: 1000},
				Ledger: config.Ledger{Path: filepath.Join(t.TempDir(), "x.db")},
				Syncs:  []config.Sync{{Name: "users", Topics: []config.Topic{{ID: topic}}}},
			}
			report, err := checkOwlat(t, cfg)
			if err != nil {
				t.Fatal(err)
			}
			found := report.Checks[0]
			for _, f := range report.Checks {
				if f.Subject == "unsubscribe secret" {
					found = f
				}
				if f.Subject == "topic "+topic && strings.Contains(f.Message, `"news", of sync users`) != (test.status == checkup.OK) {
					t.Errorf("the topic: %+v", f)
				}
				if strings.Contains(f.Message, linkSecret) || test.secret != "" && strings.Contains(f.Message, test.secret) || strings.Contains(f.Message, "@example.com") {
					t.Errorf("it shows what it must not: %+v", f)
				}
			}
			if found.Status != test.status || report.Code != test.code {
				t.Errorf("%+v with code %d, want %s and %d", found, report.Code, test.status, test.code)
			}
			for _, say := range test.says {
				if !strings.Contains(found.Message, say) {
					t.Errorf("it does not say %q: %s", say, found.Message)
				}
			}
		})
	}
}

// checkOwlat makes the checks of a configuration whose syncs get a source of one row.
func checkOwlat(t *testing.T, cfg *config.Config) (checkup.Report, error) {
	t.Helper()
	var told heard
	syncs := cfg.Syncs
	for i := range syncs {
		file := filepath.Join(t.TempDir(), "users.csv")
		if err := os.WriteFile(file, []byte("email\nada@example.com\n"), 0o600); err != nil {
			return checkup.Report{}, err
		}
		target, err := sourcedsn.Parse("csv:"+file, "")
		if err != nil {
			return checkup.Report{}, err
		}
		syncs[i].Target, syncs[i].Fields.Email = target, "email"
	}
	return checkup.Check(t.Context(), checkup.Question{
		Opener: setup.Opener{Drivers: setup.Drivers{SQLite: "sqlite"}}, Config: cfg, Syncs: syncs, Listener: &told,
	})
}
