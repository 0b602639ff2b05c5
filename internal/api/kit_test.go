package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"owlatsync"
	"owlatsync/internal/access"
	"owlatsync/internal/config"
	"owlatsync/internal/events"
	"owlatsync/internal/standing"
	"owlatsync/internal/turns"
	"owlatsync/ledger"
	"owlatsync/reconcile/progress"
	"owlatsync/source"
)

// The tokens of the tests.
const (
	operatorToken = "owlsync_operator_0123456789abcdefghij"
	viewerToken   = "owlsync_viewer_0123456789abcdefghijkl"
)

func tokens() []config.Token {
	return []config.Token{
		{Name: "ci", Role: config.Operator, Hash: sha256.Sum256([]byte(operatorToken))}, {Name: "grafana", Role: config.Viewer, Hash: sha256.Sum256([]byte(viewerToken))},
	}
}

// world is a service and a ledger that are as the test says.
type world struct {
	hub  *events.Hub
	gate *access.Gate
	api  *API
	only *Deployment
	more map[string]*Deployment // beside the only one, which has a name then; nil: it is not open

	mu        sync.Mutex
	log       bytes.Buffer
	states    []SyncState
	personal  []string // syncs whose keys are addresses
	progress  map[int64]progress.State
	notReady  error
	records   []ledger.Run // oldest first
	dead      []int64      // runs whose process is gone
	heard     []ledger.Feedback
	boxes     []ledger.Delivery
	fails     error // of every method that can fail
	asked     []string
	retried   []int64
	noted     []ledger.AuditLine // oldest first
	deaf      error              // of NoteAudit
	retryMany int
}

// newWorld returns a world with two syncs.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{hub: events.NewHub(time.Now), gate: access.NewGate(tokens(), nil), progress: make(map[int64]progress.State)}
	w.only = &Deployment{
		Service: (*service)(w), Desk: (*desk)(w), Hub: w.hub, Ledger: (*shelf)(w), Outbox: (*shelf)(w),
		Webhooks: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }),
	}
	w.api = New(Parts{
		Directory: (*listed)(w), Ready: w.only.Service.Ready, Gate: w.gate, Version: "1.2.3",
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "owlat_sync_runs_total 1\n") }),
		Log:     slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	t.Cleanup(w.hub.Close)
	for _, name := range []string{"users", "leads"} {
		w.states = append(w.states, SyncState{Sync: standing.Sync{Sync: config.Sync{Name: name}, Known: true}, State: NotScheduled})
	}
	return w
}

// Write takes the log.
func (w *world) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.Write(p)
}

func (w *world) logged() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.String()
}

// add adds or replaces the record of a run.
func (w *world) add(r ledger.Run) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if r.Mode == "" {
		r.Mode = ledger.ModeRun
	}
	if i := slices.IndexFunc(w.records, func(o ledger.Run) bool { return o.ID == r.ID }); i >= 0 {
		w.records[i] = r
		return
	}
	w.records = append(w.records, r)
}

// count returns how many streams are open.
func (p *places) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.all
}

// listed has the deployments of a world.
type listed world

func (l *listed) Names() []string {
	return slices.Sorted(maps.Keys(l.all()))
}

func (l *listed) all() map[string]*Deployment {
	all := map[string]*Deployment{l.only.Name: l.only}
	maps.Copy(all, l.more)
	return all
}

func (l *listed) Find(name string) (*Deployment, error) {
	d, there := l.all()[name]
	switch {
	case !there:
		return nil, ErrNoDeployment
	case d == nil:
		return nil, errors.New("its configuration is wrong")
	}
	return d, nil
}

type service world

func (s *service) Syncs(context.Context) ([]SyncState, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.states), s.fails
}

func (s *service) Personal(sync string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Contains(s.personal, sync) || !slices.ContainsFunc(s.states, func(st SyncState) bool { return st.Sync.Sync.Name == sync })
}

