package propose

import (
	"owlatsync/internal/inspect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"
)

// file is what a program reads out of a written file.
type file struct {
	Owlat  map[string]string
	Ledger string
	Syncs  map[string]struct {
		Source struct{ DSN, Query string }
		Key    any
		Fields struct {
			Email     string
			FirstName string `yaml:"firstName"`
			LastName  string `yaml:"lastName"`
		}
		Topics    []struct{ ID, When string }
		Nulls     string
		OnMissing string `yaml:"on_missing"`
	}
}

func parse(t *testing.T, text []byte) file {
	t.Helper()
	var f file
	if err := yaml.Load(text, &f, yaml.WithKnownFields()); err != nil {
		t.Fatalf("%v in:\n%s", err, text)
	}
	return f
}

func people() *inspect.Catalog {
	return &inspect.Catalog{Dialect: inspect.Postgres, Tables: []inspect.Table{{
		Name: "users", Key: []string{"tenant", "on"}, Sampled: true, Rows: 2,
		Columns: []inspect.Column{
			{Name: "tenant", Kind: inspect.Text}, {Name: "on", Kind: inspect.Number},
			{Name: "email", Kind: inspect.Text, Sample: []string{"secret.person@example.com", "other@example.com"}},
			{Name: `first ${name}`, Kind: inspect.Text, Sample: []string{"Secret"}}, {Name: "last_name", Kind: inspect.Text},
			{Name: "newsletter", Kind: inspect.Bool}, {Name: "offers", Kind: inspect.Bool}, {Name: "email_verified", Kind: inspect.Bool},
		},
	}}}
}

func TestYAML(t *testing.T) {
	t.Parallel()
	c := people()
	p, err := Propose(c, Rank(c)[0].Table)
	if err != nil {
		t.Fatal(err)
	}
	p.Topics[1].ID = "k57offers0000000"
	text := p.YAML(Settings{URL: "https://example.convex.site", DSN: "${DATABASE_URL}", DSNIsReference: true, Config: "other.yaml"})
	for _, personal := range []string{"secret.person", "other@example.com", "Secret"} {
		if strings.Contains(string(text), personal) {
			t.Errorf("the file holds the sampled value %q", personal)
		}
	}
	if !strings.Contains(string(text), "owlat-sync check --config other.yaml") {
		t.Errorf("the commands do not name the file:\n%s", text)
	}
	got := parse(t, text)
	users := got.Syncs["users"]
	if got.Owlat["url"] != "https://example.convex.site" || got.Owlat["api_key"] != "${OWLAT_API_KEY}" || got.Ledger != "owlat-sync.db" {
		t.Errorf("read %+v, %q", got.Owlat, got.Ledger)
	}
	// What looks like an environment variable is escaped.
	if want := "SELECT tenant, \"on\", email, \"first $${name}\", last_name, newsletter, offers\nFROM users\nWHERE email_verified"; strings.TrimSpace(users.Source.Query) != want {
		t.Errorf("query %q, want %q", users.Source.Query, want)
	}
	if users.Source.DSN != "${DATABASE_URL}" || users.Fields.Email != "email" || users.Fields.FirstName != "first $${name}" || users.Nulls != "keep" || users.OnMissing != "leave_topics" {
		t.Errorf("read %+v", users)
	}
	if diff := cmp.Diff([]any{"tenant", "on"}, users.Key); diff != "" {
		t.Errorf("key (-want +got):\n%s", diff)
	}
	if len(users.Topics) != 1 || users.Topics[0].ID != "k57offers0000000" || users.Topics[0].When != "offers" {
		t.Errorf("topics %+v, want the one with an id", users.Topics)
	}

	// A person who fills in the id and takes the # away gets the other topic too.
	filled := strings.NewReplacer("# topics:", "topics:", "    #   - id: TOPIC_ID", "      - id: k57news000000000", "    #     when:", "        when:").Replace(string(text))
	if topics := parse(t, []byte(filled)).Syncs["users"].Topics; len(topics) != 2 || topics[0].When != "newsletter" {
		t.Errorf("after filling in: %+v in\n%s", topics, filled)
	}
}

func TestYAMLWithoutTopics(t *testing.T) {
	t.Parallel()
	c, err := csvText("mail\nada@example.com\n")
	if err != nil {
		t.Fatal(err)
	}
	p, err := Propose(c, &c.Tables[0])
	if err != nil {
		t.Fatal(err)
	}
	text := string(p.YAML(Settings{URL: "https://api.owlat.app", DSN: "csv:odd ${name}: x.csv"}))
	got := parse(t, []byte(text)).Syncs["people"]
	if got.Source.DSN != "csv:odd $${name}: x.csv" {
		t.Errorf("the DSN is read as %q", got.Source.DSN)
	}
	if got.Source.Query != "" || got.Topics != nil || got.Key != nil || got.Fields.Email != "mail" {
		t.Errorf("read %+v", got)
	}
	filled := strings.NewReplacer("# topics:", "topics:", "    #   - id: TOPIC_ID", "      - id: k57news000000000").Replace(text)
	if topics := parse(t, []byte(filled)).Syncs["people"].Topics; len(topics) != 1 || topics[0].When != "" {
		t.Errorf("after filling in: %+v in\n%s", topics, filled)
	}
}

func TestScalar(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"id", "E-Mail", "first name", "on", "NO", "null", "~", "1", "1e3", "0x1F", "a: b", "a #b", "#a", "- a", "[a]", "{a}", "*a", "&a", "!a", "|", ">", "%a", "@a", "`a`",
		`"a"`, "'a'", `a\b`, "é", "a,b", "https://example.com/x", "2026-01-01", "12:30:45", "true", "<<", "=", "a\tb", " a", "a ", ".inf", "_", "a:",
		"", "a\nb", "\n", "a\x00b", "\u0085", "\u2028", "\ufeff", "a\r", strings.Repeat("long ", 60), "😀", "? a", "---", "y",
	} {
		var got map[string]any
		line := "key: " + scalar(text) + "\nlist: " + list(text, "x") + "\n"
		if err := yaml.Load([]byte(line), &got); err != nil {
			t.Errorf("%q is written %s: %v", text, line, err)
			continue
		}
		if strings.Count(line, "\n") != 2 {
			t.Errorf("%q takes more than a line: %s", text, line)
		}
		if diff := cmp.Diff(map[string]any{"key": text, "list": []any{text, "x"}}, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
	if got := scalar("bad \xff byte"); got != "bad \ufffd byte" {
		t.Errorf("bytes that are no text are written %s", got)
	}
}
