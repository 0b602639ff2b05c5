package page

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"owlatsync/internal/access"
	"owlatsync/internal/account"
	"owlatsync/internal/api"
	"owlatsync/internal/config"
	"owlatsync/internal/session"
	"owlatsync/ledger"
	"owlatsync/reconcile/progress"
)

const password = "correct horse battery"

// passwordHash costs as little as the configuration allows.
var passwordHash = sync.OnceValue(func() account.Hash { return account.Hash{Memory: 7 << 10, Passes: 1, Threads: 1}.Of(password) })

func accountOf(name string, role config.Role) config.Account {
	return config.Account{Name: name, Role: role, Hash: passwordHash()}
}

// token is one that the service may have beside accounts.
var token = config.Token{Name: "ci", Role: config.Operator, Hash: sha256.Sum256([]byte("owlsync_operator_0123456789abcdefghij"))}

// stands is a deployment whose syncs stand as the test says.
type stands struct {
	api.Service
	states   []api.SyncState
	fails    error
	notReady error
	runs     []ledger.Run
	budget   api.Budget
	here     bool // the budget is spent here

	listed, drawn int // how many runs were read last, whole and in brief

	mu    sync.Mutex
	audit []string
	lines int64 // how many the audit has

	more func(*api.Deployment) // adds what else the deployment has; nil: nothing
}

func (s *stands) audited() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.audit)
}

func (s *stands) Syncs(ctx context.Context) ([]api.SyncState, error) {
	return s.states, errors.Join(s.fails, ctx.Err())
}
func (s *stands) Budget() (api.Budget, bool)          { return s.budget, s.here }
func (*stands) Progress(int64) (progress.State, bool) { return progress.State{}, false }
func (s *stands) Ready(context.Context) error         { return s.notReady }

// shelf has the records of runs, newest first.
type shelf struct {
	api.Ledger
	runs []ledger.Run
	of   *stands
}

// Round implements ledger.Rounds.
func (l *shelf) Round(context.Context) (ledger.Round, error) {
	at := time.Date(2026, 3, 1, 11, 0, 0, 0, time.UTC)
	return ledger.Round{Began: at, Ended: at, RoundCounts: ledger.RoundCounts{Read: "moved", Contacts: 12, People: 3}}, nil
}

// NoteAudit implements ledger.Audit.
func (l *shelf) NoteAudit(_ context.Context, line ledger.AuditLine) error {
	l.of.mu.Lock()
	defer l.of.mu.Unlock()
	l.of.audit = append(l.of.audit, fmt.Sprintf("%s %s by %s %d", line.Who, line.What, line.Way, line.Count))
	return line.Check()
}

func (*shelf) Now() time.Time { return time.Date(2026, 3, 1, 12, 30, 0, 0, time.UTC) }
func (l *shelf) Runs(_ context.Context, _ string, limit int) ([]ledger.Run, error) {
	l.of.listed = min(limit, len(l.runs))
	return l.runs[:l.of.listed], nil
}

func (l *shelf) Briefs(_ context.Context, _ string, since time.Time, limit int) (briefs []ledger.Brief, err error) {
	for i := range l.runs {
		if b := l.runs[i].Brief(); !b.Finished.Before(since) && len(briefs) < limit {
			briefs = append(briefs, b)
		}
	}
	l.of.drawn = len(briefs)
	return briefs, nil
}

// AuditLines implements ledger.Audit.
func (l *shelf) AuditLines(_ context.Context, before int64, limit int) (lines []ledger.AuditLine, err error) {
	for n := l.of.lines; n > 0 && len(lines) < limit; n-- {
		if before == 0 || n < before {
			lines = append(lines, ledger.AuditLine{Number: n, At: l.Now(), Who: nasty, Way: ledger.ByCommand, What: ledger.DeedForget, Sync: nasty, Run: n, Count: 1234})
		}
	}
	return lines, nil
}

// world is a service with a page.
type world struct {
	t      *testing.T
	url    string
	people *session.Book
	gate   *access.Gate
	all    map[string]*stands // nil: the deployment is not open
	log    *bytes.Buffer
	page   *Page
	own    *api.Deployment // in place of what is made of all; nil: none
}

func (w *world) Names() []string { return slices.Sorted(maps.Keys(w.all)) }

func (w *world) Find(name string) (*api.Deployment, error) {
	s, there := w.all[name]
	switch {
	case !there:
		return nil, api.ErrNoDeployment
	case w.own != nil:
		return w.own, nil
	case s == nil:
		return nil, errors.New("its configuration <b>is</b> wrong")
	}
	d := &api.Deployment{Name: name, Service: s, Ledger: &shelf{runs: s.runs, of: s}}
	if s.more != nil {
		s.more(d)
	}
	return d, nil
}

// newWorld serves the page beside the API at a socket until the test ends. Without tokens and accounts it is open.
func newWorld(t *testing.T, tokens []config.Token, accounts ...config.Account) *world {
	t.Helper()
	w := &world{t: t, gate: access.NewGate(tokens, nil), all: map[string]*stands{"": {}}, log: new(bytes.Buffer)}
	w.people = session.New(w.gate)
	w.people.ReplaceAll(accounts, nil)
	log := slog.New(slog.NewTextHandler(w.log, nil))
	w.page = New(Parts{Directory: w, Gate: w.gate, Sessions: w.people, Version: "1.2.3", Log: log})
	server := httptest.NewServer(api.New(api.Parts{Directory: w, Gate: w.gate, Page: w.page, Ready: func(context.Context) error { return nil }, Log: log}).Handler())
	t.Cleanup(server.Close)
	w.url = server.URL
	return w
}

// browser is a browser without JavaScript.
type browser struct {
	*world
	http *http.Client
	jar  *cookiejar.Jar
}

func (w *world) browser() *browser {
	w.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	transport := &http.Transport{}
	w.t.Cleanup(transport.CloseIdleConnections)
	return &browser{w, &http.Client{Jar: jar, Transport: transport}, jar}
}

// reply is an answer, after all redirects.
type reply struct {
	status int
	path   string
	header http.Header
	body   string
}

// do sends a request; header has names and values in turn, and Host counts, too.
func (b *browser) do(method, path string, form url.Values, header ...string) reply {
	b.t.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.url+path, body)
	if err != nil {
		b.t.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", b.url)
	}
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Host" {
			r.Host = header[i+1]
		} else if r.Header.Del(header[i]); header[i+1] != "" {
			r.Header.Set(header[i], header[i+1])
		}
	}
	answer, err := b.http.Do(r)
	if err != nil {
		b.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return reply{answer.StatusCode, answer.Request.URL.RequestURI(), answer.Header, string(text)}
}

func (b *browser) get(path string) reply { b.t.Helper(); return b.do(http.MethodGet, path, nil) }

var formToken = regexp.MustCompile(`name="form" value="([^"]*)"`)

// send opens a page and sends a form with its token.
func (b *browser) send(page, action string, fields ...string) reply {
	b.t.Helper()
	form := url.Values{}
	if found := formToken.FindStringSubmatch(b.get(page).body); found != nil {
		form.Set("form", found[1])
	}
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	return b.do(http.MethodPost, action, form)
}

func (b *browser) signIn(name, password string) reply {
	b.t.Helper()
	return b.send("/login", "/login", "name", name, "password", password)
}

// held is what the browser holds.
func (b *browser) held() string {
	at, err := url.Parse(b.url)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, c := range b.jar.Cookies(at) {
		return c.Value
	}
	return ""
}
