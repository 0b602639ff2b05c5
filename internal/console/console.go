package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync"
	"unicode"

	"github.com/spf13/cobra"
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

	screen    screen // where logs go
	unwritten error  // the first error of printf

	mu       sync.Mutex
	softStop *softStop // set while the first signal is a wish to stop, not an abort
}

func newApp(env []string, stdin io.Reader, stdout, stderr io.Writer) *app {
	a := &app{env: make(map[string]string, len(env)), stdin: stdin, stdout: stdout, stderr: stderr}
	a.screen.w = stderr
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

// envConfig names the configuration file where --config does not.
const envConfig = "OWLAT_SYNC_CONFIG"

// setup follows the common flags before a command runs.
func (a *app) setup(cmd *cobra.Command) error {
	if path := a.env[envConfig]; path != "" && !cmd.Flags().Changed("config") {
		a.configPath = path
	}
	if cmd.Flags().Changed("sync") && len(a.syncs) == 0 {
		return usageError(errors.New("--sync names no sync; is a variable in it empty?"))
	}
	var level slog.Level
	switch a.logLevel {
	case "debug", "info", "warn", "error":
		_ = level.UnmarshalText([]byte(a.logLevel)) // these four are its own words
	default:
		return usageError(fmt.Errorf("--log-level %q is none of debug, info, warn, error", a.logLevel))
	}
	opts := &slog.HandlerOptions{Level: level}
	if a.json {
		a.logger = slog.New(slog.NewJSONHandler(&a.screen, opts))
	} else {
		a.logger = slog.New(slog.NewTextHandler(&a.screen, opts))
	}
	return nil
}

// printf writes to standard output. An output that cannot be written to is no reason to stop a command half-way; the end
// tells of it.
func (a *app) printf(format string, args ...any) {
	if _, err := fmt.Fprintf(a.stdout, format, args...); err != nil && a.unwritten == nil {
		a.unwritten = fmt.Errorf("write the output: %w", err)
	}
}

// notef writes a remark for a person to standard error; with --json it stays silent.
func (a *app) notef(format string, args ...any) {
	if !a.json {
		_, _ = fmt.Fprintf(a.stderr, format, args...)
	}
}

// printJSON writes v as one line to standard output.
func (a *app) printJSON(v any) error {
	if _, err := a.stdout.Write(jsonLine(v)); err != nil {
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
	if several, ok := errors.AsType[severalErrors](err); ok {
		for _, e := range several {
			a.printError(e)
		}
		return
	}
	if _, shown := errors.AsType[quietError](err); shown {
		return
	}
	text, hint := err.Error(), ""
	if h, ok := errors.AsType[*hinted](err); ok {
		hint = h.hint
	}
	if a.json {
		_, _ = a.stderr.Write(jsonLine(struct {
			Type     string        `json:"type"`
			ExitCode exitcode.Code `json:"exit_code"`
			Message  string        `json:"message"`
			Hint     string        `json:"hint,omitempty"`
		}{"error", exitcode.Of(err), text, hint}))
		return
	}
	_, _ = fmt.Fprintf(a.stderr, "owlat-sync: %s\n", continued(harmless(text)))
	if hint != "" {
		_, _ = fmt.Fprintf(a.stderr, "  hint: %s\n", harmless(hint))
	}
}

// harmless writes out what a terminal would act on: names in files and databases may hold anything.
func harmless(text string) string {
	control := func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }
	if !strings.ContainsFunc(text, control) {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if control(r) {
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// continued indents the further lines of a text, so that it is seen where the next error begins.
func continued(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines[1:] {
		if !strings.HasPrefix(line, "  ") {
			lines[i+1] = "  " + line
		}
	}
	return strings.Join(lines, "\n")
}
