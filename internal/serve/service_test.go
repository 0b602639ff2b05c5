package serve

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
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
	"owlatsync/internal/exitcode"
	"owlatsync/internal/setup"
	"owlatsync/internal/telemetry"
	"owlatsync/ledger"
	"owlatsync/owlat/owlattest"
)

// house is a folder with a configuration, and an emulator, at real sockets.
type house struct {
	t      *testing.T
	dir    string
	server *owlattest.Server
	url    string
	key    string
	topic  string
	log    lines
	level  slog.Leveler // of the log; nil: what is worth telling
}

// lines is a log that may be read while it is written.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{t: t, dir: t.TempDir(), server: &owlattest.Server{NoLimit: true}}
	listener := httptest.NewServer(h.server)
	t.Cleanup(listener.Close)
	t.Cleanup(func() { _ = h.server.Close() })
	h.url, h.key, h.topic = listener.URL, h.server.AddKey(), h.server.AddTopic("news", false)
	h.write("users.csv", "id,email,news\n1,ann@example.com,true\n2,bob@example.com,true\n")
	return h
}

func (h *house) write(name, text string) {
	h.t.Helper()
	if err := os.WriteFile(filepath.Join(h.dir, name), []byte(text), 0o600); err != nil {
		h.t.Fatal(err)
	}
}

// configure writes a configuration: a usual one with changes, each "old → new" or a text to append.
func (h *house) configure(changes ...string) {
	h.t.Helper()
	text := fmt.Sprintf(`owlat: {url: %s, api_key: %s, requests_per_second: 1000}
serve: {listen: "127.0.0.1:0", stop_within: 10s}
webhooks: {secrets: [whsec_0123456789abcdef]}
write_back: [{name: lines, on: [topic.unsubscribed], file: lines.ndjson}]
syncs:
  users:
    source: {dsn: "csv:users.csv"}
    key: id
    fields: {email: email}
    topics: [{id: %s, when: news}]
    guards: {first_run: allow}
    schedule: every 24h
`, h.url, h.key, h.topic)
	for _, c := range changes {
		from, to, replaces := strings.Cut(c, " → ")
		if !replaces {
			text += c + "\n"
			continue
		}
		if !strings.Contains(text, from) {
			h.t.Fatalf("the configuration does not have %q", from)
		}
		text = strings.Replace(text, from, to, 1)
	}
	h.write("owlat-sync.yaml", text)
}

func (h *house) load() (*config.Set, error) {
	return config.LoadSet(filepath.Join(h.dir, "owlat-sync.yaml"), config.UseEverything, func(string) (string, bool) { return "", false })
}

// serving is a service that runs.
type serving struct {
	*house
	at     Addresses
	stop   func()
	reload chan struct{}
	kill   context.CancelFunc
	ended  chan error
}

func (h *house) options() Options {
	return Options{
		Opener: setup.Opener{Drivers: setup.Drivers{SQLite: "sqlite"}, UserAgent: "serve-test", Logger: telemetry.NewLog(&h.log, false, h.level)},
		Reload: h.load, Lookup: func(string) (string, bool) { return "", false }, Version: "test",
	}
}

// begin begins a service with the present configuration.
func (h *house) begin() *serving {
	h.t.Helper()
	cfg, err := h.load()
	if err != nil {
		h.t.Fatal(err)
	}
	ctx, kill := context.WithCancel(context.Background())
	stop := make(chan struct{})
	l := &serving{house: h, stop: sync.OnceFunc(func() { close(stop) }), reload: make(chan struct{}), kill: kill, ended: make(chan error, 1)}
	ready := make(chan Addresses, 1)
	o := h.options()
	o.Ready = func(at Addresses) { ready <- at }
	go func() { l.ended <- Run(ctx, cfg, o, Signals{Stop: stop, Reload: l.reload}) }()
	select {
	case l.at = <-ready:
	case err := <-l.ended:
		h.t.Fatalf("the service did not begin: %v\n%s", err, &h.log)
	}
	h.t.Cleanup(l.end)
	return l
}

// end stops the service and waits for it.
func (l *serving) end() {
	l.t.Helper()
	l.stop()
	if err, ok := <-l.ended; ok {
		close(l.ended)
		if err != nil {
			l.t.Errorf("the service ended with %v\n%s", err, &l.log)
		}
	}
	l.kill()
}

