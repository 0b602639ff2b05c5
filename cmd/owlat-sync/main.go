// Command owlat-sync keeps the contacts of an Owlat deployment in step with the rows of a database.
//
// Each command has its own file with its flags, its call and its words, and a constructor new…Cmd; root.go puts them together.
// The rooms below stand on each other: program is what all commands share, services and contacts are groups of commands.
// Internal packages do the work: setup opens what the configuration names, console is the terminal, render shows. Only drivers.go
// knows database drivers.
package main

import (
	"context"
	"errors"
	"io"
	"os"

	"owlatsync/cmd/owlat-sync/internal/program"
	"owlatsync/internal/exitcode"
	"owlatsync/internal/problem"
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Environ(), os.Stdin, os.Stdout, os.Stderr))
}

// run executes one command line and returns the exit code. Cancelling ctx aborts the command. run handles SIGINT and SIGTERM
// itself.
func run(ctx context.Context, args, env []string, stdin io.Reader, stdout, stderr io.Writer) int {
	a := newApp(env, stdin, stdout, stderr)
	ctx, release := a.WatchSignals(ctx)
	defer release()

	root := newRootCmd(a)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err != nil && !a.Begun() {
		// The command has not begun: cobra refused the words or flags themselves.
		err = problem.Usage(err)
	}
	err = errors.Join(err, a.Close())
	if err == nil {
		err = a.Unwritten()
	}
	a.PrintError(err)
	return int(exitcode.Of(err))
}

// newApp returns what the commands share, with this program's version and drivers.
func newApp(env []string, stdin io.Reader, stdout, stderr io.Writer) *program.App {
	return program.New(program.Built{Version: readVersion().Version, Drivers: drivers()}, env, stdin, stdout, stderr)
}