func (s *service) Progress(run int64) (progress.State, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.progress[run]
	return p, ok
}

func (s *service) Budget() (Budget, bool) { return Budget{}, false }

func (s *service) Ready(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.notReady
}

type desk world

func (d *desk) take(what string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fails == nil {
		d.asked = append(d.asked, what)
	}
	return d.fails
}

func (d *desk) Trigger(_ context.Context, sync string, o turns.Options) (int64, error) {
	what := "trigger " + sync
	if len(o.Part.Only) > 0 {
		what += " only " + strings.Join(o.Part.Only, " ")
	}
	if o.Part.Limit > 0 {
		what += " limited"
	}
	if o.Full {
		what += " full"
	}
	if o.Review {
		what += " for review"
	}
	return 41, d.take(what)
}

func (d *desk) Approve(_ context.Context, held int64) (int64, error) {
	return 42, d.take("approve " + time.Unix(held, 0).UTC().Format("5"))
}

func (d *desk) Dismiss(_ context.Context, held int64) error {
	return d.take("dismiss " + time.Unix(held, 0).UTC().Format("5"))
}

func (d *desk) Cancel(_ context.Context, run int64) error {
	return d.take("cancel " + time.Unix(run, 0).UTC().Format("5"))
}

// shelf is what is recorded.
type shelf world

// Now implements ledger.Clock.
func (*shelf) Now() time.Time { return time.Now() }

func (l *shelf) Run(_ context.Context, id int64) (*ledger.Run, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.records {
		if r.ID == id {
			return &r, l.fails
		}
	}
	return nil, errors.Join(&ledger.NoRunError{Run: id}, l.fails)
}

func (l *shelf) Alive(_ context.Context, run ledger.Run) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !slices.Contains(l.dead, run.ID), l.fails
}

func (l *shelf) Runs(_ context.Context, sync string, limit int) (found []ledger.Run, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range slices.Backward(l.records) {
		if (sync == "" || r.Sync == sync) && len(found) < limit {
			found = append(found, r)
		}
	}
	return found, l.fails
}

func (l *shelf) RunsBefore(context.Context, string, int64, int) ([]ledger.Run, error) {
	return nil, l.fails // the API lists no earlier runs
}

func (l *shelf) RunsSince(context.Context, string, time.Time, int) ([]ledger.Run, error) {
	return nil, l.fails // nor which run took the place of another
}

func (l *shelf) Briefs(context.Context, string, time.Time, int) ([]ledger.Brief, error) {
	return nil, l.fails
}

func (l *shelf) Feedbacks(_ context.Context, event, person string, before int64, limit int) (found []ledger.Feedback, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range slices.Backward(l.heard) {
		if (event == "" || f.Event == event) && (person == "" || f.Email == person || f.ContactID == person) && (before == 0 || f.ID < before) && len(found) < limit {
			found = append(found, f)
		}
	}
	return found, l.fails
}

func (l *shelf) Round(context.Context) (ledger.Round, error) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	return ledger.Round{Began: at, Ended: at, RoundCounts: ledger.RoundCounts{Read: "moved", Contacts: 5, People: 2, Topics: 3, Seconds: 1.5}}, l.fails
}

func (l *shelf) LastFeedback(context.Context) (at time.Time, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range l.heard {
		at = f.Received
	}
	return at, l.fails
}

func (l *shelf) Deliveries(_ context.Context, state ledger.DeliveryState, limit int) (found []ledger.Delivery, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, d := range slices.Backward(l.boxes) {
		if (state == "" || d.State == state) && len(found) < limit {
			found = append(found, d)
		}
	}
	return found, l.fails
}

func (l *shelf) DeliveryCounts(context.Context) (map[string]map[ledger.DeliveryState]int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	counts := make(map[string]map[ledger.DeliveryState]int)
	for _, d := range l.boxes {
		if counts[d.Target] == nil {
			counts[d.Target] = make(map[ledger.DeliveryState]int)
		}
		counts[d.Target][d.State]++
	}
	return counts, l.fails
}

