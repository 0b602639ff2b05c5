package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"owlatsync/cmd/owlat-sync/internal/program"
	"owlatsync/internal/checkup"
	"owlatsync/internal/config"
	"owlatsync/internal/problem"
	"owlatsync/internal/render"
	"owlatsync/internal/words"
)

func newCheckCmd(a *program.App) *cobra.Command {
	var rows int
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Test the configuration, the connections, the key and the topics; changes nothing",
		Long: `Test everything a run needs, and change nothing:

  - the configuration file
  - that the Owlat deployment answers and accepts the API key
  - that the key has the scopes the syncs need, and that the topics exist
    (with requests that Owlat refuses after it has looked at the scope)
  - the ledger: its file and folder can be written, it is whole, and it belongs to
    this deployment; a first run would create it
  - each source: it is connected to, its columns are listed, its first 10000 rows
    are judged as a run would, and the first of them are shown as they would be
    sent, or with the reason why they would not
  - where webhooks or write-backs are configured: that webhooks came of late if there
    was something to tell, and that each database takes its statement, which is
    prepared there and not run`,
		Example: `  owlat-sync check
  owlat-sync check --sync users --rows 20`,
		GroupID: program.GroupSync,
		Args:    program.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if rows < 0 {
				return problem.Usage(errors.New("--rows must not be negative"))
			}
			return check(cmd.Context(), a, rows)
		},
	}
	cmd.Flags().IntVar(&rows, "rows", 5, "how many `rows` of each source to show")
	return cmd
}

func check(ctx context.Context, a *program.App, rows int) error {
	cfg, syncs, err := a.LoadSyncs(config.UseAll)
	if err != nil {
		return err
	}
	urlFrom := ""
	if a.Env[config.EnvURL] != "" && cfg.Name == "" {
		urlFrom = config.EnvURL
	}
	report, err := checkup.Check(ctx, checkup.Question{
		Opener: a.Opener(), Config: cfg, Syncs: syncs, Rows: rows, Listener: render.NewCheck(a.To(), urlFrom),
	})
	if err != nil {
		return err
	}
	if a.JSON {
		if err := a.PrintJSON(report); err != nil {
			return err
		}
	}
	switch {
	case report.Failed > 0:
		a.Tell("%s found.\n", words.Plural(report.Failed, "problem"))
		return problem.Told(report.Code)
	case report.Warnings > 0:
		a.Tell("Nothing keeps a run from going through, but mind what is warned of above. \"owlat-sync plan\" shows what it would do.\n")
	default:
		a.Tell("Everything is in order. \"owlat-sync plan\" shows what a run would do.\n")
	}
	return nil
}
