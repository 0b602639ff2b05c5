package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"owlatsync/internal/config"
	"owlatsync/internal/exitcode"
	"owlatsync/internal/problem"
)

// The groups of commands in the help of the root; a command names one as its GroupID.
const (
	groupStart = "start"
	groupSync  = "sync"
	groupCare  = "care"
	groupOne   = "one"
	groupTools = "tools"
)

const rootLong = `owlat-sync keeps the contacts of an Owlat deployment in step with the rows of your database.

It reads the rows of a query, compares them with what Owlat is known to hold, and sends only the
differences. It never changes your database, and does not put people back who unsubscribed.

New here? "owlat-sync demo" shows it at work and needs nothing. Then, with your own database:

  owlat-sync init postgres://user@host/db   write a configuration file
  owlat-sync check                          test connections, key and topics; changes nothing
  owlat-sync plan                           show what a run would do
  owlat-sync run                            do it`

func newRootCmd(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:           "owlat-sync",
		Short:         "Keep Owlat's contacts in step with your database",
		Long:          rootLong,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		RunE:          runGroup,
	}
	root.SetIn(a.In())
	root.SetOut(a.Out())
	root.SetErr(a.Err())
	root.CompletionOptions.HiddenDefaultCmd = false

	flags := root.PersistentFlags()
	flags.StringVarP(&a.configPath, "config", "c", "owlat-sync.yaml", "configuration `file`; the environment variable "+envConfig+" can name it too")
	flags.StringSliceVar(&a.syncs, "sync", nil, "only the sync with this `name` (repeatable; default all)")
	flags.BoolVar(&a.JSON, "json", false, "print JSON for machines instead of text")
	flags.BoolVarP(&a.Yes, "yes", "y", false, "answer yes to every question")
	flags.StringVar(&a.logLevel, "log-level", "warn", "log to standard error: lines of this `level` and graver: debug, info, warn or error")

	_ = root.RegisterFlagCompletionFunc("sync", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		cfg, err := a.loadConfig(config.UseLedger)
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		return cfg.Names(), cobra.ShellCompDirectiveNoFileComp
	})
	_ = root.RegisterFlagCompletionFunc("log-level", cobra.FixedCompletions([]string{"debug", "info", "warn", "error"}, cobra.ShellCompDirectiveNoFileComp))

	root.AddGroup(
		&cobra.Group{ID: groupStart, Title: "Get started:"},
		&cobra.Group{ID: groupSync, Title: "Sync:"},
		&cobra.Group{ID: groupCare, Title: "Look closer, and set right:"},
		&cobra.Group{ID: groupOne, Title: "A single contact:"},
		&cobra.Group{ID: groupTools, Title: "Tools:"},
	)
	root.SetHelpCommandGroupID(groupTools)
	root.SetCompletionCommandGroupID(groupTools)
	root.SetFlagErrorFunc(explainFlag)
	root.SetUsageTemplate(root.UsageTemplate() + "\nExit codes:\n" + exitcode.Help())

	root.AddCommand(
		newCheckCmd(a),
		newPlanCmd(a),
		newRunCmd(a),
		newApproveCmd(a),
		newServeCmd(a),
		newTriggerCmd(a),
		newStatusCmd(a),
		newFailuresCmd(a),
		newRetryCmd(a),
		newFeedbackCmd(a),
		newExplainCmd(a),
		newVerifyCmd(a),
		newAlertCmd(a),
		newLedgerCmd(a),
		newUpsertCmd(a),
		newTopicCmd(a),
		newSchemaCmd(a),
		newVersionCmd(a),
		newInitCmd(a),
		newDemoCmd(a),
		newSandboxCmd(a),
		newTokenCmd(a),
	)
	nameShells(root)
	markStart(a, root)
	return root
}

// nameShells makes "completion" refuse an unknown shell.
func nameShells(root *cobra.Command) {
	root.InitDefaultCompletionCmd("completion")
	if cmd, _, err := root.Find([]string{"completion"}); err == nil && cmd != root {
		cmd.Args, cmd.RunE = cobra.ArbitraryArgs, runGroup
	}
}

// runGroup is the body of a command that only has subcommands: it shows the help, or says that a word is not one of them.
func runGroup(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return cmd.Help()
	}
	cmd.SuggestionsMinimumDistance = 2
	err := problem.Usage(fmt.Errorf("%s has no command %q", cmd.CommandPath(), args[0]))
	if like := cmd.SuggestionsFor(args[0]); len(like) > 0 {
		return problem.Hint(err, "did you mean \"%s %s\"?", cmd.CommandPath(), like[0])
	}
	return problem.Hint(err, "\"%s --help\" lists the commands", cmd.CommandPath())
}

// markStart makes every command note that cobra accepted the command line, and apply the common flags.
func markStart(a *app, cmd *cobra.Command) {
	for _, sub := range cmd.Commands() {
		markStart(a, sub)
	}
	if body := cmd.RunE; body != nil {
		cmd.RunE = func(c *cobra.Command, args []string) error {
			if err := a.setup(c); err != nil {
				return err
			}
			a.started = true
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

// noArgs refuses arguments.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return problem.Hint(fmt.Errorf("%s takes no argument such as %q", cmd.CommandPath(), args[0]),
		"--sync NAME chooses one of several syncs; see \"%s --help\"", cmd.CommandPath())
}

// needArgs returns a check of the number of arguments; its error says what they are. A negative most means any number.
func needArgs(least, most int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < least || most >= 0 && len(args) > most {
			return fmt.Errorf("%s needs %s; see \"%s --help\"", cmd.CommandPath(), what, cmd.CommandPath())
		}
		return nil
	}
}
