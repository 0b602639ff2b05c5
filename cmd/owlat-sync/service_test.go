package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"owlatsync/internal/testdb"
)

// child is a process of the program.
type child struct {
	t      *testing.T
	cmd    *exec.Cmd
	stderr syncBuffer
	ready  map[string]any // the first line of its output
	over   chan struct{}
}

// syncBuffer is a buffer that may be read while it is written.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// command returns the program as a process of its own, which ends with the test.
func command(t *testing.T, dir string, env []string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, args...)
	cmd.Args[0] = "owlat-sync"
	cmd.Dir, cmd.Env = dir, append(append(os.Environ(), "TZ=UTC"), env...)
	return cmd
}

// beginChild starts the program and waits for the first line of its output, which is JSON.
func beginChild(t *testing.T, dir string, env []string, args ...string) *child {
	t.Helper()
	p := &child{t: t, cmd: command(t, dir, env, args...), over: make(chan struct{})}
	p.cmd.Stderr = &p.stderr
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, readErr := bufio.NewReader(out).ReadBytes('\n')
	go func() {
		defer close(p.over)
		_, _ = io.Copy(io.Discard, out)
		_ = p.cmd.Wait()
	}()
	t.Cleanup(func() { p.signal(syscall.SIGKILL) })
	if err := json.Unmarshal(line, &p.ready); err != nil {
		<-p.over
		t.Fatalf("%v did not begin: %v, %v, %q\n%s", args, readErr, err, line, &p.stderr)
	}
	return p
}

// signal sends a signal and waits for the end of the process.
func (p *child) signal(s syscall.Signal) {
	_ = p.cmd.Process.Signal(s)
	<-p.over
}

// service is a service beside a sandbox and PostgreSQL, all at real sockets.
type service struct {
	t       *testing.T
	dir     string
	db      *pgx.Conn
	sandbox string // its address
	listen  string
	env     []string
	process *child
}

var asks = &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

// sandboxed asks the control API of the sandbox.
func (s *service) sandboxed(path, body string, into any) {
	s.t.Helper()
	method := http.MethodGet
	if body != "" {
		method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.sandbox+"/__sandbox/"+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	res, err := asks.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode/100 != 2 {
		s.t.Fatalf("%s: %v %d %s", path, err, res.StatusCode, text)
	}
	if into != nil {
		if err := json.Unmarshal(text, into); err != nil {
			s.t.Fatalf("%s: %v in %s", path, err, text)
		}
	}
}

// topics returns how many topics the person is on; known is false if there is no such contact.
func (s *service) topics(email string) (n int, known bool) {
	s.t.Helper()
	var all []struct{ Topics []string }
	s.sandboxed("contacts?email="+email, "", &all)
	if len(all) == 0 {
		return 0, false
	}
	return len(all[0].Topics), true
}

func (s *service) exec(statement string, args ...any) {
	s.t.Helper()
	if _, err := s.db.Exec(s.t.Context(), statement, args...); err != nil {
		s.t.Fatalf("%s: %v", statement, err)
	}
}

// newsletter returns the consent of a row in the database.
func (s *service) newsletter(email string) (yes bool) {
	s.t.Helper()
	if err := s.db.QueryRow(s.t.Context(), "SELECT newsletter FROM users WHERE email = $1", email).Scan(&yes); err != nil {
		s.t.Fatalf("the row of %s: %v", email, err)
	}
	return yes
}

// until asks again and again until a condition holds, and returns how long that took.
func (s *service) until(what string, holds func() bool) time.Duration {
	s.t.Helper()
	began := time.Now()
	for !holds() {
		if time.Since(began) > 30*time.Second {
			s.t.Fatalf("%s does not come about\n%s", what, &s.process.stderr)
		}
		<-time.After(5 * time.Millisecond)
	}
	return time.Since(began)
}

// begin starts the service, for the first time or again.
func (s *service) begin() {
	s.t.Helper()
	s.process = beginChild(s.t, s.dir, s.env, "serve", "--json")
}

// run asks for a run, and waits for its end, as a job of a CI does.
func (s *service) run(args ...string) {
	s.t.Helper()
	cmd := command(s.t, s.dir, s.env, append([]string{"trigger", "users", "--wait", "--timeout", "1m"}, args...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		s.t.Fatalf("trigger: %v\n%s\n%s", err, out, &s.process.stderr)
	}
}

// triggerOfTheDocs returns the statements of docs/realtime.md, in which nothing but the newsletter's columns is looked at.
func triggerOfTheDocs(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "realtime.md"))
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```sql\n(.*?)```").FindSubmatch(page)
	if block == nil {
		t.Fatal("docs/realtime.md has no trigger")
	}
	return string(block[1])
}

