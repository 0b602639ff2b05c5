// Package services has the commands of a service: the one that runs it, and those that ask it, let somebody in, try its alerts
// and care for what Owlat told it.
package services

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"

	"owlatsync/cmd/owlat-sync/internal/program"
	"owlatsync/internal/config"
	"owlatsync/internal/problem"
	"owlatsync/internal/serve"
	"owlatsync/internal/telemetry"
)

// NewServeCmd returns the command "serve", which runs a service until it is stopped.
func NewServeCmd(a *program.App) *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "Run by itself: schedules, webhooks, an HTTP API, metrics, alerts",
		Long: `Keep every sync of the configuration fresh until it is stopped: each runs when its "schedule" says so,
or when its source tells that rows have changed ("listen", "poll"). One sync runs at a time; a long run
lets the others have their turns. What Owlat tells by webhooks is taken in and written back.

A run that a guard holds, such as the first run of a sync, waits until somebody approves it, and holds
up no other sync. "owlat-sync status" shows it, "owlat-sync trigger" asks for a run, and the HTTP API
does both for programs. Other commands may be used beside a service: whoever comes second waits for the
ledger, or says who has it.

SIGTERM or Ctrl-C stops softly: what is in flight is finished and recorded, within "serve.stop_within".
A second one aborts. However a service ends, the next one goes on from what is certain. SIGHUP takes
over the configuration file, whole or, if anything in it is wrong, not at all. Variables that the file
names keep the values with which the service began.

Several "deployments" are worked for side by side. A mistake in one leaves out that one, or leaves it as
it was when the file is read again. With a ledger in PostgreSQL, any number of services may be started
with one configuration: they share the work, and others take over what one leaves behind when it ends.

The service logs from the level info on if --log-level does not say otherwise.`,
		Example: `  owlat-sync serve
  owlat-sync serve --config /etc/owlat-sync/owlat-sync.yaml
  kill -HUP "$(pidof owlat-sync)"     take over the configuration file`,
		GroupID: program.GroupSync,
		Args:    program.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return runService(cmd, a) },
	}
}

// restGC makes the collector work more often than usual, because a service rests most of the time, beside other programs.
const restGC = 25

func runService(cmd *cobra.Command, a *program.App) error {
	if cmd.Flags().Changed("sync") {
		return problem.Usage(errors.New("a service runs all syncs of its configuration: a sync without a \"schedule\" runs only when somebody asks"))
	}
	load := func() (*config.Set, error) { return a.LoadSet(config.UseEverything) }
	set, err := load()
	if err != nil {
		return err
	}
	level := slog.LevelInfo
	if cmd.Flags().Changed("log-level") {
		_ = level.UnmarshalText([]byte(a.LogLevel)) // it was checked
	}
	opener := a.Opener()
	opener.Logger = telemetry.NewLog(a.Err(), set.Service.LogJSON || a.JSON, level)
	if _, given := a.LookupEnv("GOGC"); !given {
		defer debug.SetGCPercent(debug.SetGCPercent(restGC))
	}
	stop := a.NewSoftStop()
	stop.Arm()
	defer stop.Disarm()
	again, release := reloads(cmd.Context())
	defer release()
	err = serve.Run(cmd.Context(), set, serve.Options{
		Opener: opener, Reload: load, Lookup: a.LookupEnv, Version: a.Version, Config: a.Typed().Config,
		Ready: func(at serve.Addresses) {
			if a.JSON {
				_ = a.PrintJSON(struct {
					Type   string `json:"type"`
					Listen string `json:"listen"`
					Public string `json:"public,omitempty"`
				}{"serve", at.Listen, at.Public})
			}
		},
	}, serve.Signals{Stop: stop.C(), Reload: again})
	if set.Several {
		return err
	}
	return a.ExplainError(set.Deployments[0], "", err)
}

// reloads returns a channel that has a value after SIGHUP.
func reloads(ctx context.Context) (again <-chan struct{}, release func()) {
	signals, c := make(chan os.Signal, 1), make(chan struct{}, 1)
	signal.Notify(signals, syscall.SIGHUP)
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-ctx.Done():
				return
			case <-signals:
			}
			select {
			case c <- struct{}{}:
			default: // one is enough
			}
		}
	}()
	return c, func() {
		signal.Stop(signals)
		cancel()
		<-done
	}
}