var caller = &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

// call makes a request to the API and returns its status and answer.
func (l *serving) call(method, path, body string) (int, map[string]any) {
	l.t.Helper()
	status, text := l.ask(method, path, body)
	var answer map[string]any
	_ = json.Unmarshal(text, &answer)
	return status, answer
}

// ask is call for an answer of any kind; header has names and values in turn.
func (l *serving) ask(method, path, body string, header ...string) (int, []byte) {
	l.t.Helper()
	req, err := http.NewRequestWithContext(l.t.Context(), method, "http://"+l.at.Listen+path, strings.NewReader(body))
	if err != nil {
		l.t.Fatal(err)
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := caller.Do(req)
	if err != nil {
		l.t.Fatalf("%s %s: %v\n%s", method, path, err, &l.log)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		l.t.Fatal(err)
	}
	return res.StatusCode, text
}

// until asks again and again until a condition holds.
func (h *house) until(what string, holds func() bool) {
	h.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !holds(); {
		if time.Now().After(deadline) {
			h.t.Fatalf("%s does not come about\n%s", what, &h.log)
		}
		<-time.After(5 * time.Millisecond)
	}
}

// run asks for a run and waits for its end.
func (l *serving) run() map[string]any {
	l.t.Helper()
	status, taken := l.call("POST", "/api/v1/syncs/users/runs", "{}")
	if status != http.StatusAccepted {
		l.t.Fatalf("%d %v", status, taken)
	}
	var r map[string]any
	l.until("the end of the run", func() bool {
		_, r = l.call("GET", fmt.Sprintf("/api/v1/runs/%v", taken["run"]), "")
		return r["done"] == true
	})
	return r
}

func (h *house) member(email string) bool {
	c, ok := h.server.Contact(email)
	return ok && len(c.Topics) > 0
}

func TestAServiceFromBeginToEnd(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.configure()
	h.fromBeginToEnd()
}

// fromBeginToEnd lets a service do all that one does.
func (h *house) fromBeginToEnd() {
	t := h.t
	l := h.begin()
	l.until("the first run", func() bool { return h.member("ann@example.com") && h.member("bob@example.com") })
	h.write("users.csv", "id,email,news\n1,ann@example.com,true\n2,bob@example.com,true\n3,eve@example.com,true\n")
	if r := l.run(); r["status"] != "ok" || !h.member("eve@example.com") {
		t.Errorf("%v", r)
	}
	status, all := l.call("GET", "/api/v1/syncs", "")
	if s, ok := all["syncs"].([]any); status != 200 || !ok || len(s) != 1 || s[0].(map[string]any)["state"] != "healthy" {
		t.Errorf("%d %v", status, all)
	}
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 200, "/metrics": 200, "/api/v1/runs/999": 404, "/webhooks/owlat": 405} {
		if status, answer := l.call("GET", path, ""); status != want {
			t.Errorf("%s: %d %v", path, status, answer)
		}
	}

	if _, err := h.server.AddWebhook("http://"+l.at.Listen+"/webhooks/owlat", "whsec_0123456789abcdef", owlattest.WebhookTopicUnsubscribed); err != nil {
		t.Fatal(err)
	}
	if err := h.server.Unsubscribe("eve@example.com", ""); err != nil {
		t.Fatal(err)
	}
	l.until("the write-back", func() bool {
		text, _ := os.ReadFile(filepath.Join(h.dir, "lines.ndjson"))
		return strings.Contains(string(text), "eve@example.com")
	})
	if r := l.run(); r["status"] != "ok" || h.member("eve@example.com") {
		t.Errorf("after the opt-out: %v", r)
	}
	l.end()
	if log := h.log.String(); strings.Contains(log, "@example.com") || strings.Contains(log, h.key) {
		t.Errorf("the log names a person or the key:\n%s", log)
	}
}

