package faults

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"owlatsync"
	"owlatsync/internal/exitcode"
	"owlatsync/ledger"
	"owlatsync/ledger/memory"
	"owlatsync/ledger/sqlite"
	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
	"owlatsync/reconcile"
	"owlatsync/reconcile/progress"
	"owlatsync/reconcile/rounds"
)

const (
	baseURL    = "https://owlat.example"
	linkSecret = "the secret of links"
)

// world is what a run meets: a source, a ledger, an emulator with Owlat's real limits, and perhaps a fault.
type world struct {
	t          *testing.T
	op         operation
	server     *owlattest.Server
	key, topic string
	path       string         // of the ledger's file
	memory     *memory.Ledger // in place of a file where that is not what fails
	rows       []owlatsync.Row

	fault   *fault // nil: none
	variant *variant
	once    bool // it hits one request only

	mu      sync.Mutex
	planned bool     // the run has begun to apply its plan
	met     bool     // the request of the operation has come
	hits    int      // how often the fault came to pass
	sent    []string // the requests of the run, by their words
	events  int      // that took effect since the start
	ready   bool     // the rows before are in step
	found   int      // how often rounds found that the subject has left
}

// newWorld returns a world in which the rows before the operation have been in step for an hour. The fault is yet to come.
func newWorld(t *testing.T, op operation, v variant) *world {
	t.Helper()
	w := &world{t: t, op: op, server: &owlattest.Server{}, path: filepath.Join(t.TempDir(), "ledger.db")}
	w.key, w.topic = w.server.AddKey(), w.server.AddTopic("news", false)
	if v.commit == nil {
		w.memory = memory.New()
	}
	if len(op.before) > 0 {
		w.rows = op.before
		if got := w.run(); got.err != nil || got.failed > 0 {
			t.Fatalf("the run before: %v (%v)", got, got.err)
		}
		time.Sleep(time.Hour)
	}
	switch {
	case op.comes:
		w.come()
	case op.round:
		if err := w.server.Unsubscribe(subjectAddress, ""); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
	}
	w.rows, w.ready = op.after, true
	return w
}

// come lets somebody come into Owlat to whom no mail may go.
func (w *world) come() {
	w.t.Helper()
	l, closeLedger, err := w.openLedger()
	if err != nil {
		w.t.Fatal(err)
	}
	err = l.Suppress(w.t.Context(), ledger.Suppression{Email: comerAddress, Reason: ledger.Listed, At: time.Now()})
	_, added := w.server.AddContact(owlattest.ContactState{Email: comerAddress})
	if err := errors.Join(err, added, closeLedger()); err != nil {
		w.t.Fatal(err)
	}
}

// openLedger opens the ledger as a process does.
func (w *world) openLedger() (ledger.Store, func() error, error) {
	if w.memory != nil {
		l := w.memory.Reopen()
		return l, l.Close, nil
	}
	l, err := sqlite.Open(w.t.Context(), failingDriver, w.path)
	if err != nil {
		return nil, nil, err
	}
	return l, l.Close, nil
}

// befall makes the runs from now on meet a variant of the fault, once or each time.
func (w *world) befall(f *fault, v *variant, once bool) { w.fault, w.variant, w.once = f, v, once }

// heal ends the fault.
func (w *world) heal() { w.fault, w.variant, w.once = nil, nil, false }

// result is what a run came to.
type result struct {
	report  *owlatsync.Report
	err     error
	failed  int
	outcome string // of the subject
	reason  string
	sent    []string
}

