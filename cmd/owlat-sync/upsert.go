package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"owlatsync"
	"owlatsync/internal/problem"
	"owlatsync/internal/setup"
	"owlatsync/owlat"
)

func newUpsertCmd(a *app) *cobra.Command {
	var first, last string
	cmd := &cobra.Command{
		Use:   "upsert EMAIL",
		Short: "Create one contact, or update it if it exists",
		Long: `Create the contact with this address, or update it if it exists.

A name that is not given keeps what Owlat has; an empty one ("") empties it. The contact is put on
no topic: see "owlat-sync topic add". The ledger and the syncs are not touched.

Without a configuration file, set OWLAT_URL and OWLAT_API_KEY.`,
		Example: `  owlat-sync upsert ada@example.com --first-name Ada --last-name Lovelace`,
		GroupID: groupOne,
		Args:    needArgs(1, 1, "an address, such as ada@example.com"),
		RunE: func(cmd *cobra.Command, args []string) error {
			address, err := owlatsync.NormalizeAddress(args[0])
			if err != nil {
				return problem.Usage(fmt.Errorf("%q: %w", args[0], err))
			}
			in := owlat.CreateContactRequest{Email: address}
			for flag, name := range map[string]struct {
				given string
				field **string
			}{"first-name": {first, &in.FirstName}, "last-name": {last, &in.LastName}} {
				if !cmd.Flags().Changed(flag) {
					continue
				}
				trimmed := owlatsync.Trim(name.given)
				if owlatsync.UTF16Len(trimmed) > owlatsync.MaxName {
					return problem.Usage(fmt.Errorf("--%s is longer than Owlat's %d characters", flag, owlatsync.MaxName))
				}
				*name.field = &trimmed
			}
			client, to, err := a.openOwlat(cmd)
			if err != nil {
				return err
			}
			got, err := client.Contacts.Upsert(cmd.Context(), in)
			if err != nil {
				return setup.Advise(err, to)
			}
			return printUpsert(a, got)
		},
	}
	cmd.Flags().StringVar(&first, "first-name", "", "first `name`")
	cmd.Flags().StringVar(&last, "last-name", "", "last `name`")
	return cmd
}

func printUpsert(a *app, got *owlat.UpsertResult) error {
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
