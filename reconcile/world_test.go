package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	_ "modernc.org/sqlite"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/ledger/sqlite"
	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
	"owlatsync/reconcile"
	"owlatsync/reconcile/progress"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rows is a source in memory that may break off with an error.
type rows struct {
	list []owlatsync.Row
	err  error
}

func (s rows) Rows(ctx context.Context) iter.Seq2[*owlatsync.Row, error] {
	return func(yield func(*owlatsync.Row, error) bool) {
		for i := range s.list {
			if err := ctx.Err(); err != nil {
				yield(nil, err)
				return
			}
			row := s.list[i]
			row.Position = owlatsync.Position{Unit: "row", Number: i + 1}
			if !yield(&row, nil) {
				return
			}
		}
		if s.err != nil {
			yield(nil, s.err)
		}
	}
}

// user is a row with names and one consent per topic.
func user(key, email, first string, consents ...bool) owlatsync.Row {
	row := owlatsync.Row{Key: key, Email: owlatsync.Some(email), Fields: owlatsync.Fields{owlatsync.FirstName: owlatsync.Some(first)}}
	for _, yes := range consents {
		row.Consents = append(row.Consents, owlatsync.ConsentOf(yes))
	}
	return row
}

// world is an emulator without limits, a ledger in a file and what happens between them.
type world struct {
	t       testing.TB
	server  *owlattest.Server
	key     string
	path    string
	ledger  *sqlite.Ledger
	options []owlat.Option
	sync    reconcile.Sync
	workers int

	through ledger.Store // what the engine uses; nil: ledger
	memory  int          // 0: the engine's own
	scratch string       // folder of temporary files

	mu     sync.Mutex
	events []progress.Value
	// plannedAt is when the plan of the latest run was made.
	plannedAt time.Time
}

// unguarded lets everything pass, for tests of what comes after the guards.
var unguarded = reconcile.Guards{
	Removals: reconcile.NoLimit, Updates: reconcile.NoLimit, Creates: reconcile.NoLimit, TopicAdds: reconcile.NoLimit, OptOuts: reconcile.NoLimit, Events: reconcile.NoLimit, EmptySource: true, FirstRun: true,
}

func newWorld(t testing.TB, topics ...reconcile.Topic) *world {
	t.Helper()
	w := &world{t: t, server: &owlattest.Server{NoLimit: true, BasePath: "/base", RandomSeed: 1}, path: filepath.Join(t.TempDir(), "ledger.db")}
	w.key = w.server.AddKey()
	w.options = []owlat.Option{owlat.WithoutLimiter()}
	w.sync = reconcile.Sync{Name: "users", Guards: unguarded}
	for _, topic := range topics {
		topic.ID = w.server.AddTopic(topic.ID, false)
		w.sync.Topics = append(w.sync.Topics, topic)
	}
	w.open()
	return w
}

// newLedger is the file of a ledger in which nothing is yet. To copy it takes a small part of the time that making it does.
var newLedger = sync.OnceValues(func() ([]byte, error) {
	folder, err := os.MkdirTemp("", "ledger-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	file := filepath.Join(folder, "ledger.db")
	l, err := sqlite.Open(context.Background(), "sqlite", file)
	if err == nil {
		err = l.Close()
	}
	if err != nil {
		return nil, err
	}
	return os.ReadFile(file)
})

// open opens the ledger, again after a close.
func (w *world) open() {
	w.t.Helper()
	if _, err := os.Stat(w.path); errors.Is(err, fs.ErrNotExist) {
		empty, err := newLedger()
		if err == nil {
			err = os.WriteFile(w.path, empty, 0o600)
		}
		if err != nil {
			w.t.Fatal(err)
		}
	}
	l, err := sqlite.Open(context.Background(), "sqlite", w.path)
	if err != nil {
		w.t.Fatal(err)
	}
	w.ledger = l
	w.t.Cleanup(func() { _ = l.Close() })
}

// loseLedger begins with an empty one.
func (w *world) loseLedger() {
	w.t.Helper()
	if err := w.ledger.Close(); err != nil {
		w.t.Fatal(err)
	}
	w.path = filepath.Join(w.t.TempDir(), "ledger.db")
	w.open()
}

func (w *world) engine() (*reconcile.Engine, *owlat.Client) {
	w.t.Helper()
	client, err := owlat.NewClient("https://owlat.example/base", w.key,
		append([]owlat.Option{owlat.WithTransport(w.server.Transport())}, w.options...)...)
	if err != nil {
		w.t.Fatal(err)
	}
	book := w.through
	if book == nil {
		book = w.ledger
	}
	return reconcile.New(client, book, reconcile.Options{Workers: w.workers, Memory: w.memory, Scratch: w.scratch}), client
}

// note takes in what happens in a run.
func (w *world) note(v progress.Value) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, v)
	if _, ok := v.(progress.Planned); ok {
		w.plannedAt = time.Now()
	}
}