// run runs the sync as the program does.
func (w *world) run() *result {
	w.t.Helper()
	w.planned, w.met, w.hits, w.sent = false, false, 0, nil
	w.server.ClearFaults()
	before := w.server.Stats().Events
	got := &result{outcome: "not reached"}
	if w.variant != nil && w.variant.commit != nil {
		failing.add(w.path, w.failCommit)
		defer failing.remove(w.path)
	}
	l, closeLedger, err := w.openLedger()
	if err != nil {
		got.err = err
		return got
	}
	defer func() {
		if err := closeLedger(); err != nil {
			w.t.Errorf("close the ledger: %v", err)
		}
	}()
	if w.variant != nil && w.variant.locked {
		defer w.hold()()
	}
	options := []owlat.Option{owlat.WithTransport(w)}
	if w.op.secret {
		w.server.SetUnsubscribeSecret(linkSecret)
		options = append(options, owlat.WithUnsubscribeSecret(linkSecret))
	}
	client, err := owlat.NewClient(baseURL, w.key, options...)
	if err != nil {
		w.t.Fatal(err)
	}
	defer client.CloseIdleConnections()
	engine := reconcile.New(client, l, reconcile.Options{Departed: func(ctx context.Context, d reconcile.Departure) error {
		err := l.NoteOptOuts(ctx, d.OptOuts()...)
		if err == nil || w.variant.commit.made {
			w.found++
		}
		return err
	}})
	if w.op.round && w.ready {
		return w.look(engine, got)
	}
	observe := func(ev progress.Value) {
		w.mu.Lock()
		defer w.mu.Unlock()
		switch ev := ev.(type) {
		case progress.Planned:
			w.planned = true
		case progress.RowDone:
			if ev.Key != subject {
				return
			}
			got.outcome, got.reason = string(ev.Outcome), ev.Reason
			if ev.Outcome == owlatsync.Failed {
				got.outcome += " (" + string(ev.Category) + ")"
			}
		}
	}
	got.report, got.err = engine.Run(w.t.Context(), reconcile.Sync{
		Name: "users", Source: &rows{w}, Topics: []reconcile.Topic{{ID: w.topic, When: true}},
		OnMissing: w.op.missing, Events: w.op.events, Suppressed: w.op.name == "opt-out",
		Guards: reconcile.Guards{FirstRun: true, Updates: reconcile.NoLimit, TopicAdds: reconcile.NoLimit, OptOuts: reconcile.NoLimit},
	}, reconcile.RunOptions{Observers: []progress.Observer{{Each: observe, Complete: true}}})
	if got.report != nil {
		got.failed = got.report.Outcomes[owlatsync.Failed]
		if !got.report.Balanced() {
			w.t.Errorf("the outcomes %v do not add up to %d rows", got.report.Outcomes, got.report.Rows)
		}
	}
	if got.err == nil && got.outcome == "not reached" {
		got.outcome = string(owlatsync.Unchanged)
	}
	got.sent = w.sent
	w.events += w.server.Stats().Events - before
	if w.variant != nil && w.hits == 0 {
		w.t.Error("the fault never came to pass")
	}
	return got
}

// hold lets another process have the lock of the ledger, until the function that it returns is called.
func (w *world) hold() (release func()) {
	l, closeLedger, err := w.openLedger()
	if err != nil {
		w.t.Fatal(err)
	}
	lock, err := l.Acquire(w.t.Context(), ledger.Claim{Purpose: `run of sync "users"`, Deployment: baseURL})
	if err != nil {
		w.t.Fatal(err)
	}
	w.hits++
	return func() {
		if err := errors.Join(lock.Release(), closeLedger()); err != nil {
			w.t.Errorf("the other process: %v", err)
		}
	}
}

// look makes a round in place of a run.
func (w *world) look(engine *reconcile.Engine, got *result) *result {
	w.planned = true
	round, err := engine.Poller().Poll(w.t.Context(), rounds.Options{})
	got.sent, got.err = w.sent, err
	if got.outcome = fmt.Sprintf("found %d", round.People); err != nil {
		got.outcome = fmt.Sprintf("found %d, broke off", round.Open.People)
	}
	if w.variant != nil && w.hits == 0 {
		w.t.Error("the fault never came to pass")
	}
	return got
}

// String is the run as the table has it: outcome of the subject, exit code, requests.
func (r *result) String() string {
	var words []string
	for _, s := range r.sent {
		if !slices.Contains(words, s) {
			words = append(words, s)
		}
	}
	for i, word := range words {
		n := 0
		for _, s := range r.sent {
			if s == word {
				n++
			}
		}
		words[i] = count(n, word)
	}
	if len(words) == 0 {
		words = []string{"nothing"}
	}
	return fmt.Sprintf("%s; %d; %s", r.outcome, exit(r), strings.Join(words, ", "))
}

// owner is how a lock names who has it.
var owner = regexp.MustCompile(`by process \d+ on \S+`)

// shown is what the program shows of the run to a person.
func (w *world) shown(r *result) string {
	var b strings.Builder
	if r.reason != "" {
		fmt.Fprintf(&b, "Not applied:\n  users  key %s  %s  %s\n", subject, owlatsync.Failed, r.reason)
	}
	if r.err != nil {
		fmt.Fprintf(&b, "owlat-sync: sync \"users\": %v\n", r.err)
	}
	said := strings.ReplaceAll(b.String(), w.path, "owlat-sync.db")
	return owner.ReplaceAllString(said, "by process 4711 on this machine")
}

// many says how far a run of many rows came.
func (r *result) many() string {
	o := r.report.Outcomes
	switch {
	case o[owlatsync.Skipped] == 0:
		return fmt.Sprintf("goes on with the other rows; exit code %d", exit(r))
	case errors.Is(r.err, reconcile.ErrUnavailable) && r.failed >= 25 && r.failed <= 25+20: // and those in flight
		if exit(r) == exitcode.Error {
			return endsSoon
		}
	case r.failed <= 17: // in flight, and one on its way to a worker
		return fmt.Sprintf("%s%d", endsAtOnce, exit(r))
	}
	return fmt.Sprintf("%v, %v", o, r.err)
}

// rows is the world's source.
type rows struct{ w *world }

func (s *rows) Rows(context.Context) iter.Seq2[*owlatsync.Row, error] {
	w := s.w
	return func(yield func(*owlatsync.Row, error) bool) {
		for i := range w.rows {
			if w.variant != nil && w.variant.source != nil && i == w.variant.source.after {
				w.hits++
				yield(nil, w.variant.source.err)
				return
			}
			r := w.rows[i]
			r.Position = owlatsync.Position{Unit: "row", Number: i + 1}
			if !yield(&r, nil) {
				return
			}
		}
	}
}

