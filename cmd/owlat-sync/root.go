package main

import (
	"errors"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"owlatsync/cmd/owlat-sync/internal/contacts"
	"owlatsync/cmd/owlat-sync/internal/program"
	"owlatsync/cmd/owlat-sync/internal/services"
	"owlatsync/internal/config"
	"owlatsync/internal/exitcode"
	"owlatsync/internal/problem"
)

const rootLong = `owlat-sync keeps the contacts of an Owlat deployment in step with the rows of your database.

It reads the rows of a query, compares them with what Owlat is known to hold, and sends only the
differences. It never changes your database, and does not put people back who unsubscribed.

New here? "owlat-sync demo" shows it at work and needs nothing. Then, with your own database:

  owlat-sync init postgres://user@host/db   write a configuration file
  owlat-sync check                          test connections, key and topics; changes nothing
  owlat-sync plan                           show what a run would do
  owlat-sync run                            do it`

func newRootCmd(a *program.App) *cobra.Command {
	root := &cobra.Command{
		Use:           "owlat-sync",
		Short:         "Keep Owlat's contacts in step with your database",
		Long:          rootLong,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		RunE:          program.RunGroup,
	}
	root.SetIn(a.In())
	root.SetOut(a.Out())
	root.SetErr(a.Err())
	root.CompletionOptions.HiddenDefaultCmd = false

	flags := root.PersistentFlags()
	flags.StringVarP(&a.ConfigPath, "config", "c", "owlat-sync.yaml", "configuration `file`; the environment variable "+program.EnvConfig+" can name it too")
	flags.StringVar(&a.Deployment, "deployment", "", "the deployment with this `name`, if the configuration has several; the environment variable "+program.EnvDeployment+" can name it too")
	flags.StringSliceVar(&a.Syncs, "sync", nil, "only the sync with this `name` (repeatable; default all)")
	flags.BoolVar(&a.JSON, "json", false, "print JSON for machines instead of text")
	flags.BoolVarP(&a.Yes, "yes", "y", false, "answer yes to every question")
	flags.StringVar(&a.LogLevel, "log-level", "warn", "log to standard error: lines of this `level` and graver: debug, info, warn or error")

	_ = root.RegisterFlagCompletionFunc("sync", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		cfg, err := a.LoadConfig(config.UseLedger)
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		return cfg.Names(), cobra.ShellCompDirectiveNoFileComp
	})
	_ = root.RegisterFlagCompletionFunc("deployment", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		set, err := a.LoadSet(config.UseLedger)
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		return set.Names(), cobra.ShellCompDirectiveNoFileComp
	})
	_ = root.RegisterFlagCompletionFunc("log-level", cobra.FixedCompletions([]string{"debug", "info", "warn", "error"}, cobra.ShellCompDirectiveNoFileComp))

	root.AddGroup(
		&cobra.Group{ID: program.GroupStart, Title: "Get started:"},
		&cobra.Group{ID: program.GroupSync, Title: "Sync:"},
		&cobra.Group{ID: program.GroupCare, Title: "Look closer, and set right:"},
		&cobra.Group{ID: program.GroupOne, Title: "A single contact:"},
		&cobra.Group{ID: program.GroupTools, Title: "Tools:"},
	)
	root.SetHelpCommandGroupID(program.GroupTools)
	root.SetCompletionCommandGroupID(program.GroupTools)
	root.SetFlagErrorFunc(explainFlag)
	root.SetUsageTemplate(root.UsageTemplate() + "\nExit codes:\n" + exitcode.Help())

	root.AddCommand(
		newCheckCmd(a),
		newPlanCmd(a),
		newRunCmd(a),
		newExportCmd(a),
		newApproveCmd(a),
		newDismissCmd(a),
		services.NewServeCmd(a),
		services.NewTriggerCmd(a),
		newStatusCmd(a),
		newFailuresCmd(a),
		newRetryCmd(a),
		services.NewFeedbackCmd(a),
		newExplainCmd(a),
		newVerifyCmd(a),
		newAuditCmd(a),
		services.NewAlertCmd(a),
		newLedgerCmd(a),
		contacts.NewUpsertCmd(a),
		contacts.NewTopicCmd(a),
		contacts.NewOptoutCmd(a),
		newSchemaCmd(a),
		newVersionCmd(a),
		newInitCmd(a),
		newDemoCmd(a),
		newSandboxCmd(a),
		services.NewTokenCmd(a),
		services.NewAccountCmd(a),
	)
	nameShells(root)
	markStart(a, root)
	return root
}

// nameShells makes "completion" refuse an unknown shell.
func nameShells(root *cobra.Command) {
	root.InitDefaultCompletionCmd("completion")
	if cmd, _, err := root.Find([]string{"completion"}); err == nil && cmd != root {
		cmd.Args, cmd.RunE = cobra.ArbitraryArgs, program.RunGroup
	}
}

// markStart makes every command note that cobra accepted the command line, and apply the common flags.
func markStart(a *program.App, cmd *cobra.Command) {
	for _, sub := range cmd.Commands() {
		markStart(a, sub)
	}
	if body := cmd.RunE; body != nil {
		cmd.RunE = func(c *cobra.Command, args []string) error {
			if err := a.Begin(c); err != nil {
				return err
			}
			return body(c, args)
		}
	}
}

// explainFlag says what is wrong with a flag, in words that need no knowledge of Go.
func explainFlag(cmd *cobra.Command, err error) error {
	text := err.Error()
	if number, ok := errors.AsType[*strconv.NumError](err); ok {
		text = strings.TrimSuffix(text, number.Error()) + "it takes a number"
	}
	return problem.Hint(errors.New(text), "\"%s --help\" lists the flags", cmd.CommandPath())
}
