package cluster

import (
	"bufio"
	"encoding/json"
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

// process is a program of its own that ends with this one.
type process struct {
	cmd  *exec.Cmd
	log  string // the file of its errors
	over chan struct{}
}

// begin starts a program; its errors go to the end of the file log, and its output too, unless line is given, which gets its first
// line.
func begin(cmd *exec.Cmd, log string, line *[]byte) (*process, error) {
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
	p := &process{cmd: cmd, log: log, over: make(chan struct{})}
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
	if out != nil {
		late := time.AfterFunc(speaksWithin, func() { _ = cmd.Process.Kill() })
		*line, err = bufio.NewReader(out).ReadBytes('\n')
		late.Stop()
	}
	close(read)
	if err != nil {
		p.end(syscall.SIGKILL, 10*time.Second)
		return nil, fmt.Errorf("%s says nothing: %w\n%s", strings.Join(cmd.Args, " "), err, p.lastWords())
	}
	return p, nil
}

// signal sends a signal and does not wait.
func (p *process) signal(s syscall.Signal) { _ = p.cmd.Process.Signal(s) }

// end sends a signal, waits for the end of the process, and kills it if that does not come in time.
func (p *process) end(s syscall.Signal, within time.Duration) (code int) {
	p.signal(s)
	select {
	case <-p.over:
	case <-time.After(within):
		p.signal(syscall.SIGKILL)
		<-p.over
	}
	return p.cmd.ProcessState.ExitCode()
}

// ended reports whether the process is gone.
func (p *process) ended() bool {
	select {
	case <-p.over:
		return true
	default:
		return false
	}
}

// lastWords returns the end of the log.
func (p *process) lastWords() string {
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
	}
	if overlay != "" {
		args = append(args, "-overlay", overlay)
	}
	if out, err := exec.Command("go", append(args, "owlatsync/cmd/owlat-sync")...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the program: %w\n%s", err, out)
	}
	return path, nil
}

func decode(line []byte, into any) error {
	if err := json.Unmarshal(line, into); err != nil {
		return fmt.Errorf("%w in %q", err, line)
	}
	return nil
}
