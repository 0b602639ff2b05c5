package cluster

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"owlatsync/tests/cluster/programs"
)

// Node is one machine of the cluster: a service, and its ways to its databases and to Owlat, each of which can be cut.
type Node struct {
	Number int
	Listen string
	Source *Link // to the database with the rows
	Ledger *Link // to PostgreSQL with the ledger, if it is there
	Owlat  *Link

	program string
	dir     string
	env     []string
	door    *Door

	mu     sync.Mutex
	lives  []life
	frozen bool
}

// life is one process of a node.
type life struct {
	*programs.Process
	Span
}

// newNode prepares a node; source and ledger are where their servers listen.
func newNode(number int, program, dir, source, ledger string, deployments map[string]*Owlat) (*Node, error) {
	n := &Node{Number: number, program: program, dir: filepath.Join(dir, fmt.Sprintf("node%d", number))}
	if err := os.Mkdir(n.dir, 0o700); err != nil {
		return nil, err
	}
	port, err := programs.FreePort()
	if err != nil {
		return nil, err
	}
	n.Listen = fmt.Sprintf("127.0.0.1:%d", port)
	if n.door, err = NewDoor(number, deployments); err != nil {
		return nil, err
	}
	if n.Owlat, err = NewLink(n.door.Addr()); err != nil {
		return nil, err
	}
	if n.Source, err = NewLink(source); err != nil {
		return nil, err
	}
	n.Ledger, err = NewLink(ledger)
	return n, err
}

// mend makes all ways of the node whole.
func (n *Node) mend() {
	for _, l := range []*Link{n.Source, n.Ledger, n.Owlat} {
		l.Cut(Whole, 0)
	}
}

// command returns the program with what this node has around it.
func (n *Node) command(args ...string) *exec.Cmd {
	cmd := exec.Command(n.program, args...)
	cmd.Dir = n.dir
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + n.dir, "TMPDIR=" + n.dir, "TZ=UTC", "GORACE=" + os.Getenv("GORACE"), "HTTP_PROXY=http://" + n.Owlat.Addr(), "NO_PROXY=127.0.0.1,localhost"}, n.env...)
	return cmd
}

// Start starts the service, for the first time or again, and waits until it listens.
func (n *Node) Start() error {
	var line []byte
	p, err := programs.Begin(n.command("serve", "--json"), n.log(), &line)
	if err != nil {
		return fmt.Errorf("node %d: %w", n.Number, err)
	}
	var ready struct{ Listen string }
	if err := json.Unmarshal(line, &ready); err != nil {
		return fmt.Errorf("node %d: %w in %q", n.Number, err, line)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lives = append(n.lives, life{Process: p, Span: Span{From: time.Now()}})
	return nil
}

// Log returns the file that the service writes its log to.
func (n *Node) Log() string { return n.log() }

// PID returns the number of the latest process, 0 if there was none.
func (n *Node) PID() int {
	if l := n.now(); l != nil {
		return l.PID
	}
	return 0
}

// Environment returns the variables that other commands of the program need beside this node, as a shell takes them.
func (n *Node) Environment() string {
	quoted := make([]string, len(n.env))
	for i, e := range n.env {
		name, value, _ := strings.Cut(e, "=")
		quoted[i] = name + "='" + value + "'"
	}
	return strings.Join(quoted, " ")
}

func (n *Node) log() string { return filepath.Join(n.dir, "log") }

// now returns the latest process; nil: there was none.
func (n *Node) now() *life {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.lives) == 0 {
		return nil
	}
	return &n.lives[len(n.lives)-1]
}

// Kill kills the service.
func (n *Node) Kill() { n.finish(syscall.SIGKILL) }

// Stop stops it softly, and returns how it ended.
func (n *Node) Stop() int { return n.finish(syscall.SIGTERM) }

func (n *Node) finish(s syscall.Signal) int {
	l := n.now()
	if l == nil {
		return 0
	}
	n.Thaw()
	code := l.End(s, 60*time.Second)
	n.mu.Lock()
	defer n.mu.Unlock()
	if l.To.IsZero() {
		l.To = time.Now()
	}
	return code
}

// Freeze stops the service's time, as when a machine is suspended.
func (n *Node) Freeze() {
	n.mu.Lock()
	n.frozen = true
	n.mu.Unlock()
	n.now().Signal(syscall.SIGSTOP)
}

// Thaw lets it go on.
func (n *Node) Thaw() {
	n.mu.Lock()
	frozen := n.frozen
	n.frozen = false
	n.mu.Unlock()
	if frozen {
		n.now().Signal(syscall.SIGCONT)
	}
}

// alive reports whether the latest process has not ended.
func (n *Node) alive() bool {
	l := n.now()
	return l != nil && !l.Ended()
}

// has reports whether a process of the node had the number.
func (n *Node) has(pid int) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, l := range n.lives {
		if l.PID == pid {
			return true
		}
	}
	return false
}

// Ask runs another command of the program beside the service, and returns its output.
func (n *Node) Ask(args ...string) ([]byte, error) {
	cmd := n.command(args...)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return out, fmt.Errorf("node %d: %s: %w: %s", n.Number, strings.Join(args, " "), err, bytes.TrimSpace(said.Bytes()))
	}
	return out, nil
}

// Close kills the service and closes its ways.
func (n *Node) Close() {
	n.Kill()
	n.Owlat.Close()
	n.Source.Close()
	n.Ledger.Close()
	n.door.Close()
}