func newService(t *testing.T) *service {
	t.Helper()
	dsn := testdb.Postgres(t)
	s := &service{t: t, dir: t.TempDir()}
	var err error
	if s.db, err = pgx.Connect(t.Context(), dsn); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.db.Close(context.Background()) })
	s.exec("CREATE TABLE users (id int PRIMARY KEY, email text UNIQUE, name text, newsletter boolean, changed timestamptz NOT NULL DEFAULT clock_timestamp())")
	s.exec(triggerOfTheDocs(t))
	box := beginChild(t, s.dir, nil, "sandbox", "--json", "--listen", "127.0.0.1:0", "--rate", "100", "--burst", "100")
	s.sandbox = box.ready["url"].(string)
	topic := box.ready["topics"].(map[string]any)["newsletter"].(string)
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.listen = free.Addr().String()
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	s.env = []string{"OWLAT_URL=" + s.sandbox, "OWLAT_API_KEY=" + box.ready["api_key"].(string), "DATABASE_URL=" + dsn, "OWLAT_WEBHOOK_SECRET=whsec_0123456789abcdef"}
	configuration := fmt.Sprintf(`owlat: {requests_per_second: 100}
serve: {listen: "%s"}
webhooks: {secrets: ["${OWLAT_WEBHOOK_SECRET}"]}
write_back:
  - name: newsletter
    on: [topic.unsubscribed, email.bounced, email.complained]
    statement: UPDATE users SET newsletter = false, changed = clock_timestamp() WHERE lower(email) = :email
syncs:
  users:
    source: {dsn: "${DATABASE_URL}", query: "SELECT id, email, name, newsletter FROM users", listen: users_changed}
    key: id
    fields: {email: email, fullName: name}
    topics: [{id: %s, when: newsletter}]
    guards: {first_run: allow, creates: allow, topic_adds: allow, updates: allow, removals: allow, empty_source: allow}
    on_missing: leave_topics
    schedule: every 5s
`, s.listen, topic)
	if err := os.WriteFile(filepath.Join(s.dir, "owlat-sync.yaml"), []byte(configuration), 0o600); err != nil {
		t.Fatal(err)
	}
	s.sandboxed("webhooks", fmt.Sprintf(`{"url":"http://%s/webhooks/owlat","secret":"whsec_0123456789abcdef","events":["topic.unsubscribed","email.bounced","email.complained","contact.created"]}`, s.listen), nil)
	s.begin()
	return s
}

