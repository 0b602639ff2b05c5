package main

import (
	"context"
	"errors"
	"strings"

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
  - with an unsubscribe secret, that it is the deployment's: the preferences of one
    contact are read, which also tells the topics and their names
  - the ledger: its file and folder can be written, it is whole, and it belongs to
    this deployment; a first run would create it
  - each source: it is connected to, its columns are listed, its first 10000 rows
    are judged as a run would, and the first of them are shown as they would be
    sent, or with the reason why they would not
  - where webhooks or write-backs are configured: that webhooks came of late if there
    was something to tell, and that each database takes its statement, which is
    prepared there and not run

Of several deployments all are tested, one after the other, unless --deployment or --sync chooses.`,
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
	set, err := a.EachOf(config.UseAll)
	if err != nil {
		return err
	}
	if set != nil {
		return checkEach(ctx, a, set, rows)
	}
	cfg, syncs, err := a.LoadSyncs(config.UseAll)
	if err != nil {
		return err
	}
	report, err := checkOne(ctx, a, cfg, syncs, rows)
	switch {
	case err != nil:
		return err
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

func checkOne(ctx context.Context, a *program.App, cfg *config.Config, syncs []config.Sync, rows int) (checkup.Report, error) {
	urlFrom := ""
	if a.Env[config.EnvURL] != "" && cfg.Name == "" {
		urlFrom = config.EnvURL
	}
	report, err := checkup.Check(ctx, checkup.Question{
		Opener: a.Opener(), Config: cfg, Syncs: syncs, Rows: rows, Listener: render.NewCheck(a.To(), urlFrom),
	})
	if err != nil {
		return report, err
	}
	return report, printReport(a, report)
}

// printReport prints what a machine is told of checks; people were told meanwhile.
func printReport(a *program.App, report checkup.Report) error {
	if !a.JSON {
		return nil
	}
	return a.PrintJSON(report)
}

// checkEach checks all deployments, one after the other. Those whose ledgers are in one database share its connections.
func checkEach(ctx context.Context, a *program.App, set *config.Set, rows int) error {
	defer a.KeepDatabases()()
	var bad, warned []string
	var failed problem.Several
	for _, name := range set.Names() {
		a.Tell("Deployment %s\n", name)
		report, err := checkNamed(ctx, a, set, name, rows)
		if err != nil {
			return err
		}
		if report.Warnings > 0 && report.Failed == 0 {
			warned = append(warned, name)
		}
		if report.Failed > 0 {
			bad, failed = append(bad, name), append(failed, problem.Told(report.Code))
		}
	}
	if len(bad) > 0 {
		a.Tell("\n%d of %s with problems: %s. --deployment NAME checks one of them.\n", len(bad), words.Plural(len(set.Names()), "deployment"), strings.Join(bad, ", "))
		return failed.Err()
	}
	if len(warned) > 0 {
		a.Tell("\n%s: nothing keeps a run from going through, but mind what is warned of in %s.\n", words.Plural(len(set.Names()), "deployment"), strings.Join(warned, ", "))
		return nil
	}
	a.Tell("\n%s: everything is in order. \"owlat-sync plan --deployment NAME\" shows what a run would do.\n", words.Plural(len(set.Names()), "deployment"))
	return nil
}

func checkNamed(ctx context.Context, a *program.App, set *config.Set, name string, rows int) (checkup.Report, error) {
	cfg, err := set.Deployment(name)
	if err != nil {
		report := checkup.Misconfigured(name, err, render.NewCheck(a.To(), ""))
		return report, printReport(a, report)
	}
	return checkOne(ctx, a, cfg, cfg.Syncs, rows)
}
