package main

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

// app is what the commands share: the console, the environment and the common flags.
type app struct {
	*console.Console
	env   map[string]string
	stdin *setup.Stdin // for sources

	configPath string
	syncs      []string
	logLevel   string

	logger  *slog.Logger // set before a command runs
	started bool         // the command's own code began
}

func newApp(env []string, stdin io.Reader, stdout, stderr io.Writer) *app {
	a := &app{
		Console: console.New(stdin, stdout, stderr), env: make(map[string]string, len(env)), stdin: setup.NewStdin(stdin), logger: slog.New(slog.DiscardHandler),
	}
	for _, kv := range env {
		if name, value, ok := strings.Cut(kv, "="); ok {
			a.env[name] = value
		}
	}
	return a
}

// lookupEnv is os.LookupEnv for the environment passed to run.
func (a *app) lookupEnv(name string) (string, bool) {
	v, ok := a.env[name]
	return v, ok
}

// envConfig names the configuration file if --config does not.
const envConfig = "OWLAT_SYNC_CONFIG"

// setup applies the common flags before a command runs.
func (a *app) setup(cmd *cobra.Command) error {
	if path := a.env[envConfig]; path != "" && !cmd.Flags().Changed("config") {
		a.configPath = path
	}
	if cmd.Flags().Changed("sync") && len(a.syncs) == 0 {
		return problem.Usage(errors.New("--sync names no sync; is a variable in it empty?"))
	}
	var level slog.Level
	switch a.logLevel {
	case "debug", "info", "warn", "error":
		_ = level.UnmarshalText([]byte(a.logLevel)) // these four words are its own
	default:
		return problem.Usage(fmt.Errorf("--log-level %q is none of debug, info, warn, error", a.logLevel))
	}
	a.logger = a.Logger(level)
	return nil
}

// to returns standard output for package render.
func (a *app) to() render.To { return render.To{W: a.Out(), JSON: a.JSON} }