// TestWhatKeepsAServiceFromBeginning: it says why, and changes nothing.
func TestWhatKeepsAServiceFromBeginning(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	for _, test := range []struct {
		name, change, want string
		code               exitcode.Code
	}{
		{"a port in use", `"127.0.0.1:0" → "` + taken.Addr().String() + `"`, "another program listens there already", exitcode.Usage},
		{"a public port in use", `listen: "127.0.0.1:0" → listen: "127.0.0.1:0", public: "` + taken.Addr().String() + `"`, "another program listens there already", exitcode.Usage},
		{"standard input", `csv:users.csv → csv:-`, "standard input", exitcode.Usage},
		{"a day that never comes", `every 24h → "0 0 30 2 *"`, "never comes", exitcode.Usage},
		{"a statement that nobody can read", `file: lines.ndjson → dsn: "sqlite:app.db", statement: "UPDATE users SET a == 0 WHEREVER WHERE email = :email"`, "syntax error", exitcode.Usage},
		{"a certificate that is not there", `stop_within: 10s → tls: {cert: c.pem, key: k.pem}`, "c.pem", exitcode.Usage},
		{"a ledger in a folder that is not there", `syncs: → ledger: nowhere/ledger.db
syncs:`, "nowhere", exitcode.Error},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			h.write("app.db", "")
			h.configure(test.change)
			cfg, err := h.load()
			if err == nil {
				stop := make(chan struct{})
				o := h.options()
				o.Ready = func(Addresses) { close(stop) }
				err = Run(t.Context(), cfg, o, Signals{Stop: stop})
			}
			if err == nil || !strings.Contains(err.Error(), test.want) || cfg != nil && exitcode.Of(err) != test.code {
				t.Errorf("%v, exit code %d", err, exitcode.Of(err))
			}
			if h.server.Len() != 0 {
				t.Error("contacts were made")
			}
		})
	}
}

// TestReload takes over a configuration whole or not at all.
func TestReload(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.write("app.db", "")
	h.configure()
	l := h.begin()
	l.until("the first run", func() bool { return h.member("bob@example.com") })
	next := func() any {
		_, all := l.call("GET", "/api/v1/syncs/users", "")
		return all["schedule"]
	}
	for _, test := range []struct{ name, change, want string }{
		{"a mistake in it", "every 24h → every day", "schedule"},
		{"another deployment", h.url + " → http://127.0.0.1:1", "owlat.url: this setting only changes with a restart"},
		{"another key", h.key + " → lm_live_" + strings.Repeat("a", 40), "owlat.api_key: this setting only changes with a restart"},
		{"another key beside it", "api_key: " + h.key + " → api_keys: [" + h.key + ", lm_live_" + strings.Repeat("a", 40) + "]", "owlat.api_keys: this setting only changes with a restart"},
		{"an unsubscribe secret", h.key + " → " + h.key + ", unsubscribe_secret: one, preferences_per_second: 3", "owlat.unsubscribe_secret, owlat.preferences_per_second: this setting only changes with a restart"},
		{"another ledger", "syncs: → ledger: other.db\nhistory_days: 3\nsyncs:", "ledger, history_days: this setting only changes with a restart"},
		{"a write-back that cannot be", `file: lines.ndjson → dsn: "sqlite:app.db", statement: "UPDATE users SET a == 0 WHEREVER WHERE email = :email"`, "syntax error"},
		{"encryption", "stop_within: 10s → tls: {cert: c.pem, key: k.pem}", "serve.tls: this setting only changes with a restart"},
		{"a port in use", `"127.0.0.1:0" → "` + l.at.Listen + `"`, "another program listens there already"},
	} {
		h.configure(test.change)
		before := h.log.String()
		l.reload <- struct{}{}
		l.until("the refusal of "+test.name, func() bool { return strings.Contains(h.log.String()[len(before):], "not taken over") })
		if log := h.log.String()[len(before):]; !strings.Contains(log, test.want) {
			t.Errorf("%s: %s", test.name, log)
		}
		if got := next(); got != "every 24h" {
			t.Errorf("%s: the schedule is %v", test.name, got)
		}
	}
	free := freePort(t)
	h.configure("every 24h → every 12h", `"127.0.0.1:0" → "`+free+`"`, "file: lines.ndjson → file: others.ndjson")
	l.reload <- struct{}{}
	l.until("the new configuration", func() bool { return strings.Contains(h.log.String(), "was taken over") })
	l.at.Listen = free
	if got := next(); got != "every 12h" {
		t.Errorf("the schedule is %v", got)
	}
	if r := l.run(); r["status"] != "ok" {
		t.Errorf("%v", r)
	}
	if _, err := h.server.AddWebhook("http://"+free+"/webhooks/owlat", "whsec_0123456789abcdef", owlattest.WebhookTopicUnsubscribed); err != nil {
		t.Fatal(err)
	}
	if err := h.server.Unsubscribe("bob@example.com", ""); err != nil {
		t.Fatal(err)
	}
	l.until("a line in the other file", func() bool {
		text, _ := os.ReadFile(filepath.Join(h.dir, "others.ndjson"))
		return strings.Contains(string(text), "bob@example.com")
	})
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// TestAnotherProcessHasTheLedger: what is asked for waits until it is free, and everything else answers.
func TestAnotherProcessHasTheLedger(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.configure("every 24h → '0 0 1 1 *'")
	other, err := h.options().Opener.Ledger(t.Context(), must(h.load()).Deployments[0])
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close() }()
	lock, err := other.Acquire(t.Context(), ledger.Claim{Purpose: "a test"})
	if err != nil {
		t.Fatal(err)
	}
	l := h.begin()
	_, taken := l.call("POST", "/api/v1/syncs/users/runs", "{}")
	l.until("the wait", func() bool { return strings.Contains(h.log.String(), "waits until the ledger is free") })
	if _, r := l.call("GET", fmt.Sprintf("/api/v1/runs/%v", taken["run"]), ""); r["status"] != "queued" {
		t.Errorf("%v", r)
	}
	if err := lock.Release(); err != nil {
		t.Fatal(err)
	}
	l.until("the run", func() bool { return h.member("bob@example.com") })
}

