package initialise

import (
	"fmt"
	"io"
	"strings"

	"owlatsync"
	"owlatsync/internal/config"
	"owlatsync/internal/inspect"
	"owlatsync/internal/sourcedsn"
	"owlatsync/internal/words"
)

// Result is what was found and written.
type Result struct {
	path     string
	dsn      sourcedsn.DSN
	settings inspect.Settings
	catalog  *inspect.Catalog
	proposal *inspect.Proposal
}

// ResultJSON is a Result for machines.
type ResultJSON struct {
	Type        string            `json:"type"`
	File        string            `json:"file"`
	Table       string            `json:"table"`
	Query       string            `json:"query,omitempty"`
	Key         []string          `json:"key"`
	Fields      map[string]string `json:"fields"`
	Topics      []TopicJSON       `json:"topics"`
	Candidates  []string          `json:"candidates"`
	Environment []string          `json:"environment"`
}

// TopicJSON is a topic of a ResultJSON.
type TopicJSON struct {
	ID   string `json:"id,omitempty"` // absent: commented out in the file
	When string `json:"when,omitempty"`
}

// candidates returns the titles of all tables with addresses, the likeliest first.
func (r *Result) candidates() []string {
	var titles []string
	for _, c := range inspect.Rank(r.catalog) {
		titles = append(titles, c.Table.Title())
	}
	return titles
}

// JSON returns the result for machines.
func (r *Result) JSON() ResultJSON {
	p, candidates := r.proposal, r.candidates()
	out := ResultJSON{
		Type: "init", File: r.path, Table: p.Table.Title(), Query: p.Query(), Key: append([]string{}, p.Key...),
		Fields: map[string]string{"email": p.Email}, Topics: []TopicJSON{}, Candidates: candidates, Environment: []string{config.EnvAPIKey},
	}
	for _, f := range owlatsync.ContactFields {
		if column := p.Fields[f]; column != "" {
			out.Fields[f.Name()] = column
		}
	}
	for _, t := range p.Topics {
		out.Topics = append(out.Topics, TopicJSON{t.ID, t.When})
	}
	if r.settings.DSNIsReference {
		out.Environment = append(out.Environment, EnvDatabase)
	}
	return out
}

// Print says what was found and what to do next.
func (r *Result) Print(w io.Writer) {
	say := func(format string, args ...any) { _, _ = fmt.Fprintf(w, format, args...) }
	p, candidates := r.proposal, r.candidates()
	say("Found in %s:\n\n", r.dsn)
	say("  %-9s %s\n", "table", p.Table.Title()+sampledRows(p))
	say("  %-9s %s\n", "address", p.Email)
	say("  %-9s %s\n", "key", words.OrElse(strings.Join(p.Key, ", "), "none: the address is the key"))
	say("  %-9s %s\n", "names", words.OrElse(strings.Join(filled(p.Fields[:]...), ", "), "none"))
	for i, c := range p.Where {
		say("  %-9s %s (%s)\n", words.FirstOnly(i, "only"), c.SQL, c.Why)
	}
	for i, t := range p.Topics {
		id := words.OrElse(t.ID, "commented out until you fill in the topic's id")
		say("  %-9s %s\n", words.FirstOnly(i, "topics"), fmt.Sprintf("when %s: %s", words.OrElse(t.When, "(every row)"), id))
	}
	if others := without(candidates, p.Table.Title()); len(others) > 0 {
		say("\nOther tables with addresses, for --table: %s\n", strings.Join(others[:min(len(others), 8)], ", "))
	}
	say("\nWrote %s. It reads from the environment:\n\n", r.path)
	if r.settings.DSNIsReference {
		say("  export %s=...    the DSN of your database, so that its password is in no file\n", EnvDatabase)
	}
	say("  export %s=...   an API key, made in Owlat's settings\n", config.EnvAPIKey)
	flag := ""
	if r.path != config.DefaultFile {
		flag = " --config " + r.path
	}
	say("\nNext: owlat-sync check%s\n", flag)
}

func sampledRows(p *inspect.Proposal) string {
	switch {
	case !p.Table.Sampled:
		return " (its rows could not be read: is the permission missing?)"
	case p.Dialect == inspect.File:
		return ""
	}
	return fmt.Sprintf(" (%s)", rowCount(p.Table.Rows))
}

func filled(texts ...string) []string { return without(texts, "") }

func without(texts []string, unwanted string) []string {
	var out []string
	for _, t := range texts {
		if t != unwanted {
			out = append(out, t)
		}
	}
	return out
}
