package propose

import (
	"strings"
	"testing"
)

func TestCursorIsProposedWhereAnIndexServesIt(t *testing.T) {
	t.Parallel()
	for name, db := range map[string]struct {
		database func(*testing.T) database
		key, typ string
	}{
		"PostgreSQL": {postgres, "bigserial PRIMARY KEY", "timestamptz"},
		"MySQL":      {mysqlDatabase, "bigint PRIMARY KEY AUTO_INCREMENT", "datetime"},
		"SQLite":     {sqlite, "INTEGER PRIMARY KEY", "TEXT"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := db.database(t)
			cases := []struct{ table, columns, index, want string }{
				{"users_indexed", "updated_at TYPE", "updated_at", "updated_at"},
				{"users_first", "updated_at TYPE, tenant int", "updated_at, tenant", "updated_at"},
				{"users_second", "updated_at TYPE, tenant int", "tenant, updated_at", ""},
				{"users_plain", "updated_at TYPE, modified TYPE", "modified", "modified"},
				{"users_none", "updated_at TYPE", "", ""},
				{"users_number", "updated int", "updated", ""},
				{"users_other", "created_at TYPE", "created_at", ""},
			}
			for _, test := range cases {
				d.exec(t, "CREATE TABLE "+test.table+" (id "+db.key+", email varchar(200), "+strings.ReplaceAll(test.columns, "TYPE", db.typ)+")")
				if test.index != "" {
					d.exec(t, "CREATE INDEX by_"+test.table+" ON "+test.table+" ("+test.index+")")
				}
			}
			c := d.catalog(t)
			for _, test := range cases {
				table, want := test.table, test.want
				p, err := Propose(c, c.Find(table))
				if err != nil {
					t.Fatal(err)
				}
				if p.Cursor != want {
					t.Errorf("%s: cursor %q, want %q", table, p.Cursor, want)
				}
				text := string(p.YAML(Settings{URL: "https://example.convex.site", DSN: "${DATABASE_URL}", DSNIsReference: true}))
				if line := "\n      # cursor: " + want + "\n"; strings.Contains(text, "cursor") != (want != "") || want != "" && !strings.Contains(text, line) {
					t.Errorf("%s: the file says otherwise:\n%s", table, text)
				}
			}
		})
	}
}