func must(cfg *config.Set, err error) *config.Set {
	if err != nil {
		panic(err)
	}
	return cfg
}

// TestAStopThatTakesTooLong aborts what is in flight; the next process goes on.
func TestAStopThatTakesTooLong(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.configure("stop_within: 10s → stop_within: 100ms")
	if err := h.server.InjectFaults(owlattest.Fault{Kind: owlattest.Latency, Method: "POST", Delay: time.Minute}); err != nil {
		t.Fatal(err)
	}
	l := h.begin()
	l.until("a request", func() bool { return h.server.Stats().Faults > 0 })
	began := time.Now()
	l.end()
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("the stop took %s", took)
	}
	if !strings.Contains(h.log.String(), "runs are aborted") {
		t.Errorf("%s", &h.log)
	}
	h.server.ClearFaults()
	l = h.begin()
	l.until("the next process's run", func() bool { return h.member("ann@example.com") && h.member("bob@example.com") })
}

// TestAnAbort ends a service at once, with the reason.
func TestAnAbort(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.configure()
	l := h.begin()
	l.kill()
	if err := <-l.ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	close(l.ended)
}

// TestTheOnlyServiceOfItsLedger begins a second one, which waits, until the first one ends, and a third one that is stopped meanwhile.
func TestTheOnlyServiceOfItsLedger(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.configure()
	first := h.begin()
	cfg, err := h.load()
	if err != nil {
		t.Fatal(err)
	}
	begin := func() (ready chan Addresses, stop chan struct{}, ended chan error) {
		o := h.options()
		ready, stop, ended = make(chan Addresses, 1), make(chan struct{}), make(chan error, 1)
		o.Ready = func(at Addresses) { ready <- at }
		go func() { ended <- Run(context.Background(), cfg, o, Signals{Stop: stop}) }()
		return ready, stop, ended
	}
	second, stopSecond, secondEnded := begin()
	_, stopThird, thirdEnded := begin()
	h.until("that the others wait", func() bool { return strings.Count(h.log.String(), "another service has this ledger") == 2 })
	close(stopThird)
	if err := <-thirdEnded; err != nil {
		t.Errorf("a service that was stopped before it began: %v", err)
	}
	select {
	case <-second:
		t.Error("two services serve one ledger")
	default:
	}
	first.end()
	select {
	case <-second:
	case err := <-secondEnded:
		t.Fatalf("the second service did not begin: %v", err)
	}
	close(stopSecond)
	if err := <-secondEnded; err != nil {
		t.Error(err)
	}
}
