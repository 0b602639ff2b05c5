package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"owlatsync/internal/config"
	"owlatsync/internal/setup"
	"owlatsync/ledger/postgres"
	"owlatsync/owlat/owlattest"
)

// station is where the program is killed and run again: an emulator on a socket of its own, a folder, and the state to
// start from. The ledger belongs to the address of the socket, so that every station has its own.
type station struct {
	t        *testing.T // of the kill under way
	program  string     // the test binary
	folder   string
	listener *httptest.Server
	server   owlattest.Server
	starts   map[string]*crashStart // by the scenario's name
	*crashStart
	ledger string // the DSN of the ledger, if it is in PostgreSQL

	mu      sync.Mutex // one request at a time, in the order of their arrival
	gate    gate
	conns   map[net.Conn]bool
	closed  *sync.Cond // of mu2: a connection ended
	connsMu sync.Mutex
}

// crashStart is the state in which the killed run of a scenario begins.
type crashStart struct {
	people    []crashPerson
	key       string
	news, all string            // ids of topics
	files     map[string][]byte // of the folder
	remote    []byte            // the emulator's state
}

// gate says at which request the process is killed, and keeps what got through.
type gate struct {
	at     int  // the number of the request, from 1; 0: none
	after  bool // when it has taken effect, and before it is answered
	victim *process
	shut   bool // the victim was killed before its request took effect: what else it sent is lost too

	// paced lets a request through only when the answer before it has led to a commit, as at Owlat's limits, where requests
	// are so far apart that each has commits of its own.
	paced    bool
	answered bool // a request that leads to a commit

	requests int
	effects  []effect
}

// commitPatience is for how long a paced request waits for a commit: not every answer leads to one.
const commitPatience = 20 * time.Millisecond

// effect is a request that took effect, or was refused.
type effect struct {
	method, path string
	body         string
	status       int
}

func (e effect) String() string {
	return fmt.Sprintf("%s %s %s → %d", e.method, e.path, e.body, e.status)
}

func newStation(t *testing.T, program string) *station {
	s := &station{t: t, program: program, folder: t.TempDir(), conns: make(map[net.Conn]bool), starts: make(map[string]*crashStart)}
	s.closed = sync.NewCond(&s.connsMu)
	s.server.NoLimit = true
	s.listener = httptest.NewUnstartedServer(s)
	s.listener.Config.ConnState = s.track
	s.listener.Start()
	t.Cleanup(s.listener.Close)
	return s
}

func (s *station) track(c net.Conn, state http.ConnState) {
	s.connsMu.Lock()
	defer s.connsMu.Unlock()
	switch state {
	case http.StateNew:
		s.conns[c] = true
	case http.StateClosed, http.StateHijacked:
		delete(s.conns, c)
		s.closed.Broadcast()
	}
}

// settle waits until nothing of what dead processes have sent is still under way. Connections are accepted in their order,
// so that all are known once a later one was answered.
func (s *station) settle() {
	s.t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Get(s.listener.URL + "/api/v1/health")
	if err != nil {
		s.t.Fatal(err)
	}
	_ = answer.Body.Close()
	s.connsMu.Lock()
	defer s.connsMu.Unlock()
	for len(s.conns) > 0 {
		s.closed.Wait()
	}
}

// ServeHTTP lets a request through to the emulator, or kills the process at it.
func (s *station) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasSuffix(r.URL.Path, "/health") {
		s.server.ServeHTTP(w, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler) // the process died while it sent this
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	s.mu.Lock()
	defer s.mu.Unlock()
	g := &s.gate
	if g.shut {
		panic(http.ErrAbortHandler)
	}
	if g.answered {
		g.victim.awaitCommit()
	}
	g.requests++
	here := g.requests == g.at
	if here && !g.after {
		g.shut = true
		g.victim.kill(s.t)
		panic(http.ErrAbortHandler)
	}
	answer := httptest.NewRecorder()
	s.server.ServeHTTP(answer, r)
	g.effects = append(g.effects, effect{r.Method, r.URL.Path, strings.TrimSpace(string(body)), answer.Code})
	if here {
		g.victim.kill(s.t)
		panic(http.ErrAbortHandler)
	}
	if g.answered = g.paced && r.Method != http.MethodGet; g.answered {
		g.victim.forgetCommits()
	}
	maps.Copy(w.Header(), answer.Header())
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes())
}

// open sets the gate for the next process.
func (s *station) open(g gate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gate = g
}

// passed returns the requests that took effect since open, and how many came.
func (s *station) passed() ([]effect, int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.gate.effects, s.gate.requests
}

// process is a run of the program.
type process struct {
	cmd            *exec.Cmd
	stdout, stderr bytes.Buffer
	ended          chan struct{}
	committed      chan struct{} // holds a token if there was a commit
	commits        atomic.Int64
}

func (p *process) awaitCommit() {
	select {
	case <-p.committed:
	case <-p.ended:
	case <-time.After(commitPatience):
	}
}

