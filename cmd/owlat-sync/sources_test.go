package main

import (
	"bufio"
	"bytes"
	"database/sql"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"go.mongodb.org/mongo-driver/v2/bson"

	"owlatsync"
	"owlatsync/internal/testdb"
	"owlatsync/internal/words"
	"owlatsync/owlat/owlattest"
)

const generatedRows = 2000

// person is a generated row; an empty first name stands for NULL.
type person struct {
	id                 int
	email, first, last string
	newsletter         bool
}

// generate returns rows such as tables have: mixed case, NULL names, names that are not ASCII, quotes, addresses that are
// none, and two rows with one address.
func generate() []person {
	people := make([]person, generatedRows)
	for i := range people {
		p := person{id: i + 1, email: fmt.Sprintf("user%d@example.org", i), first: "Éva", last: fmt.Sprintf("O'Neil %d", i), newsletter: i%3 == 0}
		switch {
		case i%100 == 3:
			p.email = fmt.Sprintf("user%d.example.org", i)
		case i%100 == 4:
			p.email = strings.ToUpper(people[i-2].email)
		case i%7 == 0:
			p.email = fmt.Sprintf("  User%d@Example.com ", i)
		}
		if i%5 == 0 {
			p.first = ""
		}
		people[i] = p
	}
	return people
}

// expected returns what Owlat must hold for the rows, by rules of its own: address → names and membership.
func expected(people []person, topic string) map[string]string {
	want := make(map[string]string)
	for _, p := range people {
		address := strings.ToLower(strings.TrimSpace(p.email))
		if _, taken := want[address]; taken || !strings.Contains(address, "@") {
			continue
		}
		want[address] = p.first + "|" + p.last + "|"
		if p.newsletter {
			want[address] += topic
		}
	}
	return want
}

const createUsers = `CREATE TABLE users (id INT PRIMARY KEY, email VARCHAR(254), first_name VARCHAR(200), last_name VARCHAR(200), newsletter BOOLEAN)`

// inserts returns statements of several rows each, with literals that PostgreSQL, MariaDB and SQLite all read alike.
func inserts(people []person) []string {
	quote := func(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
	var statements []string
	for len(people) > 0 {
		n := min(500, len(people))
		values := make([]string, n)
		for i, p := range people[:n] {
			first := "NULL"
			if p.first != "" {
				first = quote(p.first)
			}
			values[i] = fmt.Sprintf("(%d, %s, %s, %s, %t)", p.id, quote(p.email), first, quote(p.last), p.newsletter)
		}
		statements = append(statements, "INSERT INTO users VALUES "+strings.Join(values, ", "))
		people = people[n:]
	}
	return statements
}

func fillSQL(t *testing.T, db *sql.DB, people []person) {
	t.Helper()
	for _, statement := range append([]string{createUsers}, inserts(people)...) {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
}

// TestFullSync brings 2 000 rows of each kind of source to an emulator without a limit: contacts and members are what the
// rows say, every row has an outcome, and the second run sends no request to a write route.
func TestFullSync(t *testing.T) {
	t.Parallel()
	const query = "\n      query: SELECT id, email, first_name, last_name, newsletter FROM users ORDER BY id"
	for name, makeSource := range map[string]func(t *testing.T, dir string, people []person) (dsn, query string){
		"PostgreSQL": func(t *testing.T, _ string, people []person) (string, string) {
			dsn := testdb.Postgres(t)
			conn, err := pgx.Connect(t.Context(), dsn)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close(t.Context())
			for _, statement := range append([]string{createUsers}, inserts(people)...) {
				if _, err := conn.Exec(t.Context(), statement); err != nil {
					t.Fatal(err)
				}
			}
			return dsn, query
		},
		"MariaDB": func(t *testing.T, _ string, people []person) (string, string) {
			dsn := testdb.MySQL(t)
			fillSQL(t, testdb.OpenMySQL(t, dsn), people)
			return dsn, query
		},
		"SQLite": func(t *testing.T, dir string, people []person) (string, string) {
			db, err := sql.Open("sqlite", filepath.Join(dir, "app.db"))
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			fillSQL(t, db, people)
			return "sqlite:app.db", query
		},
		"MongoDB": func(t *testing.T, _ string, people []person) (string, string) {
			dsn, db := testdb.Mongo(t)
			var documents []any
			for _, p := range people {
				d := bson.D{{Key: "id", Value: p.id}, {Key: "email", Value: p.email}, {Key: "first_name", Value: p.first}, {Key: "last_name", Value: p.last}, {Key: "newsletter", Value: p.newsletter}}
				if p.first == "" {
					d = append(d[:2], d[3:]...)
				}
				documents = append(documents, d)
			}
			documents = append(documents, bson.D{{Key: "id", Value: len(people) + 1}, {Key: "email", Value: "gone@example.com"}, {Key: "deletedAt", Value: "2026-11-03"}})
			if _, err := db.Collection("users").InsertMany(t.Context(), documents); err != nil {
				t.Fatal(err)
			}
			return dsn, "\n      collection: users\n      filter: {deletedAt: null}"
		},
		"CSV": func(t *testing.T, dir string, people []person) (string, string) {
			var b bytes.Buffer
			w := csv.NewWriter(&b)
			records := [][]string{{"id", "email", "first_name", "last_name", "newsletter"}}
			for _, p := range people {
				records = append(records, []string{fmt.Sprint(p.id), p.email, p.first, p.last, words.YesNo(p.newsletter)})
			}
			if err := w.WriteAll(records); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "users.csv"), b.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
			return "csv:users.csv", ""
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, people := t.TempDir(), generate()
			dsn, query := makeSource(t, dir, people)
			fullSync(t, dir, dsn, query, people)
		})
	}
}

