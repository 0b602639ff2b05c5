package main

import (
	"context"

	"github.com/spf13/cobra"

	"owlatsync/cmd/owlat-sync/internal/program"
	"owlatsync/internal/config"
	"owlatsync/internal/initialise"
	"owlatsync/owlat"
)

func newInitCmd(a *program.App) *cobra.Command {
	var q initialise.Question
	cmd := &cobra.Command{
		Use:   "init [DSN]",
		Short: "Look at your database and write a configuration file for it",
		Long: `Look at a database or file, find the table that most likely holds your users, and write a
configuration file with the query, the mapping and the topics that fit it. What was guessed is
explained in the file. The database is only read, and a file that is already there is never
overwritten. Owlat is only asked for the names of its topics, and only where OWLAT_URL (or --url),
OWLAT_API_KEY and UNSUBSCRIBE_SECRET are set.

The DSN says where the rows are. Without it, the environment variable DATABASE_URL is taken.

  postgres://user:password@host/database
  mysql://user:password@host/database      also mariadb://
  mongodb://user:password@host/database    also mongodb+srv://
  sqlite:FILE    csv:FILE    ndjson:FILE   CSV and NDJSON files may be gzipped
  xlsx:FILE      xlsx:FILE?sheet=NAME      without a name the first sheet

DSNs in the forms of Prisma, SQLAlchemy, Rails, JDBC and libpq are understood as well.

A DSN with a password is not written to the file: that says ${DATABASE_URL} in its place.

On a terminal, init asks which table to take and which topics to use. Elsewhere the likeliest table
is taken, and topics stay commented out unless --topic names them. Where Owlat was asked, it takes a
topic's name too; elsewhere its id, which stands on the topic's page in Owlat.`,
		Example: `  owlat-sync init postgres://app@localhost/shop
  owlat-sync init csv:members.csv --config members.yaml
  owlat-sync init --table crm.customers --topic jd7a1xp0q3w9topic0000000000000000=newsletter`,
		GroupID: program.GroupStart,
		Args:    program.NeedArgs(0, 1, "at most one DSN"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return initialize(cmd.Context(), a, q, args)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&q.Table, "table", "", "take this `table`, not the likeliest one")
	flags.StringVar(&q.URL, "url", "", "address of the Owlat deployment (default: $"+config.EnvURL+", else "+owlat.DefaultBaseURL+")")
	flags.StringArrayVar(&q.Topics, "topic", nil, "put rows on the topic with this `ID=column`, or NAME=column, when the column says yes; ID alone takes every row (repeatable)")
	return cmd
}

func initialize(ctx context.Context, a *program.App, q initialise.Question, args []string) error {
	q.Path, q.DSN, q.FromEnvironment = a.ConfigPath, a.Env[initialise.EnvDatabase], true
	if len(args) > 0 {
		q.DSN, q.FromEnvironment = args[0], false
	}
	if q.URL == "" {
		q.URL = a.Env[config.EnvURL]
	}
	q.APIKey, q.Secret = a.Env[config.EnvAPIKey], a.Env[initialise.EnvSecret]
	result, err := initialise.Write(ctx, a.Opener(), q, a.Asker(ctx))
	if err != nil {
		return err
	}
	if a.JSON {
		return a.PrintJSON(result.JSON())
	}
	result.Print(a.Out())
	return nil
}
