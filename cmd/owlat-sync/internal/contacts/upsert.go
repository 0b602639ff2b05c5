// Package contacts has the commands for single contacts and for lists of them, which need no sync.
package contacts

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"owlatsync"
	"owlatsync/cmd/owlat-sync/internal/program"
	"owlatsync/internal/problem"
	"owlatsync/internal/setup"
	"owlatsync/owlat"
	"owlatsync/reconcile"
)

// NewUpsertCmd returns the command "upsert", which creates or updates one contact or those of a list.
func NewUpsertCmd(a *program.App) *cobra.Command {
	var given owlatsync.Texts
	var from listFlags
	cmd := &cobra.Command{
		Use:   "upsert EMAIL",
		Short: "Create one contact, or update it if it exists",
		Long: `Create the contact with this address, or update it if it exists.

A name that is not given keeps what Owlat has; an empty one ("") empties it. The contact is put on
no topic: see "owlat-sync topic add". The ledger and the syncs are not touched.

` + fromFileLong + `

An empty name in a list keeps what Owlat has.

Without a configuration file, set OWLAT_URL and OWLAT_API_KEY.`,
		Example: `  owlat-sync upsert ada@example.com --first-name Ada --last-name Lovelace
  owlat-sync upsert --from people.csv --dry-run`,
		GroupID: program.GroupOne,
		Args:    from.orAddress(),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if from.file != "" {
				return from.upsert(a, cmd)
			}
			address, err := owlatsync.NormalizeAddress(args[0])
			if err != nil {
				return problem.Usage(fmt.Errorf("%q: %w", args[0], err))
			}
			var fields [owlatsync.NumContactFields]*string
			for _, f := range owlatsync.ContactFields {
				if !cmd.Flags().Changed(flagOf(f)) {
					continue
				}
				trimmed := owlatsync.Trim(given[f])
				if owlatsync.UTF16Len(trimmed) > owlatsync.MaxName {
					return problem.Usage(fmt.Errorf("--%s is longer than Owlat's %d characters", flagOf(f), owlatsync.MaxName))
				}
				fields[f] = &trimmed
			}
			client, to, err := a.OpenOwlat(cmd)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, client.Close()) }()
			got, err := client.Contacts.Upsert(cmd.Context(), reconcile.ContactRequest(address, fields))
			if err != nil {
				return setup.Advise(err, to)
			}
			return printUpsert(a, got)
		},
	}
	from.bind(cmd, true)
	for _, f := range owlatsync.ContactFields {
		label, word, _ := strings.Cut(f.Label(), " ")
		cmd.Flags().StringVar(&given[f], flagOf(f), "", fmt.Sprintf("%s `%s`", label, word))
	}
	return cmd
}

// flagOf returns the name of a field's flag, such as "first-name".
func flagOf(f owlatsync.ContactField) string { return strings.ReplaceAll(f.Column(), "_", "-") }

func printUpsert(a *program.App, got *owlat.UpsertResult) error {
	if a.JSON {
		return a.PrintJSON(struct {
			Type string `json:"type"`
			owlat.Contact
			Created bool `json:"created"`
		}{"contact", got.Contact, got.Created})
	}
	what := "updated"
	if got.Created {
		what = "created"
	}
	a.Printf("%s %s, contact %s\n", what, got.Email, got.ID)
	return nil
}
