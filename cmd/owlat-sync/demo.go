package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"owlatsync"
	"owlatsync/cmd/owlat-sync/internal/program"
	"owlatsync/internal/config"
	"owlatsync/internal/demo"
	"owlatsync/internal/serve"
	"owlatsync/internal/setup"
	"owlatsync/internal/telemetry"
)

func newDemoCmd(a *program.App) *cobra.Command {
	var keep, page bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "See it at work on invented people; needs nothing",
		Long: `Show owlat-sync at work, in about twenty seconds and without anything of yours.

It makes an SQLite database of invented users in a temporary folder and starts an Owlat that sends no
mail, with Owlat's real request limit. Then it syncs, changes a few rows, syncs again, and once more
without a change, and shows what each run sent, as counted by that Owlat.

With --page a service does the same, and its page is open in a browser on this machine, until Ctrl-C. There
somebody then has an accident with the database, and a guard holds the run.`,
		Example: `  owlat-sync demo
  owlat-sync demo --page     see it in a browser`,
		GroupID: program.GroupStart,
		Args:    program.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if page {
				return inFolder(a, keep, func(dir string) error { return showDemo(cmd.Context(), a, dir) })
			}
			return inFolder(a, keep, func(dir string) error { return playDemo(cmd.Context(), a, dir) })
		},
	}
	cmd.Flags().BoolVar(&page, "page", false, "show it in a browser: a service whose page is open on this machine, until Ctrl-C")
	cmd.Flags().BoolVar(&keep, "keep", false, "keep the folder with database, configuration and ledger")
	return cmd
}

// inFolder calls play with a folder that is gone afterwards, unless it is to be kept.
func inFolder(a *program.App, keep bool, play func(dir string) error) (err error) {
	dir, err := os.MkdirTemp("", "owlat-sync-demo-")
	if err != nil {
		return fmt.Errorf("make a folder for the demo: %w", err)
	}
	defer func() {
		if keep {
			a.Tell("The database, the configuration and the ledger are in %s\n", dir)
			return
		}
		err = errors.Join(err, os.RemoveAll(dir))
	}()
	return play(dir)
}

func playDemo(ctx context.Context, a *program.App, dir string) error {
	runs, err := demo.Play(ctx, dir, demo.Program{
		Opener: a.Opener(), Tell: a.Tell,
		Configured: func(path, url, key string) { useDemo(a, path, url, key) },
		Run: func(ctx context.Context, showRows bool) ([]*owlatsync.Report, error) {
			return runForDemo(ctx, a, showRows)
		},
	})
	if err != nil || !a.JSON {
		return err
	}
	return a.PrintJSON(struct {
		Type string     `json:"type"`
		Runs []demo.Act `json:"runs"`
	}{"demo", runs})
}

// useDemo points the program at the demo's configuration and deployment, and away from the person's own.
func useDemo(a *program.App, path, url, key string) {
	a.ConfigPath, a.Syncs, a.Yes = path, nil, true
	a.Env[config.EnvURL], a.Env[config.EnvAPIKey] = url, key
}

// runForDemo does what the command run does.
func runForDemo(ctx context.Context, a *program.App, showRows bool) ([]*owlatsync.Report, error) {
	r := &runner{}
	err := a.WithSession(ctx, func(s *setup.Session, syncs []config.Sync) error {
		return a.EachSync(s, syncs, func(sync config.Sync) error { return r.run(ctx, a, s, sync) }).Err()
	})
	if !showRows {
		r.end.ForgetRows()
	}
	r.end.End(a.To())
	a.Tell("\n")
	return r.end.Reports(), err
}

// showDemo plays the demo before the page of a service.
func showDemo(ctx context.Context, a *program.App, dir string) error {
	stop := a.NewSoftStop()
	stop.Arm()
	defer stop.Disarm()
	opener := a.Opener()
	opener.Logger = telemetry.NewLog(a.Err(), a.JSON, slog.LevelError) // the story tells the rest
	serving := func(ctx context.Context, stop <-chan struct{}, ready func(address string)) error {
		load := func() (*config.Set, error) { return a.LoadSet(config.UseEverything) }
		set, err := load()
		if err != nil {
			return err
		}
		return serve.Run(ctx, set, serve.Options{
			Opener: opener, Reload: load, Lookup: func(string) (string, bool) { return "", false }, Version: a.Version, // it is nobody's service
			Ready: func(at serve.Addresses) {
				if a.JSON {
					_ = a.PrintJSON(struct {
						Type   string `json:"type"`
						Listen string `json:"listen"`
					}{"demo", at.Listen})
				}
				ready(at.Listen)
			},
		}, serve.Signals{Stop: stop})
	}
	return demo.Show(ctx, dir, demo.Program{
		Opener: opener, Tell: a.Tell, Configured: func(path, url, key string) { useDemo(a, path, url, key) },
	}, serving, stop.C())
}
