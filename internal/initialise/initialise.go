// Package initialise writes a configuration file for a database. It reads the tables, takes the one that most likely holds people,
// asks a person if there is one, and says what it found. It only reads the database, asks Owlat at most for the names of its topics, and never
// overwrites a file. Package inspect does the guessing.
package initialise

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

	"owlatsync/internal/console"
	"owlatsync/internal/inspect"
	"owlatsync/internal/problem"
	"owlatsync/internal/propose"
	"owlatsync/internal/setup"
	"owlatsync/internal/sourcedsn"
	"owlatsync/owlat"
)

// timeout is the most time for looking at a database.
const timeout = time.Minute

// EnvDatabase is the variable with the source's DSN if the file must not hold it.
const EnvDatabase = "DATABASE_URL"

// Question says what configuration is wanted.
type Question struct {
	Path            string   // the file to write
	DSN             string   // of the source
	FromEnvironment bool     // the DSN comes from EnvDatabase
	Table           string   // the table to use; empty: the likeliest, or the person's choice
	URL             string   // of the deployment; empty: Owlat's own, or the person's choice
	Topics          []string // each "ID=column", or only the ID if every row consents; a name in place of the ID where Owlat tells names
	APIKey, Secret  string   // of the deployment; with both, Owlat is asked for the names of its topics
}

// Write looks at the source, asks for what no database knows unless ask is nil, and writes the file.
func Write(ctx context.Context, o setup.Opener, q Question, ask *console.Asker) (*Result, error) {
	if _, err := os.Lstat(q.Path); err == nil {
		return nil, alreadyThere(q.Path)
	}
	if q.DSN == "" {
		return nil, problem.Usage(problem.Hint(errors.New("init needs to know where your users are"),
			"give it a DSN, such as \"owlat-sync init postgres://user@localhost/shop\" or \"csv:users.csv\", or set %s", EnvDatabase))
	}
	dsn, err := sourcedsn.Parse(q.DSN, ".")
	if err != nil {
		return nil, problem.Usage(err)
	}
	text := q.DSN
	if dsn, text, err = Complete(o, dsn, text); err != nil {
		return nil, fmt.Errorf("look at %s: %w", dsn, err)
	}
	reading, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	catalog, err := ReadCatalog(reading, o, dsn)
	if err != nil {
		return nil, fmt.Errorf("look at %s: %w", dsn, err)
	}
	d := dialogue{ask}
	table, err := chooseTable(catalog, q.Table, d)
	if err != nil {
		return nil, err
	}
	proposal, err := propose.Propose(catalog, table)
	if err == nil {
		err = noteSheets(dsn, proposal)
	}
	if err != nil {
		return nil, problem.Usage(fmt.Errorf("table %s: %w; see \"owlat-sync init --help\" for --table", table.Title(), err))
	}
	settings := propose.Settings{URL: q.URL, Config: q.Path}
	settings.DSN, settings.DSNIsReference = writableDSN(dsn, text, q.Path, q.FromEnvironment)
	if err := d.address(&settings); err != nil {
		return nil, err
	}
	names, unread := q.read(ctx, o, settings.URL)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	settings.Known = names.shown()
	if err := names.use(proposal, q.Topics); err != nil {
		return nil, err
	}
	if err := d.topics(proposal, names); err != nil {
		return nil, err
	}
	if settings.URL == "" {
		settings.URL = owlat.DefaultBaseURL
	}
	if _, err := owlat.NewClient(settings.URL, "lm_live_"+strings.Repeat("0", 40)); err != nil {
		return nil, problem.Usage(fmt.Errorf("the address of the deployment: %w", err))
	}
	if err := WriteNew(q.Path, proposal.YAML(settings)); err != nil {
		return nil, err
	}
	return &Result{path: q.Path, dsn: dsn, settings: settings, catalog: catalog, proposal: proposal, unread: unread}, nil
}

func alreadyThere(path string) error {
	return problem.Usage(problem.Hint(fmt.Errorf("%s is already there and is not overwritten", path), "--config FILE writes another file; or move this one away"))
}

// WriteNew writes a file that must not exist yet, completely or not at all.
func WriteNew(path string, text []byte) error {
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
func chooseTable(c *inspect.Catalog, name string, ask dialogue) (*inspect.Table, error) {
	ranked := propose.Rank(c)
	if name != "" {
		table := c.Find(name)
		if table == nil {
			return nil, problem.Usage(fmt.Errorf("there is no table %q, or several: write it as one of: %s", name, titles(c, ranked)))
		}
		return table, nil
	}
	if scattered := propose.Scatter(c); len(ranked) == 0 && scattered != nil {
		return nil, problem.Hint(fmt.Errorf("no table has a column of addresses: %s keeps them as rows of a key and a value", scattered.Table),
			"write the query by hand, beginning with: %s", scattered.Query)
	}
	if len(ranked) == 0 {
		return nil, problem.Hint(fmt.Errorf("none of the %d tables has a column that looks like e-mail addresses: %s", len(c.Tables), titles(c, nil)),
			"give another DSN or schema, or write the query by hand: the folder examples shows how")
	}
	return ask.table(ranked)
}

// titles lists tables for an error: the likely ones, or the first of all.
func titles(c *inspect.Catalog, ranked []propose.Candidate) string {
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

func columnNames(p *propose.Proposal) string {
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

// relativeTo returns path in the best form for a file in the folder dir.
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
