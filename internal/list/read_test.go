package list

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"owlatsync"
	"owlatsync/internal/exitcode"
	"owlatsync/internal/setup"
)

// said returns the entries of a list as texts: place, contact and names.
func said(l *List) (entries []string) {
	for _, e := range l.Entries {
		text := e.Place.String() + " " + e.Contact
		for _, f := range e.Fields {
			if f != nil {
				text += "|" + *f
			}
		}
		entries = append(entries, text)
	}
	return entries
}

const id = "jd7a1xp0q3w9contact0000000000000"

func TestRead(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, file, text string
		columns          Columns
		names            bool
		want             []string
		refused          []string
		repeated         int
	}{
		{name: "one address a line", file: "a.txt", text: "ada@example.com\nGrace@Example.com\n",
			want: []string{"line 1 ada@example.com", "line 2 grace@example.com"}},
		{name: "blank lines, blanks, Windows line ends and a mark", file: "a.csv", text: "\ufeff\r\n ada@example.com \r\n\r\ngrace@example.com",
			want: []string{"line 2 ada@example.com", "line 4 grace@example.com"}},
		{name: "contact ids", file: "a.txt", text: id + "\nada@example.com\n", want: []string{"line 1 " + id, "line 2 ada@example.com"}},
		{name: "what is none", file: "a.txt", text: "ada@example.com\nAda <ada@example.com>\nk\nada@example.com\n",
			want: []string{"line 1 ada@example.com"}, repeated: 1,
			refused: []string{"line 2: the field holds more than the address, as in Name <address>; give the address alone", "line 3: the address is not of a form that Owlat accepts"}},
		{name: "a header", file: "a.csv", text: "name,E-Mail\nAda,ada@example.com\n", want: []string{"line 2 ada@example.com"}},
		{name: "semicolons", file: "a.csv", text: "name;E-Mail\nAda;ada@example.com\n", want: []string{"line 2 ada@example.com"}},
		{name: "objects", file: "a.ndjson", text: `{"mail":"ada@example.com"}` + "\n", want: []string{"line 1 ada@example.com"}},
		{name: "a column of ids", file: "a.csv", text: "contact,mail\n" + id + ",ada@example.com\n", columns: Columns{Contact: "contact"},
			want: []string{"line 2 " + id}},
		{name: "names that are found", file: "a.csv", text: "Email,First Name,Last Name\nada@example.com, Ada ,\n", names: true,
			want: []string{"line 2 ada@example.com|Ada"}},
		{name: "names that are named", file: "a.csv", text: "Email,First Name,Ruf\nada@example.com,Ada,Countess\n", names: true,
			columns: Columns{Fields: owlatsync.Texts{owlatsync.FirstName: "Ruf"}}, want: []string{"line 2 ada@example.com|Countess"}},
		{name: "a whole name that is found", file: "a.csv", text: "Email,Name\nada@example.com,Dr. Ada King Lovelace\n", names: true,
			want: []string{"line 2 ada@example.com|Ada|King Lovelace"}},
		{name: "a whole name that is named", file: "a.csv", text: "Email,Wer,First Name\nada@example.com,\"Lovelace, Ada\",x\n", names: true,
			columns: Columns{FullName: "Wer"}, want: []string{"line 2 ada@example.com|Ada|Lovelace"}},
		{name: "no names for a topic", file: "a.csv", text: "Email,First Name\nada@example.com,Ada\n", want: []string{"line 2 ada@example.com"}},
		{name: "an id names nobody to create", file: "a.csv", text: "Email\n" + id + "\nada@example.com\n", names: true, columns: Columns{Contact: "Email"},
			want: []string{"line 3 ada@example.com"}, refused: []string{"line 2: the address is not of a form that Owlat accepts"}},
		{name: "a long name", file: "a.csv", text: "Email,First Name\nada@example.com," + strings.Repeat("x", 201) + "\n", names: true,
			refused: []string{"line 2: the first name is longer than Owlat's 200 characters"}},
		{name: "one address with two names", file: "a.csv", text: "Email,First Name\nada@example.com,Ada\nADA@example.com,Augusta\nada@example.com,Ada\n", names: true,
			want: []string{"line 2 ada@example.com|Ada"}, refused: []string{"line 3: line 2 has the same address and counts"}, repeated: 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for _, from := range []string{filepath.Join(t.TempDir(), test.file), Stdin, "csv:-"} {
				if OnStdin(from) && strings.HasSuffix(test.file, ".ndjson") {
					continue
				}
				if err := writeFile(from, test.text); err != nil {
					t.Fatal(err)
				}
				l, err := Read(t.Context(), setup.Opener{Stdin: setup.NewStdin(strings.NewReader(test.text))}, Ask{From: from, Columns: test.columns, Names: test.names})
				if err != nil {
					t.Fatal(err)
				}
				var refused []string
				for _, r := range l.Refused {
					refused = append(refused, r.Place.String()+": "+r.Reason)
				}
				if diff := cmp.Diff(test.want, said(l)) + cmp.Diff(test.refused, refused); diff != "" || l.Repeated != test.repeated {
					t.Errorf("%s: %d repeated, want %d (-want +got):\n%s", filepath.Base(from), l.Repeated, test.repeated, diff)
				}
			}
		})
	}
}

func writeFile(path, text string) error {
	if OnStdin(path) {
		return nil
	}
	return os.WriteFile(path, []byte(text), 0o600)
}

// TestReadRefuses: a file that has lost its shape has no entries at all.
func TestReadRefuses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, from, text string
		code             exitcode.Code
		says             string
	}{
		{"no such file", "gone.csv", "", exitcode.Error, "no such file"},
		{"an empty file", "a.csv", "", exitcode.Error, "empty"},
		{"no addresses", "a.csv", "name\nAda\n", exitcode.Usage, "no column holds e-mail addresses"},
		{"a database", "postgres://u:hidden@127.0.0.1/shop", "", exitcode.Usage, "a list is a file"},
		{"no known file", "a.pdf", "x", exitcode.Usage, "a source is named by"},
		{"a column that is not there", "b.csv", "mail\nada@example.com\n", exitcode.Usage, "wer"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			from := test.from
			if !strings.Contains(from, "://") {
				from = filepath.Join(t.TempDir(), from)
			}
			if test.text != "" || test.name == "an empty file" {
				if err := writeFile(from, test.text); err != nil {
					t.Fatal(err)
				}
			}
			columns := Columns{}
			if strings.Contains(test.name, "column that") {
				columns.Contact = "wer"
			}
			l, err := Read(t.Context(), setup.Opener{}, Ask{From: from, Columns: columns})
			if l != nil || err == nil || exitcode.Of(err) != test.code || !strings.Contains(err.Error(), test.says) {
				t.Errorf("%+v, %v with code %d; want %d and %q", l, err, exitcode.Of(err), test.code, test.says)
			}
			if err != nil && (strings.Contains(err.Error(), "hidden") || strings.Contains(err.Error(), "ada@")) {
				t.Errorf("%v tells a secret", err)
			}
		})
	}
}
