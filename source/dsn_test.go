package source_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"owlatsync/source"
)

func TestParseDSNFiles(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]struct {
		kind      source.Kind
		path      string
		delimiter rune
	}{
		"sqlite:users.db":                    {source.KindSQLite, "/base/users.db", 0},
		"sqlite:../users.db":                 {source.KindSQLite, "/users.db", 0},
		"sqlite:///var/lib/app.db":           {source.KindSQLite, "/var/lib/app.db", 0},
		"sqlite:/var/lib/app.db?mode=ro":     {source.KindSQLite, "/var/lib/app.db", 0},
		"sqlite3://users.db":                 {source.KindSQLite, "/base/users.db", 0},
		"SQLite:users":                       {source.KindSQLite, "/base/users", 0},
		"sqlite:50%25 off #1.db":             {source.KindSQLite, "/base/50%25 off #1.db", 0},
		"./users.sqlite3":                    {source.KindSQLite, "/base/users.sqlite3", 0},
		"/data/USERS.DB":                     {source.KindSQLite, "/data/USERS.DB", 0},
		"users.sqlite":                       {source.KindSQLite, "/base/users.sqlite", 0},
		"csv:users.csv":                      {source.KindCSV, "/base/users.csv", ','},
		"  users.csv.gz\n":                   {source.KindCSV, "/base/users.csv.gz", ','},
		"csv:users.csv?delimiter=%3B":        {source.KindCSV, "/base/users.csv", ';'},
		"csv:users.csv?delimiter=;":          {source.KindCSV, "/base/users.csv", ';'},
		"users.csv?delimiter=tab":            {source.KindCSV, "/base/users.csv", '\t'},
		"csv:users?delimiter=%09":            {source.KindCSV, "/base/users", '\t'},
		`csv:users?delimiter=\t`:             {source.KindCSV, "/base/users", '\t'},
		"csv:///exports/users?delimiter=%7C": {source.KindCSV, "/exports/users", '|'},
		"users.tsv":                          {source.KindCSV, "/base/users.tsv", '\t'},
		"users.tsv?delimiter=%2C":            {source.KindCSV, "/base/users.tsv", ','},
		"ndjson:users":                       {source.KindNDJSON, "/base/users", 0},
		"users.jsonl.gz":                     {source.KindNDJSON, "/base/users.jsonl.gz", 0},
		"users.ndjson":                       {source.KindNDJSON, "/base/users.ndjson", 0},
	} {
		d, err := source.ParseDSN(text, "/base")
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
		if d.ConnString() != "" || d.MySQL().Host != "" {
			t.Errorf("%q is also a server", text)
		}
	}
}

func TestParseDSNServers(t *testing.T) {
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
		d, err := source.ParseDSN(text, "")
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if d.String() != shown {
			t.Errorf("%q prints as %q, want %q", text, d, shown)
		}
		if d.Kind() == source.KindPostgres {
			if got := d.ConnString(); got != "postgres:"+text[strings.Index(text, ":")+1:] {
				t.Errorf("%q connects with %q", text, got)
			}
			if _, err := source.Postgres(d.ConnString(), "SELECT 1", idAndEmail); err != nil {
				t.Errorf("%q: %v", text, err)
			}
		}
	}
	for text, want := range map[string]source.MySQLParts{
		"mysql://ada:p%40%3A%2Fw@db.example/shop?tls=true&timeout=5s": {
			User: "ada", Password: "p@:/w", Host: "db.example", Port: "3306", Database: "shop", Params: map[string]string{"tls": "true", "timeout": "5s"},
		},
		"mariadb://db.example:3307":               {Host: "db.example", Port: "3307", Params: map[string]string{}},
		"mysql://ada@[2001:db8::1]:3306/a%20b":    {User: "ada", Host: "2001:db8::1", Port: "3306", Database: "a b", Params: map[string]string{}},
		"mysql://ada:pw@/shop":                    {User: "ada", Password: "pw", Host: "127.0.0.1", Port: "3306", Database: "shop", Params: map[string]string{}},
		"mysql://ada@/shop?socket=%2Frun%2Fmysql": {User: "ada", Port: "3306", Socket: "/run/mysql", Database: "shop", Params: map[string]string{}},
	} {
		d, err := source.ParseDSN(text, "")
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if diff := cmp.Diff(want, d.MySQL()); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
	addresses := map[string]string{
		"mysql://ada@[2001:db8::1]/x": "[2001:db8::1]:3306", "mysql://db.example:1/x": "db.example:1", "mysql:///x?socket=/run/s": "/run/s",
	}
	for text, want := range addresses {
		if got := must(source.ParseDSN(text, "")).MySQL().Address(); got != want {
			t.Errorf("%q: the address is %q, want %q", text, got, want)
		}
	}
}

