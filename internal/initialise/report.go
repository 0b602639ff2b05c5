package initialise

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"owlatsync"
	"owlatsync/internal/config"
	"owlatsync/internal/inspect"
	"owlatsync/internal/propose"
	"owlatsync/internal/sourcedsn"
	"owlatsync/internal/words"
)

// Result is what was found and written.
type Result struct {
	path     string
	dsn      sourcedsn.DSN
	settings propose.Settings
	catalog  *inspect.Catalog
	proposal *propose.Proposal
	unread   error // why the topics of the deployment are not known although they could be; nil: nothing went wrong
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
	RunnerUp    *RunnerUpJSON     `json:"runner_up,omitempty"`
	Notes       []string          `json:"notes"`
	Environment []string          `json:"environment"`
}

// RunnerUpJSON is the likeliest table beside the one that was taken, and why that one was not.
type RunnerUpJSON struct {
	Table string   `json:"table"`
	Why   []string `json:"why"`
}

// TopicJSON is a topic of a ResultJSON.
type TopicJSON struct {
	ID   string `json:"id,omitempty"`   // absent: commented out in the file
	Name string `json:"name,omitempty"` // absent: the file has the id
	When string `json:"when,omitempty"`

	Yes []string `json:"yes,omitempty"` // the values that mean yes and no, if they are not the usual words
	No  []string `json:"no,omitempty"`
}

// candidates returns all tables with addresses, the likeliest first.
func (r *Result) candidates() []propose.Candidate { return propose.Rank(r.catalog) }

// runnerUp returns the likeliest table beside the one that was taken; ok is false if there is none.
func (r *Result) runnerUp() (c propose.Candidate, ok bool) {
	for _, c := range r.candidates() {
		if c.Table != r.proposal.Table {
			return c, true
		}
	}
	return c, false
}

// notes returns what a person should know of the guesses.
func (r *Result) notes() []string {
	p := r.proposal
	notes := slices.Concat(p.QueryNotes, p.KeyNotes, p.FieldNotes)
	if r.unread != nil {
		notes = append(notes, fmt.Sprintf("the topics that Owlat has are not known: %v", r.unread))
	}
	return notes
}

// JSON returns the result for machines.
func (r *Result) JSON() ResultJSON {
	p := r.proposal
	out := ResultJSON{
		Type: "init", File: r.path, Table: p.Table.Title(), Query: p.Query(), Key: append([]string{}, p.Key...),
		Fields: map[string]string{"email": p.Email}, Topics: []TopicJSON{}, Candidates: []string{}, Notes: append([]string{}, r.notes()...),
		Environment: []string{config.EnvAPIKey},
	}
	for _, c := range r.candidates() {
		out.Candidates = append(out.Candidates, c.Table.Title())
	}
	if c, ok := r.runnerUp(); ok {
		out.RunnerUp = &RunnerUpJSON{c.Table.Title(), c.Why}
	}
	if p.FullName != "" {
		out.Fields["fullName"] = p.FullName
	}
	for _, f := range owlatsync.ContactFields {
		if column := p.Fields[f]; column != "" {
			out.Fields[f.Name()] = column
		}
	}
	for _, t := range p.Topics {
		out.Topics = append(out.Topics, TopicJSON{t.ID, t.Name, t.When, t.Yes, t.No})
	}
	if len(r.settings.Known) > 0 {
		out.Environment = append(out.Environment, EnvSecret)
	}
	if r.settings.DSNIsReference {
		out.Environment = append(out.Environment, EnvDatabase)
	}
	return out
}

// Print says what was found and what to do next.
func (r *Result) Print(w io.Writer) {
	say := func(format string, args ...any) { _, _ = fmt.Fprintf(w, format, args...) }
	p := r.proposal
	say("Found in %s:\n\n", r.dsn)
	say("  %-9s %s\n", "table", p.Table.Title()+sampledRows(p.Table, p.Dialect))
	if encoding := r.dsn.Encoding(); encoding != "" {
		say("  %-9s %s\n", "encoding", encoding)
	}
	say("  %-9s %s\n", "address", p.Email)
	say("  %-9s %s\n", "key", words.OrElse(strings.Join(p.Key, ", "), "none: the address is the key"))
	say("  %-9s %s\n", "names", words.OrElse(strings.Join(filled(append(p.Fields[:], p.FullName)...), ", "), "none"))
	for i, c := range p.Where {
		say("  %-9s %s (%s)\n", words.FirstOnly(i, "only"), c.SQL, c.Why)
	}
	for i, t := range p.Topics {
		id := words.OrElse(t.ID, "commented out until you fill in the topic's id")
		if name := words.OrElse(t.Name, t.Called); name != "" {
			id = fmt.Sprintf("%s (%s)", words.Printable(name), t.ID)
		}
		when := words.OrElse(t.When, "(every row)")
		if len(t.Yes) > 0 {
			when += " is " + strings.Join(t.Yes, " or ")
		}
		say("  %-9s %s\n", words.FirstOnly(i, "topics"), fmt.Sprintf("when %s: %s", when, id))
	}
	for i, note := range r.notes() {
		say("  %-9s %s\n", words.FirstOnly(i, "mind"), note)
	}
	var others []string
	for _, c := range r.candidates() {
		if c.Table != p.Table {
			others = append(others, c.Table.Title())
		}
	}
	if second, ok := r.runnerUp(); ok {
		say("\nThe likeliest other table is %s%s: %s.\n", second.Table.Title(), sampledRows(second.Table, p.Dialect), strings.Join(second.Why, "; "))
		say("To take another one: --table, with one of %s\n", strings.Join(others[:min(len(others), 8)], ", "))
	}
	say("\nWrote %s. It reads from the environment:\n\n", r.path)
	if r.settings.DSNIsReference {
		say("  export %s=...    the DSN of your database, so that its password is in no file\n", EnvDatabase)
	}
	say("  export %s=...   an API key, made in Owlat's settings\n", config.EnvAPIKey)
	if len(r.settings.Known) > 0 {
		say("  export %s=...    the one of your deployment, which names topics and tells who is on them\n", EnvSecret)
	}
	flag := ""
	if r.path != config.DefaultFile {
		flag = " --config " + r.path
	}
	say("\nNext: owlat-sync check%s\n", flag)
}

func sampledRows(t *inspect.Table, d inspect.Dialect) string {
	switch {
	case !t.Sampled:
		return " (its rows could not be read: is the permission missing?)"
	case d == inspect.File:
		return ""
	}
	return fmt.Sprintf(" (%s)", rowCount(t.Rows))
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
