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
		"sqlite:////var/lib/app.db":          {sourcedsn.KindSQLite, "/var/lib/app.db", 0},
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

func TestParseWorkbooks(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][2]string{
		"xlsx:users.xlsx":                        {"/base/users.xlsx", ""},
		"xlsx:///exports/users":                  {"/exports/users", ""},
		"XLSX:users.xlsx?sheet=Members%202026":   {"/base/users.xlsx", "Members 2026"},
		"users.XLSX?sheet=K%C3%BCnde%20%26%20Co": {"/base/users.XLSX", "Künde & Co"},
		"members.xlsm":                           {"/base/members.xlsm", ""},
	} {
		d, err := sourcedsn.Parse(text, "/base")
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if got := [2]string{d.Path(), d.Sheet()}; d.Kind() != sourcedsn.KindXLSX || !d.IsFile() || got != want {
			t.Errorf("%q: %s %q, want %q", text, d.Kind(), got, want)
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
		"users.docx":                             {"known ending", known},
		"users.XLS":                              {".xls is not read: save the workbook as .xlsx"},
		"users.ods?sheet=a":                      {".ods is not read: save the workbook as .xlsx"},
		"xlsx:":                                  {"xlsx: needs the name of a file"},
		"xlsx:users.xlsx?sheet=":                 {`"sheet" names no sheet`},
		"xlsx:users.xlsx?table=a":                {`no option "table"`, "it takes sheet"},
		"xlsx:users.xlsx?sheet=a&sheet=b":        {"given twice"},
		"csv:users.csv?sheet=a":                  {`no option "sheet"`},
		"s3cret":                                 {known, "!s3cret"},
		"mssql://sa:s3cret@db.example/shop":      {`unknown scheme "mssql"`, known, "sqlite:FILE", "!s3cret", "!sa:"},
		"https://db.example/users.csv":           {`unknown scheme "https"`},
		"s3cret:pw@tcp(localhost)/shop":          {"no known scheme", known, "!s3cret", "!pw@"},
		"jdbc:oracle:thin:u/s3cret@db.example":   {"no known scheme", "!s3cret"},
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
		"sqlite:users.db?vfs=unix-none":          {`no option "vfs"`, "immutable=1"},
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

// What cannot be, is said twice or is said in vain is refused, in words that name it.
func TestParseRefusesWhatHasNoEffect(t *testing.T) {
	t.Parallel()
	const port = "the port must be a number from 1 to 65535"
	for text, want := range map[string][]string{
		"mysql://u:s3cret@db.example:99999/x":                                      {port, "!99999", "!s3cret"},
		"mysql://u:s3cret@db.example:0/x":                                          {port},
		"mariadb://db.example:65536":                                               {port},
		"mysql://[2001:db8::1]:123456/x":                                           {port},
		"postgres://u:s3cret@db.example:99999/x":                                   {port, "!s3cret"},
		"postgres://a.example:5432,b.example:99999/x":                              {port},
		"postgres://a.example:99999999999999999999/x":                              {port},
		"postgres:///x?host=/run/postgresql&port=99999":                            {port},
		"postgres:///x?host=a,b&port=5432,0":                                       {port},
		"postgres:///x?host=a&port=abc":                                            {port},
		"postgres://db.example/x?sslmode=require&sslmode=disable":                  {`the option "sslmode" is given twice`},
		"postgres://db.example/x?ssl=true&sslmode=require":                         {`the option "ssl" and the option "sslmode" are the same`, "remove one"},
		"postgres:///?dbname=a&database=b":                                         {`the option "database" and the option "dbname" are the same`},
		"postgres:///x?password=s3cret&password=s3cret2":                           {`the option "password" is given twice`, "!s3cret"},
		"postgres:///x?s3cret=1&s3cret=2":                                          {"an option is given twice", "!s3cret"},
		"postgres://db.example/x?host=other.example":                               {`the option "host" says again`},
		"postgres://a.example,b.example/x?host=other.example":                      {`the option "host" says again`},
		"postgres://db.example:5432/x?port=5433":                                   {`the option "port" says again`},
		"postgres://ada@db.example/x?user=bob":                                     {`the option "user" says again`},
		"postgres://ada:s3cret@db.example/x?password=s3cret2":                      {`the option "password" says again`, "!s3cret"},
		"postgres://db.example/x?dbname=y":                                         {`the option "dbname" says again`},
		"postgres://db.example/x?database=y":                                       {`the option "database" says again`},
		"postgres://db.example/x?TimeZone=Europe%2FBerlin":                         {`the option "TimeZone" has no effect`, "UTC"},
		"postgres://db.example/x?datestyle=German":                                 {`the option "datestyle" has no effect`},
		"postgres://db.example/x?client_encoding=latin1":                           {`the option "client_encoding" has no effect`},
		"postgres://db.example/x?extra_float_digits=0":                             {`the option "extra_float_digits" has no effect`},
		"postgres://db.example/x?default_transaction_read_only=off":                {`the option "default_transaction_read_only" has no effect`},
		"postgres://db.example/x?default_transaction_isolation=serializable":       {`the option "default_transaction_isolation" has no effect`},
		"postgres://db.example/x?options=-c%20timezone%3DEurope/Berlin":            {`the option "timezone" has no effect`},
		"postgres://db.example/x?options=-c%20geqo=off%20--client-encoding=latin1": {`the option "client_encoding" has no effect`},
		"mysql://db.example/x?timeout=1s&timeout=2s":                               {`the option "timeout" is given twice`},
		"mysql://db.example/x?parseTime=true":                                      {`the option "parseTime" has no effect`, "read as texts"},
		"mysql://db.example/x?multiStatements=true":                                {`the option "multiStatements" has no effect`, "one query"},
		"mysql://db.example/x?charset=latin1":                                      {`the option "charset" has no effect`, "utf8mb4"},
		"mysql://db.example/x?collation=utf8mb4_bin":                               {`the option "collation" has no effect`},
		"mysql://db.example/x?loc=Local":                                           {`the option "loc" has no effect`, "UTC"},
		"mysql://db.example/x?socket=/run/mysql":                                   {"a host and the option \"socket\""},
		"mysql://localhost:3306/x?socket=/run/mysql":                               {"a host and the option \"socket\""},
		"mysql:///x?socket=":                                                       {`the option "socket" is empty`},
		"csv:users.csv?delimiter=tab&delimiter=%3B":                                {`the option "delimiter" is given twice`},
		"sqlite:users.db?mode=ro&mode=ro":                                          {`the option "mode" is given twice`},
	} {
		d, err := sourcedsn.Parse(text, "/base")
		if err == nil {
			t.Errorf("%q: there is no error, but %v", text, d)
			continue
		}
		t.Run(text, func(t *testing.T) { says(t, err, want...) })
	}
	for _, text := range []string{
		"postgres://db.example:65535/x?sslmode=require&application_name=a", "postgres://u@/x?host=/run/postgresql&port=5433", "postgres:///x?host=a,b&port=,5433",
		"postgres://db.example/x?timezone=UTC&client_encoding=UTF-8&datestyle=ISO,%20YMD&default_transaction_read_only=true&extra_float_digits=1",
		"postgres://db.example/x?options=-c%20timezone=UTC%20-c%20statement_timeout=5min%20-c%20default_transaction_isolation=repeatable%5C%20read", "postgres://%2Frun%2Fpostgresql/x",
		"mysql://db.example:1/x?charset=utf8mb4&parseTime=false&loc=UTC&multiStatements=0", "mysql://u@localhost/x?socket=/run/mysql",
	} {
		if _, err := sourcedsn.Parse(text, ""); err != nil {
			t.Errorf("%q: %v", text, err)
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
		"postgres://ada:s3cret@db.example/shop?sslpassword=s3cret", "postgres://ada@db.example/shop?password=s3cret", "mysql://ada:s3cret@db.example/shop?serverPubKey=s3cret",
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
