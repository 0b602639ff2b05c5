package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"owlatsync/cmd/owlat-sync/internal/program"
	"owlatsync/internal/config"
	"owlatsync/internal/problem"
	"owlatsync/internal/setup"
	"owlatsync/internal/words"
	"owlatsync/ledger"
)

func newRetryCmd(a *program.App) *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "retry [KEY...]",
		Short: "Let the next run try failed rows at once",
		Long: `Let the next run try the rows with these keys at once, however often they failed and whatever their
pause: also those that were given up. Nothing is sent now. Changing a row in the source does the same.

What is merely unknown, an event or a topic add whose answer was lost, is not repeated. Where you are
sure, "owlat-sync topic add" puts a contact on a topic.`,
		Example: `  owlat-sync retry 4711
  owlat-sync retry --all --sync users
  owlat-sync run --only 4711`,
		GroupID: program.GroupCare,
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case len(args) == 0 && !all:
				return problem.Hint(errors.New("retry needs the keys of rows, or --all"), "\"owlat-sync failures\" lists the rows that fail")
			case len(args) > 0 && all:
				return errors.New("retry takes either keys or --all, not both")
			case slices.Contains(args, ""):
				return errors.New("a key cannot be empty")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return retry(cmd.Context(), a, args) },
	}
	cmd.Flags().BoolVar(&all, "all", false, "all rows that fail")
	return cmd
}

// retryJSON is what "retry --json" prints for each sync.
type retryJSON struct {
	Type string `json:"type"`
	Sync string `json:"sync"`
	Rows int    `json:"rows"` // rows that the next run tries
}

// retry marks the failing rows with these keys, or all failing rows if there are no keys.
func retry(ctx context.Context, a *program.App, keys []string) error {
	if err := a.NeedLedger(ctx); err != nil {
		return err
	}
	marked := 0
	var failing []string // the keys of rows that fail
	err := a.WithSessionFor(ctx, config.UseLedger, func(s *setup.Session, syncs []config.Sync) error {
		return a.EachSync(s, syncs, func(sync config.Sync) error {
			n, found, err := retrySync(ctx, s, sync, keys)
			if err != nil {
				return err
			}
			marked, failing = marked+n, append(failing, found...)
			if n > 0 {
				a.Note(ctx, s.Ledger, ledger.AuditLine{What: ledger.DeedRetry, Sync: sync.Name, Count: n})
			}
			if a.JSON {
				return a.PrintJSON(retryJSON{"retry", sync.Name, n})
			}
			if n > 0 {
				a.Printf("%s: the next run tries %s again\n", sync.Name, words.Plural(n, "row"))
			}
			return nil
		}).Err()
	})
	if err != nil {
		return err
	}
	var none []string
	for _, key := range keys {
		if !slices.Contains(failing, key) {
			none = append(none, fmt.Sprintf("%q", key))
		}
	}
	switch {
	case len(none) > 0:
		return problem.Hint(fmt.Errorf("no row that fails has the key %s", strings.Join(none, " or ")), "\"owlat-sync failures\" lists the rows that fail")
	case marked == 0 && !a.JSON:
		a.Printf("Nothing fails.\n")
	}
	return nil
}

// retrySync returns how many rows of the sync the next run tries, and which of the keys belong to rows that fail.
func retrySync(ctx context.Context, s *setup.Session, sync config.Sync, keys []string) (marked int, failing []string, err error) {
	names := setup.RowKeys(sync, keys)
	entries, err := s.Ledger.Entries(ctx, sync.Name, names)
	if err != nil {
		return 0, nil, err
	}
	for i, name := range names {
		if e := entries[name]; e != nil && e.Failure != nil {
			failing = append(failing, keys[i])
		}
	}
	marked, err = s.Retry(ctx, sync, names)
	return marked, failing, err
}
