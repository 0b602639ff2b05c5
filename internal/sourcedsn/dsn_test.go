package sourcedsn_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"owlatsync/internal/sourcedsn"
	"owlatsync/source"
)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// says checks that an error has the words, and none of those after a "!".
func says(t *testing.T, err error, words ...string) {
	t.Helper()
	for _, word := range words {
		if not, found := strings.CutPrefix(word, "!"); found {
			if strings.Contains(err.Error(), not) {
				t.Errorf("the error says %q: %v", not, err)
			}
		} else if !strings.Contains(err.Error(), word) {
			t.Errorf("the error does not say %q: %v", word, err)
		}
	}
}

func TestParseFiles(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]struct {
		kind      sourcedsn.Kind
		path      string
		delimiter rune
	}{
		"sqlite:users.db":                    {sourcedsn.KindSQLite, "/base/users.db", 0},
		"sqlite:../users.db":                 {sourcedsn.KindSQLite, "/users.db", 0},
		"sqlite:///var/lib/app.db":           {sourcedsn.KindSQLite, "/var/lib/app.db", 0},
		"sqlite:/var/lib/app.db?mode=ro":     {sourcedsn.KindSQLite, "/var/lib/app.db", 0},
		"sqlite3://users.db":                 {sourcedsn.KindSQLite, "/base/users.db", 0},
		"SQLite:users":                       {sourcedsn.KindSQLite, "/base/users", 0},
		"sqlite:50%25 off #1.db":             {sourcedsn.KindSQLite, "/base/50%25 off #1.db", 0},
		"./users.sqlite3":                    {sourcedsn.KindSQLite, "/base/users.sqlite3", 0},
		"/data/USERS.DB":                     {sourcedsn.KindSQLite, "/data/USERS.DB", 0},
		"users.sqlite":                       {sourcedsn.KindSQLite, "/base/users.sqlite", 0},
		"csv:users.csv":                      {sourcedsn.KindCSV, "/base/users.csv", ','},
		"  users.csv.gz\n":                   {sourcedsn.KindCSV, "/base/users.csv.gz", ','},
		"csv:users.csv?delimiter=%3B":        {sourcedsn.KindCSV, "/base/users.csv", ';'},
		"csv:users.csv?delimiter=;":          {sourcedsn.KindCSV, "/base/users.csv", ';'},
		"users.csv?delimiter=tab":            {sourcedsn.KindCSV, "/base/users.csv", '\t'},
		"csv:users?delimiter=%09":            {sourcedsn.KindCSV, "/base/users", '\t'},
		`csv:users?delimiter=\t`:             {sourcedsn.KindCSV, "/base/users", '\t'},
		"csv:///exports/users?delimiter=%7C": {sourcedsn.KindCSV, "/exports/users", '|'},
		"users.tsv":                          {sourcedsn.KindCSV, "/base/users.tsv", '\t'},
		"users.tsv?delimiter=%2C":            {sourcedsn.KindCSV, "/base/users.tsv", ','},
		"ndjson:users":                       {sourcedsn.KindNDJSON, "/base/users", 0},
		"users.jsonl.gz":                     {sourcedsn.KindNDJSON, "/base/users.jsonl.gz", 0},
		"users.ndjson":                       {sourcedsn.KindNDJSON, "/base/users.ndjson", 0},
	} {
		d, err := sourcedsn.Parse(text, "/base")
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if d.Kind() != want.kind || d.Path() != want.path || d.Delimiter() != want.delimiter {
			t.Errorf("%q: %s %s %q, want %+v", text, d.Kind(), d.Path(), d.Delimiter(), want)
		}
		if got := d.String(); got != string(want.kind)+":"+want.path {
			t.Errorf("%q prints as %q", text, got)
		}
		if _, err := d.MySQL(); d.ConnString() != "" || err == nil {
			t.Errorf("%q is also a server", text)
		}
	}
}

