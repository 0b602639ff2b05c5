package main

import (
	"bufio"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"owlatsync/internal/exitcode"
	"owlatsync/owlat/owlattest"
)

const interruptedRows = 40

// interrupted is a run of the real program, in a process of its own, against a server that holds back the requests of one
// method from the n-th on until they are released.
type interrupted struct {
	t       *testing.T
	dir     string
	env     []string
	server  *owlattest.Server
	held    chan struct{} // closed when n requests have come
	release func()
}

func newInterrupted(t *testing.T, method string, n int) *interrupted {
	i := &interrupted{t: t, dir: t.TempDir(), held: make(chan struct{})}
	released := make(chan struct{})
	i.release = sync.OnceFunc(func() { close(released) })
	var mu sync.Mutex
	count := 0
	i.server = &owlattest.Server{NoLimit: true, OnRequest: func(r owlattest.Request) {
		if r.Method != method {
			return
		}
		mu.Lock()
		count++
		hold := count >= n
		if count == n {
			close(i.held)
		}
		mu.Unlock()
		if hold {
			<-released
		}
	}}
	listener := httptest.NewServer(i.server)
	t.Cleanup(func() {
		i.release()
		listener.Close()
	})
	i.env = append(os.Environ(), "OWLAT_URL="+listener.URL, "OWLAT_API_KEY="+i.server.AddKey(), "GORACE="+soonDone)

	var rows strings.Builder
	rows.WriteString("id,email\n")
	for n := range interruptedRows {
		fmt.Fprintf(&rows, "%d,user%d@example.com\n", n, n)
	}
	i.write("users.csv", rows.String())
	i.write("owlat-sync.yaml", `owlat: {requests_per_second: 100}
syncs:
  users:
    source: {dsn: "csv:users.csv"}
    key: id
    fields: {email: email}
`)
	return i
}

func (i *interrupted) write(name, text string) {
	if err := os.WriteFile(filepath.Join(i.dir, name), []byte(text), 0o600); err != nil {
		i.t.Fatal(err)
	}
}

// start begins a run and waits until the server holds requests back.
func (i *interrupted) start() (cmd *exec.Cmd, stderr *bufio.Scanner) {
	cmd = exec.CommandContext(i.t.Context(), "owlat-sync", "run", "--yes")
	cmd.Dir, cmd.Env = i.dir, i.env
	pipe, err := cmd.StderrPipe()
	if err != nil {
		i.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		i.t.Fatal(err)
	}
	stderr = bufio.NewScanner(pipe)
	select {
	case <-i.held:
	case <-i.t.Context().Done():
		i.t.Fatal("the run never got as far as the test wants")
	}
	return cmd, stderr
}

func (i *interrupted) signal(cmd *exec.Cmd, s os.Signal) {
	if err := cmd.Process.Signal(s); err != nil {
		i.t.Fatal(err)
	}
}

// awaitLine reads standard error until a line with the text comes.
func (i *interrupted) awaitLine(stderr *bufio.Scanner, text string) {
	for stderr.Scan() {
		if strings.Contains(stderr.Text(), text) {
			return
		}
	}
	i.t.Fatalf("standard error ended without %q", text)
}

// end waits for the process and wants its exit code.
func (i *interrupted) end(cmd *exec.Cmd, stderr *bufio.Scanner, want exitcode.Code, message string) {
	i.awaitLine(stderr, message)
	for stderr.Scan() {
		i.t.Errorf("more on standard error: %s", stderr.Text())
	}
	_ = cmd.Wait()
	if got := cmd.ProcessState.ExitCode(); got != int(want) {
		i.t.Errorf("exit code %d, want %d", got, want)
	}
}

// converges runs once more, twice, and wants all contacts once and no request the second time.
func (i *interrupted) converges() {
	i.release()
	for range 2 {
		before := i.server.Stats().Writes
		cmd := exec.CommandContext(i.t.Context(), "owlat-sync", "run", "--yes")
		cmd.Dir, cmd.Env = i.dir, i.env
		if out, err := cmd.CombinedOutput(); err != nil {
			i.t.Fatalf("the next run: %v\n%s", err, out)
		}
		if len(i.server.Contacts()) == interruptedRows && i.server.Stats().Writes == before {
			return
		}
	}
	i.t.Errorf("%d contacts after two more runs, want %d and no request in the second", len(i.server.Contacts()), interruptedRows)
}

func TestOneInterruptStopsSoftly(t *testing.T) {
	t.Parallel()
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		t.Run(s.String(), func(t *testing.T) {
			t.Parallel()
			i := newInterrupted(t, "POST", 5)
			cmd, stderr := i.start()
			i.signal(cmd, s)
			i.awaitLine(stderr, "Press Ctrl-C again to abort.")
			i.release()
			i.end(cmd, stderr, exitcode.Interrupted, `owlat-sync: sync "users": the run was interrupted; the next one goes on from here`)

			// What was in flight is finished and recorded: nothing has to be found out by a conflict.
			made := len(i.server.Contacts())
			if made < 5 || made == interruptedRows {
				t.Errorf("%d contacts, want those in flight and not all %d", made, interruptedRows)
			}
			i.converges()
			if n := i.server.Stats().Count("POST", owlattest.RouteContacts, 409); n != 0 {
				t.Errorf("%d creates met a contact that the interrupted run had made", n)
			}
		})
	}
}

func TestTwoInterruptsAbort(t *testing.T) {
	t.Parallel()
	i := newInterrupted(t, "POST", 5)
	cmd, stderr := i.start()
	i.signal(cmd, os.Interrupt)
	i.awaitLine(stderr, "Press Ctrl-C again to abort.")
	i.signal(cmd, os.Interrupt)
	// The server still holds back its answers: the process ends all the same.
	i.end(cmd, stderr, exitcode.Interrupted, "goes on from")
	i.converges()
}

func TestOneInterruptAbortsThePlanning(t *testing.T) {
	t.Parallel()
	i := newInterrupted(t, "GET", 1)
	cmd, stderr := i.start()
	i.signal(cmd, os.Interrupt)
	i.end(cmd, stderr, exitcode.Interrupted, `owlat-sync: sync "users": aborted;`)
	if n := i.server.Stats().Writes; n != 0 {
		t.Errorf("%d writes while planning", n)
	}
	i.converges()
}
