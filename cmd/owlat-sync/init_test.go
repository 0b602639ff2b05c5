package main

import (
	"bytes"
	"compress/gzip"
	"database/sql"
	"encoding/json"
	"errors"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"owlatsync/internal/initialise"
	"owlatsync/internal/testdb"
	"owlatsync/owlat/owlattest"
)

// place is a folder with an emulator beside it, in which commands are run as a person would run them.
type place struct {
	dir    string
	server *owlattest.Server
	topic  string
	env    []string
}

func newPlace(t *testing.T) *place {
	t.Helper()
	p := &place{dir: t.TempDir(), server: &owlattest.Server{NoLimit: true}}
	listener := httptest.NewServer(p.server)
	t.Cleanup(listener.Close)
	p.topic = p.server.AddTopic("news", false)
	p.env = []string{"OWLAT_URL=" + listener.URL, "OWLAT_API_KEY=" + p.server.AddKey()}
	return p
}

// cli runs one command in this process and wants its exit code.
func (p *place) cli(t *testing.T, code int, args ...string) (stdout, stderr string) {
	t.Helper()
	var out, errOut bytes.Buffer
	args = append(args, "--config", filepath.Join(p.dir, "owlat-sync.yaml"))
	if got := run(t.Context(), args, p.env, strings.NewReader(""), &out, &errOut); got != code {
		t.Fatalf("owlat-sync %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), got, code, out.Bytes(), errOut.Bytes())
	}
	return out.String(), errOut.String()
}

func (p *place) write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(p.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// contacts are "address first last" of what the emulator holds, with "+" for members of the topic, in the order of addresses.
func (p *place) contacts() []string {
	var out []string
	for _, c := range p.server.Contacts() {
		text := strings.TrimSpace(c.Email + " " + c.FirstName + " " + c.LastName)
		if slices.Contains(c.Topics, p.topic) {
			text += " +"
		}
		out = append(out, text)
	}
	slices.Sort(out)
	return out
}

func execPostgres(t *testing.T, dsn string, statements ...string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	for _, s := range statements {
		if _, err := conn.Exec(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

func execSQL(t *testing.T, db *sql.DB, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := db.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

func (p *place) sqlite(t *testing.T, statements ...string) string {
	t.Helper()
	path := filepath.Join(p.dir, "app.db")
	db, err := sql.Open(sqliteDriver, path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	execSQL(t, db, statements...)
	return "sqlite:" + path
}

// TestInitIsAccepted takes what init writes for ordinary and awkward sources through check, plan and two runs, unchanged.
func TestInitIsAccepted(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		source func(t *testing.T, p *place) string // returns the DSN
		topic  string                              // column for --topic; empty: topics stay commented out
		want   []string
	}{
		{
			name: "PostgreSQL, ordinary",
			source: func(t *testing.T, _ *place) string {
				dsn := testdb.Postgres(t)
				execPostgres(t, dsn,
					`CREATE TABLE users (id bigserial PRIMARY KEY, email text NOT NULL UNIQUE, first_name text, last_name text,
						email_verified boolean NOT NULL, newsletter boolean NOT NULL, deleted_at timestamptz)`,
					`INSERT INTO users (email, first_name, last_name, email_verified, newsletter, deleted_at) VALUES ('Ada@Example.com', 'Ada', 'Lovelace', true, true, NULL),
						('bob@example.com', NULL, 'B', true, false, NULL), ('new@example.com', 'N', 'N', false, true, NULL), ('gone@example.com', 'G', 'G', true, true, now())`,
					`CREATE TABLE sessions (id text PRIMARY KEY, user_email text)`)
				return dsn
			},
			topic: "newsletter",
			want:  []string{"ada@example.com Ada Lovelace +", "bob@example.com  B"},
		},
		{
			name: "PostgreSQL, a reserved name, mixed case, one name, a uuid, a time of consent",
			source: func(t *testing.T, _ *place) string {
				dsn := testdb.Postgres(t)
				execPostgres(t, dsn,
					`CREATE TABLE "User" (id uuid PRIMARY KEY, "emailAddress" varchar(255), "fullName" text, "emailVerified" timestamp, "newsletterOptInAt" timestamp)`,
					`INSERT INTO "User" VALUES ('7f1bd6a0-0000-4000-8000-000000000001', 'ada@example.com', 'Ada King  Lovelace', now(), now()),
						('7f1bd6a0-0000-4000-8000-000000000002', 'cher@example.com', 'Cher', now(), NULL), ('7f1bd6a0-0000-4000-8000-000000000003', NULL, 'Nobody', now(), NULL)`)
				return dsn
			},
			topic: "newsletter_opt_in_consent",
			want:  []string{"ada@example.com Ada King  Lovelace +", "cher@example.com Cher"},
		},
		{
			name: "PostgreSQL, another schema, two key columns, char padding, an enumeration, bytes",
			source: func(t *testing.T, _ *place) string {
				dsn := testdb.Postgres(t)
				execPostgres(t, dsn, `CREATE SCHEMA crm`, `CREATE TYPE standing AS ENUM ('active', 'banned')`,
					`CREATE TABLE crm.customers (tenant char(8), no bytea, mail char(60), vorname char(20), nachname char(20), status standing, newsletter char(1), PRIMARY KEY (tenant, no))`,
					`INSERT INTO crm.customers VALUES ('a', '\x01', 'ada@example.com', 'Ada', 'Lovelace', 'active', 'Y'), ('a', '\x02', 'bob@example.com', 'Bob', 'B', 'active', 'N'),
						('b', '\x01', 'cy@example.com', 'Cy', 'C', 'banned', 'Y')`)
				return dsn
			},
			topic: "newsletter",
			want:  []string{"ada@example.com Ada Lovelace +", "bob@example.com Bob B"},
		},
		{
			name: "MariaDB, a shop",
			source: func(t *testing.T, _ *place) string {
				dsn := testdb.MySQL(t)
				execSQL(t, testdb.OpenMySQL(t, dsn),
					"CREATE TABLE ps_customer (id_customer INT UNSIGNED AUTO_INCREMENT PRIMARY KEY, email VARCHAR(255) NOT NULL, firstname VARCHAR(255), lastname VARCHAR(255), "+
						"newsletter TINYINT(1) NOT NULL, active TINYINT(1) NOT NULL, deleted BIT(1), passwd VARCHAR(60))",
					"INSERT INTO ps_customer (email, firstname, lastname, newsletter, active, deleted) VALUES ('ada@example.com', 'Ada', 'Łovelace', 1, 1, b'0'), "+
						"('bob@example.com', 'Bob', 'B', 0, 1, NULL), ('off@example.com', 'O', 'O', 1, 0, b'0'), ('gone@example.com', 'G', 'G', 1, 1, b'1')",
					"CREATE TABLE ps_mail (id INT PRIMARY KEY, recipient VARCHAR(120))")
				return dsn
			},
			topic: "newsletter",
			want:  []string{"ada@example.com Ada Łovelace +", "bob@example.com Bob B"},
		},
		{
			name: "MariaDB, blanks in names, a binary key, zero dates, one name with a comma",
			source: func(t *testing.T, _ *place) string {
				dsn := testdb.MySQL(t)
				db := testdb.OpenMySQL(t, dsn)
				db.SetMaxOpenConns(1) // the mode is the session's
				execSQL(t, db, "SET SESSION sql_mode = ''",
					"CREATE TABLE `club members` (id BINARY(4) PRIMARY KEY, `E-Mail` VARCHAR(200), `Name` VARCHAR(200), confirmed_at DATETIME, `wants newsletter` ENUM('Y','N'))",
					"INSERT INTO `club members` VALUES (X'00FF00FF', 'ada@example.com', 'Lovelace, Ada', '2026-01-01', 'Y'), (X'01FF00FF', 'bob@example.com', 'Builder, Bob', '2026-01-01', 'N'), "+
						"(X'02FF00FF', 'no@example.com', 'Never, Nick', '0000-00-00', 'Y')")
				return dsn
			},
			topic: "wants newsletter",
			want:  []string{"ada@example.com Ada Lovelace +", "bob@example.com Bob Builder"},
		},
		{
			name: "SQLite, truths as letters",
			source: func(t *testing.T, p *place) string {
				return p.sqlite(t,
					"CREATE TABLE users (id INTEGER PRIMARY KEY, email VARCHAR, first_name VARCHAR, confirmed BOOLEAN, subscribed BOOLEAN)",
					"INSERT INTO users VALUES (1, 'ada@example.com', 'Ada', 't', 't'), (2, 'bob@example.com', 'Bob', 't', 'f'), (3, 'new@example.com', 'N', 'f', 't')")
			},
			topic: "subscribed",
			want:  []string{"ada@example.com Ada +", "bob@example.com Bob"},
		},
		{
			name: "SQLite, no types, no key, an opt-out only, topics left for later",
			source: func(t *testing.T, p *place) string {
				return p.sqlite(t, `CREATE TABLE "mailing list" ("e mail", "unsubscribed")`,
					`INSERT INTO "mailing list" VALUES ('ada@example.com', 0), ('bob@example.com', 1)`)
			},
			want: []string{"ada@example.com", "bob@example.com"},
		},
		{
			name: "CSV",
			source: func(t *testing.T, p *place) string {
				return "csv:" + p.write(t, "people.csv", "\ufeffID,E-Mail,Vorname,Nachname,Newsletter\n1,ada@example.com,Ada,Lovelace,yes\n2,bob@example.com,,B,\n")
			},
			topic: "Newsletter",
			want:  []string{"ada@example.com Ada Lovelace +", "bob@example.com  B"},
		},
		{
			name: "CSV with semicolons, found by its name",
			source: func(t *testing.T, p *place) string {
				return p.write(t, "people.csv", "email;name\nada@example.com;Ada Lovelace\n") + "?delimiter=;"
			},
			want: []string{"ada@example.com Ada Lovelace"},
		},
		{
			name: "CSV with semicolons that nobody told of",
			source: func(t *testing.T, p *place) string {
				return "csv:" + p.write(t, "people.csv", "id;email;name\n1;ada@example.com;Lovelace, Ada\n2;bob@example.com;\"Builder; Bob\"\n")
			},
			want: []string{"ada@example.com Ada Lovelace", "bob@example.com Builder; Bob"},
		},
		{
			name: "packed CSV with tabs",
			source: func(t *testing.T, p *place) string {
				var packed bytes.Buffer
				w := gzip.NewWriter(&packed)
				_, err := io.WriteString(w, "email\tfirst_name\nada@example.com\tAda\n")
				if err := errors.Join(err, w.Close()); err != nil {
					t.Fatal(err)
				}
				return p.write(t, "people.csv.gz", packed.String())
			},
			want: []string{"ada@example.com Ada"},
		},
		{
			name: "packed NDJSON",
			source: func(t *testing.T, p *place) string {
				var packed bytes.Buffer
				w := gzip.NewWriter(&packed)
				_, err := io.WriteString(w, `{"uuid":"a","email":"ada@example.com","firstName":"Ada","newsletter":true}`+"\n"+`{"uuid":"b","email":"bob@example.com","newsletter":false}`+"\n")
				if err := errors.Join(err, w.Close()); err != nil {
					t.Fatal(err)
				}
				return "ndjson:" + p.write(t, "people.ndjson.gz", packed.String())
			},
			topic: "newsletter",
			want:  []string{"ada@example.com Ada +", "bob@example.com"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			dsn := test.source(t, p)
			args := []string{"init", dsn}
			if test.topic != "" {
				args = append(args, "--topic", p.topic+"="+test.topic)
			}
			out, _ := p.cli(t, 0, args...)
			file := filepath.Join(p.dir, "owlat-sync.yaml")
			written, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if before, after, ok := strings.Cut(dsn, "@127.0.0.1"); ok {
				p.env = append(p.env, "DATABASE_URL="+dsn)
				password := before[strings.LastIndex(before, ":")+1:]
				if strings.Contains(string(written)+out, password) || !strings.Contains(string(written), "dsn: ${DATABASE_URL}") || after == "" {
					t.Fatalf("the password of the DSN was written:\n%s\n%s", written, out)
				}
			}
			p.cli(t, 0, "check")
			p.cli(t, 0, "plan")
			if got := p.contacts(); len(got) > 0 {
				t.Fatalf("check and plan made contacts: %q", got)
			}
			p.cli(t, 0, "run", "--yes")
			if got := p.contacts(); !slices.Equal(got, test.want) {
				t.Errorf("contacts %q, want %q, with\n%s", got, test.want, written)
			}
			writes := p.server.Stats().Writes
			p.cli(t, 0, "run")
			if again := p.server.Stats().Writes - writes; again != 0 {
				t.Errorf("the second run sent %d writes", again)
			}
			if now, err := os.ReadFile(file); err != nil || !bytes.Equal(now, written) {
				t.Errorf("the file was changed: %v", err)
			}
		})
	}
}

func TestInitRefuses(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	users := "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT, newsletter BOOLEAN)"
	withUsers := p.sqlite(t, users, "CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT)")
	empty := filepath.Join(p.dir, "empty.csv")
	p.write(t, "empty.csv", "")
	p.write(t, "noaddress.csv", "id,phone\n1,5550100\n")
	p.write(t, "not.db", "this is no database, but it is long enough to be taken for one by its size alone, or so it seems")
	topic := "k57topic00000000"
	for _, test := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"no DSN", nil, 2, "init needs to know where your users are"},
		{"two DSNs", []string{withUsers, withUsers}, 2, "at most one DSN"},
		{"unknown scheme", []string{"oracle://app:hunter2secret@db/x"}, 2, `unknown scheme "oracle"`},
		{"no such file", []string{"sqlite:" + filepath.Join(p.dir, "none.db")}, 1, "no such file"},
		{"no such CSV", []string{"csv:" + filepath.Join(p.dir, "none.csv")}, 1, "no such file"},
		{"no database", []string{"sqlite:" + filepath.Join(p.dir, "not.db")}, 1, "not a database"},
		{"empty file", []string{"csv:" + empty}, 1, "the file is empty"},
		{"no addresses", []string{"csv:" + filepath.Join(p.dir, "noaddress.csv")}, 1, "none of the 1 tables has a column that looks like e-mail addresses: noaddress"},
		{"no server", []string{"postgres://app:hunter2secret@127.0.0.1:1/shop"}, 1, "connection refused"},
		{"unknown table", []string{withUsers, "--table", "user"}, 2, `there is no table "user", or several: write it as one of: users, things`},
		{"table without addresses", []string{withUsers, "--table", "things"}, 2, "table things: no column holds e-mail addresses"},
		{"topic id too short", []string{withUsers, "--topic", "news=newsletter"}, 2, `"news" is not a topic id`},
		{"topic of an unknown column", []string{withUsers, "--topic", topic + "=offers"}, 2, `table users has no column "offers"; it has: id, email, newsletter`},
		{"address of the deployment", []string{withUsers, "--url", "ftp://example.com"}, 2, "the address of the deployment"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := &place{dir: p.dir}
			out, errOut := p.cli(t, test.code, append([]string{"init"}, test.args...)...)
			if !strings.Contains(errOut, test.want) || strings.Contains(out+errOut, "hunter2secret") {
				t.Errorf("want %q in:\n%s", test.want, errOut)
			}
			if _, err := os.Stat(filepath.Join(p.dir, "owlat-sync.yaml")); err == nil {
				t.Error("a file was written all the same")
			}
		})
	}
}

func TestInitNeverOverwrites(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	dsn := p.sqlite(t, "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT)")
	p.write(t, "owlat-sync.yaml", "mine")
	_, errOut := p.cli(t, 2, "init", dsn)
	if !strings.Contains(errOut, "is already there and is not overwritten") || !strings.Contains(errOut, "--config FILE") {
		t.Errorf("it says %s", errOut)
	}
	if text, err := os.ReadFile(filepath.Join(p.dir, "owlat-sync.yaml")); err != nil || string(text) != "mine" {
		t.Errorf("the file holds %q, %v", text, err)
	}
}

func TestInitJSON(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	dsn := p.sqlite(t, "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT, first_name TEXT, newsletter BOOLEAN, offers_opt_in BOOLEAN)", "CREATE TABLE leads (email TEXT)")
	out, errOut := p.cli(t, 0, "init", dsn, "--json", "--topic", p.topic+"=newsletter", "--topic", "k57everybody0000")
	if errOut != "" {
		t.Errorf("standard error holds %s", errOut)
	}
	var got initialise.ResultJSON
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if got.Type != "init" || got.Table != "users" || !slices.Equal(got.Key, []string{"id"}) || got.Fields["email"] != "email" || got.Fields["firstName"] != "first_name" || len(got.Fields) != 2 {
		t.Errorf("got %+v", got)
	}
	if want := []initialise.TopicJSON{{ID: p.topic, When: "newsletter"}, {When: "offers_opt_in"}, {ID: "k57everybody0000"}}; !slices.Equal(got.Topics, want) {
		t.Errorf("topics %+v, want %+v", got.Topics, want)
	}
	if !slices.Equal(got.Candidates, []string{"users", "leads"}) || !slices.Equal(got.Environment, []string{"OWLAT_API_KEY"}) {
		t.Errorf("candidates %q, environment %q", got.Candidates, got.Environment)
	}
	text, err := os.ReadFile(filepath.Join(p.dir, "owlat-sync.yaml"))
	if err != nil || !strings.Contains(string(text), "dsn: sqlite:app.db\n") {
		t.Errorf("the DSN is not relative to the file: %v\n%s", err, text)
	}
}

func TestInitFromEnvironment(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	dsn := testdb.Postgres(t)
	execPostgres(t, dsn, "CREATE TABLE users (id integer PRIMARY KEY, email text)", "INSERT INTO users VALUES (1, 'ada@example.com')")
	p.env = append(p.env, "DATABASE_URL="+dsn)
	out, _ := p.cli(t, 0, "init")
	if !strings.Contains(out, "export DATABASE_URL=") {
		t.Errorf("it does not say what the environment needs:\n%s", out)
	}
	p.cli(t, 0, "run", "--yes")
	if got := p.contacts(); !slices.Equal(got, []string{"ada@example.com"}) {
		t.Errorf("contacts %q", got)
	}
}
