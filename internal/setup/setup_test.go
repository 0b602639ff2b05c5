package setup_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"
	_ "modernc.org/sqlite" // the driver of ledgers

	"owlatsync"
	"owlatsync/internal/config"
	"owlatsync/internal/exitcode"
	"owlatsync/internal/problem"
	"owlatsync/internal/setup"
	"owlatsync/internal/sourcedsn"
	"owlatsync/internal/testdb"
	"owlatsync/ledger"
	"owlatsync/ledger/transfer"
	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
	"owlatsync/reconcile"
	"owlatsync/reconcile/progress"
	"owlatsync/source"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var opener = setup.Opener{Drivers: setup.Drivers{SQLite: "sqlite"}, UserAgent: "setup-test", Logger: slog.New(slog.DiscardHandler)}

var care = setup.Care{Opener: opener}

// place is a folder with a source of two rows, and an emulator.
type place struct {
	dir    string
	server *owlattest.Server
	env    map[string]string
}

func newPlace(t *testing.T) *place {
	t.Helper()
	p := &place{dir: t.TempDir(), server: &owlattest.Server{NoLimit: true}}
	listener := httptest.NewServer(p.server)
	t.Cleanup(listener.Close)
	p.env = map[string]string{config.EnvURL: listener.URL, config.EnvAPIKey: p.server.AddKey()}
	p.write(t, "users.csv", "id,email\n1,ann@example.com\n2,bob@example.com\n")
	p.write(t, "owlat-sync.yaml", `owlat: {requests_per_second: 1000}
syncs:
  users:
    source: {dsn: "csv:users.csv"}
    key: id
    fields: {email: email}
  people:
    source: {dsn: "csv:users.csv"}
    fields: {email: email}
`)
	return p
}

