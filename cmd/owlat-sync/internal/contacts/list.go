package contacts

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"owlatsync"
	"owlatsync/cmd/owlat-sync/internal/program"
	"owlatsync/internal/exitcode"
	"owlatsync/internal/list"
	"owlatsync/internal/problem"
	"owlatsync/internal/render"
	"owlatsync/internal/setup"
	"owlatsync/owlat"
)

const fromFileLong = `With --from, the contacts are those of a file: a CSV or NDJSON file with a column of addresses, or a
text with one address or contact id a line; "-" is standard input. The whole file is read before
anything is sent. A journal beside it remembers who is done, so that after Ctrl-C or a kill the same
command goes on; it is removed at the end if nothing failed.`

// listFlags are the flags of commands that take a list.
type listFlags struct {
	file    string
	column  string
	fields  map[string]string
	dryRun  bool
	journal string
	failed  string
	names   bool // the command sends names
}

// bind adds the flags to a command.
func (l *listFlags) bind(cmd *cobra.Command, names bool) {
	l.names = names
	flags := cmd.Flags()
	flags.StringVar(&l.file, "from", "", "take the contacts from this `file`, or from standard input if it is -")
	flags.StringVar(&l.column, "column", "", "with --from: the `column` with the addresses or contact ids (default: it is found)")
	flags.BoolVar(&l.dryRun, "dry-run", false, "with --from: only read the file, and say what would be sent")
	flags.StringVar(&l.journal, "journal", "", "with --from: the `file` that remembers who is done (default: the list's name with .journal)")
	flags.StringVar(&l.failed, "failures", "", "with --from: write a CSV `file` with every line that was not done and why; it holds addresses")
	if names {
		flags.StringToStringVar(&l.fields, "field", nil, "with --from: the column of a name, as `first_name=COLUMN` or full_name=COLUMN (repeatable; default: they are found)")
	}
}

// orContacts checks the arguments of a topic's command: a topic, and contacts unless there is a list.
func (l *listFlags) orContacts() cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if l.file == "" {
			if err := l.unused(); err != nil {
				return err
			}
			return program.NeedArgs(2, -1, "a topic id and at least one address or contact id, or --from")(cmd, args)
		}
		return program.NeedArgs(1, 1, "only a topic id beside --from")(cmd, args)
	}
}

// orAddress checks the arguments of upsert: an address unless there is a list.
func (l *listFlags) orAddress() cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if l.file != "" {
			return program.NeedArgs(0, 0, "no address beside --from")(cmd, args)
		}
		if err := l.unused(); err != nil {
			return err
		}
		return program.NeedArgs(1, 1, "an address, such as ada@example.com, or --from")(cmd, args)
	}
}

// upsert creates or updates everybody on the list.
func (l *listFlags) upsert(a *program.App, cmd *cobra.Command) error {
	for _, f := range owlatsync.ContactFields {
		if cmd.Flags().Changed(flagOf(f)) {
			return problem.Usage(problem.Hint(fmt.Errorf("--%s is for a single contact", flagOf(f)), "--field %s=COLUMN names a column of the list", f.Column()))
		}
	}
	return l.run(a, cmd, list.Upsert())
}

// unused refuses flags that mean nothing without a list.
func (l *listFlags) unused() error {
	for _, flag := range []struct {
		name string
		set  bool
	}{
		{"column", l.column != ""}, {"dry-run", l.dryRun}, {"journal", l.journal != ""}, {"failures", l.failed != ""}, {"field", len(l.fields) > 0},
	} {
		if flag.set {
			return problem.Usage(fmt.Errorf("--%s means something only with --from", flag.name))
		}
	}
	return nil
}

// columns returns the columns that the flags name.
func (l *listFlags) columns() (c list.Columns, err error) {
	c.Contact = l.column
	for _, name := range slices.Sorted(maps.Keys(l.fields)) {
		if name == "full_name" {
			c.FullName = l.fields[name]
			continue
		}
		at := slices.IndexFunc(owlatsync.ContactFields[:], func(f owlatsync.ContactField) bool { return f.Column() == name })
		if at < 0 {
			return c, problem.Usage(fmt.Errorf("--field %s=…: a contact has no such field", name))
		}
		c.Fields[owlatsync.ContactFields[at]] = l.fields[name]
	}
	if c.FullName != "" && c.Fields != (owlatsync.Texts{}) {
		return c, problem.Usage(errors.New("--field full_name=… makes both names; leave out the others"))
	}
	return c, nil
}

// run reads the list and does the job for everybody on it.
func (l *listFlags) run(a *program.App, cmd *cobra.Command, job list.Job) (err error) {
	columns, err := l.columns()
	if err != nil {
		return err
	}
	if list.OnStdin(l.file) && !a.Yes && !l.dryRun {
		return problem.Usage(errors.New("with a list on standard input nobody can be asked: add --yes, or --dry-run to see what would be sent"))
	}
	cfg, err := a.LoadOwlat(cmd)
	if err != nil {
		return err
	}
	job.Deployment = cfg.Owlat.URL
	people, err := list.Read(cmd.Context(), a.Opener(), list.Ask{From: l.file, Columns: columns, Names: l.names})
	if err != nil {
		return err
	}
	client, err := a.Opener().Client(cfg.Owlat)
	if err != nil {
		return err
	}
	open := func() (*setup.Outside, error) {
		return setup.OpenOutside(cmd.Context(), a.Opener(), cfg, cmd.CommandPath(), true)
	}
	t := &listTale{App: a, flags: l, job: job, people: people, open: open, advise: func(err error) error { return aboutTopic(setup.Advise(err, cfg.Owlat)) }}
	return l.tell(cmd, t, client)
}

// tell does the job of a list, or only says what it would do.
func (l *listFlags) tell(cmd *cobra.Command, t *listTale, client *owlat.Client) error {
	if !l.dryRun {
		return t.work(cmd.Context(), client)
	}
	if t.survey != nil {
		if err := t.survey(cmd.Context(), nil); err != nil {
			return err
		}
	}
	render.ListPlan(t.To(), l.file, t.job, t.people, client.Estimate(t.requests(len(t.people.Entries))))
	t.tellMore()
	t.refuse()
	if t.shown > 0 {
		return problem.Told(exitcode.FailedRows)
	}
	return nil
}