// runOptions are the options of a run or, with a number to approve, of an approval.
type runOptions struct {
	Approve       int64
	Only          []string
	Limit         int
	Full          bool
	CreateMissing bool
	Review        bool
	Keys          []string
	Turn          reconcile.Turn
	Stop          <-chan struct{}
	Confirm       func(owlatsync.Summary) (bool, error)
	MayMove       func(reconcile.Move) bool
}

// start runs the sync or approves a run of it.
func (o runOptions) start(ctx context.Context, e *reconcile.Engine, s reconcile.Sync, each func(progress.Value)) (*owlatsync.Report, error) {
	options := reconcile.RunOptions{
		Stop: o.Stop, Confirm: o.Confirm, MayMove: o.MayMove, Full: o.Full, CreateMissing: o.CreateMissing, Review: o.Review, Keys: o.Keys, Turn: o.Turn, Part: owlatsync.Part{Only: o.Only, Limit: o.Limit},
		Observers: []progress.Observer{{Each: each, Complete: true}},
	}
	if o.Approve != 0 {
		return e.Approve(ctx, s, o.Approve, options)
	}
	return e.Run(ctx, s, options)
}

// run runs the sync over the rows and checks that the report's numbers hold together.
func (w *world) run(list ...owlatsync.Row) *owlatsync.Report {
	w.t.Helper()
	report, err := w.try(context.Background(), runOptions{}, rows{list: list})
	if err != nil {
		w.t.Fatalf("run: %v", err)
	}
	return report
}

func (w *world) try(ctx context.Context, o runOptions, source reconcile.Source) (*owlatsync.Report, error) {
	w.t.Helper()
	w.events = nil
	before := w.server.Stats().Total
	e, client := w.engine()
	defer client.CloseIdleConnections()
	s := w.sync
	s.Source = source
	report, err := o.start(ctx, e, s, w.note)
	if report != nil {
		if sent := w.server.Stats().Total - before; report.Requests.Total != sent && ctx.Err() == nil {
			w.t.Errorf("the report counts %d requests, the server %d", report.Requests.Total, sent)
		}
		if !report.Balanced() {
			w.t.Errorf("the outcomes %v do not add up to %d rows", report.Outcomes, report.Rows)
		}
		told := make(map[owlatsync.Outcome]int)
		for _, ev := range w.events {
			if d, ok := ev.(progress.RowDone); ok {
				told[d.Outcome]++
				told[d.Before]--
				if left := notApplied(d.Outcome); left != (d.Category != "") || left && d.Reason == "" {
					w.t.Errorf("row %q is told as %s, category %q: %s", d.Key, d.Outcome, d.Category, d.Reason)
				}
			}
		}
		for _, o := range owlatsync.Outcomes {
			if n := report.Outcomes[o]; o != owlatsync.Unchanged && told[o] != n {
				w.t.Errorf("the report counts %d rows %s, and %d were told", n, o, told[o])
			}
		}
	}
	return report, err
}

