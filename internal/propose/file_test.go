package propose

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"slices"
	"strings"
	"testing"

	"owlatsync"
	"owlatsync/internal/inspect"
	"owlatsync/source"
)

func TestFiles(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		read   func(string) (*inspect.Catalog, error)
		text   string
		key    []string
		fields [3]string
		when   []string
		full   string // column of the whole name
		notes  string
	}{
		{
			name: "CSV", read: plainCSV,
			text:   "\ufeffid,E-Mail,Vorname,Nachname,Newsletter,email_verified\n1,ada@example.com,Ada,Lovelace,ja,1\n2,bob@example.com,Bob,B,,0\n",
			key:    []string{"id"},
			fields: [3]string{"E-Mail", "Vorname", "Nachname"},
			notes:  "email_verified",
		},
		{
			name: "CSV with consents", read: plainCSV,
			text:   "id,email,newsletter,opt_in\n1,ada@example.com,yes,\n1,bob@example.com,no,1\n",
			fields: [3]string{"email", "", ""}, when: []string{"newsletter", "opt_in"},
		},
		{
			name: "gzip with another delimiter",
			read: func(s string) (*inspect.Catalog, error) {
				var packed bytes.Buffer
				w := gzip.NewWriter(&packed)
				_, _ = w.Write([]byte(s)) // a buffer takes everything
				_ = w.Close()
				return csvText(packed.String(), source.Delimiter(';'))
			},
			text:   " id ; email ;newsletter\n1;ada@example.com;\n2;bob@example.com;1\n",
			key:    []string{"id"},
			fields: [3]string{"email", "", ""}, when: []string{"newsletter"},
		},
		{
			name: "CSV with full names", read: plainCSV,
			text:   "email,name\nada@example.com,Ada Lovelace\n",
			fields: [3]string{"email", "", ""},
			full:   "name",
		},
		{
			name: "NDJSON", read: func(s string) (*inspect.Catalog, error) { return inspect.ReadNDJSON(strings.NewReader(s), "people") },
			text: `{"uuid":"a1","email":"ada@example.com","firstName":"Ada","tags":["x"],"newsletter":true}` + "\n" +
				`{"uuid":"a2","email":null,"lastName":"B","newsletter":false}` + "\n",
			key:    []string{"uuid"},
			fields: [3]string{"email", "firstName", "lastName"}, when: []string{"newsletter"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c, err := test.read(test.text)
			if err != nil {
				t.Fatal(err)
			}
			p, err := Propose(c, &c.Tables[0])
			if err != nil {
				t.Fatal(err)
			}
			if p.Query() != "" {
				t.Errorf("a file has the query %q", p.Query())
			}
			var when []string
			for _, topic := range p.Topics {
				when = append(when, topic.When)
			}
			if got := [3]string{p.Email, p.Fields[owlatsync.FirstName], p.Fields[owlatsync.LastName]}; !slices.Equal(p.Key, test.key) || got != test.fields || !slices.Equal(when, test.when) || p.FullName != test.full {
				t.Errorf("key %q, fields %q, topics by %q; want %q, %q, %q", p.Key, got, when, test.key, test.fields, test.when)
			}
			if notes := strings.Join(slices.Concat(p.QueryNotes, p.FieldNotes), " "); !strings.Contains(notes, test.notes) {
				t.Errorf("the notes do not say %q: %s", test.notes, notes)
			}
		})
	}
}

func csvText(s string, options ...source.CSVOption) (*inspect.Catalog, error) {
	return inspect.ReadCSV(context.Background(), func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(s)), nil }, "people", options...)
}

func plainCSV(s string) (*inspect.Catalog, error) { return csvText(s) }

func TestBadFiles(t *testing.T) {
	t.Parallel()
	ndjson := func(s string) (*inspect.Catalog, error) { return inspect.ReadNDJSON(strings.NewReader(s), "people") }
	for _, test := range []struct {
		read func(string) (*inspect.Catalog, error)
		text string
		want string
	}{
		{plainCSV, "", "the file is empty: its first line must hold the names of the columns"},
		{plainCSV, "a,b\n1", "read the first rows"},
		{plainCSV, "secret@example.com,Ada\n", "line 1 looks like data: write a line above it"},
		{plainCSV, "secret@example.com\n", "such as \"email\""},
		{ndjson, "", "the file holds no object with a key"},
		{ndjson, "{}\n", "the file holds no object with a key"},
		{ndjson, "{\"email\":\"secret@example.com\"}\n[1]\n", "read object 2: each line must be a JSON object"},
		{ndjson, "{\"email\":\"secret@example.com", "read object 1: each line must be a JSON object"},
	} {
		_, err := test.read(test.text)
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v, want %q and no value", test.text, err, test.want)
		}
	}
}

func TestNoAddresses(t *testing.T) {
	t.Parallel()
	c, err := csvText("id,name,phone\n1,Ada,5550100\n")
	if err != nil {
		t.Fatal(err)
	}
	if ranked := Rank(c); len(ranked) != 0 {
		t.Errorf("ranked %+v", ranked)
	}
	if _, err := Propose(c, &c.Tables[0]); err != ErrNoAddresses {
		t.Errorf("%v, want ErrNoAddresses", err)
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	c := &inspect.Catalog{Tables: []inspect.Table{{Name: "users"}, {Schema: "crm", Name: "Users"}, {Schema: "crm", Name: "people"}, {Schema: "shop", Name: "people"}, {Name: "Members"}}}
	for title, want := range map[string]string{
		"users": "users", "crm.Users": "crm.Users", "crm.people": "crm.people", "people": "", "MEMBERS": "Members", "USERS": "", "none": "",
	} {
		got := ""
		if found := c.Find(title); found != nil {
			got = found.Title()
		}
		if got != want {
			t.Errorf("Find(%q) = %q, want %q", title, got, want)
		}
	}
}