func TestParseDSNBadInput(t *testing.T) {
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
		d, err := source.ParseDSN(text, "/base")
		if err == nil {
			t.Errorf("%q: there is no error, but %v", text, d)
			continue
		}
		t.Run(text, func(t *testing.T) { says(t, err, want...) })
		if errors.Is(err, source.ErrUnknownScheme) != strings.Contains(err.Error(), known) {
			t.Errorf("%q: ErrUnknownScheme does not go with its words: %v", text, err)
		}
	}
}

// A driver runs an option it does not know as a statement that sets a variable of the server, with its value.
func TestMySQLOptionsAreKnown(t *testing.T) {
	t.Parallel()
	for _, option := range []string{"password=s3cret", "sql_log_bin=0", "PASSWORD=PASSWORD('new')"} {
		_, err := source.ParseDSN("mysql://ada@db.example/shop?"+option, "")
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
		d := must(source.ParseDSN(text, ""))
		type hidden struct{ dsn source.DSN }
		var log strings.Builder
		slog.New(slog.NewTextHandler(&log, nil)).Info("source", "dsn", d, "parts", d.MySQL(), "hidden", hidden{d})
		slog.New(slog.NewJSONHandler(&log, nil)).Info("source", "dsn", d)
		for _, printed := range []string{
			log.String(), fmt.Sprint(d), fmt.Sprintf("%v %+v %#v %s %q %d %x", d, d, d, d, d, d, d), fmt.Sprintf("%+v %#v", hidden{d}, &hidden{d}),
			fmt.Sprintf("%v %+v %#v %s", d.MySQL(), d.MySQL(), d.MySQL(), d.MySQL()), string(must(json.Marshal(map[string]any{"dsn": d}))),
		} {
			if strings.Contains(printed, "s3cret") || strings.Contains(printed, fmt.Sprintf("%x", "s3cret")) {
				t.Errorf("the password is printed: %s", printed)
			}
		}
	}
	var zero source.DSN
	if zero.String() != "" || zero.Path() != "" || zero.Kind() != "" || zero.ConnString() != "" || zero.Delimiter() != 0 {
		t.Errorf("the zero value names something: %v", zero)
	}
	if _, err := zero.SQLiteURI(); err == nil {
		t.Error("the zero value is a SQLite source")
	}
}

// FuzzParseDSN checks that no password gets into an error or into what is printed.
func FuzzParseDSN(f *testing.F) {
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
		d, err := source.ParseDSN(text, "/base")
		if err != nil {
			if strings.Contains(err.Error(), "Zq7") && !strings.Contains(err.Error(), "scheme \"") && !strings.Contains(err.Error(), "no option") {
				t.Errorf("%q: the error is %v", text, err)
			}
			return
		}
		if server := d.Kind() == source.KindPostgres || d.Kind() == source.KindMySQL; server && strings.Contains(text, ":"+secret+"@") && strings.Contains(d.String(), ":"+secret) {
			t.Errorf("%q prints as %q", text, d)
		}
	})
}