// RoundTrip is the network between the run and the emulator.
func (w *world) RoundTrip(req *http.Request) (*http.Response, error) {
	method, route, word := classify(req)
	w.mu.Lock()
	w.sent = append(w.sent, word)
	hit := false
	if v := w.variant; v != nil && v.commit == nil && v.source == nil && !v.locked {
		here := method == w.op.method && route == w.op.route
		hit = (here || w.fault.everything && w.met) && !(w.once && w.hits > 0)
		w.met = w.met || here
	}
	if hit {
		w.hits++
	}
	w.mu.Unlock()
	switch {
	case hit && w.variant.emulator != nil:
		f := *w.variant.emulator
		f.Count = 1
		if err := w.server.InjectFaults(f); err != nil {
			w.t.Error(err)
		}
	case hit:
		return w.variant.answer(w, req)
	}
	res, err := w.server.Transport().RoundTrip(req)
	if method == w.op.method && route == w.op.route {
		w.mu.Lock()
		w.met = true
		w.mu.Unlock()
	}
	return res, err
}

// classify returns the method and route of a request and the word for it.
func classify(req *http.Request) (method, route, word string) {
	path := strings.Split(strings.TrimPrefix(req.URL.EscapedPath(), "/api/v1/"), "/")
	switch {
	case req.URL.Path == "/health":
		return req.Method, owlattest.RouteHealth, "health"
	case strings.HasPrefix(req.URL.Path, "/unsub/"):
		return req.Method, owlattest.RouteUnsubscribe, "opt-out"
	case strings.HasPrefix(req.URL.Path, "/prefs/verify/"):
		return req.Method, owlattest.RoutePreferences, "members"
	case path[0] == "events":
		return req.Method, owlattest.RouteEvents, "event"
	case path[0] == "topics" && len(path) == 3:
		return req.Method, owlattest.RouteTopicContacts, "topic add"
	case path[0] == "topics":
		return req.Method, owlattest.RouteTopicContact, "topic remove"
	case len(path) == 1 && req.Method == "GET":
		return req.Method, owlattest.RouteContacts, "list"
	case len(path) == 1:
		return req.Method, owlattest.RouteContacts, "create"
	}
	return req.Method, owlattest.RouteContact, map[string]string{"GET": "read", "PUT": "update", "DELETE": "delete"}[req.Method]
}

// left says in what Owlat differs from the rows.
func (w *world) left() string {
	var differs []string
	here := make(map[string]bool)
	for _, r := range w.rows {
		here[r.Email.Value] = true
		c, there := w.server.Contact(r.Email.Value)
		switch {
		case !there:
			differs = append(differs, "the contact is not there")
		case c.FirstName != r.Fields[owlatsync.FirstName].Value:
			differs = append(differs, "the name is another")
		case r.Suppressed && !c.Unsubscribed:
			differs = append(differs, "the person is not opted out")
		case r.Suppressed:
		case r.Consents[0] == owlatsync.Yes && len(c.Topics) == 0:
			differs = append(differs, "the contact is not on the topic")
		case r.Consents[0] != owlatsync.Yes && len(c.Topics) > 0:
			differs = append(differs, "the contact is on the topic")
		}
	}
	for _, c := range w.server.Contacts() {
		if w.op.comes && c.Email == comerAddress {
			if !c.Unsubscribed {
				differs = append(differs, "the person is not opted out")
			}
			continue
		}
		if !here[c.Email] {
			differs = append(differs, "a contact is there that should not be")
		}
		delete(here, c.Email) // a second one is one too many
	}
	if len(w.op.events) > 0 && w.events == 0 {
		differs = append(differs, "the event was never sent")
	}
	if w.events > 1 {
		differs = append(differs, fmt.Sprintf("the event was sent %d times", w.events))
	}
	if w.op.round && !w.op.comes && w.found != 1 {
		differs = append(differs, fmt.Sprintf("that the person left was found %d times", w.found))
	}
	slices.Sort(differs)
	return strings.Join(differs, ", ")
}

// settled wants that a further run has nothing to do and nothing to complain of.
func (w *world) settled() {
	w.t.Helper()
	got := w.run()
	if w.op.round && !slices.ContainsFunc(got.sent, func(word string) bool { return word != "list" }) && got.outcome == "found 0" {
		got.sent = nil // what a round always sends
	}
	if got.err != nil || got.failed > 0 || len(got.sent) > 0 {
		w.t.Errorf("a further run: %v (%v)", got, got.err)
	}
}

// converge wants that the next run leaves nothing that a further one would do.
func (w *world) converge() {
	w.t.Helper()
	w.heal()
	if got := w.run(); got.err != nil {
		w.t.Errorf("the next run: %v (%v)", got, got.err)
	}
	w.settled()
}
