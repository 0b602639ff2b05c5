package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"owlatsync"
	"owlatsync/cmd/owlat-sync/internal/program"
	"owlatsync/internal/config"
	"owlatsync/internal/console"
	"owlatsync/internal/problem"
	"owlatsync/internal/setup"
	"owlatsync/internal/words"
	"owlatsync/ledger"
	"owlatsync/ledger/transfer"
)

func newLedgerCmd(a *program.App) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "ledger",
		Short: "Back up the ledger, move it, or make it forget a person",
		Long: `Care for the ledger, which remembers what Owlat holds: a file, or a schema in PostgreSQL. Without it the
next run has to compare everything with Owlat again, and consents given before count as old ones: back
it up. A ledger from a backup is older than what was done since, see "restore".`,
		GroupID: program.GroupCare,
		Args:    cobra.ArbitraryArgs,
		RunE:    program.RunGroup,
	}
	cmd.AddCommand(newLedgerBackupCmd(a), newLedgerRestoreCmd(a), newLedgerExportCmd(a), newLedgerImportCmd(a), newLedgerForgetCmd(a),
		newLedgerCopyCmd(a), newLedgerMigrateCmd(a))
	return cmd
}

func newLedgerExportCmd(a *program.App) *cobra.Command {
	return &cobra.Command{
		Use:   "export [FILE]",
		Short: "Write the whole ledger as lines of JSON",
		Long: `Write the whole ledger, as of one instant, as lines of JSON: to a new file, which only you may read, or
to standard output. A run may be under way meanwhile. Plans that are held for approval are left out.

The export holds the addresses and names of everybody in the ledger, and what it needs to recognise
persons who were forgotten: keep it as safe as the ledger itself.`,
		Example: `  owlat-sync ledger export backup.ndjson
  owlat-sync ledger export | gzip > backup.ndjson.gz`,
		Args: program.NeedArgs(0, 1, "at most one file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			path := "-"
			if len(args) > 0 {
				path = args[0]
			}
			return exportLedger(cmd.Context(), a, path)
		},
	}
}

func exportLedger(ctx context.Context, a *program.App, path string) error {
	cfg, err := a.LoadConfig(config.UseLedger)
	if err != nil {
		return err
	}
	return a.WithLedger(ctx, cfg, func(l setup.Ledger) error {
		if path == "-" {
			return transfer.Export(ctx, l, a.Out())
		}
		f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if errors.Is(err, os.ErrExist) {
			return problem.Usage(fmt.Errorf("%s is already there and is not overwritten", path))
		}
		if err != nil {
			return problem.Usage(fmt.Errorf("create the file for the export: %w", err))
		}
		err = errors.Join(transfer.Export(ctx, l, f), f.Sync(), f.Close())
		if err != nil {
			return errors.Join(err, os.Remove(path)) // a part of an export is of no use
		}
		return tellWritten(a, "export", path)
	})
}

// tellWritten tells of a file that was written from the ledger.
func tellWritten(a *program.App, kind, path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if a.JSON {
		return a.PrintJSON(struct {
			Type  string `json:"type"`
			File  string `json:"file"`
			Bytes int64  `json:"bytes"`
		}{kind, path, info.Size()})
	}
	a.Printf("Wrote %s (%d bytes). It holds personal data: keep it as safe as the ledger.\n", path, info.Size())
	return nil
}

func newLedgerImportCmd(a *program.App) *cobra.Command {
	return &cobra.Command{
		Use:   "import FILE",
		Short: "Fill a new ledger from an export",
		Long: `Fill the ledger of the configuration from an export, all of it or nothing. The ledger must be new or
empty: to replace one, move its file away first, or name another schema. FILE - is standard input.
It makes no difference whether the export is of a file or of PostgreSQL.

What runs have done since the export is not known to the ledger afterwards, so it counts as older than
what was done, see "owlat-sync ledger restore --help". "owlat-sync ledger copy" moves a ledger without
that; so does copying the file and the one beside it whose name ends in .age, while no run goes on.`,
		Example: `  owlat-sync ledger import backup.ndjson
  gunzip -c backup.ndjson.gz | owlat-sync ledger import -`,
		Args: program.NeedArgs(1, 1, "the file of an export, or - for standard input"),
		RunE: func(cmd *cobra.Command, args []string) error { return importLedger(cmd.Context(), a, args[0]) },
	}
}