func (p *process) forgetCommits() {
	select {
	case <-p.committed:
	default:
	}
}

// hear counts the commits that the process tells of, until its end.
func (p *process) hear(told io.ReadCloser) {
	defer told.Close()
	for buffer := make([]byte, 64); ; {
		n, err := told.Read(buffer)
		if n > 0 {
			p.commits.Add(int64(n))
			select {
			case p.committed <- struct{}{}:
			default:
			}
		}
		if err != nil {
			return
		}
	}
}

// begin starts the program with a gate that kills it at the n-th request, or at none.
func (s *station) begin(g gate, env []string, args ...string) *process {
	s.t.Helper()
	p := &process{ended: make(chan struct{}), committed: make(chan struct{}, 1)}
	told, tells, err := os.Pipe()
	if err != nil {
		s.t.Fatal(err)
	}
	p.cmd = exec.Command(s.program, args...)
	p.cmd.Args[0] = crashingProgram
	p.cmd.Dir = s.folder
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	p.cmd.ExtraFiles = []*os.File{tells}
	p.cmd.Env = append([]string{"OWLAT_URL=" + s.listener.URL, "OWLAT_API_KEY=" + s.key, "TZ=UTC"}, env...)
	g.victim = p
	s.open(g)
	s.mu.Lock() // a process that is to be killed at its first request must be known by then
	defer s.mu.Unlock()
	err = p.cmd.Start()
	_ = tells.Close()
	if err != nil {
		_ = told.Close()
		s.t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		p.hear(told)
		_ = p.cmd.Wait()
	}()
	return p
}

// kill ends the process by SIGKILL and returns when it is dead.
func (p *process) kill(t *testing.T) {
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("kill: %v", err)
	}
	<-p.ended
}

// killed waits for the end of the process and reports whether it was SIGKILL. Then nothing that it sent is under way.
func (s *station) killed(p *process) bool {
	s.t.Helper()
	<-p.ended
	s.settle()
	status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

// run runs the program to its end and returns its exit code.
func (s *station) run(args ...string) (*process, int) {
	s.t.Helper()
	p := s.begin(gate{}, nil, args...)
	<-p.ended
	s.settle()
	return p, p.cmd.ProcessState.ExitCode()
}

func (s *station) write(name string, text []byte) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.folder, name), text, 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// keep makes what is there now the state to start from.
func (s *station) keep() {
	s.t.Helper()
	entries, err := os.ReadDir(s.folder)
	if err != nil {
		s.t.Fatal(err)
	}
	s.files = make(map[string][]byte)
	for _, e := range entries {
		if s.files[e.Name()], err = os.ReadFile(filepath.Join(s.folder, e.Name())); err != nil {
			s.t.Fatal(err)
		}
	}
	var remote bytes.Buffer
	if err := s.server.Save(&remote); err != nil {
		s.t.Fatal(err)
	}
	s.remote = remote.Bytes()
}

// reset goes back to that state.
func (s *station) reset() {
	s.t.Helper()
	s.clear()
	for name, text := range s.files {
		s.write(name, text)
	}
	if err := s.server.Load(bytes.NewReader(s.remote)); err != nil {
		s.t.Fatal(err)
	}
}

// moveLedger copies the ledger to a database and lets the configuration name that.
func (s *station) moveLedger(dsn string) {
	s.t.Helper()
	s.ledger = dsn
	file := filepath.Join(s.folder, "owlat-sync.db")
	if _, err := os.Stat(file); err == nil {
		care := setup.Care{Opener: setup.Opener{Drivers: drivers()}}
		from, into := &config.Config{Ledger: config.Ledger{Path: file}}, &config.Config{Ledger: config.Ledger{DSN: config.Secret(dsn)}}
		if err := care.Copy(context.Background(), from, into); err != nil {
			s.t.Fatal(err)
		}
	}
	text, err := os.ReadFile(filepath.Join(s.folder, "owlat-sync.yaml"))
	if err != nil {
		s.t.Fatal(err)
	}
	s.write("owlat-sync.yaml", fmt.Appendf(text, "ledger: %q\n", dsn))
}

// buryLedger ends the lease of a dead process, which the next one would otherwise wait for.
func (s *station) buryLedger() {
	if s.ledger == "" {
		return
	}
	s.t.Helper()
	db, err := postgres.Open(context.Background(), postgres.Options{DSN: s.ledger})
	if err != nil {
		s.t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Pool().Exec(context.Background(), "UPDATE "+db.Schema()+".leases SET expires = '-infinity'"); err != nil {
		s.t.Fatal(err)
	}
}

// clear empties the folder.
func (s *station) clear() {
	s.t.Helper()
	entries, err := os.ReadDir(s.folder)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, e := range entries {
		if err := os.Remove(filepath.Join(s.folder, e.Name())); err != nil {
			s.t.Fatal(err)
		}
	}
}
