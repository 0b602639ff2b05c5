package programs

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// speaksWithin is how long a program may take to say its first line.
const speaksWithin = time.Minute

// Process is a program of its own that ends with this one.
type Process struct {
	PID int

	cmd  *exec.Cmd
	log  string // the file of its errors
	over chan struct{}
}

// Begin starts a program; its errors go to the end of the file log, and its output too, unless line is given, which gets its first
// line.
func Begin(cmd *exec.Cmd, log string, line *[]byte) (*Process, error) {
	file, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	cmd.Stdout, cmd.Stderr = file, file
	var out io.ReadCloser
	if line != nil {
		cmd.Stdout = nil
		if out, err = cmd.StdoutPipe(); err != nil {
			return nil, err
		}
	}
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	dieWithParent(cmd.SysProcAttr)
	p := &Process{cmd: cmd, log: log, over: make(chan struct{})}
	begun, read := make(chan error), make(chan struct{})
	go func() {
		defer close(p.over)
		// The kernel takes the end of the thread that started the program for the end of its parent.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		begun <- err
		if err != nil {
			return
		}
		<-read
		if out != nil {
			_, _ = io.Copy(io.Discard, out)
		}
		_ = cmd.Wait()
	}()
	if err := <-begun; err != nil {
		return nil, fmt.Errorf("start %s: %w", filepath.Base(cmd.Path), err)
	}
	p.PID = cmd.Process.Pid
	if out != nil {
		late := time.AfterFunc(speaksWithin, func() { _ = cmd.Process.Kill() })
		*line, err = bufio.NewReader(out).ReadBytes('\n')
		late.Stop()
	}
	close(read)
	if err != nil {
		p.End(syscall.SIGKILL, 10*time.Second)
		return nil, fmt.Errorf("%s says nothing: %w\n%s", strings.Join(cmd.Args, " "), err, p.LastWords())
	}
	return p, nil
}

// Signal sends a signal and does not wait.
func (p *Process) Signal(s syscall.Signal) { _ = p.cmd.Process.Signal(s) }

// End sends a signal, waits for the end of the process, and kills it if that does not come in time.
func (p *Process) End(s syscall.Signal, within time.Duration) (code int) {
	p.Signal(s)
	select {
	case <-p.over:
	case <-time.After(within):
		p.Signal(syscall.SIGKILL)
		<-p.over
	}
	return p.cmd.ProcessState.ExitCode()
}

// Ended reports whether the process is gone.
func (p *Process) Ended() bool {
	select {
	case <-p.over:
		return true
	default:
		return false
	}
}

// LastWords returns the end of the log.
func (p *Process) LastWords() string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-15):], "\n")
}

// Build builds the program from the module's sources, into the folder, and returns its path. With race it has the race detector.
func Build(folder string, race bool, overlay string) (string, error) {
	path := filepath.Join(folder, "owlat-sync")
	args := []string{"build", "-o", path}
	if race {
		args = append(args, "-race")
		for _, translated := range []string{"modernc.org/sqlite/lib", "modernc.org/libc", "modernc.org/memory"} { // as the Makefile has it, so that nothing is compiled twice
			args = append(args, "-gcflags="+translated+"=-race=false -d=checkptr=0")
		}
	}
	if overlay != "" {
		args = append(args, "-overlay", overlay)
	}
	if out, err := exec.Command("go", append(args, "owlatsync/cmd/owlat-sync")...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the program: %w\n%s", err, out)
	}
	return path, nil
}
