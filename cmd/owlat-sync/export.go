package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"owlatsync/cmd/owlat-sync/internal/program"
	"owlatsync/internal/config"
	"owlatsync/internal/importfile"
	"owlatsync/internal/problem"
	"owlatsync/internal/render"
	"owlatsync/internal/setup"
	"owlatsync/reconcile"
)

// export is what the command is asked for.
type export struct {
	folder     string
	dry        bool
	language   string
	properties []string // NAME=COLUMN
	names      []string // ID=NAME
}

func newExportCmd(a *program.App) *cobra.Command {
	var x export
	cmd := &cobra.Command{
		Use:   "export --for-import DIR",
		Short: "Write people whom Owlat does not have to files for its importer",
		Long: `Write the people whom a run would create to CSV files for the importer of Owlat's dashboard, which takes
in 100 000 people in minutes and sets off no "contact created" automation. Owlat's contacts are listed first.

The files have valid rows only, one for each person by the rules of a run, and nobody whom Owlat has, whom
the ledger has met before, or to whom no mail may go. The ledger has their consents as spent from then on: the next run takes the
imported contacts over and puts nobody on a topic who has left meanwhile.

The folder must be empty or not exist. An export that was killed goes on with the same command.
With --dry-run nothing is written and recorded, and the numbers are told.`,
		Example: `  owlat-sync export --for-import import --dry-run
  owlat-sync export --for-import import --language lang --property Plan=plan`,
		GroupID: program.GroupSync,
		Args:    program.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return runExport(cmd.Context(), a, x) },
	}
	flags := cmd.Flags()
	flags.StringVar(&x.folder, "for-import", "", "the `folder` for the files; they hold addresses, and only you can read them")
	flags.BoolVar(&x.dry, "dry-run", false, "only tell how many people would be written")
	flags.StringVar(&x.language, "language", "", "the source's `column` with the language")
	flags.StringArrayVar(&x.properties, "property", nil, "a custom property, as `NAME=COLUMN` (repeatable)")
	flags.StringArrayVar(&x.names, "topic-name", nil, "what a topic is called in Owlat, as `ID=NAME` (repeatable); without it as in the configuration, or by its id")
	return cmd
}

// headers are the columns that the importer takes for something else than a property.
var headers = []string{"email", "e-mail", "first name", "firstname", "first_name", "given name", "last name", "lastname", "last_name", "family name", "surname",
	"language", "lang", "locale", "preferred_language", "list", "topic", "topics", "mailing list", "mailing_list", "mailinglist", "lists"}

// columns returns what is written besides the address and the names.
func (x *export) columns(sync config.Sync) (c importfile.Columns, err error) {
	c = importfile.Columns{Language: x.language, Topics: len(sync.Topics) > 0, Names: make(map[string]string)}
	for _, text := range x.properties {
		name, column, ok := strings.Cut(text, "=")
		lower := strings.ToLower(name)
		switch {
		case !ok || column == "" || name == "" || strings.TrimSpace(name) != name:
			return c, problem.Usage(fmt.Errorf("--property %q is not of the form NAME=COLUMN", text))
		case slices.Contains(headers, lower) || strings.Contains(lower, "email"):
			return c, problem.Usage(fmt.Errorf("--property: the importer takes a column called %q for something else: give the property another name", name))
		case slices.ContainsFunc(c.Properties, func(p importfile.Property) bool { return p.Name == name }):
			return c, problem.Usage(fmt.Errorf("--property: %q is there twice", name))
		}
		c.Properties = append(c.Properties, importfile.Property{Name: name, Column: column})
	}
	for _, t := range sync.Topics {
		c.Names[t.ID] = t.Name
	}
	for _, text := range x.names {
		id, name, ok := strings.Cut(text, "=")
		if _, known := c.Names[id]; !ok || name == "" || !known {
			return c, problem.Usage(fmt.Errorf("--topic-name %q is not of the form ID=NAME with the id of a topic of the sync", text))
		}
		c.Names[id] = name
	}
	return c, nil
}

// read returns the columns of the source that are read for the files alone.
func read(c importfile.Columns) (all []string) {
	if c.Language != "" {
		all = append(all, c.Language)
	}
	for _, p := range c.Properties {
		all = append(all, p.Column)
	}
	return all
}

func runExport(ctx context.Context, a *program.App, x export) error {
	if x.folder == "" {
		return problem.Usage(errors.New("name the folder for the files with --for-import"))
	}
	return a.WithSession(ctx, func(s *setup.Session, syncs []config.Sync) error {
		if len(syncs) != 1 {
			return problem.Usage(errors.New("one export has the people of one sync: name it with --sync"))
		}
		if syncs[0].Match {
			return problem.Usage(fmt.Errorf("the sync %q only sends events (contacts: match) and creates nobody, so it has nobody to export", syncs[0].Name))
		}
		columns, err := x.columns(syncs[0])
		if err != nil {
			return err
		}
		return a.EachSync(s, syncs, func(sync config.Sync) error { return x.export(ctx, a, s, sync, columns) }).Err()
	})
}

func (x *export) export(ctx context.Context, a *program.App, s *setup.Session, sync config.Sync, columns importfile.Columns) (err error) {
	began := time.Now()
	display := a.StartDisplay(sync.Name, false, s)
	defer display.Stop()
	if x.dry {
		done, err := setup.Export(ctx, s, sync, read(columns), reconcile.ExportOptions{Write: columns.Fit}, display.Observe)
		display.Stop()
		if err != nil {
			return err
		}
		return render.Export(a.To(), sync.Name, done, time.Since(began), nil)
	}
	folder, err := importfile.Open(x.folder, sync.Name, columns, s.Ledger.Now())
	if err != nil {
		return exportFailed(err)
	}
	defer func() { err = errors.Join(err, folder.Abandon()) }()
	done, err := setup.Export(ctx, s, sync, read(columns), reconcile.ExportOptions{Began: folder.Began(), Write: folder.Write, Written: folder.Finish}, display.Observe)
	display.Stop()
	if err == nil {
		err = folder.Publish()
	}
	if err != nil {
		return exportFailed(err)
	}
	return render.Export(a.To(), sync.Name, done, time.Since(began), folder.Files())
}

// exportFailed adds what to do.
func exportFailed(err error) error {
	if _, full := errors.AsType[*importfile.NotEmptyError](err); full {
		return problem.Usage(err)
	}
	if problem.HintOf(err) != "" {
		return err
	}
	return problem.Hint(err, "the same command goes on with this export")
}
