package main

import (
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"owlatsync/cmd/owlat-sync/internal/program"
	"owlatsync/internal/config"
	"owlatsync/internal/setup"
	"owlatsync/ledger"
)

func newLedgerBackupCmd(a *program.App) *cobra.Command {
	return &cobra.Command{
		Use:   "backup FILE",
		Short: "Copy the ledger to a file, also while a run goes on",
		Long: `Copy the ledger, as of one instant, to a new file, which only you may read. A run may be under way
meanwhile. The copy is a ledger itself, in one file; "owlat-sync ledger restore" puts it back. A ledger
in PostgreSQL is backed up by PostgreSQL's own means (pg_dump, or a copy to a point in time), or with
"owlat-sync ledger export".

The backup holds the addresses and names of everybody in the ledger, and what it needs to recognise
persons who were forgotten: keep it as safe as the ledger itself.`,
		Example: `  owlat-sync ledger backup /var/backups/owlat-sync.db`,
		Args:    program.NeedArgs(1, 1, "the file to write"),
		RunE:    func(cmd *cobra.Command, args []string) error { return backUpLedger(cmd.Context(), a, args[0]) },
	}
}

func backUpLedger(ctx context.Context, a *program.App, path string) error {
	cfg, err := a.LoadConfig(config.UseLedger)
	if err != nil {
		return err
	}
	if err := a.Care().Backup(ctx, cfg, path); err != nil {
		return err
	}
	return tellWritten(a, "backup", path)
}

func newLedgerRestoreCmd(a *program.App) *cobra.Command {
	var inPlace bool
	cmd := &cobra.Command{
		Use:   "restore FILE|--in-place",
		Short: "Put a backup in the place of the ledger",
		Long: `Put a backup in the place of the ledger of the configuration. FILE is a file of "owlat-sync ledger
backup", or a copy of a ledger that was made while nothing used it; it stays. The ledger that was there
may be damaged. It is not deleted: it and the log beside it get another name. Stop what else has the
ledger open before, such as a program that takes in webhooks.

A backup does not know what runs have done since. A file beside the ledger, whose name ends in .age,
tells that something was done; if it is missing, that is taken for granted. Then the next run first
looks at what Owlat holds, if the key has contacts:read. Consents that the backup does not know count
as old ones, as after a lost ledger: nobody who may have left meanwhile is put back. Events that may
have been sent are not sent again. Every command that reads the ledger notices this by itself, also
when a copy was put back by other means.

Two cases cannot be noticed: that the .age file was put back together with the ledger, with a whole
folder or machine, and that a database of PostgreSQL was put back. Then say so with --in-place, or give
the ledger itself as FILE. It stays in its place, and counts as older.`,
		Example: `  owlat-sync ledger restore /var/backups/owlat-sync.db
  owlat-sync ledger restore owlat-sync.db
  owlat-sync ledger restore --in-place`,
		Args: func(cmd *cobra.Command, args []string) error {
			switch {
			case inPlace && len(args) > 0:
				return errors.New("restore takes either a file or --in-place, not both")
			case inPlace:
				return nil
			}
			return program.NeedArgs(1, 1, "the file of a backup")(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return restoreLedger(cmd.Context(), a, strings.Join(args, ""))
		},
	}
	cmd.Flags().BoolVar(&inPlace, "in-place", false, "the ledger was put back by other means: only note that it is older")
	return cmd
}

// restoreLedger puts the file from in the place of the ledger. Without a file, the ledger was put back by other means.
func restoreLedger(ctx context.Context, a *program.App, from string) error {
	cfg, err := a.LoadConfig(config.UseLedger)
	if err != nil {
		return err
	}
	aside := ""
	if from == "" {
		from, err = cfg.Ledger.String(), a.Care().RestoreInPlace(ctx, cfg)
	} else {
		aside, err = a.Care().Restore(ctx, cfg, from)
	}
	if err != nil {
		return err
	}
	return a.WithLedger(ctx, cfg, func(l setup.Ledger) error {
		a.Note(ctx, l, ledger.AuditLine{What: ledger.DeedRestore})
		older, err := isOlder(ctx, l)
		if err != nil {
			return err
		}
		if a.JSON {
			return a.PrintJSON(struct {
				Type  string `json:"type"`
				File  string `json:"file"`
				Aside string `json:"aside,omitempty"` // the new name of the ledger that was there
				Older bool   `json:"older"`           // than what was done
			}{"restore", from, aside, older})
		}
		if from == cfg.Ledger.String() {
			a.Printf("The ledger %s stays in its place.\n", from)
		} else {
			a.Printf("%s is in the place of the ledger %s.\n", from, cfg.Ledger)
		}
		if aside != "" {
			a.Printf("The ledger that was there is now %s.\n", aside)
		}
		if older {
			a.Printf("%s\n", olderWords(a.Typed().Command("plan", "")))
		} else {
			a.Printf("Nothing was done since, so it is up to date.\n")
		}
		return nil
	})
}

// isOlder reports whether the ledger is older than what was done for some sync.
func isOlder(ctx context.Context, l setup.Ledger) (bool, error) {
	syncs, err := l.Syncs(ctx)
	if err != nil {
		return false, err
	}
	for _, sync := range syncs {
		if state, err := l.SyncState(ctx, sync); err != nil || !state.SetBack.IsZero() {
			return err == nil, err
		}
	}
	return false, nil
}

// olderWords say what a ledger means that is older than what was done.
func olderWords(plan string) string {
	return "It does not know what was done since: consents that it does not know count as old, and nobody who may have left is put back.\n" +
		"What a run makes of it: " + plan
}
