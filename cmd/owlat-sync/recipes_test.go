package main

import (
	"bytes"
	"database/sql"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"owlatsync/internal/exitcode"
	"owlatsync/internal/testdb"
	"owlatsync/owlat/owlattest"
)

// applications is where the tables of well-known applications are, with a few rows.
var applications = filepath.Join(repository, "internal", "inspect", "testdata", "apps")

var recipe = regexp.MustCompile("(?ms)^## ([^\n]+)\n(.*?)^```yaml\n(.*?)^```$")

// headerOf returns what the lines "-- NAME: …" of a file say.
func headerOf(text, name string) (said []string) {
	for line := range strings.Lines(text) {
		if value, found := strings.CutPrefix(line, "-- "+name+": "); found {
			said = append(said, strings.TrimSpace(value))
		}
	}
	return said
}

// TestRecipes runs every recipe of docs/recipes.md, as it stands there, against the tables of its application on a real server: check has
// nothing to object to, a run makes just the contacts that the tables' file names, and another run sends nothing.
func TestRecipes(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join(repository, "docs", "recipes.md"))
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(applications, "*.sql"))
	if err != nil {
		t.Fatal(err)
	}
	tables := make(map[string]string)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range headerOf(string(text), "application") {
			tables[name] = string(text)
		}
	}
	recipes := recipe.FindAllStringSubmatch(string(page), -1)
	if len(recipes) < 15 {
		t.Errorf("only %d recipes were found", len(recipes))
	}
	for _, r := range recipes {
		name, config := r[1], r[3]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text, known := tables[name]
			if !known {
				t.Fatalf("%s has no tables of this application", applications)
			}
			cook(t, text, config)
		})
	}
}

// furnished returns the DSN of a new database with the tables.
func furnished(t *testing.T, dialect, text string) string {
	t.Helper()
	switch dialect {
	case "postgres":
		dsn := testdb.Postgres(t)
		conn, err := pgx.Connect(t.Context(), dsn)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(t.Context())
		if _, err := conn.PgConn().Exec(t.Context(), text).ReadAll(); err != nil {
			t.Fatal(err)
		}
		return dsn
	case "mysql":
		dsn := testdb.MySQL(t)
		db := testdb.OpenMySQL(t, dsn)
		for _, statement := range strings.SplitAfter(text, ";\n") {
			if strings.TrimSpace(statement) == "" {
				continue
			}
			if _, err := db.ExecContext(t.Context(), statement); err != nil {
				t.Fatalf("%v in %s", err, statement)
			}
		}
		return dsn
	case "sqlite":
		path := filepath.Join(t.TempDir(), "app.db")
		db, err := sql.Open("sqlite", path)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if _, err := db.ExecContext(t.Context(), text); err != nil {
			t.Fatal(err)
		}
		return "sqlite:" + path
	default:
		t.Fatalf("the dialect %q is unknown", dialect)
		return ""
	}
}

func cook(t *testing.T, text, config string) {
	t.Helper()
	server := &owlattest.Server{NoLimit: true}
	listener := httptest.NewServer(server)
	defer listener.Close()
	news := server.AddTopic("news", false)
	dir := t.TempDir()
	path := filepath.Join(dir, "owlat-sync.yaml")
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(config, "k57newsletter0000000000000000000", news)), 0o600); err != nil {
		t.Fatal(err)
	}
	env := []string{"OWLAT_URL=" + listener.URL, "OWLAT_API_KEY=" + server.AddKey(), "DATABASE_URL=" + furnished(t, headerOf(text, "dialect")[0], text)}
	do := func(args ...string) {
		t.Helper()
		var stdout, stderr bytes.Buffer
		if code := run(t.Context(), append(args, "--config", path), env, strings.NewReader(""), &stdout, &stderr); code != int(exitcode.OK) {
			t.Fatalf("%v: exit code %d\n%s%s", args, code, &stdout, &stderr)
		}
	}
	do("check")
	do("plan")
	if n := len(server.Contacts()); n != 0 {
		t.Errorf("check and plan made %d contacts", n)
	}
	do("run", "--yes")
	var got []string
	for _, c := range server.Contacts() {
		got = append(got, strings.Join([]string{c.Email, c.FirstName, c.LastName, strings.ReplaceAll(strings.Join(c.Topics, ","), news, "news")}, "|"))
	}
	want := headerOf(text, "contact")
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("contacts (-want +got):\n%s", diff)
	}
	before := server.Stats().Writes
	do("run")
	if sent := server.Stats().Writes - before; sent != 0 {
		t.Errorf("another run sent %d writes", sent)
	}
}
