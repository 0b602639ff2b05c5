package statement

import (
	"strings"
	"testing"
)

func TestCheckStatement(t *testing.T) {
	t.Parallel()
	standard, my, lite := Generic, MySQL, SQLite
	for _, test := range []struct {
		query string
		in    Lexicon
		want  string // of the error; nothing: it passes
	}{
		{"SELECT 1", standard, ""},
		{" \n(select 1) union (select 2);\n-- done\n;", standard, ""},
		{"WITH a AS (SELECT 1) SELECT * FROM a", my, ""},
		{"TABLE users", standard, ""},
		{"VALUES (1)", lite, ""},
		{"/* all */ SELECT ';', \";\", `;`, 'it''s;' -- ; x", my, ""},
		{`SELECT 'a\';b' AS x`, my, ""},
		{`SELECT 'a\' AS x; DELETE FROM users; --'`, standard, "several statements"},
		{"SELECT [a;b] FROM t", lite, ""},
		{"SELECT 1 # ; x\n", my, ""},
		{"SELECT 1 --2; x", my, "several statements"},
		{"SELECT 1 --2; x", standard, ""},
		{"SELECT /*! 1; DELETE */ 2", my, "several statements"},
		{"SELECT /* 1; DELETE */ 2", my, ""},
		{"SELECT id into_x FROM t", my, ""},
		{"SELECT `into` FROM t", my, ""},
		{"SELECT id Into @a FROM t", my, "INTO"},
		{"SELECT 1 /*!50000 INTO */ @a", my, "INTO"},
		{"SELECT 1; SELECT 2", standard, "several statements"},
		{";;SELECT 1", standard, ""},
		{"", standard, "empty"},
		{" ; -- x", standard, "empty"},
		{"/* SELECT 1", standard, "empty"},
		{"delete from users", standard, "begins with DELETE"},
		{"(delete from users)", standard, "begins with DELETE"},
		{"'bob@example.com'", standard, "no word of SQL"},
		{"bob@example.com", standard, "begins with BOB"},
		{"averyveryverylongword", standard, "no word of SQL"},
		{"PRAGMA user_version", lite, "begins with PRAGMA"},
		{"EXPLAIN DELETE FROM users", my, "begins with EXPLAIN"},
		{"SELECT 'not closed; DELETE", standard, ""},
	} {
		if why := Check(test.query, test.in); (why == "") != (test.want == "") || !strings.Contains(why, test.want) {
			t.Errorf("%q: %q, want %q", test.query, why, test.want)
		}
	}
}

func TestBareStatement(t *testing.T) {
	t.Parallel()
	pg, my, lite := Postgres, MySQL, SQLite
	all := map[string]Lexicon{"PostgreSQL": pg, "MySQL": my, "SQLite": lite, "any": Generic}
	only := func(names ...string) map[string]Lexicon {
		some := map[string]Lexicon{}
		for _, name := range names {
			some[name] = all[name]
		}
		return some
	}
	for _, test := range []struct {
		query, want string
		in          map[string]Lexicon
	}{
		{"SELECT 1", "SELECT 1", all},
		{" SELECT 1 ; ", "SELECT 1", all},
		{"SELECT 1;;\n;\t", "SELECT 1", all},
		{";; SELECT 1", "SELECT 1", all},
		{"SELECT 1; -- note", "SELECT 1", all},
		{"SELECT 1 -- note; more\n; -- and more\n", "SELECT 1", all},
		{"SELECT 1 --note", "SELECT 1", only("PostgreSQL", "SQLite", "any")},
		{"SELECT 1 --1", "SELECT 1 --1", only("MySQL")},
		{"SELECT 1 --", "SELECT 1", all},
		{"SELECT 1 /* a */; /* b; */ ;", "SELECT 1", all},
		{"SELECT 1 /* not closed", "SELECT 1", all},
		{"-- first\nSELECT 1; -- last", "-- first\nSELECT 1", all},
		{"SELECT 1; # note", "SELECT 1", only("MySQL")},
		{"SELECT 1 # 2", "SELECT 1 # 2", only("PostgreSQL", "SQLite", "any")},
		{"SELECT '-- no note;'", "SELECT '-- no note;'", all},
		{"SELECT 'it''s; -- no note' ; -- note", "SELECT 'it''s; -- no note'", all},
		{`SELECT "a;--" FROM t;--`, `SELECT "a;--" FROM t`, all},
		{`SELECT 'a\'; -- no note' ; -- note`, `SELECT 'a\'; -- no note'`, only("MySQL")},
		{`SELECT 'a\'; -- note`, `SELECT 'a\'`, only("PostgreSQL", "SQLite", "any")},
		{`SELECT E'a\'; -- no note' ; -- note`, `SELECT E'a\'; -- no note'`, only("PostgreSQL")},
		{`SELECT type'a\'; -- note`, `SELECT type'a\'`, only("PostgreSQL")},
		{"SELECT $$; -- no note$$; -- note", "SELECT $$; -- no note$$", only("PostgreSQL")},
		{"SELECT $q_1$ $$; -- no note $q$ $q_1$; -- note", "SELECT $q_1$ $$; -- no note $q$ $q_1$", only("PostgreSQL")},
		{"SELECT $1; -- note $1$", "SELECT $1", only("PostgreSQL")},
		{"SELECT a$b$ FROM t; -- $b$ note", "SELECT a$b$ FROM t", only("PostgreSQL")},
		{"SELECT 1 /* a /* b */ ; c */; -- note", "SELECT 1", only("PostgreSQL")},
		{"SELECT 1 /* a /* b */; -- note", "SELECT 1", only("MySQL", "SQLite", "any")},
		{"SELECT [a;--] FROM t; --", "SELECT [a;--] FROM t", only("SQLite", "any")},
		{"SELECT `a;-- ` FROM t; -- note", "SELECT `a;-- ` FROM t", only("MySQL", "SQLite", "any")},
		{"SELECT 1 /*!50000 + 1 */; -- note", "SELECT 1 /*!50000 + 1 */", only("MySQL")},
		{"SELECT 1 /*! + 1 */ /*! */; /*! */", "SELECT 1 /*! + 1 */", only("MySQL")},
		{"", "", all},
		{"; -- note", "", all},
	} {
		for name, in := range test.in {
			if got := Bare(test.query, in); got != test.want {
				t.Errorf("%s: %q is %q, want %q", name, test.query, got, test.want)
			}
		}
	}
}

func FuzzCheckStatement(f *testing.F) {
	for _, seed := range []string{"SELECT 1", "/*!9", "'\\", "--", "#\n;", "[", "/*M!1*/ x", "$a$;--$a$;--", "/*/**/*/;", "E'\\';--'", "SELECT 1;-- x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		for _, l := range []Lexicon{Generic, MySQL, SQLite} {
			if Check(query, l) == "" && strings.TrimSpace(query) == "" {
				t.Errorf("%q passes", query)
			}
		}
		for _, l := range []Lexicon{Generic, Postgres, MySQL, SQLite} {
			if once := Bare(query, l); !strings.Contains(query, once) || (Check(once, l) == "") != (Check(query, l) == "") {
				t.Errorf("of %q, %q is bare: %q, and before %q", query, once, Check(once, l), Check(query, l))
			}
		}
	})
}
