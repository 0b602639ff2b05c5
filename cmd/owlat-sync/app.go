package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/term"

	"owlatsync/internal/exitcode"
)

// app is what the commands share: the process's surroundings and the common flags.
type app struct {
	env    map[string]string
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer

	configPath string
	syncs      []string
	json       bool
	yes        bool
	logLevel   string

	logger  *slog.Logger // set before a command runs
	started bool         // a command's own code was reached

	mu       sync.Mutex
	softStop chan struct{} // set while a command wants the first signal as a wish to stop, not as an abort
}

func newApp(env []string, stdin io.Reader, stdout, stderr io.Writer) *app {
	a := &app{env: make(map[string]string, len(env)), stdin: stdin, stdout: stdout, stderr: stderr}
	a.logger = slog.New(slog.DiscardHandler)
	for _, kv := range env {
		if name, value, ok := strings.Cut(kv, "="); ok {
			a.env[name] = value
		}
	}
	return a
}

// lookupEnv is os.LookupEnv for the environment that run was given.
func (a *app) lookupEnv(name string) (string, bool) {
	v, ok := a.env[name]
	return v, ok
}

// setup follows the common flags before a command runs.
func (a *app) setup() error {
	var level slog.Level
	switch a.logLevel {
	case "debug", "info", "warn", "error":
		_ = level.UnmarshalText([]byte(a.logLevel)) // these four are its own words
	default:
		return usageError(fmt.Errorf("--log-level %q is none of debug, info, warn, error", a.logLevel))
	}
	opts := &slog.HandlerOptions{Level: level}
	if a.json {
		a.logger = slog.New(slog.NewJSONHandler(a.stderr, opts))
	} else {
		a.logger = slog.New(slog.NewTextHandler(a.stderr, opts))
	}
	return nil
}

// printf writes to standard output. An output that cannot be written to is no reason to stop a command half-way.
func (a *app) printf(format string, args ...any) { _, _ = fmt.Fprintf(a.stdout, format, args...) }

// notef writes a remark for a person to standard error; with --json it stays silent.
func (a *app) notef(format string, args ...any) {
	if !a.json {
		_, _ = fmt.Fprintf(a.stderr, format, args...)
	}
}

// printJSON writes v as one line to standard output.
func (a *app) printJSON(v any) error {
	enc := json.NewEncoder(a.stdout)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("write the output: %w", err)
	}
	return nil
}

// interactive reports whether a person can be asked: standard input and standard error are terminals and --json is off.
func (a *app) interactive() bool {
	return !a.json && isTerminal(a.stdin) && isTerminal(a.stderr)
}

func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// hinted is an error with an advice what to do next, printed on a line of its own.
type hinted struct {
	error
	hint string
}

func (e *hinted) Unwrap() error { return e.error }

// withHint returns err with an advice, nil for a nil err.
func withHint(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return &hinted{error: err, hint: fmt.Sprintf(format, args...)}
}

// usageError marks err as the user's mistake in the command line or configuration.
func usageError(err error) error { return exitcode.With(exitcode.Usage, err) }

// quietError is an error whose text was already shown, such as by a report: only its exit code counts.
type quietError struct{ error }

func (e quietError) Unwrap() error { return e.error }

// quiet returns an error that only sets the exit code.
func quiet(code exitcode.Code) error {
	return exitcode.With(code, quietError{errors.New(code.String())})
}

// printError writes err once to standard error, as text or, with --json, as one JSON object.
func (a *app) printError(err error) {
	if err == nil {
		return
	}
	if _, ok := errors.AsType[quietError](err); ok {
		return
	}
	text, hint := err.Error(), ""
	if h, ok := errors.AsType[*hinted](err); ok {
		hint = h.hint
	}
	if a.json {
		_ = json.NewEncoder(a.stderr).Encode(struct {
			Type     string        `json:"type"`
			ExitCode exitcode.Code `json:"exit_code"`
			Message  string        `json:"message"`
			Hint     string        `json:"hint,omitempty"`
		}{"error", exitcode.Of(err), text, hint})
		return
	}
	_, _ = fmt.Fprintf(a.stderr, "owlat-sync: %s\n", text)
	if hint != "" {
		_, _ = fmt.Fprintf(a.stderr, "  hint: %s\n", hint)
	}
}

// watchSignals returns a context that SIGINT and SIGTERM cancel: the first of them, or the second while a command runs that
// asked for a soft stop.
func (a *app) watchSignals(parent context.Context) (ctx context.Context, release func()) {
	ctx, cancel := context.WithCancel(parent)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-ctx.Done():
				return
			case <-signals:
				if !a.tryStopSoftly() {
					cancel()
				}
			}
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		cancel()
		<-done
	}
}

// stopSoftly makes the first signal close the returned channel instead of cancelling the context, until done is called.
func (a *app) stopSoftly() (stop <-chan struct{}, done func()) {
	ch := make(chan struct{})
	a.mu.Lock()
	a.softStop = ch
	a.mu.Unlock()
	return ch, func() {
		a.mu.Lock()
		a.softStop = nil
		a.mu.Unlock()
	}
}

func (a *app) tryStopSoftly() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.softStop == nil {
		return false
	}
	close(a.softStop)
	a.softStop = nil
	a.notef("\nStopping: finishing what is in flight. Press Ctrl-C again to abort.\n")
	return true
}