// inPostgres puts the ledger into a new database.
func (p *place) inPostgres(t *testing.T) *place {
	t.Helper()
	p.env["LEDGER"] = testdb.Postgres(t)
	text, err := os.ReadFile(filepath.Join(p.dir, "owlat-sync.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	p.write(t, "owlat-sync.yaml", "ledger: ${LEDGER}\n"+string(text))
	return p
}

// onEach runs the test with each kind of ledger.
func onEach(t *testing.T, test func(t *testing.T, newPlace func(*testing.T) *place)) {
	t.Helper()
	t.Run("file", func(t *testing.T) {
		t.Parallel()
		test(t, newPlace)
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, func(t *testing.T) *place {
			t.Helper()
			return newPlace(t).inPostgres(t)
		})
	})
}

// has reports whether the ledger exists.
func has(t *testing.T, cfg *config.Config) bool {
	t.Helper()
	has, err := opener.Has(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return has
}

func (p *place) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (p *place) load(t *testing.T, use config.Use) *config.Config {
	t.Helper()
	cfg, err := config.Load(filepath.Join(p.dir, "owlat-sync.yaml"), use, func(name string) (string, bool) {
		value, ok := p.env[name]
		return value, ok
	})
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func (p *place) open(t *testing.T, use config.Use) *setup.Session {
	t.Helper()
	s, err := opener.Open(t.Context(), p.load(t, use), use)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func yes(owlatsync.Summary) (bool, error) { return true, nil }

func TestASessionDoesWhatSyncsNeed(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, newPlace func(*testing.T) *place) {
		s := newPlace(t).open(t, config.UseAll)
		users := *s.Config.Sync("users")
		told := 0
		report, err := s.Run(t.Context(), users, reconcile.RunOptions{Confirm: yes}, func(progress.Value) { told++ })
		if err != nil || report.Outcomes[owlatsync.Created] != 2 || told == 0 {
			t.Fatalf("a run: %v, %+v, told %d", err, report, told)
		}
		var rows, decisions []string
		summary, err := s.Plan(t.Context(), users, setup.Listener{
			Row:      func(r *owlatsync.Row) { rows = append(rows, r.Key) },
			Decision: func(d reconcile.Decision) error { decisions = append(decisions, d.Key); return nil },
		})
		if err != nil || summary.Rows != 2 || !slices.Equal(rows, []string{"1", "2"}) || len(decisions) > 0 {
			t.Errorf("a plan: %v, %+v, rows %q, decisions %q", err, summary, rows, decisions)
		}
		result, err := s.Verify(t.Context(), []config.Sync{users}, reconcile.VerifyOptions{Each: func(f reconcile.Finding) error { return fmt.Errorf("found %+v", f) }}, nil)
		if err != nil || result.Differences() != 0 || result.Contacts != 2 {
			t.Errorf("a comparison: %v, %+v", err, result)
		}
		if n, err := s.Retry(t.Context(), users, nil); n != 0 || err != nil {
			t.Errorf("a retry: %d, %v", n, err)
		}
		if n, err := s.Prune(t.Context()); n != 0 || err != nil {
			t.Errorf("history of today was removed: %d, %v", n, err)
		}
		rate := 1000.0
		if s.Config.Ledger.Postgres() {
			rate *= setup.HoldersPart
		}
		if s.Rate() != rate || s.Refused() != 0 || s.NoKey() != nil {
			t.Errorf("rate %v, %d refused, key %v", s.Rate(), s.Refused(), s.NoKey())
		}
	})
}

func TestWithoutAKeyNothingIsSent(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	delete(p.env, config.EnvAPIKey)
	s := p.open(t, config.UseURL|config.UseSources)
	if s.NoKey() != nil {
		t.Errorf("no request was to be sent yet: %v", s.NoKey())
	}
	_, err := s.Client.Contacts.Get(t.Context(), "ann@example.com")
	if err == nil || exitcode.Of(s.NoKey()) != exitcode.Usage {
		t.Errorf("a request without a key: %v, %v", err, s.NoKey())
	}
	if n := p.server.Stats().Total; n != 0 {
		t.Errorf("%d requests were sent", n)
	}
}

func TestALedgerAloneHasNoClient(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	clear(p.env)
	if s := p.open(t, config.UseLedger); s.Client != nil || s.Ledger == nil {
		t.Errorf("client %v, ledger %v", s.Client, s.Ledger)
	}
}

func TestWhatCannotBeOpened(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.write(t, "owlat-sync.db", "this is no database, although it is as long as one's head would be: "+strings.Repeat("x", 200))
	cfg := p.load(t, config.UseAll)
	if s, err := opener.Open(t.Context(), cfg, config.UseAll); err == nil || s != nil {
		t.Errorf("a ledger that is none: %v, %v", s, err)
	}
	if l, err := opener.Ledger(t.Context(), cfg); err == nil || l != nil {
		t.Errorf("a ledger that is none: %v, %v", l, err)
	}
	p.write(t, "app.db", "")
	sync := config.Sync{Name: "x", Query: "DELETE FROM users", Fields: config.Fields{Email: "email"}}
	var err error
	if sync.Target, err = sourcedsn.Parse("sqlite:app.db", p.dir); err != nil {
		t.Fatal(err)
	}
	if _, _, err := opener.Source(sync); !errors.Is(err, source.ErrNotQuery) {
		t.Errorf("a source that would change the database: %v", err)
	}
	if sync.Target, err = sourcedsn.Parse("mysql://app@localhost/shop", p.dir); err != nil {
		t.Fatal(err)
	}
	if _, _, err := opener.Source(sync); err == nil || !strings.Contains(err.Error(), "without a driver for MySQL") {
		t.Errorf("a source without a driver: %v", err)
	}
}

func TestNobodyNeedsALedgerThatWasNeverMade(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, newPlace func(*testing.T) *place) {
		cfg := newPlace(t).load(t, config.UseLedger)
		err := opener.WithLedger(t.Context(), cfg, func(setup.Ledger) error { return errors.New("there is one") })
		if !errors.Is(err, setup.ErrNoLedger) || problem.HintOf(err) == "" || has(t, cfg) {
			t.Errorf("without a ledger: %v, made %v", err, has(t, cfg))
		}
		if is, err := opener.Examine(t.Context(), cfg); err != nil || !is.Missing {
			t.Errorf("examined: %+v, %v", is, err)
		}
		if cfg.Ledger.Postgres() {
			return
		}
		cfg.Ledger.Path = filepath.Join(cfg.Ledger.Folder(), "none", "x.db")
		if _, err := opener.Examine(t.Context(), cfg); exitcode.Of(err) != exitcode.Usage {
			t.Errorf("a folder that is missing: %v", err)
		}
	})
}

