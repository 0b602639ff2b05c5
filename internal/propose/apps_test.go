package propose

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"owlatsync"
)

// applications are the tables of well-known applications with a few rows. Lines at the top of a file say what is expected:
//
//	-- dialect: postgres       one of postgres, mysql and sqlite; several files may be of one application
//	-- init: table members     the table of people
//	-- init: key id            and so on: address, names, filter, topic, join, note
//	-- person: ada@example.com|Ada|Lovelace|yes   every row of the proposed query, with the first topic
const applications = "../inspect/testdata/apps"

// TestApplications proposes a query for the database of each application.
func TestApplications(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(applications, "*.sql"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		said := headerOf(string(text))
		for _, name := range said["dialect"] {
			t.Run(strings.TrimSuffix(filepath.Base(file), ".sql")+"_"+name, func(t *testing.T) {
				t.Parallel()
				open := map[string]func(*testing.T) database{"postgres": postgres, "mysql": mysqlDatabase, "sqlite": sqlite}[name]
				if open == nil {
					t.Fatalf("the dialect %q is unknown", name)
				}
				db := open(t)
				for _, statement := range strings.SplitAfter(string(text), ";\n") {
					if strings.TrimSpace(statement) != "" {
						db.exec(t, statement)
					}
				}
				proposed(t, db, said, file)
			})
		}
	}
}

// headerOf returns what the lines "-- NAME: …" of a file say.
func headerOf(text string) map[string][]string {
	said := make(map[string][]string)
	for line := range strings.Lines(text) {
		if rest, is := strings.CutPrefix(strings.TrimSpace(line), "-- "); is {
			if name, value, found := strings.Cut(rest, ": "); found {
				said[name] = append(said[name], value)
			}
		}
	}
	return said
}

func proposed(t *testing.T, db database, said map[string][]string, file string) {
	t.Helper()
	c := db.catalog(t)
	ranked := Rank(c)
	if want := said["scattered"]; len(want) > 0 {
		if len(ranked) > 0 {
			t.Errorf("chose %s although no table has addresses", ranked[0].Table.Title())
		}
		if s := Scatter(c); s == nil || s.Table != want[0] || s.Query != want[1] {
			t.Errorf("addresses are scattered as %+v, want %q", s, want)
		}
		return
	}
	if len(ranked) == 0 {
		t.Fatalf("no candidate among %d tables", len(c.Tables))
	}
	p, err := Propose(c, ranked[0].Table)
	if err != nil {
		t.Fatal(err)
	}
	got := []string{"table " + p.Table.Title(), "key " + strings.Join(p.Key, ", "), "address " + ranked[0].Email}
	for _, f := range owlatsync.ContactFields {
		if p.Fields[f] != "" {
			got = append(got, "names "+p.Fields[f])
		}
	}
	if p.FullName != "" {
		got = append(got, "whole name "+p.FullName)
	}
	for _, w := range p.Where {
		got = append(got, "filter "+w.SQL)
	}
	for _, topic := range p.Topics {
		got = append(got, "topic "+topic.When)
	}
	if os.Getenv("UPDATE_APPS") != "" {
		defer func() { rewrite(t, db, p, file, got) }()
	}
	want := slices.DeleteFunc(slices.Clone(said["init"]), func(l string) bool { return strings.HasPrefix(l, "runner-up ") })
	if diff := cmp.Diff(unquoted(want), unquoted(got)); diff != "" {
		t.Errorf("proposed (-want +got):\n%s\n%s", diff, p.Query())
	}
	notes := strings.Join(slices.Concat(p.QueryNotes, p.KeyNotes, p.FieldNotes), "\n")
	for _, note := range said["note"] {
		if !strings.Contains(notes, note) {
			t.Errorf("the notes do not say %q:\n%s", note, notes)
		}
	}
	for _, line := range said["init"] {
		if second, is := strings.CutPrefix(line, "runner-up "); is && (len(ranked) < 2 || ranked[1].Table.Title() != second || len(ranked[1].Why) == 0) {
			t.Errorf("the runner-up is not %s with a reason: %+v", second, ranked)
		}
	}
	expected := slices.Sorted(slices.Values(said["person"]))
	if diff := cmp.Diff(expected, peopleOf(t, db, p)); diff != "" {
		t.Errorf("the query finds (-want +got):\n%s\n%s", diff, p.Query())
	}
}

// unquoted returns the lines without the quotes of names, and with one word for the present time, which the dialects write otherwise.
func unquoted(lines []string) (bare []string) {
	for _, line := range lines {
		bare = append(bare, strings.NewReplacer("\"", "", "`", "", "UTC_TIMESTAMP()", "now()", "datetime('now')", "now()").Replace(line))
	}
	return bare
}

// peopleOf returns the rows of the proposed query: address, names and the first topic.
func peopleOf(t *testing.T, db database, p *Proposal) (people []string) {
	t.Helper()
	names, rows := db.query(t, p.Query())
	at := func(row []string, name string) string {
		if i := slices.Index(names, name); i >= 0 && row[i] != "NULL" {
			return strings.TrimSpace(row[i])
		}
		return ""
	}
	for _, row := range rows {
		line := []string{at(row, p.Email), at(row, p.Fields[owlatsync.FirstName]), at(row, p.Fields[owlatsync.LastName])}
		if whole := at(row, p.FullName); p.FullName != "" {
			first, last := owlatsync.SplitName(owlatsync.Some(whole))
			line[1], line[2] = first.Value, last.Value
		}
		if len(p.Topics) > 0 {
			says := at(row, p.Topics[0].When)
			if word, known := map[string]string{"true": "yes", "1": "yes", "false": "", "0": ""}[says]; known {
				says = word
			}
			line = append(line, says)
		}
		people = append(people, strings.Join(line, "|"))
	}
	slices.Sort(people)
	return people
}

// rewrite writes what was proposed as the expectation of a file, to be read by a person.
func rewrite(t *testing.T, db database, p *Proposal, file string, got []string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var head, rest []string
	for line := range strings.Lines(string(text)) {
		switch {
		case strings.HasPrefix(line, "-- init: runner-up "):
			head = append(head, line)
		case strings.HasPrefix(line, "-- init: "), strings.HasPrefix(line, "-- person: "):
		case strings.HasPrefix(line, "-- "):
			head = append(head, line)
		default:
			rest = append(rest, line)
		}
	}
	for _, line := range got {
		head = append(head, "-- init: "+line+"\n")
	}
	for _, line := range peopleOf(t, db, p) {
		head = append(head, "-- person: "+line+"\n")
	}
	if err := os.WriteFile(file, []byte(strings.Join(append(head, rest...), "")), 0o600); err != nil {
		t.Fatal(err)
	}
}
