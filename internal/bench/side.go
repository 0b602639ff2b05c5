package main

import (
	"context"
	"errors"
	"net/http/httptest"
	"os"
	"path/filepath"
	"time"

	_ "modernc.org/sqlite"

	"owlatsync/internal/baseline"
	"owlatsync/internal/bench/made"
	"owlatsync/ledger/sqlite"
	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
	"owlatsync/reconcile"
	"owlatsync/reconcile/progress"
)

const (
	// latency is what every answer of the emulators waits, as over a network.
	latency = 30 * time.Millisecond
	// optOuts is how many people opt out of everything between the first and the second run.
	optOuts = 10
)

// runNames are the runs of a story.
var runNames = []string{"first run", "nothing changed", "1 % changed"}

// figures are what one run of one side did, counted at the emulator.
type figures struct {
	Requests int
	Refused  int // of them, with 429
	Elapsed  time.Duration
	Wrong    int // people whose contact is missing or has another name than the database
	Off      int // people who consented, did not opt out, and are not on the topic
	PutBack  int // people who opted out and are on the topic

	// What the plan said the writes would take, and what they took; zero for the script, which does not say.
	Estimated, Sending time.Duration
}

// side is one way of syncing, with an emulator of its own.
type side struct {
	server *owlattest.Server
	topic  string
	sync   func(context.Context, []baseline.User) error
	close  func() error

	estimated time.Duration // of the last run, by its plan
	planned   time.Time     // when that was made
}

// world is where a story takes place: how a client reaches an emulator, and where the ledger lies.
type world struct {
	wire   func(*owlattest.Server) (url string, options []owlat.Option, closeWire func())
	folder string // "" means the one for temporary files
}

// liveWorld is for real time: over sockets.
func liveWorld() world {
	return world{wire: func(s *owlattest.Server) (string, []owlat.Option, func()) {
		server := httptest.NewServer(s)
		return server.URL, nil, server.Close
	}}
}

// fakeWorld is for fake time: in process. The ledger lies in memory where the system has a place for that, since in fake time
// the disk's takes none anyway.
func fakeWorld() world {
	w := world{wire: func(s *owlattest.Server) (string, []owlat.Option, func()) {
		return "https://owlat.example", []owlat.Option{owlat.WithTransport(s.Transport())}, func() {}
	}}
	const memory = "/dev/shm"
	if info, err := os.Stat(memory); err == nil && info.IsDir() {
		w.folder = memory
	}
	return w
}

// newSide starts an emulator with Owlat's real limits.
func newSide() (s *side, key string, err error) {
	s = &side{server: &owlattest.Server{}}
	key, s.topic = s.server.AddKey(), s.server.AddTopic("newsletter", false)
	return s, key, s.server.InjectFaults(owlattest.Fault{Kind: owlattest.Latency, Delay: latency})
}

// beginning makes a side.
type beginning func(context.Context, world) (*side, error)

// newScript makes the side of the documented script.
func newScript(_ context.Context, w world) (*side, error) {
	s, key, err := newSide()
	if err != nil {
		return nil, err
	}
	url, options, closeWire := w.wire(s.server)
	client, err := baseline.NewClient(url, key, options...)
	if err != nil {
		return nil, err
	}
	s.sync = func(ctx context.Context, users []baseline.User) error {
		baseline.Run(ctx, client, users, s.topic)
		return ctx.Err()
	}
	s.close = func() error {
		client.CloseIdleConnections()
		closeWire()
		return nil
	}
	return s, nil
}

// newSynced makes the side of owlat-sync's engine, with a ledger in a file.
func newSynced(ctx context.Context, w world) (*side, error) {
	s, key, err := newSide()
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp(w.folder, "owlat-sync-bench-")
	if err != nil {
		return nil, err
	}
	book, err := sqlite.Open(ctx, "sqlite", filepath.Join(folder, "ledger.db"))
	if err != nil {
		return nil, err
	}
	url, options, closeWire := w.wire(s.server)
	client, err := owlat.NewClient(url, key, options...)
	if err != nil {
		return nil, err
	}
	engine := reconcile.New(client, book, reconcile.Options{})
	watch := progress.Observer{Complete: true, Each: func(v progress.Value) {
		if p, ok := v.(progress.Planned); ok {
			s.estimated, s.planned = p.Summary.Duration, time.Now()
		}
	}}
	s.sync = func(ctx context.Context, users []baseline.User) error {
		_, err := engine.Run(ctx, reconcile.Sync{
			Name: "users", Source: made.RowsOf(users), Topics: []reconcile.Topic{{ID: s.topic}}, Guards: reconcile.Guards{FirstRun: true},
		}, reconcile.RunOptions{Observers: []progress.Observer{watch}})
		return err
	}
	s.close = func() error {
		client.CloseIdleConnections()
		closeWire()
		return errors.Join(book.Close(), os.RemoveAll(folder))
	}
	return s, nil
}

// story is the three runs of one side: the first, one with nothing changed after some people opted out, and one with a
// hundredth of the names changed.
func story(ctx context.Context, n int, w world, begin beginning) (runs []figures, err error) {
	s, err := begin(ctx, w)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	users := made.Users(n)
	for i := range runNames {
		if err := rest(ctx); err != nil {
			return nil, err
		}
		switch i {
		case 1:
			for _, u := range users[:optOuts] {
				if err := s.server.Unsubscribe(u.Email, ""); err != nil {
					return nil, err
				}
			}
		case 2:
			for i := range n / 100 {
				users[n-1-i].FirstName = "Changed"
			}
		}
		left := 0
		if i > 0 {
			left = optOuts
		}
		f, err := s.run(ctx, users, left)
		if err != nil {
			return nil, err
		}
		runs = append(runs, f)
	}
	return runs, nil
}

// rest lets the time pass that there is between runs, in which the key's budget fills up again.
func rest(ctx context.Context) error {
	select {
	case <-time.After(2 * time.Second):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// run syncs once and tells what that did. The first users, as many as left, have opted out.
func (s *side) run(ctx context.Context, users []baseline.User, left int) (figures, error) {
	before, start := s.server.Stats(), time.Now()
	if err := s.sync(ctx, users); err != nil {
		return figures{}, err
	}
	f := figures{Elapsed: time.Since(start)}
	if !s.planned.IsZero() {
		f.Estimated, f.Sending = s.estimated, time.Since(s.planned)
	}
	after := s.server.Stats()
	f.Requests, f.Refused = after.Total-before.Total, after.RateLimited-before.RateLimited
	for i, u := range users {
		c, there := s.server.Contact(u.Email)
		if !there || c.FirstName != u.FirstName || c.LastName != u.LastName {
			f.Wrong++
		}
		switch member := len(c.Topics) > 0; {
		case i < left && member:
			f.PutBack++
		case i >= left && !member:
			f.Off++
		}
	}
	return f, nil
}
