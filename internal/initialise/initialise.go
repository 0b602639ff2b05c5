package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"owlatsync/internal/config"
	"owlatsync/internal/inspect"
	"owlatsync/owlat"
	"owlatsync/source"
)

// initTimeout is how long init looks at a database.
const initTimeout = time.Minute

// envDatabase holds the DSN of the source where the file must not.
const envDatabase = "DATABASE_URL"

type initFlags struct {
	table  string
	url    string
	topics []string
}

func newInitCmd(a *app) *cobra.Command {
	var f initFlags
	cmd := &cobra.Command{
		Use:   "init [DSN]",
		Short: "Look at your database and write a configuration file for it",
		Long: `Look at a database or file, find the table that most likely holds your users, and write a
configuration file with the query, the mapping and the topics that fit it. What was guessed is
explained in the file. The database is only read, Owlat is not called, and a file that is already
there is never overwritten.

The DSN says where the rows are. Without it, the environment variable DATABASE_URL is taken.

  postgres://user:password@host/database
  mysql://user:password@host/database      also mariadb://
  sqlite:FILE    csv:FILE    ndjson:FILE   files may be gzipped, but for SQLite

A DSN with a password is not written to the file: that says ${DATABASE_URL} in its place.

On a terminal, init asks which table to take and which topics to use. Elsewhere the likeliest table
is taken, and topics stay commented out unless --topic names them: their ids cannot be looked up,
they stand on the topic's page in Owlat.`,
		Example: `  owlat-sync init postgres://app@localhost/shop
  owlat-sync init csv:members.csv --config members.yaml
  owlat-sync init --table crm.customers --topic jd7a1xp0q3w9topic0000000000000000=newsletter`,
		GroupID: groupStart,
		Args:    needArgs(0, 1, "at most one DSN"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.initialize(cmd.Context(), f, args)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.table, "table", "", "take this `table`, not the likeliest one")
	flags.StringVar(&f.url, "url", "", "address of the Owlat deployment (default: $"+config.EnvURL+", else "+owlat.DefaultBaseURL+")")
	flags.StringArrayVar(&f.topics, "topic", nil, "put rows on the topic with this `ID=column` when the column says yes; ID alone takes every row (repeatable)")
	return cmd
}

func (a *app) initialize(ctx context.Context, f initFlags, args []string) error {
	path := a.configPath
	if _, err := os.Lstat(path); err == nil {
		return alreadyThere(path)
	}
	text := a.env[envDatabase]
	if len(args) > 0 {
		text = args[0]
	}
	if text == "" {
		return usageError(withHint(errors.New("init needs to know where your users are"),
			"give it a DSN, such as \"owlat-sync init postgres://user@localhost/shop\" or \"csv:users.csv\", or set %s", envDatabase))
	}
	dsn, err := source.ParseDSN(text, ".")
	if err != nil {
		return usageError(err)
	}
	if dsn, text, err = guessDelimiter(dsn, text); err != nil {
		return fmt.Errorf("look at %s: %w", dsn, err)
	}
	reading, cancel := context.WithTimeout(ctx, initTimeout)
	defer cancel()
	catalog, err := a.readCatalog(reading, dsn)
	if err != nil {
		return fmt.Errorf("look at %s: %w", dsn, err)
	}
	ask := a.asker(ctx)
	table, err := chooseTable(catalog, f.table, ask)
	if err != nil {
		return err
	}
	proposal, err := inspect.Propose(catalog, table)
	if err != nil {
		return usageError(fmt.Errorf("table %s: %w; see \"owlat-sync init --help\" for --table", table.Title(), err))
	}
	if err := useTopics(proposal, f.topics); err != nil {
		return err
	}
	settings := inspect.Settings{URL: f.url, Config: path}
	if settings.URL == "" {
		settings.URL = a.env[config.EnvURL]
	}
	settings.DSN, settings.DSNIsReference = writableDSN(dsn, text, path, len(args) == 0)
	if err := ask.settings(&settings, proposal); err != nil {
		return err
	}
	if settings.URL == "" {
		settings.URL = owlat.DefaultBaseURL
	}
	if _, err := owlat.NewClient(settings.URL, "lm_live_"+strings.Repeat("0", 40)); err != nil {
		return usageError(fmt.Errorf("the address of the deployment: %w", err))
	}
	if err := writeNew(path, proposal.YAML(settings)); err != nil {
		return err
	}
	return a.initialized(initResult{path: path, dsn: dsn, settings: settings, catalog: catalog, proposal: proposal})
}

func alreadyThere(path string) error {
	return usageError(withHint(fmt.Errorf("%s is already there and is not overwritten", path), "--config FILE writes another file; or move this one away"))
}

// writeNew writes a file that must not be there yet, whole or not at all.
func writeNew(path string, text []byte) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return alreadyThere(path)
	}
	if err != nil {
		return fmt.Errorf("write the configuration: %w", err)
	}
	_, err = file.Write(text)
	if err = errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("write the configuration: %w", errors.Join(err, os.Remove(path)))
	}
	return nil
}

