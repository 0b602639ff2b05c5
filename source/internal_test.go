package source

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"testing"
)

func TestCheckStatement(t *testing.T) {
	t.Parallel()
	standard, my, lite := generic.lexicon, mySQL.lexicon, sqlite.lexicon
	for _, test := range []struct {
		query string
		in    lexicon
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
		err := checkStatement(test.query, test.in)
		switch {
		case test.want == "" && err != nil:
			t.Errorf("%q: %v", test.query, err)
		case test.want != "" && (!errors.Is(err, ErrNotQuery) || !strings.Contains(err.Error(), test.want)):
			t.Errorf("%q: %v, want ErrNotQuery with %q", test.query, err, test.want)
		}
	}
}

func TestBareStatement(t *testing.T) {
	t.Parallel()
	pg, my, lite := wrapPostgres.lexicon, wrapMySQL.lexicon, wrapSQLite.lexicon
	all := map[string]lexicon{"PostgreSQL": pg, "MySQL": my, "SQLite": lite, "any": generic.lexicon}
	only := func(names ...string) map[string]lexicon {
		some := map[string]lexicon{}
		for _, name := range names {
			some[name] = all[name]
		}
		return some
	}
	for _, test := range []struct {
		query, want string
		in          map[string]lexicon
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
			if got := bare(test.query, in); got != test.want {
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
		for _, l := range []lexicon{generic.lexicon, mySQL.lexicon, sqlite.lexicon} {
			if err := checkStatement(query, l); err == nil && strings.TrimSpace(query) == "" {
				t.Errorf("%q passes", query)
			}
		}
		for _, l := range []lexicon{generic.lexicon, wrapPostgres.lexicon, mySQLLexicon, sqliteLexicon} {
			if once := bare(query, l); !strings.Contains(query, once) || (checkStatement(once, l) == nil) != (checkStatement(query, l) == nil) {
				t.Errorf("of %q, %q is bare: %v, and before %v", query, once, checkStatement(once, l), checkStatement(query, l))
			}
		}
	})
}

func TestAppendMoment(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"2026-11-03 05:06:07":              "2026-11-03T05:06:07Z",
		"2026-11-03 05:06:07.000000":       "2026-11-03T05:06:07Z",
		"2026-11-03 05:06:07.120000":       "2026-11-03T05:06:07.12Z",
		"2026-11-03 05:06:07+00":           "2026-11-03T05:06:07Z",
		"2026-11-03T05:06:07Z":             "2026-11-03T05:06:07Z",
		"2026-11-03T05:06:07.5+00:00":      "2026-11-03T05:06:07.5Z",
		"2026-11-03 05:06:07.25+02":        "2026-11-03T03:06:07.25Z",
		"2026-11-03 05:06:07-03:30":        "2026-11-03T08:36:07Z",
		"2026-11-03T05:06:07+0530":         "2026-11-02T23:36:07Z",
		"1890-01-01 00:00:00+00:19:32":     "1889-12-31T23:40:28Z",
		"2026-11-03 05:06:07 BC":           "2026-11-03 05:06:07 BC",
		"2026-11-03 05:06:07.x":            "2026-11-03 05:06:07.x",
		"2026-11-03 05:06:07+x":            "2026-11-03 05:06:07+x",
		"2026-11-03":                       "2026-11-03",
		"infinity":                         "infinity",
		"":                                 "",
		"12026-11-03 05:06:07":             "12026-11-03 05:06:07",
		"2026-11-03 05:06:07 Europe/Paris": "2026-11-03 05:06:07 Europe/Paris",
	} {
		if got := string(appendMoment(nil, []byte(raw))); got != want {
			t.Errorf("%q: %q, want %q", raw, got, want)
		}
	}
}

func TestAppendFloat(t *testing.T) {
	t.Parallel()
	for f, want := range map[float64]string{
		0: "0", 1: "1", -2.5: "-2.5", 1e6: "1000000", 123456789012: "123456789012", 1e21: "1e+21", 1e-7: "1e-07", 0.000001: "0.000001", 0.1: "0.1",
	} {
		if got := string(appendFloat(nil, f, 64)); got != want {
			t.Errorf("%g: %q, want %q", f, got, want)
		}
	}
	if got := string(appendFloat(nil, float64(float32(0.1)), 32)); got != "0.1" {
		t.Errorf("0.1 of 32 bits is %q", got)
	}
}