func TestParseServers(t *testing.T) {
	t.Parallel()
	for text, shown := range map[string]string{
		"postgres://ada:pw@db.example:5432/shop?sslmode=require":  "postgres://ada:xxxxx@db.example:5432/shop",
		"postgresql://db.example/shop":                            "postgres://db.example/shop",
		"PostgreSQL://ada@db.example":                             "postgres://ada@db.example/",
		"postgres://ada:p%40w%2F@a.example,b.example:5433/shop":   "postgres://ada:xxxxx@a.example,b.example:5433/shop",
		"postgres://ada:pw@[2001:db8::1]:5432/shop":               "postgres://ada:xxxxx@[2001:db8::1]:5432/shop",
		"postgres:///shop?host=/run/postgresql&password=pw":       "postgres:///shop",
		"mysql://ada:pw@db.example/shop":                          "mysql://ada:xxxxx@db.example/shop",
		"mariadb://ada@db.example:3307/shop":                      "mysql://ada@db.example:3307/shop",
		"mysql://:pw@db.example/shop":                             "mysql://:xxxxx@db.example/shop",
		"postgres://ada:pw@db.example/a%20b?application_name=a@b": "postgres://ada:xxxxx@db.example/a%20b",
	} {
		d, err := sourcedsn.Parse(text, "")
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if d.String() != shown {
			t.Errorf("%q prints as %q, want %q", text, d, shown)
		}
		if d.Kind() == sourcedsn.KindPostgres {
			if got := d.ConnString(); got != "postgres:"+text[strings.Index(text, ":")+1:] {
				t.Errorf("%q connects with %q", text, got)
			}
			if _, err := source.Postgres(d.ConnString(), "SELECT 1", source.Mapping{Email: "email"}); err != nil {
				t.Errorf("%q: %v", text, err)
			}
		}
	}
	type server struct{ user, password, network, address, database string }
	for text, want := range map[string]server{
		"mysql://ada:p%40%3A%2Fw@db.example/shop?tls=true&timeout=5s": {"ada", "p@:/w", "tcp", "db.example:3306", "shop"},
		"mariadb://db.example:3307":                                   {"", "", "tcp", "db.example:3307", ""},
		"mysql://db.example:1/x":                                      {"", "", "tcp", "db.example:1", "x"},
		"mysql://ada@[2001:db8::1]/x":                                 {"ada", "", "tcp", "[2001:db8::1]:3306", "x"},
		"mysql://ada@[2001:db8::1]:3306/a%20b":                        {"ada", "", "tcp", "[2001:db8::1]:3306", "a b"},
		"mysql://ada:pw@/shop":                                        {"ada", "pw", "tcp", "127.0.0.1:3306", "shop"},
		"mysql://ada@/shop?socket=%2Frun%2Fmysql":                     {"ada", "", "unix", "/run/mysql", "shop"},
	} {
		d, err := sourcedsn.Parse(text, "")
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		c := must(d.MySQL())
		if got := (server{c.User, c.Passwd, c.Net, c.Addr, c.DBName}); got != want {
			t.Errorf("%q: %+v, want %+v", text, got, want)
		}
	}
}

func TestParseBadInput(t *testing.T) {
	t.Parallel()
	const known = "postgres://"
	for text, want := range map[string][]string{
		"":                                       {"it is empty", known},
		" \n":                                    {"it is empty", known},
		"users":                                  {"neither a scheme nor a known ending", known, ".csv"},
		"users.xlsx":                             {"known ending", known},
		"s3cret":                                 {known, "!s3cret"},
		"mssql://sa:s3cret@db.example/shop":      {`unknown scheme "mssql"`, known, "sqlite:FILE", "!s3cret", "!sa:"},
		"mongodb+srv://u:s3cret@db.example/x":    {`unknown scheme "mongodb+srv"`, "!s3cret"},
		"https://db.example/users.csv":           {`unknown scheme "https"`},
		"s3cret:pw@tcp(localhost)/shop":          {"no known scheme", known, "!s3cret", "!pw@"},
		"jdbc:mysql://u:s3cret@db.example/x":     {"no known scheme", "!s3cret"},
		"postgres:u:s3cret@db.example/x":         {"no valid URL", "!s3cret"},
		"postgres://u:s3#cret@db.example/x":      {"no valid URL", "percent-encode", "!cret"},
		"postgres://u:s3/cret@db.example/x":      {"no valid URL", "!cret"},
		"postgres://u:s3?cret@db.example/x":      {"no valid URL", "!cret"},
		"postgres://u:12?cret@db.example/x":      {"no valid URL", "!cret"},
		"postgres://u:12/cret@db.example/x":      {"no valid URL", "!cret"},
		"postgres://u:s3@cret@db.example/x":      {"no valid URL", "!cret"},
		"postgres://u:s3%cret@db.example/x":      {"no valid URL", "!cret"},
		"postgres://u:s3cret@db example/x":       {"no valid URL", "!cret"},
		"postgres://u:s3cret@db.example:x/x":     {"no valid URL", "!cret"},
		"postgres://u:s3cret@db.example/x/y":     {"no valid URL", "!cret"},
		"postgres://u:s3cret@db.example/%":       {"no valid URL", "!cret"},
		"postgres://u:s3cret@db.example/x?a=%":   {"no valid URL", "!cret"},
		"mysql:users":                            {"no valid URL"},
		"mysql://u:s3cret@a.example,b.example/x": {"one host", "!cret"},
		"mysql://u:s3cret@db.example/x?tls=%q":   {"no valid URL", "!cret"},
		"sqlite:":                                {"sqlite: needs the name of a file"},
		"csv://":                                 {"csv: needs the name of a file"},
		"ndjson:?x=1":                            {"ndjson: needs the name of a file"},
		"sqlite::memory:":                        {"memory"},
		"sqlite:users.db?mode=rwc":               {`no option "mode"`},
		"csv:users.csv?header=no":                {`no option "header"`, "delimiter"},
		"csv:users.csv?delimiter=":               {"one character"},
		"csv:users.csv?delimiter=%3B%3B":         {"one character"},
		"csv:users.csv?delimiter=%22":            {"one character"},
		"csv:users.csv?delimiter=%0A":            {"one character"},
		"csv:users.csv?delimiter=%f":             {"no valid URL"},
		"ndjson:users?delimiter=tab":             {`no option "delimiter"`},
	} {
		d, err := sourcedsn.Parse(text, "/base")
		if err == nil {
			t.Errorf("%q: there is no error, but %v", text, d)
			continue
		}
		t.Run(text, func(t *testing.T) { says(t, err, want...) })
		if errors.Is(err, sourcedsn.ErrUnknownScheme) != strings.Contains(err.Error(), known) {
			t.Errorf("%q: ErrUnknownScheme does not go with its words: %v", text, err)
		}
	}
}

