//go:build unix

// Command testservers runs a command, usually the test suite, beside private servers of PostgreSQL, MariaDB and FerretDB,
// which speaks MongoDB's protocol and is built from the module in tests/ferretdb:
//
//	go run ./internal/testservers -- go test -race ./...
//
// The servers listen on free loopback ports, keep their data in a temporary folder, run as an unprivileged user, and end with the
// command. The command finds them through OWLATSYNC_TEST_POSTGRES, OWLATSYNC_TEST_MYSQL and OWLATSYNC_TEST_MONGODB. If a variable is already set, it is
// kept and no server is started for it. The tests of "go test" keep their files in memory where there is much. As root on Debian, missing packages are installed, Chromium too if the command is "go test" of
// packages that open pages in it. If a server cannot be started, the
// reason is printed and the command runs without its variable; with CI=true that is a failure.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
)

// exitSetup is the exit code if the servers or the command could not be started.
const exitSetup = 1

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) == 0 {
		fmt.Fprintln(os.Stderr, "usage: testservers [--] COMMAND [ARGUMENT...]")
		return exitSetup
	}

	signals := make(chan os.Signal, 4)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(signals)

	dir, err := os.MkdirTemp("", "owlatsync-servers-")
	if err != nil {
		say("create a folder for the servers: %v", err)
		return exitSetup
	}
	defer os.RemoveAll(dir)
	// The servers' own users must be able to reach their folders in it.
	if err := os.Chmod(dir, 0o755); err != nil {
		say("open the servers' folder: %v", err)
		return exitSetup
	}

	servers, env, err := setUp(signals, dir, args)
	defer stopAll(servers)
	if err != nil {
		say("%v", err)
		return exitSetup
	}
	if isTest(args) {
		if folder := memoryFolder(); folder != "" {
			defer leaveMemory(folder)
			env = append(env, "TMPDIR="+folder, "GOTMPDIR="+os.TempDir())
		}
	}
	return runCommand(args, env, signals)
}

// ownerSuffix is what the name of the file ends with that says whose process a folder in memory is.
const ownerSuffix = ".pid"

// leaveMemory removes a folder in memory.
func leaveMemory(dir string) {
	_ = os.RemoveAll(dir)
	_ = os.Remove(dir + ownerSuffix)
}

// isTest reports whether the command is "go test".
func isTest(args []string) bool {
	return len(args) > 1 && filepath.Base(args[0]) == "go" && args[1] == "test"
}

// setUp starts the wanted servers and returns them with their variables. A signal cuts it short.
func setUp(signals <-chan os.Signal, dir string, args []string) ([]*process, []string, error) {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	finished := make(chan struct{})
	defer close(finished)
	go func() {
		select {
		case s := <-signals:
			cancel(fmt.Errorf("stopped by %v while the servers started", s))
		case <-finished:
		}
	}()

	var wanted []kind
	for _, k := range kinds {
		if os.Getenv(k.variable) == "" {
			wanted = append(wanted, k)
		}
	}
	if err := install(ctx, wanted, args); err != nil {
		if context.Cause(ctx) != nil {
			return nil, nil, context.Cause(ctx)
		}
		say("%v", err)
	}

	type started struct {
		process *process
		dsn     string
		err     error
	}
	results := make([]started, len(wanted))
	var group sync.WaitGroup
	for i, k := range wanted {
		group.Go(func() {
			p, dsn, err := k.startRetrying(ctx, dir)
			results[i] = started{p, dsn, err}
		})
	}
	group.Wait()

	var servers []*process
	var env []string
	var missing []error
	for i, r := range results {
		if r.err != nil {
			missing = append(missing, fmt.Errorf("no %s for the tests: %w", wanted[i].name, r.err))
			continue
		}
		servers = append(servers, r.process)
		env = append(env, wanted[i].variable+"="+r.dsn)
	}
	if context.Cause(ctx) != nil {
		return servers, nil, context.Cause(ctx)
	}
	if len(missing) > 0 && os.Getenv("CI") == "true" {
		return servers, nil, fmt.Errorf("%w (with CI=true every server is required)", errors.Join(missing...))
	}
	for _, err := range missing {
		say("%v", err)
		say("the tests that need it will be skipped")
	}
	return servers, env, nil
}

func stopAll(servers []*process) {
	var group sync.WaitGroup
	for _, s := range servers {
		group.Go(s.stop)
	}
	group.Wait()
}

// runCommand runs the command to its end, passes signals on to it and returns its exit code.
func runCommand(args, env []string, signals <-chan os.Signal) int {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		say("start the command: %v", err)
		return exitSetup
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case s := <-signals:
			// The command may have just ended; then nobody gets the signal.
			_ = cmd.Process.Signal(s)
		case err := <-ended:
			return exitCode(err)
		}
	}
}

// exitCode returns the command's exit code, or 128 plus the signal that ended it, as shells do.
func exitCode(err error) int {
	if err == nil {
		return 0
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		say("run the command: %v", err)
		return exitSetup
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return exit.ExitCode()
}

func say(format string, args ...any) { fmt.Fprintf(os.Stderr, "testservers: "+format+"\n", args...) }
