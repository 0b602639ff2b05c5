package initialise

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"owlatsync/internal/console"
	"owlatsync/internal/exitcode"
	"owlatsync/internal/inspect"
	"owlatsync/internal/problem"
	"owlatsync/internal/propose"
)

func TestDialogue(t *testing.T) {
	t.Parallel()
	catalog := &inspect.Catalog{Dialect: inspect.SQLite, Tables: []inspect.Table{
		{Name: "signups", Columns: []inspect.Column{{Name: "mail", Kind: inspect.Text}}},
		{Name: "users", Columns: []inspect.Column{{Name: "email", Kind: inspect.Text}, {Name: "newsletter", Kind: inspect.Bool}, {Name: "offers_opt_in", Kind: inspect.Bool}}, Sampled: true, Rows: 1},
	}}
	for _, test := range []struct {
		name, input, table, url string
		ids                     []string
	}{
		{"Enter takes what is proposed", "\n\n\n\n", "users", "", []string{"", ""}},
		{"the input ends", "", "users", "", []string{"", ""}},
		{"a number, an address and ids", "1\nhttps://example.convex.site\nk57news000000000\nk57offers0000000\n", "users", "https://example.convex.site", []string{"k57news000000000", "k57offers0000000"}},
		{"mistakes are asked again", "7\nnone\n users \n\nshort\nk57news000000000\n\n", "users", "", []string{"k57news000000000", ""}},
		{"another table", "2\n\n", "signups", "", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var shown strings.Builder
			ask := dialogue{console.NewAsker(t.Context(), strings.NewReader(test.input), &shown)}
			table, err := chooseTable(catalog, "", ask)
			if err != nil {
				t.Fatal(err)
			}
			if table.Name != test.table {
				t.Errorf("chose %s, want %s", table.Name, test.table)
			}
			proposal, err := propose.Propose(catalog, table)
			if err != nil {
				t.Fatal(err)
			}
			var settings propose.Settings
			if err := errors.Join(ask.address(&settings), ask.topics(proposal, book{})); err != nil {
				t.Fatal(err)
			}
			var ids []string
			for _, topic := range proposal.Topics {
				ids = append(ids, topic.ID)
			}
			if settings.URL != test.url || !slices.Equal(ids, test.ids) {
				t.Errorf("address %q, ids %q; want %q, %q\n%s", settings.URL, ids, test.url, test.ids, shown.String())
			}
			if !strings.Contains(shown.String(), "1  users  (addresses in email, 1 row)") {
				t.Errorf("the tables are not shown:\n%s", shown.String())
			}
		})
	}
}

func TestWriteNewFollowsNoLink(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	link := filepath.Join(dir, "link.yaml")
	if err := os.Symlink(filepath.Join(dir, "elsewhere.yaml"), link); err != nil {
		t.Fatal(err)
	}
	err := WriteNew(link, []byte("x"))
	if exitcode.Of(err) != exitcode.Usage || problem.HintOf(err) == "" {
		t.Errorf("a symbolic link to nowhere: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "elsewhere.yaml")); err == nil {
		t.Error("the symbolic link was followed")
	}
}
