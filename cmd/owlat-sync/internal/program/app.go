// Package program is what all commands of owlat-sync share: the common flags, the configuration, the opening of what syncs need,
// and the checks of arguments. It has no command of its own.
package program

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/spf13/cobra"

	"owlatsync/internal/console"
	"owlatsync/internal/problem"
	"owlatsync/internal/render"
	"owlatsync/internal/setup"
)

// Built says what the program was built from.
type Built struct {
	Version string        // such as "v1.2.3", or "devel"
	Drivers setup.Drivers // the database drivers that it links
}

// App is what the commands share: the console, the environment and the common flags. The flags have their values when a
// command's own code runs. An App serves one command line, and one goroutine at a time uses its fields.
type App struct {
	*console.Console
	Built
	Env map[string]string // the environment; a command may change it for what it starts in this process

	ConfigPath string   // --config: the configuration file; it need not exist
	Deployment string   // --deployment: a name that is not checked yet; empty: the only one of the configuration
	Syncs      []string // --sync: names that are not checked yet; none means all
	LogLevel   string   // --log-level: debug, info, warn or error

	Log *slog.Logger // discards everything until Begin; never nil

	stdin     *setup.Stdin // for sources
	databases setup.Databases
	begun     bool
}

// New returns what the commands of one command line share, with the environment as os.Environ has it. The caller closes it.
func New(built Built, env []string, stdin io.Reader, stdout, stderr io.Writer) *App {
	a := &App{
		Console: console.New(stdin, stdout, stderr), Built: built, Env: make(map[string]string, len(env)),
		Log: slog.New(slog.DiscardHandler), stdin: setup.NewStdin(stdin),
	}
	a.Advice = func(text string) string { return a.Typed().Complete(text) }
	for _, kv := range env {
		if name, value, ok := strings.Cut(kv, "="); ok {
			a.Env[name] = value
		}
	}
	return a
}

// Close ends the reading of standard input by sources.
func (a *App) Close() error { return a.stdin.Close() }

// UserAgent is how the program names itself to servers.
func (a *App) UserAgent() string { return "owlat-sync/" + a.Version }

// LookupEnv is os.LookupEnv for Env.
func (a *App) LookupEnv(name string) (string, bool) {
	v, ok := a.Env[name]
	return v, ok
}

// EnvConfig names the configuration file if --config does not, and EnvDeployment the deployment if --deployment does not.
const (
	EnvConfig     = "OWLAT_SYNC_CONFIG"
	EnvDeployment = "OWLAT_SYNC_DEPLOYMENT"
)

// Begin applies the common flags right before a command's own code. Its error is one of usage.
func (a *App) Begin(cmd *cobra.Command) error {
	if path := a.Env[EnvConfig]; path != "" && !cmd.Flags().Changed("config") {
		a.ConfigPath = path
	}
	if a.Deployment == "" && cmd.Flags().Changed("deployment") {
		return problem.Usage(errors.New("--deployment names no deployment; is a variable in it empty?"))
	}
	if name := a.Env[EnvDeployment]; name != "" && !cmd.Flags().Changed("deployment") {
		a.Deployment = name
	}
	if cmd.Flags().Changed("sync") && len(a.Syncs) == 0 {
		return problem.Usage(errors.New("--sync names no sync; is a variable in it empty?"))
	}
	var level slog.Level
	switch a.LogLevel {
	case "debug", "info", "warn", "error":
		_ = level.UnmarshalText([]byte(a.LogLevel)) // these four words are its own
	default:
		return problem.Usage(fmt.Errorf("--log-level %q is none of debug, info, warn, error", a.LogLevel))
	}
	a.Log, a.begun = a.Logger(level), true
	return nil
}

// Begun reports whether a command's own code began: cobra accepted the words and flags, and so did Begin.
func (a *App) Begun() bool { return a.begun }

// To returns standard output for package render, as text or, with --json, as JSON.
func (a *App) To() render.To { return render.To{W: a.Out(), JSON: a.JSON, Typed: a.Typed()} }