func importLedger(ctx context.Context, a *program.App, path string) (err error) {
	cfg, err := a.LoadConfig(config.UseLedger)
	if err != nil {
		return err
	}
	in, name := a.In(), "standard input"
	if path != "-" {
		name = path
		f, err := os.Open(path)
		if err != nil {
			return problem.Usage(fmt.Errorf("open the export: %w", err))
		}
		defer f.Close()
		in = f
	}
	if err := a.Care().Import(ctx, cfg, in, name); err != nil {
		return err
	}
	return showImported(ctx, a, cfg)
}

// showImported notes that the ledger was filled, and shows what it holds now.
func showImported(ctx context.Context, a *program.App, cfg *config.Config) error {
	return a.WithLedger(ctx, cfg, func(l setup.Ledger) error {
		a.Note(ctx, l, ledger.AuditLine{What: ledger.DeedImport})
		names, err := l.Syncs(ctx)
		if err != nil {
			return err
		}
		rows := make(map[string]int, len(names))
		for _, name := range names {
			standing, err := l.Standing(ctx, name)
			if err != nil {
				return err
			}
			rows[name] = standing.Entries
		}
		if a.JSON {
			return a.PrintJSON(struct {
				Type  string         `json:"type"`
				Syncs map[string]int `json:"syncs"` // rows by sync
			}{"import", rows})
		}
		for _, name := range names {
			a.Printf("%s: %s\n", name, words.Plural(rows[name], "row"))
			if cfg.Sync(name) == nil {
				a.Notef("%s does not have a sync %q: its rows stay in the ledger and are not used.\n", a.Place(cfg), name)
			}
		}
		a.Printf("Imported into %s. %s\n", cfg.Ledger, olderWords(a.Typed().Command("plan", "")))
		return nil
	})
}

func newLedgerForgetCmd(a *program.App) *cobra.Command {
	return &cobra.Command{
		Use:   "forget EMAIL",
		Short: "Erase a person's data from ledger and history for good",
		Long: `Erase what the ledger holds of the person with this address, in all syncs: address, names, history,
failures. It cannot be undone. What remains is a keyed hash of the address, which tells nobody the
address, so that the person is not put back on topics they had left, should the row return.

This is the ledger's part of an erasure request only. Delete the contact in Owlat and the row in your
database yourself: a row that is still in the source is taken up again by the next run. Backups and
exports of the ledger are not reached either.

It asks first; where nobody can be asked, it needs --yes.`,
		Example: `  owlat-sync ledger forget ada@example.com`,
		Args:    program.NeedArgs(1, 1, "one address"),
		RunE: func(cmd *cobra.Command, args []string) error {
			address, err := owlatsync.NormalizeAddress(args[0])
			if err != nil {
				return problem.Usage(fmt.Errorf("%q: %w", args[0], err))
			}
			ask := a.Asker(cmd.Context())
			if ask == nil && !a.Yes {
				return problem.Usage(problem.Hint(errors.New("ledger forget asks before it erases anything, and here is nobody to ask"), "add --yes"))
			}
			return forget(cmd.Context(), a, address, ask)
		},
	}
}

func forget(ctx context.Context, a *program.App, address string, ask *console.Asker) error {
	cfg, err := a.LoadConfig(config.UseLedger)
	if err != nil {
		return err
	}
	return a.WithLedger(ctx, cfg, func(l setup.Ledger) error {
		if !a.Yes {
			yes, err := ask.Confirm(fmt.Sprintf("Erase what %s holds of %s? It cannot be undone.", cfg.Ledger, address))
			if err != nil {
				return err
			}
			if !yes {
				a.Printf("Nothing was erased.\n")
				return nil
			}
		}
		rows, err := l.ForgetPerson(ctx, address)
		if err != nil {
			return err
		}
		a.Note(ctx, l, ledger.AuditLine{What: ledger.DeedForget, Count: rows})
		if a.JSON {
			return a.PrintJSON(struct {
				Type string `json:"type"`
				Rows int    `json:"rows"`
			}{"forget", rows})
		}
		if rows == 0 {
			a.Printf("The ledger had no row with this address. It is noted as forgotten, by a keyed hash.\n")
		} else {
			a.Printf("%s erased. What remains is a keyed hash of the address.\n", words.Several(rows, "row was", "rows were"))
		}
		a.Printf("The contact in Owlat, the row in your database, and backups of the ledger are not touched.\n")
		return nil
	})
}
