package main

import (
	"context"
	"fmt"
	"iter"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"time"

	_ "modernc.org/sqlite"

	"owlatsync"
	"owlatsync/internal/baseline"
	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
	"owlatsync/reconcile"
)

// latency is what every answer of the emulators waits, as over a network.
const latency = 30 * time.Millisecond

// optOuts is how many people opt out of everything between the first and the second run.
const optOuts = 10

// figures are what one run of one side did, counted at the emulator.
type figures struct {
	Requests    int
	RateLimited int
	Seconds     float64
	Contacts    int // of the users, how many Owlat holds with the right name afterwards
	Members     int // of the users who had not opted out, how many are on the topic afterwards
	PutBack     int // of the users who opted out, how many are on the topic afterwards
}

// scenario is one run of both sides.
type scenario struct {
	Name           string
	Users          int
	Script, Synced figures
}

// side is one way of syncing, with an emulator of its own.
type side struct {
	server *owlattest.Server
	http   *httptest.Server
	key    string
	topic  string
	sync   func(context.Context, []baseline.User) error
	close  func() error
}

func newSide() *side {
	s := &side{server: &owlattest.Server{}}
	s.key, s.topic = s.server.AddKey(), s.server.AddTopic("newsletter", false)
	s.http = httptest.NewServer(s.server)
	s.close = func() error { s.http.Close(); return nil }
	return s
}

func newScript() (*side, error) {
	s := newSide()
	client, err := baseline.NewClient(s.http.URL, s.key)
	if err != nil {
		return nil, err
	}
	s.sync = func(ctx context.Context, users []baseline.User) error {
		baseline.Run(ctx, client, users, s.topic)
		return ctx.Err()
	}
	return s, nil
}

func newSynced(ctx context.Context) (*side, error) {
	s := newSide()
	folder, err := os.MkdirTemp("", "owlat-sync-bench-")
	if err != nil {
		return nil, err
	}
	book, err := ledger.OpenSQLite(ctx, "sqlite", filepath.Join(folder, "ledger.db"))
	if err != nil {
		return nil, err
	}
	client, err := owlat.NewClient(s.http.URL, s.key)
	if err != nil {
		return nil, err
	}
	engine := reconcile.New(client, book, reconcile.Options{})
	s.sync = func(ctx context.Context, users []baseline.User) error {
		_, err := engine.Run(ctx, reconcile.Sync{
			Name: "users", Source: rows(users), Topics: []reconcile.Topic{{ID: s.topic}},
		}, reconcile.RunOptions{})
		return err
	}
	s.close = func() error {
		s.http.Close()
		if err := book.Close(); err != nil {
			return err
		}
		return os.RemoveAll(folder)
	}
	return s, nil
}

// rows makes a source of users; their number is the key.
type rows []baseline.User

func (list rows) Rows(context.Context) iter.Seq2[*owlatsync.Row, error] {
	return func(yield func(*owlatsync.Row, error) bool) {
		for i, u := range list {
			row := owlatsync.Row{Key: fmt.Sprint(i), Email: owlatsync.Some(u.Email), FirstName: owlatsync.Some(u.FirstName),
				LastName: owlatsync.Some(u.LastName), Consents: []bool{true}}
			if !yield(&row, nil) {
				return
			}
		}
	}
}

// run syncs once and tells what that did.
func (s *side) run(ctx context.Context, users []baseline.User, left map[string]bool) (figures, error) {
	before, start := s.server.Stats(), time.Now()
	if err := s.sync(ctx, users); err != nil {
		return figures{}, err
	}
	f := figures{Seconds: time.Since(start).Seconds()}
	after := s.server.Stats()
	f.Requests, f.RateLimited = after.Total-before.Total, after.RateLimited-before.RateLimited
	for _, u := range users {
		c, there := s.server.Contact(u.Email)
		if there && c.FirstName == u.FirstName {
			f.Contacts++
		}
		switch member := len(c.Topics) > 0; {
		case member && left[u.Email]:
			f.PutBack++
		case member:
			f.Members++
		}
	}
	return f, nil
}

// compare runs both sides at the same time, each against an emulator of its own, through three runs.
func compare(ctx context.Context, n int) ([]scenario, error) {
	script, err := newScript()
	if err != nil {
		return nil, err
	}
	synced, err := newSynced(ctx)
	if err != nil {
		return nil, err
	}
	sides := []*side{script, synced}
	for _, s := range sides {
		if err := s.server.InjectFaults(owlattest.Fault{Kind: owlattest.Latency, Delay: latency}); err != nil {
			return nil, err
		}
	}
	users := make([]baseline.User, n)
	for i := range users {
		users[i] = baseline.User{Email: fmt.Sprintf("user%d@example.com", i), FirstName: "First", LastName: fmt.Sprint("Last", i)}
	}
	left := make(map[string]bool)
	var results []scenario
	for _, name := range []string{"first run", "second run, nothing changed", "third run, 1 % changed"} {
		switch len(results) {
		case 1:
			for _, u := range users[:optOuts] {
				left[u.Email] = true
				for _, s := range sides {
					if err := s.server.Unsubscribe(u.Email, ""); err != nil {
						return nil, err
					}
				}
			}
		case 2:
			for i := range n / 100 {
				users[n-1-i].FirstName = "Changed"
			}
		}
		figures := make([]figures, len(sides))
		errs := make([]error, len(sides))
		var both sync.WaitGroup
		for i, s := range sides {
			both.Go(func() { figures[i], errs[i] = s.run(ctx, users, left) })
		}
		both.Wait()
		for _, err := range errs {
			if err != nil {
				return nil, err
			}
		}
		results = append(results, scenario{Name: name, Users: n, Script: figures[0], Synced: figures[1]})
	}
	for _, s := range sides {
		if err := s.close(); err != nil {
			return nil, err
		}
	}
	return results, nil
}
