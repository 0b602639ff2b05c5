package propose

import (
	"slices"
	"strings"
	"testing"

	"owlatsync/internal/inspect"
)

// TestKeysOfFiles finds the columns by which products name a row in their exports.
func TestKeysOfFiles(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		text string
		key  []string
	}{
		{"Record ID,Email\n101,ada@example.com\n102,bob@example.com\n", []string{"Record ID"}},
		{"Email Address,LEID,EUID\nada@example.com,5,a1\nbob@example.com,6,a2\n", []string{"LEID"}},
		{"Email Address,EUID\nada@example.com,a1b2\nbob@example.com,c3d4\n", []string{"EUID"}},
		{"ref,email\ncus_NffrFeUfNV2Hib,ada@example.com\ncus_NffrFeUfNV2Hic,bob@example.com\n", []string{"ref"}},
		{"customer,email\ncus_NffrFeUfNV2Hib,ada@example.com\ncus_NffrFeUfNV2Hic,bob@example.com\n", []string{"customer"}},
		{"External ID,email\n7,ada@example.com\n8,bob@example.com\n", []string{"External ID"}},
		{"Customer ID,email\n7,ada@example.com\n8,bob@example.com\n", []string{"Customer ID"}},
		{"Order ID,email\n7,ada@example.com\n8,bob@example.com\n", nil},
		{"id,email\n7,ada@example.com\n7,bob@example.com\n", nil},
		{"id,email\n7,ada@example.com\n,bob@example.com\n", nil},
		{"First Name,email\nada,ada@example.com\nbob,bob@example.com\n", nil},
	} {
		c, err := inspect.ReadCSV(strings.NewReader(test.text), "people", ',')
		if err != nil {
			t.Fatal(err)
		}
		p, err := Propose(c, &c.Tables[0])
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(p.Key, test.key) {
			t.Errorf("the key of %q is %q, want %q", test.text, p.Key, test.key)
		}
	}
}

// TestLoginsAreNoNames tells names of people from names to log in with.
func TestLoginsAreNoNames(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		sample []string
		want   bool
	}{
		{[]string{"grace77", "ada", "bob_b"}, true},
		{[]string{"ada@example.com", "bob@example.com"}, true},
		{[]string{"Ada Lovelace", "grace77", "editor"}, true},
		{[]string{"Ada Lovelace", "Grace Hopper", "cher"}, false},
		{[]string{"Ada", "Grace"}, false},
		{[]string{"ada lovelace", "grace hopper"}, false},
		{[]string{"", ""}, false},
		{nil, false},
	} {
		if got := logins(test.sample); got != test.want {
			t.Errorf("%q are names to log in with: %v, want %v", test.sample, got, test.want)
		}
	}
}

// TestAddressesWithoutTheirPeople takes the person's id for the key where only the table of addresses can be read.
func TestAddressesWithoutTheirPeople(t *testing.T) {
	t.Parallel()
	column := func(name string, kind inspect.Kind) inspect.Column { return inspect.Column{Name: name, Kind: kind} }
	c := &inspect.Catalog{Dialect: inspect.Postgres, Tables: []inspect.Table{{
		Name: "user_emails", Key: []string{"id"},
		Columns: []inspect.Column{column("id", inspect.Number), column("user_id", inspect.Number), column("email", inspect.Text), column("verified", inspect.Bool)},
	}}}
	p, err := Propose(c, &c.Tables[0])
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(p.Key, []string{"user_id"}) {
		t.Errorf("the key is %q, want the person's", p.Key)
	}
}
