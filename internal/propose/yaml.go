package propose

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"owlatsync"
	"owlatsync/internal/inspect"
)

// Settings are the parts of a configuration file that no catalog knows.
type Settings struct {
	URL string // of the deployment
	DSN string // as written in the file: a reference such as ${DATABASE_URL}, or a DSN without a secret
	// DSNIsReference keeps the DSN's ${…} as it is.
	DSNIsReference bool
	Config         string // name of the file, for the commands named in its head
	// Known has the topics of the deployment, by name and id; none: they are not known. Then the file names the unsubscribe secret.
	Known []string
}

// YAML writes the proposal as a commented configuration file.
func (p *Proposal) YAML(s Settings) []byte {
	w := &writer{}
	flag := ""
	if s.Config != "" && s.Config != "owlat-sync.yaml" {
		flag = " --config " + s.Config
	}
	w.lines(0,
		"# Written by \"owlat-sync init\". Look it through: what was guessed says so.",
		"#",
		"#   owlat-sync check"+flag+"   tests connections, key and topics, and shows the first rows; changes nothing",
		"#   owlat-sync plan"+flag+"    shows what a run would do; changes nothing",
		"#   owlat-sync run"+flag+"     does it",
		"#",
		"# ${NAME} is read from the environment, so that no secret has to stand here.",
		"",
		"owlat:",
		"  url: "+scalar(s.URL),
		"  api_key: ${OWLAT_API_KEY} # needs contacts:read, contacts:write and, with topics, topics:write",
	)
	if len(s.Known) > 0 {
		w.lines(0, "  unsubscribe_secret: ${UNSUBSCRIBE_SECRET} # that of the deployment: topics by their names, and who is on them")
	}
	w.lines(0,
		"",
		"# Remembers what Owlat holds. Keep this file: without it the next run compares everything with Owlat again.",
		"ledger: owlat-sync.db",
		"",
		"syncs:",
		"  "+scalar(p.Sync)+":",
	)
	page{p}.source(w, s)
	page{p}.mapping(w)
	page{p}.topics(w, s.Known)
	w.lines(4,
		"# NULL as a name keeps the name that Owlat has; \"clear\" would empty it.",
		"nulls: keep",
	)
	page{p}.missing(w)
	return []byte(w.String())
}

// page writes a proposal as a configuration.
type page struct{ *Proposal }

func (p page) source(w *writer, s Settings) {
	dsn := scalar(s.DSN)
	if s.DSNIsReference {
		dsn = s.DSN
	}
	w.lines(4, "source:", "  dsn: "+dsn)
	for _, c := range p.Where {
		w.comment(6, fmt.Sprintf("Guessed from %s: %s.", c.Column, c.Why))
	}
	w.comment(6, p.QueryNotes...)
	if p.Dialect == inspect.Mongo {
		w.lines(6, "collection: "+scalar(p.Table.Name))
		if filter := p.Filter(); filter != "" {
			w.lines(6, "filter: "+escape(filter))
		}
	}
	if query := p.Query(); query != "" {
		w.lines(6, "query: |")
		w.lines(8, strings.Split(escape(query), "\n")...)
	}
	if p.Cursor != "" {
		w.comment(6,
			fmt.Sprintf("If every change of a row sets %s, which has an index, runs can read only what changed. That pays for", p.Cursor),
			"large tables; rows that are gone are then noticed once a day. "+p.toQuery()+"ake away the # in front:",
			"cursor: "+scalar(p.Cursor))
	}
}

// toQuery begins the advice how to use the cursor.
func (p page) toQuery() string {
	if !p.Dialect.SQL() {
		return "T"
	}
	return "Add the column to the query, and t"
}

func (p page) mapping(w *writer) {
	w.lines(0, "")
	w.comment(4, p.KeyNotes...)
	switch len(p.Key) {
	case 0:
	case 1:
		w.comment(4, "The key names a row for good: by it a changed address is still the same contact.")
		w.lines(4, "key: "+scalar(p.Key[0]))
	default:
		w.comment(4, "These columns together name a row for good: by them a changed address is still the same contact.")
		w.lines(4, "key: "+list(p.Key...))
	}
	w.comment(4, p.FieldNotes...)
	w.lines(4, "fields:", "  email: "+scalar(p.Email))
	for _, f := range owlatsync.ContactFields {
		if column := p.Fields[f]; column != "" {
			w.lines(6, f.Name()+": "+scalar(column))
		}
	}
	if p.FullName != "" {
		w.comment(6, "The first word is the first name, the rest the last name; in \"Lovelace, Ada\" the last name comes first. Titles go.")
		w.lines(6, "fullName: "+scalar(p.FullName))
	}
	w.lines(0, "")
}

