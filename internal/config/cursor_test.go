package config

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"owlatsync/source"
)

func TestCursor(t *testing.T) {
	t.Parallel()
	for lines, want := range map[string]struct {
		cursor source.Cursor
		every  time.Duration
	}{
		"":              {},
		"cursor: moved": {source.Cursor{Column: "moved", Database: "sqlite:DIR/app.db"}, 24 * time.Hour},
		"cursor: moved\n      overlap: 1h30m\n      full_every: 1d": {source.Cursor{Column: "moved", Overlap: 90 * time.Minute, Database: "sqlite:DIR/app.db"}, 24 * time.Hour},
		"cursor: v\n      overlap: 1000\n      full_every: 90m":     {source.Cursor{Column: "v", Step: 1000, Database: "sqlite:DIR/app.db"}, 90 * time.Minute},
	} {
		text := strings.Replace(valid, "    fields:", "      "+lines+"\n    key: id\n    fields:", 1)
		cfg, err := Parse("f.yaml", []byte(text), env(map[string]string{EnvAPIKey: testKey}))
		if err != nil {
			t.Errorf("%q: %v", lines, err)
			continue
		}
		s := cfg.Syncs[0]
		want.cursor.Database = strings.Replace(want.cursor.Database, "DIR", cfg.Dir(), 1)
		if diff := cmp.Diff(want.cursor, s.Cursor); diff != "" || s.FullEvery != want.every {
			t.Errorf("%q: every %s, cursor (-want +got):\n%s", lines, s.FullEvery, diff)
		}
	}
}

func TestBadCursor(t *testing.T) {
	t.Parallel()
	const key = "    key: id\n    fields:"
	for _, test := range []struct{ name, lines, key, want string }{
		{"without a key", "cursor: moved", "    fields:", `cursor: needs a "key" beside the source: without one a row whose address changed cannot be told from another`},
		{"nothing", "cursor: ", key, `cursor: has no value; give it one or remove the line`},
		{"a list", "cursor: [a, b]", key, `cursor: must be a text, not a list`},
		{"overlap alone", "overlap: 10m", key, `overlap: means nothing without "cursor", the column that tells when a row changed`},
		{"full_every alone", "full_every: 24h", key, `full_every: means nothing without "cursor", the column that tells when a row changed`},
		{"overlap none", "{cursor: moved, overlap: 0}", key, `overlap: must be a duration such as 10m or 1h, or for a cursor of whole numbers a number such as 1000`},
		{"overlap negative", "{cursor: moved, overlap: -5m}", key, `overlap: must be a duration such as 10m or 1h, or for a cursor of whole numbers a number such as 1000`},
		{"overlap a word", "{cursor: moved, overlap: long}", key, `overlap: must be a duration such as 10m or 1h, or for a cursor of whole numbers a number such as 1000`},
		{"overlap with a fraction", "{cursor: moved, overlap: 1.5}", key, `overlap: must be a duration such as 10m or 1h, or for a cursor of whole numbers a number such as 1000`},
		{"full_every a number", "{cursor: moved, full_every: 24}", key, `full_every: must be a duration such as 12h or 7d`},
		{"full_every never", "{cursor: moved, full_every: 0s}", key, `full_every: must be a duration such as 12h or 7d`},
		{"full_every a word", "{cursor: moved, full_every: daily}", key, `full_every: must be a duration such as 12h or 7d`},
		{"misspelt", "cursr: moved", key, `unknown key "cursr"; did you mean "cursor"?`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			lines := "      " + test.lines
			if inner, braces := strings.CutPrefix(test.lines, "{"); braces {
				lines = "      " + strings.Replace(strings.TrimSuffix(inner, "}"), ", ", "\n      ", 1)
			}
			text := strings.Replace(valid, "    fields:", lines+"\n"+test.key, 1)
			_, err := Parse("f.yaml", []byte(text), env(map[string]string{EnvAPIKey: testKey}))
			got := ""
			if err != nil {
				_, got, _ = strings.Cut(err.Error(), ": syncs.users.source")
			}
			if strings.TrimLeft(got, ".: ") != test.want {
				t.Errorf("got:\n%v\nwant:\n%s", err, test.want)
			}
		})
	}
	text := strings.Replace(valid, "dsn: sqlite:app.db\n      query: SELECT * FROM users", "dsn: csv:users.csv\n      cursor: moved", 1)
	_, err := Parse("f.yaml", []byte(text+"    key: id\n"), env(map[string]string{EnvAPIKey: testKey}))
	if want := "f.yaml:7: syncs.users.source.cursor: a file is always read whole, because it cannot be asked for changed rows; remove it"; err == nil || err.Error() != want {
		t.Errorf("a file: got:\n%v\nwant:\n%s", err, want)
	}
}
