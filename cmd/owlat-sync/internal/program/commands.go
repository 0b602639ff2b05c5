package program

import (
	"fmt"

	"github.com/spf13/cobra"

	"owlatsync/internal/problem"
)

// The groups of commands in the help of the root; a command names one as its GroupID, and one below another command none.
const (
	GroupStart = "start"
	GroupSync  = "sync"
	GroupCare  = "care"
	GroupOne   = "one"
	GroupTools = "tools"
)

// RunGroup is the body of a command that only has subcommands: it shows the help, or returns an error of usage that says that
// a word is not one of them and names one that is like it.
func RunGroup(cmd *cobra.Command, args []string) error {
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

// NoArgs refuses arguments, as a cobra.PositionalArgs.
func NoArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return problem.Hint(fmt.Errorf("%s takes no argument such as %q", cmd.CommandPath(), args[0]),
		"--sync NAME chooses one of several syncs; see \"%s --help\"", cmd.CommandPath())
}

// NeedArgs returns a check of the number of arguments; its error says what they are. A negative most means any number.
func NeedArgs(least, most int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < least || most >= 0 && len(args) > most {
			return fmt.Errorf("%s needs %s; see \"%s --help\"", cmd.CommandPath(), what, cmd.CommandPath())
		}
		return nil
	}
}