func (l *shelf) RetryDeliveries(_ context.Context, ids []int64, now time.Time) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.IsZero() {
		return 0, errors.New("no time was given")
	}
	l.retried = append(l.retried, ids...)
	return max(l.retryMany, len(ids)), l.fails
}

func (l *shelf) NoteAudit(_ context.Context, line ledger.AuditLine) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := errors.Join(l.deaf, line.Check()); err != nil {
		return err
	}
	line.Number, line.At = int64(len(l.noted)+1), time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	l.noted = append(l.noted, line)
	return nil
}

func (l *shelf) AuditLines(_ context.Context, before int64, limit int) (found []ledger.AuditLine, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range slices.Backward(l.noted) {
		if (before == 0 || line.Number < before) && len(found) < limit {
			found = append(found, line)
		}
	}
	return found, l.fails
}

// client asks an API over a socket, and holds every answer against the document.
type client struct {
	t    *testing.T
	url  string
	http *http.Client
}

// start serves a handler at a socket until the test ends.
func start(t *testing.T, handler http.Handler) client {
	t.Helper()
	l, err := access.Listen(t.Context(), "127.0.0.1:0", true, nil, access.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	server := access.NewServer(handler, access.DefaultLimits(), slog.New(slog.DiscardHandler))
	done := make(chan error)
	go func() { done <- server.Serve(l) }()
	transport := &http.Transport{}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		if err := errors.Join(server.Close(), <-done); !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return client{t, "http://" + l.Addr().String(), &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// reply is an answer.
type reply struct {
	status int
	header http.Header
	body   string
}

// request makes a request; header has names and values in turn.
func (c client) request(method, path, body string, header ...string) *http.Request {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.url+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+operatorToken)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		if r.Header.Del(header[i]); header[i+1] != "" {
			r.Header.Set(header[i], header[i+1])
		}
	}
	return r
}

// ask asks as an operator, unless a header says otherwise.
func (c client) ask(method, path, body string, header ...string) reply {
	c.t.Helper()
	r := c.request(method, path, body, header...)
	answer, err := c.http.Do(r)
	if err != nil {
		c.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		c.t.Errorf("%s %s: %v", method, path, err)
	}
	if method != http.MethodHead {
		readDocument().check(c.t, r, answer.StatusCode, answer.Header, text)
	}
	return reply{answer.StatusCode, answer.Header, string(text)}
}

// asViewer are the headers of a viewer.
var asViewer = []string{"Authorization", "Bearer " + viewerToken}

// full fills a world with something of everything. What names people has "ada" in it.
func full(w *world) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	report := owlatsync.NewReport("users", "7")
	report.Rows, report.Turned, report.InStep = 10, 1, 9
	report.Outcomes[owlatsync.Invalid], report.Outcomes[owlatsync.Unchanged] = 1, 9
	report.Reading = &owlatsync.Reading{Mode: owlatsync.ReadAll, Reason: "the first run", NextFull: at.Add(24 * time.Hour)}
	summary := &owlatsync.Summary{Sync: "users", Run: 7, Rows: 10, Outcomes: map[owlatsync.Outcome]int{owlatsync.Created: 1}, SetBack: true, Reading: report.Reading}
	last := ledger.Run{ID: 7, Sync: "users", Mode: ledger.ModeRun, Status: ledger.StatusFailedRows, Stage: ledger.StageEnding, Started: at, Finished: at.Add(time.Minute), Heartbeat: at, Report: report, Summary: summary}
	held := ledger.Run{
		ID: 6, Sync: "users", Mode: ledger.ModeRun, Status: ledger.StatusHeld, Message: "held by a guard", Stage: ledger.StagePlanning, Started: at, Finished: at,
		Guards: []owlatsync.Hit{{Guard: owlatsync.GuardRemovals, Reason: "3 of 10"}}, Part: owlatsync.Part{Only: []string{"4711", "ada@example.com"}, Limit: 2},
	}
	w.states[0] = SyncState{
		Sync: standing.Sync{
			Sync:  config.Sync{Name: "users", Schedule: config.Schedule{Text: "every 5m"}, Cursor: source.Cursor{Column: "updated_at"}, FullEvery: 24 * time.Hour},
			Known: true, Rows: ledger.Standing{Entries: 10, Applied: 9, Failing: 2, Parked: 1, Asked: 3, SetBack: at},
			Runs: []ledger.Run{last}, Held: []standing.HeldRun{{Run: held, Partial: true, Refused: errors.New("the plan is of an older version")}},
			Bookmark: ledger.Bookmark{Mark: "m", Full: at, Again: []string{"ada"}}, Last: &last,
		},
		State: Failing, Why: "1 row failed", Next: at.Add(time.Hour), LastGood: at,
	}
	for _, r := range []ledger.Run{
		{ID: 1, Sync: "users", Status: ledger.StatusDied, Started: at, Heartbeat: at, Message: ledger.MessageDied},
		{ID: 2, Sync: "gone", Status: ledger.StatusOK, Started: at, Finished: at, Part: owlatsync.Part{Only: []string{"ada"}}},
		held, last,
		{ID: 8, Sync: "users", Status: ledger.StatusRunning, Stage: ledger.StageReading, Started: at, Heartbeat: at},
		{ID: 9, Sync: "leads", Status: ledger.StatusRunning, Stage: ledger.StageReading, Started: at, Heartbeat: at},
		{ID: 10, Sync: "leads", Status: ledger.StatusQueued, Full: true, Approves: 6, Started: at},
		{ID: 11, Sync: "leads", Status: ledger.StatusWaiting, Stage: ledger.StageApplying, Started: at, Heartbeat: at, Part: owlatsync.Part{Only: []string{"ada"}}},
	} {
		w.add(r)
	}
	w.dead, w.personal = []int64{9}, []string{"leads"}
	w.progress[8] = progress.State{Stage: ledger.StageApplying, Stretch: 2, Rows: 400, Left: 90 * time.Second, Report: report, Summary: summary}
	w.heard = []ledger.Feedback{
		{ID: 1, Event: "topic.unsubscribed", ContactID: "c1", Email: "ada@example.com", At: at, Received: at, Topics: []ledger.FeedbackTopic{{ID: "t1", Name: "News"}, {ID: "t2"}}},
		{ID: 2, Event: "email.bounced", Email: "ada@example.com", Received: at.Add(time.Second), Kind: "hard", Detail: "550 <ada@example.com> is not here"},
	}
	w.boxes = []ledger.Delivery{
		{ID: 1, Feedback: w.heard[0], Target: "unsub", Person: "c1", Topic: "t1", State: ledger.DeliveryDone, Due: at, Done: at},
		{ID: 2, Feedback: w.heard[1], Target: "file feedback.ndjson", Person: "ada@example.com", State: ledger.DeliveryDead, Attempts: 12, Error: "the disk is full"},
		{ID: 3, Feedback: w.heard[0], Target: "unsub", Person: "c1", Topic: "t2", State: ledger.DeliveryWaiting, Attempts: 1, Due: at},
	}
}

// pipe serves a handler in memory within a bubble, with the limits of a service, until the test ends.
func pipe(t *testing.T, handler http.Handler, dial func(context.Context, string, string) (net.Conn, error), l net.Listener) client {
	t.Helper()
	server := access.NewServer(handler, access.DefaultLimits(), slog.New(slog.DiscardHandler))
	done := make(chan error)
	go func() { done <- server.Serve(access.Wrap(l, nil, access.DefaultLimits())) }()
	transport := &http.Transport{DialContext: dial}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		if err := errors.Join(server.Close(), <-done); !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return client{t, "http://sync.example.com", &http.Client{Transport: transport}}
}
