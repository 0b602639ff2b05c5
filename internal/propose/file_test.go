package propose

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
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
			fields: [3]string{"E-Mail", "Vorname", "Nachname"}, when: []string{"Newsletter"},
			notes: "email_verified",
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

// TestExports reads what the exports of products say of consents.
func TestExports(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, file, text string
		topics, notes    string
	}{
		{"Shopify", "customers_export", "Customer ID,First Name,Last Name,Email,Accepts Email Marketing,Accepts SMS Marketing,Total Orders\n1,Ada,L,a@example.com,yes,no,2\n2,Bob,B,b@example.com,no,yes,0\n",
			"[Accepts Email Marketing yes[] no[]]", ""},
		{"Mailchimp, subscribed", "subscribed_members_export_1", "Email Address,First Name,Last Name,MEMBER_RATING,OPTIN_TIME,CONFIRM_TIME,LAST_CHANGED,LEID,EUID,NOTES,TAGS\na@example.com,Ada,L,2,,2026-01-02 03:04:05,2026-01-02 03:04:05,1,x,,\n",
			"[ yes[] no[]]", ""},
		{"Mailchimp, unsubscribed", "export", "Email Address,First Name,UNSUB_TIME,UNSUB_CAMPAIGN_TITLE,UNSUB_REASON,LEID\na@example.com,Ada,2026-01-02 03:04:05,News,no reason,1\nb@example.com,Bob,2026-01-03 03:04:05,,,2\n",
			"[]", "UNSUB_TIME is filled in every row"},
		{"Mailchimp, cleaned", "cleaned_members_export_1", "Email Address,First Name,CLEAN_TIME\na@example.com,Ada,2026-01-02 03:04:05\n", "[]", "its name says so"},
		{"HubSpot", "contacts", "Record ID,First Name,Email,Unsubscribed from all email\n1,Ada,a@example.com,No\n2,Bob,b@example.com,Yes\n",
			"[Unsubscribed from all email yes[No] no[Yes]]", ""},
		{"HubSpot, none so far", "contacts", "Record ID,First Name,Email,Unsubscribed from all email\n1,Ada,a@example.com,false\n2,Bob,b@example.com,false\n",
			"[Unsubscribed from all email yes[false] no[true]]", ""},
		{"HubSpot with empty cells", "contacts", "Record ID,First Name,Email,Unsubscribed from all email\n1,Ada,a@example.com,\n2,Bob,b@example.com,true\n",
			"[]", "an empty cell means no, so it cannot say who does"},
		{"Klaviyo", "newsletter", "Email,Klaviyo ID,First Name,Email Marketing Consent\na@example.com,K1,Ada,SUBSCRIBED\nb@example.com,K2,Bob,UNSUBSCRIBED\nc@example.com,K3,Cy,NEVER_SUBSCRIBED\n",
			"[Email Marketing Consent yes[SUBSCRIBED] no[NEVER_SUBSCRIBED UNSUBSCRIBED]]", ""},
		{"Substack", "email_list", "email,active_subscription,expiry,plan,email_disabled,created_at\na@example.com,false,,other,false,2026-01-02T03:04:05.000Z\nb@example.com,true,,other,true,2026-01-02T03:04:05.000Z\n",
			"[email_disabled yes[false] no[true]]", ""},
		{"Brevo", "contacts", "CONTACT ID,EMAIL,FIRSTNAME,DOUBLE_OPT-IN,SMS\n1,a@example.com,Ada,Yes,\n2,b@example.com,Bob,No,\n", "[DOUBLE_OPT-IN yes[] no[]]", ""},
		{"Ghost", "members", "id,email,name,subscribed_to_emails,created_at\n1,a@example.com,Ada L,true,2026-01-02T03:04:05.000Z\n2,b@example.com,Bob B,false,2026-01-02T03:04:05.000Z\n",
			"[subscribed_to_emails yes[] no[]]", ""},
		{"German", "kunden", "Kundennummer,E-Mail,Newsletter\n1,a@example.com,ja\n2,b@example.com,nein\n3,c@example.com,\n", "[Newsletter yes[ja] no[nein]]", ""},
		{"German and usual words", "kunden", "Kundennummer,E-Mail,Newsletter\n1,a@example.com,Ja\n2,b@example.com,1\n3,c@example.com,0\n", "[Newsletter yes[Ja 1] no[]]", ""},
		{"status", "people", "id,email,status\n1,a@example.com,subscribed\n2,b@example.com,unsubscribed\n3,c@example.com,cleaned\n", "[status yes[subscribed] no[cleaned unsubscribed]]", ""},
		{"status of those who left", "people", "id,email,status\n1,a@example.com,Unsubscribed\n2,b@example.com,Unsubscribed\n", "[]", "status says so in every row"},
		{"a flag of those who left", "people", "id,email,opted_out\n1,a@example.com,1\n2,b@example.com,true\n", "[]", "opted_out says yes in every row"},
		{"another status", "people", "id,email,status\n1,a@example.com,gold\n2,b@example.com,silver\n", "[]", ""},
		{"a consent and a refusal", "people", "id,email,newsletter,do_not_email\n1,a@example.com,yes,no\n2,b@example.com,yes,yes\n", "[newsletter yes[] no[]]", "do_not_email says who does not want mail, and no topic looks at it"},
		{"lost letters", "people", "id,email,vorname\n1,a@example.com,JÃ¼rgen\n2,b@example.com,ZoÃ«\n3,c@example.com,JosÃ©\n4,d@example.com,AndrÃ©\n", "[]", "Names have lost their letters: UTF-8 was read as windows-1252"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c, err := csvText(test.text)
			if err != nil {
				t.Fatal(err)
			}
			c.Tables[0].Name = test.file
			p, err := Propose(c, &c.Tables[0])
			if err != nil {
				t.Fatal(err)
			}
			topics := []string{}
			for _, topic := range p.Topics {
				topics = append(topics, fmt.Sprintf("%s yes%s no%s", topic.When, topic.Yes, topic.No))
			}
			if got := fmt.Sprint(topics); got != test.topics {
				t.Errorf("topics %s, want %s", got, test.topics)
			}
			if notes := strings.Join(slices.Concat(p.QueryNotes, p.FieldNotes), " "); !strings.Contains(notes, test.notes) || test.notes == "" && strings.Contains(notes, "opted out") {
				t.Errorf("the notes do not say %q: %s", test.notes, notes)
			}
			for _, topic := range p.Topics {
				if _, err := source.CSV(nil, source.Mapping{Email: "email", Topics: []string{"x"}, Words: []source.Words{{Yes: topic.Yes, No: topic.No}}}); err != nil {
					t.Errorf("the words of %s contradict each other: %v", topic.When, err)
				}
			}
		})
	}
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
		{plainCSV, "", "the file is empty: its first line must hold the names of the columns"},
		{plainCSV, "a,b\n1", "read the first rows"},
		{plainCSV, "secret@example.com,Ada\n", "line 1 looks like data: write a line above it"},
		{plainCSV, "secret@example.com\n", "such as \"email\""},
		{ndjson, "", "the file holds no object with a key"},
		{ndjson, "{}\n", "the file holds no object with a key"},
		{ndjson, "[1]\nnull\n", "the file holds no object with a key"},
		{ndjson, "{\"email\":\"secret@example.com", "the file holds no object with a key"},
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