func fullSync(t *testing.T, dir, dsn, query string, people []person) {
	server := &owlattest.Server{NoLimit: true}
	listener := httptest.NewServer(server)
	defer listener.Close()
	env := []string{
		"OWLAT_URL=" + listener.URL, "OWLAT_API_KEY=" + server.AddKey(),
		"DATABASE_URL=" + dsn, "NEWS=" + server.AddTopic("news", false),
	}
	config := filepath.Join(dir, "owlat-sync.yaml")
	if err := os.WriteFile(config, []byte(`owlat: {requests_per_second: 100000}
syncs:
  users:
    source:
      dsn: ${DATABASE_URL}`+query+`
    key: id
    fields: {email: email, firstName: first_name, lastName: last_name}
    topics: [{id: "${NEWS}", when: newsletter}]
`), 0o600); err != nil {
		t.Fatal(err)
	}
	runJSON := func() owlatsync.Report {
		var stdout, stderr bytes.Buffer
		if code := run(t.Context(), []string{"run", "--yes", "--json", "--config", config}, env, strings.NewReader(""), &stdout, &stderr); code != 0 {
			t.Fatalf("exit code %d: %s", code, stderr.String())
		}
		return lastReport(t, &stdout)
	}

	report := runJSON()
	want := expected(people, "news")
	got := make(map[string]string)
	for _, c := range server.Contacts() {
		got[c.Email] = c.FirstName + "|" + c.LastName + "|" + strings.Repeat("news", len(c.Topics))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("contacts (-want +got):\n%s", diff)
	}
	if report.Rows != generatedRows || !report.Balanced() {
		t.Errorf("%d rows, want %d; outcomes %v", report.Rows, generatedRows, report.Outcomes)
	}
	wantOutcomes := map[owlatsync.Outcome]int{owlatsync.Created: len(want), owlatsync.Invalid: 20, owlatsync.Duplicate: 20}
	for _, o := range owlatsync.Outcomes {
		if report.Outcomes[o] != wantOutcomes[o] {
			t.Errorf("%d rows %s, want %d", report.Outcomes[o], o, wantOutcomes[o])
		}
	}

	before := server.Stats().Writes
	report = runJSON()
	if sent := server.Stats().Writes - before; sent != 0 || report.Requests.Writes != 0 {
		t.Errorf("the second run sent %d write requests and reported %d, want none", sent, report.Requests.Writes)
	}
	if report.Outcomes[owlatsync.Unchanged] != len(want) {
		t.Errorf("%d rows unchanged, want %d", report.Outcomes[owlatsync.Unchanged], len(want))
	}
}

// lastReport returns the last line of what "run --json" printed, which must be a report.
func lastReport(t *testing.T, stdout *bytes.Buffer) owlatsync.Report {
	t.Helper()
	var last []byte
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		last = bytes.Clone(lines.Bytes())
	}
	var report struct {
		Type string `json:"type"`
		owlatsync.Report
	}
	if err := json.Unmarshal(last, &report); err != nil || report.Type != "report" {
		t.Fatalf("the last line is no report: %s (%v)", last, err)
	}
	return report.Report
}

// TestWrongPassword wants the password in no output, also not in the log, when a real server refuses it.
func TestWrongPassword(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]struct {
		dsn  func(testing.TB) string
		says string
	}{
		"PostgreSQL": {testdb.Postgres, "password authentication failed"},
		"MariaDB":    {testdb.MySQL, "Access denied"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dsn, err := url.Parse(start.dsn(t))
			if err != nil {
				t.Fatal(err)
			}
			dsn.User = url.UserPassword(dsn.User.Username(), dsnPassword)
			server := &owlattest.Server{NoLimit: true}
			listener := httptest.NewServer(server)
			defer listener.Close()
			dir := t.TempDir()
			config := filepath.Join(dir, "owlat-sync.yaml")
			if err := os.WriteFile(config, []byte(`syncs:
  users:
    source: {dsn: "${DATABASE_URL}", query: SELECT email FROM users}
    fields: {email: email}
`), 0o600); err != nil {
				t.Fatal(err)
			}
			env := []string{"OWLAT_URL=" + listener.URL, "OWLAT_API_KEY=" + server.AddKey(), "DATABASE_URL=" + dsn.String()}
			for _, command := range []string{"check", "plan", "run"} {
				var out bytes.Buffer
				args := []string{command, "--config", config, "--log-level", "debug"}
				if code := run(t.Context(), args, env, strings.NewReader(""), &out, &out); code != 1 {
					t.Errorf("%s: exit code %d, want 1", command, code)
				}
				if !strings.Contains(out.String(), start.says) {
					t.Errorf("%s does not say what is wrong:\n%s", command, out.String())
				}
				if strings.Contains(out.String(), dsnPassword) {
					t.Errorf("%s prints the password:\n%s", command, out.String())
				}
			}
		})
	}
}
