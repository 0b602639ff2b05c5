package home

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	_ "modernc.org/sqlite" // the driver of ledgers

	"owlatsync/internal/config"
	"owlatsync/internal/errand"
	"owlatsync/internal/setup"
	"owlatsync/internal/turns"
	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
)

// hall is a folder with a configuration and an emulator at a socket, and a deployment that several nodes could share.
type hall struct {
	t      *testing.T
	dir    string
	server *owlattest.Server
	url    string
	key    string
	o      Options
	d      *Deployment
}

func newHall(t *testing.T) *hall {
	t.Helper()
	h := &hall{t: t, dir: t.TempDir(), server: &owlattest.Server{NoLimit: true}}
	listener := httptest.NewServer(h.server)
	t.Cleanup(listener.Close)
	t.Cleanup(func() { _ = h.server.Close() })
	h.url, h.key = listener.URL, h.server.AddKey()
	h.o = Options{Opener: setup.Opener{Drivers: setup.Drivers{SQLite: "sqlite"}, UserAgent: "home-test", Logger: slog.New(slog.DiscardHandler)}, Shared: true}
	h.rows(2)
	cfg := h.cfg("allow")
	l, err := h.o.Opener.Ledger(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if h.d, err = NewDeployment(cfg, l, h.o); err != nil {
		t.Fatal(err)
	}
	h.o.Deployment = h.d
	t.Cleanup(func() {
		h.d.Close()
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

func (h *hall) rows(n int) {
	h.t.Helper()
	text := bytes.NewBufferString("id,email\n")
	for i := range n {
		fmt.Fprintf(text, "%d,p%d@example.com\n", i, i)
	}
	if err := os.WriteFile(filepath.Join(h.dir, "users.csv"), text.Bytes(), 0o600); err != nil {
		h.t.Fatal(err)
	}
}

// cfg returns the configuration; first says what the guard of first runs does.
func (h *hall) cfg(first string) *config.Config {
	h.t.Helper()
	text := fmt.Sprintf("owlat: {url: %s, api_key: %s, requests_per_second: 1000}\nsyncs:\n  users: {source: {dsn: \"csv:users.csv\"}, key: id, fields: {email: email}, guards: {first_run: %s}}\n", h.url, h.key, first)
	cfg, err := config.Parse(filepath.Join(h.dir, "owlat-sync.yaml"), []byte(text), func(string) (string, bool) { return "", false })
	if err != nil {
		h.t.Fatal(err)
	}
	return cfg
}

// move opens a home for the deployment and begins its work.
func (h *hall) move(first string) *Home {
	h.t.Helper()
	home, err := Open(h.t.Context(), h.cfg(first), h.o)
	if err != nil {
		h.t.Fatal(err)
	}
	h.d.SetLine(home)
	home.Start(context.Background())
	h.t.Cleanup(func() {
		if err := home.Close(); err != nil {
			h.t.Error(err)
		}
	})
	return home
}

// TestWhoAsksAHomeHearsWhatBecameOfIt, with how the run ended.
func TestWhoAsksAHomeHearsWhatBecameOfIt(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	home := h.move("allow")
	if o := home.Do(t.Context(), turns.Request{Sync: "users", Why: turns.Scheduled}); o.Run != 1 || o.Status != ledger.StatusOK || o.Err != nil || !o.Ended {
		t.Errorf("%+v", o)
	}
	if home.Idle().IsZero() || time.Since(home.Idle()) < 0 {
		t.Errorf("after its run it is idle since %s", home.Idle())
	}
	if o := home.Do(t.Context(), turns.Request{Sync: "nobody"}); !errors.Is(o.Err, turns.ErrUnknownSync) || !o.Ended {
		t.Errorf("%+v", o)
	}
	// What waits for somebody is not planned again and again; what somebody asks for by name is.
	other := newHall(t)
	held := other.move("ask")
	if o := held.Do(t.Context(), turns.Request{Sync: "users", Why: turns.Scheduled}); o.Status != ledger.StatusHeld || !o.Ended {
		t.Errorf("the first run: %+v", o)
	}
	if o := held.Do(t.Context(), turns.Request{Sync: "users", Why: turns.Scheduled}); !errors.Is(o.Err, turns.ErrDropped) || o.Run != 0 || !o.Ended {
		t.Errorf("the second one: %+v", o)
	}
	run, err := held.Trigger(t.Context(), "users", turns.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if o := held.Do(t.Context(), turns.Request{Sync: "users", Run: run}); o.Status != ledger.StatusHeld && !errors.Is(o.Err, ledger.ErrRunEnded) {
		t.Errorf("what somebody asked for: %+v", o)
	}
}

// TestAHomeThatEndsSaysThatItIsNotDone: whoever asked asks the next one, which goes on.
func TestAHomeThatEndsSaysThatItIsNotDone(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	if err := h.server.InjectFaults(owlattest.Fault{Kind: owlattest.Latency, Method: "POST", Delay: time.Minute}); err != nil {
		t.Fatal(err)
	}
	home := h.move("allow")
	ended := make(chan turns.Outcome)
	go func() { ended <- home.Do(context.Background(), turns.Request{Sync: "users", Why: turns.Scheduled}) }()
	for h.server.Stats().Faults == 0 {
		<-time.After(time.Millisecond)
	}
	if !home.Idle().IsZero() {
		t.Error("it is idle while a run goes on")
	}
	over, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	home.Stop(over)
	if o := <-ended; o.Ended {
		t.Errorf("%+v", o)
	}
	if o := home.Do(t.Context(), turns.Request{Sync: "users"}); o.Ended {
		t.Errorf("after its end: %+v", o)
	}
	if err := h.d.Service().Ready(t.Context()); err == nil {
		t.Error("a home that has ended is ready")
	}
	h.server.ClearFaults()
	next := h.move("allow")
	if o := next.Do(t.Context(), turns.Request{Sync: "users", Why: turns.Scheduled}); o.Status != ledger.StatusOK {
		t.Errorf("%+v", o)
	}
}

// through is the line of errands to a home.
type through struct{ *Home }

// Call implements errand.Line.
func (l through) Call(ctx context.Context, _ string, sealed json.RawMessage) (json.RawMessage, error) {
	return l.Home.Call(ctx, sealed)
}

// TestACallIsMadeWithTheBudgetOfTheHome, and its answers and refusals are those of Owlat.
func TestACallIsMadeWithTheBudgetOfTheHome(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	home := h.move("allow")
	own, err := owlat.NewClient(h.url, h.key)
	if err != nil {
		t.Fatal(err)
	}
	client, err := errand.NewClient(own, h.key, through{home}, "", http.DefaultTransport.(*http.Transport).Clone())
	if err != nil {
		t.Fatal(err)
	}
	defer client.CloseIdleConnections()
	made, err := client.Contacts.Upsert(t.Context(), owlat.CreateContactRequest{Email: "eve@example.com"})
	if err != nil || !made.Created {
		t.Fatalf("%+v, %v", made, err)
	}
	if _, err := client.Contacts.Get(t.Context(), "nobody@example.com"); !errors.Is(err, owlat.ErrNotFound) {
		t.Error(err)
	}
	if _, err := home.Call(t.Context(), []byte(`{"method":"DELETE"}`)); err == nil || h.server.Len() != 1 {
		t.Errorf("what nobody with the key has sealed was sent: %v", err)
	}
}

// TestSharedWork: what no home does is done for a deployment by itself.
func TestSharedWork(t *testing.T) {
	t.Parallel()
	h := newHall(t)
	h.move("allow").Do(t.Context(), turns.Request{Sync: "users", Why: turns.Asked})
	told := make(chan string, 10)
	channel := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var text bytes.Buffer
		_, _ = text.ReadFrom(r.Body)
		told <- text.String()
	}))
	defer channel.Close()
	cfg := *h.cfg("allow")
	with, err := config.Parse(filepath.Join(h.dir, "owlat-sync.yaml"), fmt.Appendf(nil, "owlat: {url: %s, api_key: %s}\nalerts: [{webhook: {url: %q}}]\nsyncs:\n  users: {source: {dsn: \"csv:users.csv\"}, fields: {email: email}, stale_after: 1ns}\n", h.url, h.key, channel.URL), func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	cfg.Name, cfg.Alerts, cfg.Syncs = "acme", with.Alerts, with.Syncs
	kept := &book{Ledger: h.d.Ledger()}
	d, err := NewDeployment(&cfg, kept, h.o)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for range 3 { // as three nodes would
		if err := d.Alert(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(told); n != 1 {
		t.Fatalf("it was told %d times", n)
	}
	if text := <-told; !strings.Contains(text, `"deployment":"acme"`) || !strings.Contains(text, "acme: Sync users is stale") {
		t.Error(text)
	}
	if kept.version < 2 {
		t.Errorf("version %d: nothing was kept", kept.version)
	}
}

// book is a ledger that keeps what alerts told.
type book struct {
	setup.Ledger
	mu      sync.Mutex
	state   []byte
	version int64
}

func (b *book) Told(context.Context) ([]byte, int64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.state, b.version, nil
}

func (b *book) Tell(_ context.Context, state []byte, version int64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if version != b.version {
		return errors.New("another version")
	}
	b.state, b.version = state, version+1
	return nil
}
