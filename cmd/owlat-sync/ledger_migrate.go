package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"owlatsync/cmd/owlat-sync/internal/program"
	"owlatsync/internal/config"
	"owlatsync/internal/problem"
	"owlatsync/internal/setup"
	"owlatsync/ledger"
)

func newLedgerMigrateCmd(a *program.App) *cobra.Command {
	var dry bool
	cmd := &cobra.Command{
		Use:   "migrate [LEDGER]",
		Short: "Bring the ledger up to date, also ahead of an upgrade",
		Long: `Create the schema of a ledger in PostgreSQL, or bring it up to date, with the tables of River, which
distributes the work of services. It is safe while runs go on and while others do the same. A program of
the version before goes on beside it, so do this first, then upgrade one service after the other.

A service does it by itself if its user may. Where it may not, name here the ledger as its owner does,
such as 'postgres://owner:${PASSWORD}@db.example.com/owlat_sync'; ${NAME} is read from the environment.

A ledger in a file is brought up to date by whatever opens it, this command too.

Each migration is named before it is made: those of the ledger, and those of River. With --dry-run
nothing is made, and the right to read the schema is enough.`,
		Example: `  owlat-sync ledger migrate --dry-run
  owlat-sync ledger migrate
  owlat-sync ledger migrate '${OWNER_URL}'`,
		Args: program.NeedArgs(0, 1, "at most one ledger"),
		RunE: func(cmd *cobra.Command, args []string) error { return migrateLedgers(cmd.Context(), a, args, dry) },
	}
	cmd.Flags().BoolVar(&dry, "dry-run", false, "only name the migrations that would be made")
	return cmd
}

func migrateLedgers(ctx context.Context, a *program.App, args []string, dry bool) error {
	if len(args) > 0 {
		l, err := readLedger(a, args[0])
		if err != nil {
			return err
		}
		return migrateLedger(ctx, a, l, dry)
	}
	set, err := a.LoadSet(config.UseLedger)
	if err != nil {
		return err
	}
	names := []string{""}
	switch {
	case a.Deployment != "":
		if !slices.Contains(set.Names(), a.Deployment) {
			_, err := set.Deployment(a.Deployment)
			return problem.Usage(err)
		}
		names = []string{a.Deployment}
	case set.Several && !set.Ledger.Postgres():
		names = set.Names()
	}
	for _, name := range names {
		err := migrateLedger(ctx, a, set.Ledger.Of(name), dry)
		if errors.Is(err, setup.ErrNoLedger) && len(names) > 1 {
			continue // nothing was ever run for it
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// migrated is what "ledger migrate --json" prints of a ledger.
type migrated struct {
	Type       string      `json:"type"`
	Ledger     string      `json:"ledger"`         // without a password
	From       int         `json:"from,omitempty"` // the version of the schema before, 0: there was none
	To         int         `json:"to,omitempty"`
	Migrations []migration `json:"migrations"` // that are made, in order
	DryRun     bool        `json:"dry_run,omitempty"`
}

// migration is one of them.
type migration struct {
	Of      string `json:"of"` // "ledger" or "river"
	Version int    `json:"version"`
	Name    string `json:"name"`
}

func migrateLedger(ctx context.Context, a *program.App, l config.Ledger, dry bool) error {
	is, err := a.Care().Migrations(ctx, l)
	if err != nil {
		return err
	}
	done := migrated{Type: "migrate", Ledger: l.String(), From: is.Version, To: max(is.Version, is.Newest), Migrations: []migration{}, DryRun: dry}
	for _, m := range is.Missing {
		done.Migrations = append(done.Migrations, migration(m))
	}
	if !a.JSON && len(is.Missing) > 0 {
		tellMigrations(a, l, is)
	}
	if !dry && len(is.Missing) > 0 {
		if done.From, done.To, err = a.Care().Migrate(ctx, l); err != nil {
			return err
		}
	}
	switch {
	case a.JSON:
		return a.PrintJSON(done)
	case len(is.Missing) > 0 && dry:
		a.Printf("Nothing was changed.\n")
	case is.Version > is.Newest:
		a.Printf("The ledger %s has version %d, which is newer than this program's %d. There is nothing to do.\n", l, is.Version, is.Newest)
	case len(is.Missing) == 0, done.From == done.To:
		a.Printf("The ledger %s is up to date, in version %d.\n", l, done.To)
	case done.From == 0:
		a.Printf("The ledger %s was created, in version %d.\n", l, done.To)
	default:
		a.Printf("The ledger %s was brought from version %d to %d.\n", l, done.From, done.To)
	}
	return nil
}

// tellMigrations names the migrations before they are made.
func tellMigrations(a *program.App, l config.Ledger, is ledger.Migrations) {
	what := fmt.Sprintf("has version %d, this program needs %d", is.Version, is.Newest)
	switch {
	case is.Version == 0:
		what = "is not there yet"
	case is.Version >= is.Newest:
		what = "is up to date, the tables of River are not"
	}
	a.Printf("The ledger %s %s. Migrations to make:\n", l, what)
	for _, m := range is.Missing {
		a.Printf("  %-6s %2d  %s\n", m.Of, m.Version, m.Name)
	}
}