// chooseTable returns the table that the person names or chooses, or the likeliest one.
func chooseTable(c *inspect.Catalog, name string, ask *asker) (*inspect.Table, error) {
	ranked := inspect.Rank(c)
	if name != "" {
		table := c.Find(name)
		if table == nil {
			return nil, usageError(fmt.Errorf("there is no table %q, or several: write it as one of: %s", name, titles(c, ranked)))
		}
		return table, nil
	}
	if len(ranked) == 0 {
		return nil, withHint(fmt.Errorf("none of the %d tables has a column that looks like e-mail addresses: %s", len(c.Tables), titles(c, nil)),
			"give another DSN or schema, or write the query by hand: the folder examples shows how")
	}
	return ask.table(ranked)
}

// titles lists tables for an error: the likely ones, else the first of all.
func titles(c *inspect.Catalog, ranked []inspect.Candidate) string {
	const most = 12
	var names []string
	for _, r := range ranked {
		names = append(names, r.Table.Title())
	}
	for i := range c.Tables {
		if title := c.Tables[i].Title(); !slices.Contains(names, title) {
			names = append(names, title)
		}
	}
	if len(names) == 0 {
		return "it has no tables that can be read"
	}
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}

// useTopics gives the proposal the topics of --topic.
func useTopics(p *inspect.Proposal, topics []string) error {
	for _, text := range topics {
		id, column, _ := strings.Cut(text, "=")
		if !config.ValidTopicID(id) {
			return usageError(fmt.Errorf("--topic %q: %q is not a topic id; that has at least 10 letters and digits and stands on the topic's page in Owlat", text, id))
		}
		if column != "" && !p.AddColumn(column) {
			return usageError(fmt.Errorf("--topic %q: table %s has no column %q; it has: %s", text, p.Table.Title(), column, columnNames(p)))
		}
		at := slices.IndexFunc(p.Topics, func(t inspect.Topic) bool { return t.When == column && t.ID == "" })
		if at < 0 {
			p.Topics = append(p.Topics, inspect.Topic{ID: id, When: column})
		} else {
			p.Topics[at].ID = id
		}
	}
	return nil
}

func columnNames(p *inspect.Proposal) string {
	var names []string
	for _, item := range p.Items {
		names = append(names, item.Name)
	}
	for _, c := range p.Table.Columns {
		if !slices.Contains(names, c.Name) {
			names = append(names, c.Name)
		}
	}
	return strings.Join(names, ", ")
}

// relativeTo returns path as it is best written in a file of the folder dir.
func relativeTo(dir, path string) string {
	base, err := filepath.Abs(dir)
	if err != nil {
		return path
	}
	full, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	if rel, err := filepath.Rel(base, full); err == nil && filepath.IsLocal(rel) {
		return rel
	}
	return full
}