// topics writes topics with known ids, and the others as comments that only need an id and the # removed.
func (p page) topics(w *writer, names []string) {
	known := slices.ContainsFunc(p.Topics, func(t Topic) bool { return t.ID != "" })
	unknown := slices.ContainsFunc(p.Topics, func(t Topic) bool { return t.ID == "" })
	w.comment(4,
		"Topics to put new contacts on. Who has left a topic is not put on it again, nor is anybody who was in",
		"Owlat before the first run. \"when\" names the column that says yes; without it a topic is for every row.")
	blank := "id: TOPIC_ID"
	switch {
	case !unknown && len(p.Topics) > 0:
	case len(names) > 0:
		blank = "name: TOPIC_NAME"
		w.comment(4, "To use a topic, put its name here and take away the # in front. Owlat has:")
		for _, name := range names {
			w.comment(4, "  "+escape(name))
		}
	default:
		w.comment(4, "The id stands on the topic's page in Owlat. To use a topic, put its id here and take away the # in front:")
	}
	if known {
		w.lines(4, "topics:")
	} else {
		w.lines(4, "# topics:")
	}
	for _, t := range p.Topics {
		prefix := ""
		called := "id: " + scalar(t.ID)
		switch {
		case t.ID == "":
			prefix, called = "# ", blank
		case t.Name != "":
			called = "name: " + scalar(t.Name) + " # " + t.ID
		case t.Called != "":
			called += " # " + escape(strconv.QuoteToGraphic(t.Called))
		}
		if t.Note != "" {
			w.comment(6, t.Note)
		}
		w.lines(4, prefix+"  - "+called)
		if t.When != "" {
			w.lines(4, prefix+"    when: "+scalar(t.When))
		}
		for _, words := range []struct {
			key  string
			list []string
		}{{"yes", t.Yes}, {"no", t.No}} {
			if len(words.list) > 0 {
				w.lines(4, prefix+"    "+words.key+": "+list(words.list...))
			}
		}
	}
	if len(p.Topics) == 0 {
		w.lines(4, "#   - "+blank)
	}
	w.lines(0, "")
}

// missing writes what becomes of a contact whose row is gone.
func (p page) missing(w *writer) {
	if slices.ContainsFunc(p.Topics, func(t Topic) bool { return t.ID != "" }) {
		w.comment(4, "A contact whose row is no longer there leaves the topics. With \"keep\" people whose account is gone go on getting mail.")
		w.lines(4, "on_missing: leave_topics")
		return
	}
	w.comment(4,
		"A contact whose row is no longer there stays as it is: on a topic, people whose account is gone go on getting mail.",
		"With topics, \"leave_topics\" takes them off.")
	w.lines(4, "on_missing: keep")
}

// writer collects lines.
type writer struct{ strings.Builder }

func (w *writer) lines(indent int, lines ...string) {
	for _, line := range lines {
		if line != "" {
			w.WriteString(strings.Repeat(" ", indent) + line)
		}
		w.WriteByte('\n')
	}
}

func (w *writer) comment(indent int, lines ...string) {
	for _, line := range lines {
		w.lines(indent, "# "+line)
	}
}

// scalar returns a text as a YAML value, quoted if it would otherwise mean something else.
func scalar(text string) string { return dump(textNode(text)) }

// list returns texts as a YAML list.
func list(texts ...string) string {
	n := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
	for _, text := range texts {
		n.Content = append(n.Content, textNode(text))
	}
	return dump(n)
}

func textNode(text string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: strings.ToValidUTF8(escape(text), "\ufffd")}
	if strings.Contains(text, "\n") {
		n.Style = yaml.DoubleQuotedStyle // otherwise it would take several lines
	}
	return n
}

// dump returns a node on one line.
func dump(n *yaml.Node) string {
	b, err := yaml.Dump(n, yaml.WithQuotePreference(yaml.QuoteDouble), yaml.WithLineWidth(-1))
	if err != nil {
		panic(err) // a text can always be written
	}
	return strings.TrimSuffix(string(b), "\n")
}

// escape keeps the ${ of a text from being read as a variable.
func escape(text string) string { return strings.ReplaceAll(text, "${", "$${") }
