package main

import (
	"fmt"
	"strings"

	"owlatsync/internal/config"
	"owlatsync/internal/inspect"
	"owlatsync/source"
)

// initResult is what init found and wrote.
type initResult struct {
	path     string
	dsn      source.DSN
	settings inspect.Settings
	catalog  *inspect.Catalog
	proposal *inspect.Proposal
}

type initJSON struct {
	Type        string            `json:"type"`
	File        string            `json:"file"`
	Table       string            `json:"table"`
	Query       string            `json:"query,omitempty"`
	Key         []string          `json:"key"`
	Fields      map[string]string `json:"fields"`
	Topics      []initTopicJSON   `json:"topics"`
	Candidates  []string          `json:"candidates"`
	Environment []string          `json:"environment"`
}

type initTopicJSON struct {
	ID   string `json:"id,omitempty"` // left out: commented out in the file
	When string `json:"when,omitempty"`
}

// initialized shows what was found and what to do next.
func (a *app) initialized(r initResult) error {
	p := r.proposal
	var candidates []string
	for _, c := range inspect.Rank(r.catalog) {
		candidates = append(candidates, c.Table.Title())
	}
	if a.json {
		out := initJSON{
			Type: "init", File: r.path, Table: p.Table.Title(), Query: p.Query(), Key: append([]string{}, p.Key...),
			Fields: map[string]string{"email": p.Email}, Topics: []initTopicJSON{}, Candidates: candidates, Environment: []string{config.EnvAPIKey},
		}
		for field, column := range map[string]string{"firstName": p.FirstName, "lastName": p.LastName} {
			if column != "" {
				out.Fields[field] = column
			}
		}
		for _, t := range p.Topics {
			out.Topics = append(out.Topics, initTopicJSON{t.ID, t.When})
		}
		if r.settings.DSNIsReference {
			out.Environment = append(out.Environment, envDatabase)
		}
		return a.printJSON(out)
	}
	a.printf("Found in %s:\n\n", r.dsn)
	a.printf("  %-9s %s\n", "table", p.Table.Title()+sampledRows(p))
	a.printf("  %-9s %s\n", "address", p.Email)
	a.printf("  %-9s %s\n", "key", orElse(strings.Join(p.Key, ", "), "none: the address is the key"))
	a.printf("  %-9s %s\n", "names", orElse(strings.Join(filled(p.FirstName, p.LastName), ", "), "none"))
	for i, c := range p.Where {
		a.printf("  %-9s %s (%s)\n", firstOnly(i, "only"), c.SQL, c.Why)
	}
	for i, t := range p.Topics {
		id := orElse(t.ID, "commented out until you fill in the topic's id")
		a.printf("  %-9s %s\n", firstOnly(i, "topics"), fmt.Sprintf("when %s: %s", orElse(t.When, "(every row)"), id))
	}
	if others := without(candidates, p.Table.Title()); len(others) > 0 {
		a.printf("\nOther tables with addresses, for --table: %s\n", strings.Join(others[:min(len(others), 8)], ", "))
	}
	a.printf("\nWrote %s. It reads from the environment:\n\n", r.path)
	if r.settings.DSNIsReference {
		a.printf("  export %s=...    the DSN of your database, so that its password is in no file\n", envDatabase)
	}
	a.printf("  export %s=...   an API key, made in Owlat's settings\n", config.EnvAPIKey)
	flag := ""
	if r.path != config.DefaultFile {
		flag = " --config " + r.path
	}
	a.printf("\nNext: owlat-sync check%s\n", flag)
	return nil
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

func orElse(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

func firstOnly(i int, label string) string {
	if i > 0 {
		return ""
	}
	return label
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