func TestImport(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, newPlace func(*testing.T) *place) {
		cfg := newPlace(t).load(t, config.UseLedger)
		for _, text := range []string{"", "no export", `{"ledger":{"version":999}}` + "\n"} {
			err := care.Import(t.Context(), cfg, strings.NewReader(text), "backup.ndjson")
			if exitcode.Of(err) != exitcode.Usage || !strings.HasPrefix(err.Error(), "backup.ndjson: ") || has(t, cfg) {
				t.Errorf("%q: %v, left a ledger %v", text, err, has(t, cfg))
			}
		}
		full := newPlace(t).open(t, config.UseAll)
		if _, err := full.Run(t.Context(), full.Config.Syncs[0], reconcile.RunOptions{Confirm: yes}, nil); err != nil {
			t.Fatal(err)
		}
		var export strings.Builder
		if err := transfer.Export(t.Context(), full.Ledger, &export); err != nil {
			t.Fatal(err)
		}
		if err := care.Import(t.Context(), cfg, strings.NewReader(export.String()), "-"); err != nil {
			t.Fatal(err)
		}
		err := opener.WithLedger(t.Context(), cfg, func(l setup.Ledger) error {
			standing, err := l.Standing(t.Context(), "users")
			if standing.Entries != 2 {
				t.Errorf("imported %+v", standing)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
		err = care.Import(t.Context(), cfg, strings.NewReader(export.String()), "-")
		if exitcode.Of(err) != exitcode.Usage || problem.HintOf(err) == "" || !has(t, cfg) {
			t.Errorf("into a full ledger: %v", err)
		}
	})
}

func TestAnInterruptedImportSaysThatNothingWasImported(t *testing.T) {
	t.Parallel()
	ctx, interrupt := context.WithCancel(t.Context())
	interrupt()
	at := ledgerAt(t, "", "new.db")
	err := care.Import(ctx, at, strings.NewReader(""), "export.ndjson")
	if exitcode.Of(err) != exitcode.Interrupted || !strings.HasPrefix(err.Error(), "interrupted: nothing was imported") {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(at.Ledger.Path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a ledger is left: %v", err)
	}
}

func TestEndsAll(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		err  error
		want bool
	}{
		{errors.New("x"), false},
		{io.ErrUnexpectedEOF, false},
		{&reconcile.SourceError{Err: errors.New("x")}, false},
		{&reconcile.HeldError{Run: 1}, false},
		{&owlat.Error{Category: owlat.CategoryInternal, StatusCode: 500}, false},
		{fmt.Errorf("sync: %w", reconcile.ErrUnavailable), true},
		{&ledger.DeploymentError{}, true},
		{&ledger.LockedError{}, true},
		{context.Canceled, true},
		{&owlat.Error{Category: owlat.CategoryForbidden, StatusCode: 403}, true},
	} {
		if got := setup.EndsAll(test.err); got != test.want {
			t.Errorf("%v ends all: %v, want %v", test.err, got, test.want)
		}
	}
}

func TestAdvise(t *testing.T) {
	t.Parallel()
	to := config.Owlat{URL: "https://example.com"}
	refusal := func(c owlat.Category, status int) error { return &owlat.Error{Category: c, StatusCode: status} }
	for _, test := range []struct {
		err  error
		want string // in the hint; empty: there is none
	}{
		{nil, ""},
		{errors.New("x"), ""},
		{refusal(owlat.CategoryUnauthenticated, 401), "OWLAT_API_KEY"},
		{refusal(owlat.CategoryForbidden, 403), "this scope"},
		{refusal(owlat.CategoryLimitReached, 403), "the plan of this Owlat deployment"},
		{refusal(owlat.CategoryRateLimited, 429), "requests_per_second"},
		{&owlat.TransportError{Err: errors.New("refused")}, "https://example.com"},
	} {
		err := setup.Advise(test.err, to)
		if hint := problem.HintOf(err); !errors.Is(err, test.err) || !strings.Contains(hint, test.want) || (hint == "") != (test.want == "") {
			t.Errorf("%v: hint %q, want %q", test.err, hint, test.want)
		}
	}
}

func TestTheLimiterIsThatOfTheBudget(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		configured, rate float64
		burst            int
	}{{0, owlat.DefaultRate, owlat.DefaultBurst}, {5, 5, 4}, {0.1, 0.1, 1}, {1000, 1000, 800}} {
		rate, burst := setup.Limiter(config.Owlat{RequestsPerSecond: test.configured}).Rate()
		if rate != test.rate || burst != test.burst {
			t.Errorf("%v requests a second configured: %v and bursts of %d, want %v and %d", test.configured, rate, burst, test.rate, test.burst)
		}
	}
}

// TestTheUnsubscribeSecretReachesEachClient that sends, and no other.
func TestTheUnsubscribeSecretReachesEachClient(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.server.SetUnsubscribeSecret("the secret of links")
	who, err := p.server.AddContact(owlattest.ContactState{Email: "ada@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	without := p.open(t, config.UseAll)
	if _, err := without.Client.Preferences.Get(t.Context(), who); !errors.Is(err, owlat.ErrNoUnsubscribeSecret) {
		t.Errorf("without a secret: %v", err)
	}
	cfg := p.load(t, config.UseAll)
	cfg.Owlat.UnsubscribeSecret, cfg.Owlat.PreferencesPerSecond = "the secret of links", 7
	for name, open := range map[string]func() (*owlat.Client, func() error, error){
		"a session": func() (*owlat.Client, func() error, error) {
			s, err := opener.Open(t.Context(), cfg, config.UseAll)
			if err != nil {
				return nil, nil, err
			}
			return s.Client, s.Close, nil
		},
		"beside runs": func() (*owlat.Client, func() error, error) {
			out, err := setup.OpenOutside(t.Context(), opener, cfg, "a test", false)
			if err != nil {
				return nil, nil, err
			}
			return out.Client, out.Close, nil
		},
	} {
		client, end, err := open()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got, err := client.Preferences.Get(t.Context(), who); err != nil || got.Email != "ada@example.com" || client.Preferences.Rate() != 7 {
			t.Errorf("%s: %+v at %v a second, %v", name, got, client.Preferences.Rate(), err)
		}
		if err := end(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRowKeys(t *testing.T) {
	t.Parallel()
	typed := []string{" Ann@Example.com ", "4711"}
	if got := setup.RowKeys(config.Sync{Key: []string{"id"}}, typed); !slices.Equal(got, typed) {
		t.Errorf("keys of their own: %q", got)
	}
	if got := setup.RowKeys(config.Sync{}, typed); !slices.Equal(got, []string{"ann@example.com", "4711"}) {
		t.Errorf("addresses as keys: %q", got)
	}
}