func TestDecimal(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{ // how it is written; nothing: it is none
		"0": "0", "-0": "0", "+0.000": "0", "0e5": "0", "1": "1", "+1": "1", "-1.50": "-1.5", "007": "7", ".5": "0.5", "5.": "5", "100": "100", "1e3": "1000", "1E+3": "1000",
		"1.5e-3": "0.0015", "0.000001": "0.000001", "0.0000001": "1e-07", "100000000000000000000": "100000000000000000000", "1e21": "1e+21", "123e20": "1.23e+22",
		"-12345678901234567890.123": "-12345678901234567890.123", "1e100": "1e+100",
		"": "", "-": "", ".": "", "e5": "", "1e": "", "1e+": "", "NaN": "", "Infinity": "", "1.2.3": "", "0x10": "", "1_000": "", " 1": "", "1e99999999999999999999": "", "--1": "",
	} {
		d, ok := parseDecimal([]byte(text))
		if ok != (want != "") || ok && string(d.append(nil)) != want {
			t.Errorf("%q: %q, %v, want %q", text, d.append(nil), ok, want)
		}
	}
	for text, want := range map[string]bool{
		"0": true, "0.1": true, "123456789012345": true, "9007199254740992": true, "9007199254740993": false, "0.30000000000000004": true, "0.30000000000000001": false,
		"1e-400": false, "5e-324": true, "5.1e-324": false, "1.7976931348623157e308": true, "1.79769313486231571e308": false, "12345678901234567890": false, "12345678901234567000": true,
	} {
		f, err := strconv.ParseFloat(text, 64)
		if d, ok := parseDecimal([]byte(text)); !ok || err != nil || d.exact(f) != want {
			t.Errorf("%s: exact %v, %v", text, d.exact(f), err)
		}
	}
}

// FuzzDecimal checks that what a double is printed as is exact, and is printed alike by both ways.
func FuzzDecimal(f *testing.F) {
	for _, seed := range []float64{0, 1, -2.5, 0.1, 1e21, 1e-7, 5e-324, 1.7976931348623157e308, 9007199254740993} {
		f.Add(seed, int64(seed))
	}
	f.Fuzz(func(t *testing.T, x float64, n int64) {
		if math.IsNaN(x) || math.IsInf(x, 0) || x == 0 {
			t.Skip()
		}
		want := string(appendFloat(nil, x, 64))
		for _, form := range []byte("fe") {
			text := strconv.AppendFloat(nil, x, form, -1, 64)
			if d, ok := parseDecimal(text); !ok || !d.exact(math.Abs(x)) || string(d.append(nil)) != want {
				t.Errorf("%s: %v, %v, %s; want %s", text, ok, d.exact(math.Abs(x)), d.append(nil), want)
			}
		}
		if d, ok := parseDecimal(strconv.AppendInt(nil, n, 10)); !ok || n != 0 && n != math.MinInt64 && d.exact(math.Abs(float64(n))) != (strconv.FormatFloat(float64(n), 'f', -1, 64) == strconv.FormatInt(n, 10)) {
			t.Errorf("%d: exact %v", n, d.exact(math.Abs(float64(n))))
		}
	})
}

func TestNearest(t *testing.T) {
	t.Parallel()
	columns := []column{{Column: Column{Name: "id"}}, {Column: Column{Name: "email"}}, {Column: Column{Name: "first_name"}}, {Column: Column{Name: "last_name"}}, {Column: Column{Name: "x@example.com"}}}
	for name, want := range map[string]string{
		"emial": "email", "Email": "email", "e_mail": "email", "mail": "email", "firstname": "first_name", "FIRST_NAME": "first_name",
		"lastname": "last_name", "ID": "id", "uid": "id", "newsletter": "", "a": "", "y@example.com": "",
	} {
		if got := nearest(name, columns); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

func TestDescribeStopsSomewhere(t *testing.T) {
	t.Parallel()
	columns := make([]column, 100)
	for i := range columns {
		columns[i].Name = "c\n"
	}
	got := describe(columns)
	if !strings.HasSuffix(got, `"c\n" and 70 more`) || strings.Contains(got, "\n") {
		t.Errorf("%q, want 30 quoted names and 70 more", got)
	}
}

func TestMappingValidate(t *testing.T) {
	t.Parallel()
	for want, m := range map[string]Mapping{
		"": {Key: []string{"a", "b"}, Email: "email", Topics: []string{"", "x", "x"}},
		"no column is mapped to the email address":       {Key: []string{"id"}},
		"a key column has no name":                       {Key: []string{""}, Email: "email"},
		`the key names column "id" twice`:                {Key: []string{"id", "id"}, Email: "email"},
		`the event property from column "x" has no name`: {Email: "email", Properties: []Property{{"", "x"}}},
		`the event property "p" has no column`:           {Email: "email", Properties: []Property{{"p", ""}}},
		`the event property "p" is mapped twice`:         {Email: "email", Properties: []Property{{"p", "a"}, {"p", "b"}}},
	} {
		err := m.Validate()
		if err == nil && want != "" || err != nil && err.Error() != want {
			t.Errorf("%v, want %q", err, want)
		}
		if _, sqlErr := CSV(File("x"), m); (sqlErr == nil) != (err == nil) {
			t.Errorf("CSV takes the mapping: %v, want %q", sqlErr, want)
		}
	}
}

func TestDialects(t *testing.T) {
	t.Parallel()
	if _, err := Dialect(99).rules(); err == nil {
		t.Error("an unknown dialect has rules")
	}
	if _, err := SQL(nil, SQLite, "SELECT 1", Mapping{Email: "email"}); err == nil {
		t.Error("no database passes for one")
	}
	for _, d := range []Dialect{Generic, MySQL, SQLite} {
		if rules, err := d.rules(); err != nil || rules.begin == nil || rules.kindOf == nil || rules.name == "" || rules.castHint == "" {
			t.Errorf("dialect %d: %+v and %v", d, rules, err)
		}
	}
}