// TestServiceEndToEnd is the life of some people with a service beside PostgreSQL and the sandbox: their rows appear in Owlat at once,
// one leaves by Owlat's link, the database learns it, and nothing puts the person back, although the service is killed at each step.
func TestServiceEndToEnd(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.until("the service's listening", func() bool {
		var n int
		err := s.db.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE query ILIKE 'listen%' AND datname = current_database()").Scan(&n)
		return err == nil && n > 0
	})
	s.until("the end of the run that each listening begins with", func() bool { return strings.Contains(s.process.stderr.String(), `"msg":"run ended"`) })

	var took []time.Duration
	for n := range 5 {
		email := fmt.Sprintf("person%d@example.com", n)
		s.exec("INSERT INTO users VALUES ($1, $2, 'Ann Example', true)", n, email)
		took = append(took, s.until("the membership of "+email, func() bool { on, _ := s.topics(email); return on == 1 }))
	}
	slices.Sort(took)
	if took[2] > time.Second {
		t.Errorf("from the row to the membership it took %v", took)
	}

	s.sandboxed("unsubscribe", `{"email":"person0@example.com","topic":"newsletter"}`, nil)
	s.until("the false column", func() bool { return !s.newsletter("person0@example.com") })
	for n, change := range []string{
		"UPDATE users SET name = 'Eve Example' WHERE id = 0",
		"UPDATE users SET email = 'moved@example.com' WHERE id = 0",
		"UPDATE users SET email = 'person0@example.com', name = NULL WHERE id = 0",
		"UPDATE users SET newsletter = NULL WHERE id = 0",
		"UPDATE users SET newsletter = false WHERE id = 0",
		"INSERT INTO users VALUES (100, 'other@example.com', 'Bob Example', true)",
		"DELETE FROM users WHERE id = 0",
		"INSERT INTO users VALUES (0, 'person0@example.com', 'Ann Example', false)",
		"UPDATE users SET id = 200 WHERE id = 0",
		"UPDATE users SET changed = clock_timestamp()",
	} {
		s.exec(change)
		if n%3 == 2 {
			s.run("--full")
		} else {
			s.run()
		}
		for _, email := range []string{"person0@example.com", "moved@example.com"} {
			if on, _ := s.topics(email); on != 0 {
				t.Fatalf("after %q %s is on the topic again\n%s", change, email, &s.process.stderr)
			}
		}
	}

	s.killedAtEachStep()

	s.process.signal(syscall.SIGTERM)
	if code := s.process.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("the service ended with code %d\n%s", code, &s.process.stderr)
	}
	if log := s.process.stderr.String(); strings.Contains(log, "@example.com") || strings.Contains(log, "whsec_") {
		t.Errorf("the log names a person or the secret:\n%s", log)
	}
}

// killedAtEachStep kills the service while rows are added, changed and withdrawn, and between a webhook and its write-back.
func (s *service) killedAtEachStep() {
	s.t.Helper()
	for n := range 8 {
		id, email := 300+n, fmt.Sprintf("late%d@example.com", n)
		wait := time.Duration(n) * 40 * time.Millisecond // into the run that the notification has begun
		s.exec("INSERT INTO users VALUES ($1, $2, 'Ann Example', true)", id, email)
		<-time.After(wait)
		s.process.signal(syscall.SIGKILL)
		s.begin()
		s.until("the membership of "+email, func() bool { on, _ := s.topics(email); return on == 1 })

		s.exec("UPDATE users SET name = 'Eve Example', email = 'x' || email WHERE id = $1", id)
		<-time.After(wait)
		s.process.signal(syscall.SIGKILL)
		s.begin()
		email = "x" + email
		s.until("the address "+email, func() bool { _, known := s.topics(email); return known })

		before := s.delivered()
		s.sandboxed("unsubscribe", fmt.Sprintf(`{"email":%q,"topic":"newsletter"}`, email), nil)
		s.until("the webhook", func() bool { return s.delivered() > before })
		s.process.signal(syscall.SIGKILL)
		s.begin()
		s.until("the false column of "+email, func() bool { return !s.newsletter(email) })
	}
	s.run("--full")
	for n := range 8 {
		if on, known := s.topics(fmt.Sprintf("xlate%d@example.com", n)); on != 0 || !known {
			s.t.Errorf("person %d is on %d topics, known: %v", n, on, known)
		}
	}
	var stats struct{ Writes int }
	s.sandboxed("stats", "", &stats)
	before := stats.Writes
	s.run()
	if s.sandboxed("stats", "", &stats); stats.Writes != before {
		s.t.Errorf("one more run wrote %d times", stats.Writes-before)
	}
}

// delivered counts the opt-outs that the service has acknowledged.
func (s *service) delivered() (n int) {
	s.t.Helper()
	var all []struct {
		Event  string
		Status int
	}
	s.sandboxed("webhooks", "", &all)
	for _, d := range all {
		if d.Event == "topic.unsubscribed" && d.Status/100 == 2 {
			n++
		}
	}
	return n
}
