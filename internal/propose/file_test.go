package propose

import (
	"bytes"
	"compress/gzip"
	"owlatsync/internal/inspect"
	"slices"
	"strings"
	"testing"

	"owlatsync"
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
			name: "CSV", read: csvText,
			text:   "\ufeffid,E-Mail,Vorname,Nachname,Newsletter,email_verified\n1,ada@example.com,Ada,Lovelace,ja,1\n2,bob@example.com,Bob,B,,0\n",
			key:    []string{"id"},
			fields: [3]string{"E-Mail", "Vorname", "Nachname"},
			notes:  "email_verified",
		},
		{
			name: "CSV with consents", read: csvText,
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
				return inspect.ReadCSV(&packed, "people", ';')
			},
			text:   " id ; email ;newsletter\n1;ada@example.com;\n2;bob@example.com;1\n",
			key:    []string{"id"},
			fields: [3]string{"email", "", ""}, when: []string{"newsletter"},
		},
		{
			name: "CSV with full names", read: csvText,
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

func csvText(s string) (*inspect.Catalog, error) {
	return inspect.ReadCSV(strings.NewReader(s), "people", ',')
}

func TestTheAddressIsWhereMostRowsHaveIt(t *testing.T) {
	t.Parallel()
	const google = "Name,Given Name,Family Name,E-mail 1 - Label,E-mail 1 - Value,E-mail 2 - Label,E-mail 2 - Value,Phone 1 - Value\n"
	for text, want := range map[string]string{
		google + "Ada,Ada,L,* Home,ada@example.com,Work,ada@example.org,1\nGrace,Grace,H,Work,grace@example.com,,,\n":                           "E-mail 1 - Value",
		google + "Ada,Ada,L,,,Work,ada@example.org,\nGrace,Grace,H,Home,grace@example.com,Work,grace@example.org,\nAlan,,,,,*,a@example.org,\n": "E-mail 2 - Value",
		google + "Ada,Ada,L,* Home,ada@example.com ::: ada@example.org,,,\nGrace,Grace,H,*,grace@example.com,,,\n":                              "E-mail 1 - Value",
		google: "E-mail 1 - Value",
		"Email,Work Email\n,a@example.com\n,b@example.com\nc@example.com,c@example.org\n":                "Work Email",
		"Email,Work Email\na@example.com,a@example.org\n,b@example.org\nc@example.com,c@example.org\n":   "Email",
		"Email,Backup Email\n,a@example.com\n,b@example.com\nc@example.com,c@example.org\n":              "Email",
		"E-mail Address,E-mail 2 Address\na@example.com,\n,b@example.com\nc@example.com,d@example.com\n": "E-mail Address",
	} {
		c, err := csvText(text)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if column, _ := emailColumn(&c.Tables[0]); column != nil {
			got = column.Name
		}
		if got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestBadFiles(t *testing.T) {
	t.Parallel()
	ndjson := func(s string) (*inspect.Catalog, error) { return inspect.ReadNDJSON(strings.NewReader(s), "people") }
	for _, test := range []struct {
		read func(string) (*inspect.Catalog, error)
		text string
		want string
	}{
		{csvText, "", "the file is empty: its first line must hold the names of the columns"},
		{csvText, "a,\"b\nc", "read the header row"},
		{csvText, "a,b\n1\n", "read the first rows"},
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

func TestGuessDelimiter(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 64<<10)
	for text, want := range map[string]rune{
		"":                                   ',',
		"email\na@example.com\n":             ',',
		"id,email\n1,a@example.com\n":        ',',
		"id;email\n1;a@example.com\n":        ';',
		"\ufeffid;email\n1;a@example.com\n":  ';',
		"id\temail\r\n1\ta@example.com\r\n":  '\t',
		"id|email|name\n1|a@example.com|A\n": '|',
		"Name, first;Email\nAda, Countess;a@example.com\nBob;b@example.com\n": ';',
		"id,note\n1,\"a;b;c\"\n2,d;e;f\n":                                     ',',
		"id;note\n1;\"a,b\n,c\"\n2;d\n":                                       ';',
		"id;email":                                                            ';',
		"id;note\n1;a\n2;\"" + long + "\"\n":                                  ';',
		"id;email\n1\n":                                                       ',',
	} {
		if got, err := inspect.GuessDelimiter(strings.NewReader(text)); err != nil || got != want {
			t.Errorf("%.60q: %q, %v, want %q", text, got, err, want)
		}
	}
}