// notApplied reports whether a row with the outcome has a category and a reason.
func notApplied(o owlatsync.Outcome) bool {
	return slices.Contains([]owlatsync.Outcome{owlatsync.Invalid, owlatsync.Duplicate, owlatsync.Skipped, owlatsync.Failed}, o)
}

// expect compares the outcomes that are not zero, written "created 2, invalid 1".
func expect(t testing.TB, report *owlatsync.Report, want string) {
	t.Helper()
	var got []string
	for _, o := range owlatsync.Outcomes {
		if n := report.Outcomes[o]; n > 0 {
			got = append(got, fmt.Sprintf("%s %d", o, n))
		}
	}
	if s := strings.Join(got, ", "); s != want {
		t.Errorf("outcomes %q, want %q", s, want)
	}
}

// sent compares the requests since the last mark, written "POST /contacts 2".
func (w *world) sent(since map[string]int, want ...string) {
	w.t.Helper()
	var got []string
	now := w.requests()
	for _, what := range slices.Sorted(maps.Keys(now)) {
		if n := now[what] - since[what]; n > 0 {
			got = append(got, fmt.Sprintf("%s %d", what, n))
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		w.t.Errorf("requests (-want +got):\n%s", diff)
	}
}

func (w *world) requests() map[string]int {
	counts := make(map[string]int)
	for _, r := range w.server.Stats().Requests {
		counts[r.Method+" "+r.Route] += r.Count
	}
	return counts
}

// failed returns the categories of the rows that failed, by key.
func (w *world) failed() map[string]string {
	w.mu.Lock()
	defer w.mu.Unlock()
	failed := make(map[string]string)
	for _, ev := range w.events {
		if d, ok := ev.(progress.RowDone); ok && d.Outcome == owlatsync.Failed {
			failed[d.Key] = string(d.Category)
		}
	}
	return failed
}

// done returns the told outcome of a row.
func (w *world) done(key string) progress.RowDone {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, ev := range w.events {
		if d, ok := ev.(progress.RowDone); ok && d.Key == key {
			return d
		}
	}
	w.t.Fatalf("nothing was told of row %s", key)
	return progress.RowDone{}
}

// outcomes returns what was told of the rows with that outcome.
func (w *world) outcomes(o owlatsync.Outcome) (all []progress.RowDone) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, ev := range w.events {
		if d, ok := ev.(progress.RowDone); ok && d.Outcome == o {
			all = append(all, d)
		}
	}
	return all
}

// contact returns the contact with the address.
func (w *world) contact(email string) owlattest.ContactState {
	w.t.Helper()
	c, ok := w.server.Contact(email)
	if !ok {
		w.t.Fatalf("Owlat has no contact %s", email)
	}
	return c
}

// call uses the API as somebody else would.
func (w *world) call(method, path, body string) *http.Response {
	w.t.Helper()
	req, err := http.NewRequest(method, "https://owlat.example/base/api/v1"+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+w.key)
	resp, err := w.server.Transport().RoundTrip(req)
	if err != nil {
		w.t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp
}

// record records in the ledger as a run would.
func (w *world) record(records ...ledger.Record) {
	w.t.Helper()
	lock, err := w.ledger.Acquire(w.t.Context(), ledger.Claim{Purpose: "a test"})
	if err != nil {
		w.t.Fatal(err)
	}
	if err := lock.Record(w.t.Context(), records...); err != nil {
		w.t.Fatal(err)
	}
	if err := lock.Release(); err != nil {
		w.t.Fatal(err)
	}
}

// summary returns the plan of the latest run in numbers.
func (w *world) summary() owlatsync.Summary {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, ev := range w.events {
		if p, ok := ev.(progress.Planned); ok {
			return p.Summary
		}
	}
	w.t.Fatal("nothing was planned")
	return owlatsync.Summary{}
}

// rowsDone returns what was told of rows in the latest run.
func (w *world) rowsDone() (all []progress.RowDone) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, ev := range w.events {
		if d, ok := ev.(progress.RowDone); ok {
			all = append(all, d)
		}
	}
	return all
}