// A driver runs an option it does not know as a statement that sets a variable of the server, with its value.
func TestMySQLOptionsAreKnown(t *testing.T) {
	t.Parallel()
	for _, option := range []string{"password=s3cret", "sql_log_bin=0", "PASSWORD=PASSWORD('new')"} {
		_, err := sourcedsn.Parse("mysql://ada@db.example/shop?"+option, "")
		if err == nil || strings.Contains(err.Error(), "s3cret") || !strings.Contains(err.Error(), "it takes") {
			t.Errorf("%s: error %v", option, err)
		}
	}
}

func TestDSNKeepsItsSecret(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"postgres://ada:s3cret@db.example/shop?password=s3cret&sslpassword=s3cret", "mysql://ada:s3cret@db.example/shop?serverPubKey=s3cret",
	} {
		d := must(sourcedsn.Parse(text, ""))
		type hidden struct{ dsn sourcedsn.DSN }
		var log strings.Builder
		slog.New(slog.NewTextHandler(&log, nil)).Info("source", "dsn", d, "hidden", hidden{d})
		slog.New(slog.NewJSONHandler(&log, nil)).Info("source", "dsn", d)
		for _, printed := range []string{
			log.String(), fmt.Sprint(d), fmt.Sprintf("%v %+v %#v %s %q %d %x", d, d, d, d, d, d, d), fmt.Sprintf("%+v %#v", hidden{d}, &hidden{d}),
			string(must(json.Marshal(map[string]any{"dsn": d}))),
		} {
			if strings.Contains(printed, "s3cret") || strings.Contains(printed, fmt.Sprintf("%x", "s3cret")) {
				t.Errorf("the password is printed: %s", printed)
			}
		}
	}
	var zero sourcedsn.DSN
	if zero.String() != "" || zero.Path() != "" || zero.Kind() != "" || zero.ConnString() != "" || zero.Delimiter() != 0 {
		t.Errorf("the zero value names something: %v", zero)
	}
	if _, err := zero.SQLiteURI(); err == nil {
		t.Error("the zero value is a SQLite source")
	}
}

// FuzzParse checks that no password gets into an error or into what is printed.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"postgres://u:%s@h/d", "mysql://u:%s@h:1/d?tls=%s", "%s@h", "u:%s@tcp(h)/d", "csv:%s", "mssql://%s@h", "postgres://%s"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, form string) {
		const secret = "Zq7secretX"
		if strings.Contains(form, secret[:4]) {
			t.Skip()
		}
		// A secret can only be known where a URL has its password.
		text := strings.ReplaceAll(form, "%s", secret)
		d, err := sourcedsn.Parse(text, "/base")
		if err != nil {
			if strings.Contains(err.Error(), "Zq7") && !strings.Contains(err.Error(), "scheme \"") && !strings.Contains(err.Error(), "no option") {
				t.Errorf("%q: the error is %v", text, err)
			}
			return
		}
		if server := d.Kind() == sourcedsn.KindPostgres || d.Kind() == sourcedsn.KindMySQL; server && strings.Contains(text, ":"+secret+"@") && strings.Contains(d.String(), ":"+secret) {
			t.Errorf("%q prints as %q", text, d)
		}
	})
}
