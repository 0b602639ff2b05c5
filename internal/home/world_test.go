package home

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"owlatsync"
	"owlatsync/internal/config"
	"owlatsync/internal/events"
	"owlatsync/internal/seats"
	"owlatsync/ledger"
	"owlatsync/ledger/memory"
	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
	"owlatsync/reconcile"
	"owlatsync/reconcile/progress"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// town is an emulator with its limit, a ledger in memory, and sources that can be edited, in fake time.
type town struct {
	server *owlattest.Server
	key    string
	ledger *memory.Ledger
	topic  string
	had    *had        // nil: each life has its own
	when   bool        // the topic has a column of consents
	seats  *seats.Room // nil: any number of runs read at once

	mu      sync.Mutex
	sources map[string]*people
}

// people are the rows of a source.
type people struct {
	mu    sync.Mutex
	rows  map[string]owlatsync.Row
	down  error // why the source cannot be read; nil: it can
	reads int
	// around stands between the rows and their reader; nil: nothing does.
	around func(iter.Seq2[*owlatsync.Row, error]) iter.Seq2[*owlatsync.Row, error]
}

// Rows implements reconcile.Source.
func (p *people) Rows(context.Context) iter.Seq2[*owlatsync.Row, error] {
	if p.around != nil {
		return p.around(p.all())
	}
	return p.all()
}

func (p *people) all() iter.Seq2[*owlatsync.Row, error] {
	p.mu.Lock()
	p.reads++
	rows, down := slices.SortedFunc(maps.Values(p.rows), func(a, b owlatsync.Row) int { return strings.Compare(a.Key, b.Key) }), p.down
	p.mu.Unlock()
	return func(yield func(*owlatsync.Row, error) bool) {
		if down != nil {
			yield(nil, down)
			return
		}
		for i := range rows {
			if !yield(&rows[i], nil) {
				return
			}
		}
	}
}

func (p *people) put(key string, consents ...bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	row := owlatsync.Row{Key: key, Email: owlatsync.Some(key + "@example.com")}
	for _, c := range consents {
		row.Consents = append(row.Consents, owlatsync.ConsentOf(c))
	}
	p.rows[key] = row
}

func (p *people) breaks(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = err
}

// swap puts other rows in the place of all, and returns those.
func (p *people) swap(rows map[string]owlatsync.Row) (before map[string]owlatsync.Row) {
	p.mu.Lock()
	defer p.mu.Unlock()
	before, p.rows = p.rows, rows
	return before
}

func (p *people) read() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.reads
}

func newTown() *town {
	w := &town{server: &owlattest.Server{RandomSeed: 1}, ledger: memory.New(), sources: make(map[string]*people)}
	w.key = w.server.AddKey()
	w.topic = w.server.AddTopic("news", false)
	return w
}

// source returns the source of a sync, an empty one at first.
func (w *town) source(sync string) *people {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := w.sources[sync]
	if p == nil {
		p = &people{rows: make(map[string]owlatsync.Row)}
		w.sources[sync] = p
	}
	return p
}

// process is one life of the service, without its sockets.
type process struct {
	*syncs
	w      *town
	client *owlat.Client
	engine *reconcile.Engine
	book   *memory.Ledger
	ended  chan struct{}
	soft   chan struct{}
	abort  context.CancelFunc
	told   <-chan events.Event
	over   sync.Once
}

// Run implements Session.
func (p *process) Run(ctx context.Context, s config.Sync, o reconcile.RunOptions, observe func(progress.Value)) (*owlatsync.Report, error) {
	o.Observers = []progress.Observer{{Each: observe, Complete: true}}
	return p.engine.Run(ctx, p.w.of(s), o)
}

// Approve implements Session.
func (p *process) Approve(ctx context.Context, s config.Sync, held int64, o reconcile.RunOptions, observe func(progress.Value)) (*owlatsync.Report, error) {
	o.Observers = []progress.Observer{{Each: observe, Complete: true}}
	return p.engine.Approve(ctx, p.w.of(s), held, o)
}

func (w *town) of(s config.Sync) reconcile.Sync {
	return reconcile.Sync{
		Name: s.Name, Source: w.source(s.Name), Guards: s.Guards, Fresh: s.Fresh, OnMissing: s.OnMissing,
		Topics: []reconcile.Topic{{ID: w.topic, When: w.when}},
	}
}

// bookOf has what a file has besides: nobody else lives.
type bookOf struct{ *memory.Ledger }

func (bookOf) Alive(context.Context, ledger.Run) (bool, error) { return false, nil }

// unguarded lets everything pass.
var unguarded = reconcile.Guards{
	Removals: reconcile.NoLimit, Updates: reconcile.NoLimit, Creates: reconcile.NoLimit, TopicAdds: reconcile.NoLimit, EmptySource: true, FirstRun: true,
}

// every returns a sync that is due that often.
func every(name string, d time.Duration) config.Sync {
	return config.Sync{Name: name, Guards: unguarded, Schedule: config.Schedule{Text: "every " + d.String(), Every: d}}
}

// start begins a life of the service.
func (w *town) start(t *testing.T, all ...config.Sync) *process {
	t.Helper()
	client, err := owlat.NewClient("https://owlat.example", w.key, owlat.WithTransport(w.server.Transport()), owlat.WithLimiter(owlat.NewAutoLimiter()))
	if err != nil {
		t.Fatal(err)
	}
	p := &process{w: w, client: client, book: w.ledger.Reopen(), ended: make(chan struct{}), soft: make(chan struct{})}
	p.engine = reconcile.New(client, p.book, reconcile.Options{})
	hub := events.NewHub(time.Now)
	p.told, _ = hub.Subscribe(events.Filter{Kinds: []events.Kind{events.Ended, events.Held, events.Started, events.Paused}})
	p.syncs = newSyncs(bookOf{p.book}, p, hub, slog.New(slog.DiscardHandler))
	p.runner.seats = w.seats
	if w.had != nil {
		p.had = w.had
	}
	if err := p.configure(t.Context(), all...); err != nil {
		t.Fatal(err)
	}
	if err := p.resume(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, abort := context.WithCancel(context.Background())
	p.abort = abort
	var parts sync.WaitGroup
	parts.Go(func() { p.queue.Run(ctx, p.soft) })
	looping, stop := context.WithCancel(ctx)
	parts.Go(func() { p.loop.Run(looping) })
	parts.Go(func() { <-p.soft; stop() })
	go func() { parts.Wait(); close(p.ended) }()
	return p
}

func (p *process) configure(ctx context.Context, all ...config.Sync) error {
	entries, err := timetable(ctx, p.ledger, all)
	if err != nil {
		return err
	}
	return p.set(ctx, all, entries)
}

// stop ends the life softly.
func (p *process) stop() {
	p.over.Do(func() {
		close(p.soft)
		<-p.ended
		p.abort()
		p.hub.Close()
		p.client.CloseIdleConnections()
	})
}

// kill ends the life at once: nothing more is recorded.
func (p *process) kill() {
	_ = p.book.Close()
	p.abort()
	p.stop()
}

// runs tells how the runs of a sync ended, oldest first, without one that goes on.
func (w *town) runs(t *testing.T, sync string) string {
	t.Helper()
	runs, err := w.ledger.Runs(t.Context(), sync, 0)
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(runs)
	var all []string
	for _, r := range runs {
		if r.Status != ledger.StatusRunning {
			all = append(all, string(r.Status))
		}
	}
	return strings.Join(all, ", ")
}

// requests counts the requests that came so far.
func (w *town) requests() (all, writes int) {
	s := w.server.Stats()
	return s.Total, s.Writes
}

func inTown(t *testing.T, f func(t *testing.T, w *town)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { f(t, newTown()) })
}

// lived checks that nobody is missing in Owlat.
func (w *town) has(t *testing.T, emails ...string) {
	t.Helper()
	for _, e := range emails {
		if c, ok := w.server.Contact(e); !ok || len(c.Topics) == 0 {
			t.Errorf("%s is missing: %+v", e, c)
		}
	}
}

var errDown = errors.New("the database is down")

func names(prefix string, n int) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprintf("%s%04d", prefix, i))
	}
	return all
}
