package propose

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"owlatsync"
)

// schema is a database as somebody might have it, and what is proposed for it.
type schema struct {
	name       string
	statements []string
	table      string
	query      string
	key        []string
	fields     [3]string // email, first name, last name
	full       string    // whole name
	when       []string  // column of each topic
	rows       int       // that the query finds
}

func TestPostgresSchemas(t *testing.T) {
	t.Parallel()
	for _, s := range []schema{
		{
			name: "an ordinary table of users",
			statements: []string{
				`CREATE TABLE users (id bigserial PRIMARY KEY, email text NOT NULL UNIQUE, first_name text, last_name text,
					password_hash text NOT NULL DEFAULT '', email_verified boolean NOT NULL DEFAULT false,
					newsletter boolean NOT NULL DEFAULT false, created_at timestamptz NOT NULL DEFAULT now(), deleted_at timestamptz)`,
				`INSERT INTO users (email, first_name, last_name, email_verified, newsletter) VALUES
					('ada@example.com', 'Ada', 'Lovelace', true, true), ('alan@example.com', 'Alan', 'Turing', false, true)`,
				`CREATE TABLE orders (id bigserial PRIMARY KEY, customer_email text, total numeric)`,
				`CREATE TABLE password_resets (email text PRIMARY KEY, token text)`,
				`CREATE TABLE email_log (id bigserial PRIMARY KEY, email text, subject text, sent_at timestamptz)`,
			},
			table:  "users",
			query:  "SELECT id, email, first_name, last_name, newsletter\nFROM users\nWHERE email_verified\n  AND deleted_at IS NULL",
			key:    []string{"id"},
			fields: [3]string{"email", "first_name", "last_name"}, when: []string{"newsletter"}, rows: 1,
		},
		{
			name: "mixed-case names as ORMs make them",
			statements: []string{
				`CREATE TABLE "User" (id uuid PRIMARY KEY, "emailAddress" varchar(255), "givenName" text, "familyName" text, "isActive" boolean,
					"emailVerified" timestamp, "marketingOptIn" boolean DEFAULT false)`,
				`INSERT INTO "User" VALUES ('7f1bd6a0-0000-4000-8000-000000000001', 'ada@example.com', 'Ada', 'Lovelace', true, now(), true)`,
				`INSERT INTO "User" VALUES ('7f1bd6a0-0000-4000-8000-000000000002', NULL, 'Alan', 'Turing', true, now(), true)`,
				`CREATE TABLE "Session" (id uuid PRIMARY KEY, "userEmail" text)`,
			},
			table: "User",
			query: "SELECT id, \"emailAddress\", \"givenName\", \"familyName\", \"marketingOptIn\"\nFROM \"User\"\n" +
				"WHERE \"emailAddress\" IS NOT NULL\n  AND \"emailVerified\" IS NOT NULL\n  AND \"isActive\"",
			key:    []string{"id"},
			fields: [3]string{"emailAddress", "givenName", "familyName"}, when: []string{"marketingOptIn"}, rows: 1,
		},
		{
			name: "a schema of its own, a citext address, a full name and an opt-out",
			statements: []string{
				`CREATE SCHEMA crm`, `CREATE EXTENSION IF NOT EXISTS citext`,
				`CREATE TABLE crm.tbl_customers (customer_no integer PRIMARY KEY, name varchar(200), mail citext, is_deleted boolean, unsubscribed_at date)`,
				`INSERT INTO crm.tbl_customers VALUES (1, 'Ada King Lovelace', 'Ada@Example.com', NULL, NULL), (2, 'Cher', 'cher@example.com', true, now())`,
			},
			table:  "crm.tbl_customers",
			query:  "SELECT customer_no, mail, name, (unsubscribed_at IS NULL) AS subscribed\nFROM crm.tbl_customers\nWHERE is_deleted IS NOT TRUE",
			key:    []string{"customer_no"},
			fields: [3]string{"mail", "", ""}, full: "name", when: []string{"subscribed"}, rows: 1,
		},
		{
			name: "two key columns, flags as words and numbers, a status and a time of consent",
			statements: []string{
				`CREATE TYPE standing AS ENUM ('active', 'banned')`,
				`CREATE TABLE members (tenant text, "no" integer, e_mail text, confirmed char(1), enabled smallint, status standing,
					newsletter_opt_in_at timestamptz, newsletter_opt_out_at timestamptz, PRIMARY KEY (tenant, "no"))`,
				`INSERT INTO members VALUES ('a', 1, 'ada@example.com', 'Y', 1, 'active', now(), NULL), ('a', 2, 'bob@example.com', 'N', 1, 'active', now(), NULL),
					('b', 1, 'cy@example.com', 'Y', 0, 'active', NULL, NULL), ('b', 2, 'di@example.com', 'Y', 1, 'banned', NULL, NULL)`,
			},
			table: "members",
			query: "SELECT tenant,\n       \"no\",\n       e_mail,\n       (newsletter_opt_in_at IS NOT NULL AND newsletter_opt_out_at IS NULL) AS newsletter_opt_in_consent\n" +
				"FROM members\nWHERE lower(confirmed::text) IN ('t', 'true', 'y', 'yes', 'on', '1')\n  AND enabled <> 0\n  AND status = 'active'",
			key:    []string{"tenant", "no"},
			fields: [3]string{"e_mail", "", ""}, when: []string{"newsletter_opt_in_consent"}, rows: 1,
		},
		{
			name: "addresses in a column called login, beside one that is encrypted",
			statements: []string{
				`CREATE TABLE accounts (id integer PRIMARY KEY, login text, email text, backup_email text, display_name text)`,
				`INSERT INTO accounts SELECT n, 'user' || n || '@example.org', md5(n::text), 'other' || n || '@example.org', 'Ada Lovelace' FROM generate_series(1, 30) n`,
			},
			table:  "accounts",
			query:  "SELECT id, login, display_name\nFROM accounts",
			key:    []string{"id"},
			fields: [3]string{"login", "", ""}, full: "display_name", rows: 30,
		},
		{
			name: "bytes for a key, a view of the same people, partitions",
			statements: []string{
				`CREATE TABLE subscribers (id bytea PRIMARY KEY, email text, subscribed boolean)`,
				`INSERT INTO subscribers VALUES ('\x01ff', 'ada@example.com', true)`,
				`CREATE VIEW active_subscribers AS SELECT * FROM subscribers WHERE subscribed`,
				`CREATE TABLE subscriber_events (id bigint, email text, at date) PARTITION BY RANGE (at)`,
				`CREATE TABLE subscriber_events_old PARTITION OF subscriber_events DEFAULT`,
			},
			table:  "subscribers",
			query:  "SELECT encode(id, 'hex') AS id, email, subscribed\nFROM subscribers",
			key:    []string{"id"},
			fields: [3]string{"email", "", ""}, when: []string{"subscribed"}, rows: 1,
		},
		{
			name: "a view only, without a key",
			statements: []string{
				`CREATE SCHEMA hidden`, `CREATE TABLE hidden.x (a integer, b text)`, `INSERT INTO hidden.x VALUES (1, 'ada@example.com'), (2, 'bob@example.com')`,
				`CREATE VIEW people AS SELECT a AS person_id, b AS email FROM hidden.x`,
			},
			table:  "people",
			query:  "SELECT person_id, email\nFROM people",
			key:    []string{"person_id"},
			fields: [3]string{"email", "", ""}, rows: 2,
		},
	} {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			s.check(t, postgres(t))
		})
	}
}

func TestMySQLSchemas(t *testing.T) {
	t.Parallel()
	for _, s := range []schema{
		{
			name: "a shop's customers",
			statements: []string{
				"CREATE TABLE ps_customer (id_customer INT UNSIGNED AUTO_INCREMENT PRIMARY KEY, company VARCHAR(64), firstname VARCHAR(255) NOT NULL, lastname VARCHAR(255) NOT NULL, " +
					"email VARCHAR(255) NOT NULL, passwd VARCHAR(60), newsletter TINYINT(1) NOT NULL DEFAULT 0, newsletter_date_add DATETIME, optin TINYINT(1), active TINYINT(1) NOT NULL DEFAULT 0, deleted TINYINT(1) NOT NULL DEFAULT 0)",
				"INSERT INTO ps_customer (firstname, lastname, email, newsletter, optin, active, deleted) VALUES ('Ada', 'Lovelace', 'ada@example.com', 1, 0, 1, 0), ('Bob', 'B', 'bob@example.com', 1, 1, 1, 1)",
				"CREATE TABLE ps_orders (id INT PRIMARY KEY, email VARCHAR(255))",
			},
			table:  "ps_customer",
			query:  "SELECT id_customer, email, firstname, lastname, newsletter, optin\nFROM ps_customer\nWHERE active\n  AND NOT deleted",
			key:    []string{"id_customer"},
			fields: [3]string{"email", "firstname", "lastname"}, when: []string{"newsletter", "optin"}, rows: 1,
		},
		{
			name: "a blog's users",
			statements: []string{
				"CREATE TABLE wp_users (ID BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, user_login VARCHAR(60) NOT NULL, user_pass VARCHAR(255) NOT NULL, user_nicename VARCHAR(50), " +
					"user_email VARCHAR(100) NOT NULL, user_status INT NOT NULL DEFAULT 0, display_name VARCHAR(250) NOT NULL)",
				"INSERT INTO wp_users (user_login, user_pass, user_email, display_name) VALUES ('ada', '', 'ada@example.com', 'Ada King Lovelace'), ('bob', '', '', 'Bob')",
				"CREATE TABLE wp_comments (comment_ID BIGINT PRIMARY KEY, comment_author_email VARCHAR(100))",
			},
			table:  "wp_users",
			query:  "SELECT ID, user_email, display_name\nFROM wp_users\nWHERE user_email <> ''",
			key:    []string{"ID"},
			fields: [3]string{"user_email", "", ""}, full: "display_name", rows: 1,
		},
		{
			name: "bytes for a key, bits, zero dates and a reserved word",
			statements: []string{
				"SET SESSION sql_mode = ''",
				"CREATE TABLE `group member` (id BINARY(16) PRIMARY KEY, `E-Mail` VARCHAR(200), Vorname VARCHAR(80), Nachname VARCHAR(80), aktiv BIT(1), geloescht TINYINT(1), confirmed_at DATETIME, wants_newsletter ENUM('Y','N'))",
				"INSERT INTO `group member` VALUES (UNHEX('00FF00FF00FF00FF00FF00FF00FF00FF'), 'ada@example.com', 'Ada', 'L', b'1', NULL, '2026-01-01', 'Y'), " +
					"(UNHEX('01FF00FF00FF00FF00FF00FF00FF00FF'), 'bob@example.com', 'Bob', 'B', b'1', 0, '0000-00-00', 'N'), (UNHEX('02FF00FF00FF00FF00FF00FF00FF00FF'), 'cy@example.com', 'Cy', 'C', b'0', 0, '2026-01-01', 'N')",
			},
			table: "group member",
			query: "SELECT lower(hex(id)) AS id, `E-Mail`, Vorname, Nachname, wants_newsletter\nFROM `group member`\n" +
				"WHERE confirmed_at > '1000-01-01'\n  AND aktiv\n  AND geloescht IS NOT TRUE",
			key:    []string{"id"},
			fields: [3]string{"E-Mail", "Vorname", "Nachname"}, when: []string{"wants_newsletter"}, rows: 1,
		},
		{
			name: "last name first, a status of subscription",
			statements: []string{
				"CREATE TABLE subscribers (subscriber_id INT PRIMARY KEY, email VARCHAR(200) UNIQUE, name VARCHAR(200), subscription_status VARCHAR(20))",
				"INSERT INTO subscribers VALUES (1, 'ada@example.com', 'Lovelace, Ada', 'subscribed'), (2, 'bob@example.com', 'Builder, Bob', 'pending')",
			},
			table:  "subscribers",
			query:  "SELECT subscriber_id, email, name, (subscription_status = 'subscribed') AS subscription_consent\nFROM subscribers",
			key:    []string{"subscriber_id"},
			fields: [3]string{"email", "", ""}, full: "name", when: []string{"subscription_consent"}, rows: 2,
		},
	} {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			s.check(t, mysqlDatabase(t))
		})
	}
}

func TestSQLiteSchemas(t *testing.T) {
	t.Parallel()
	for _, s := range []schema{
		{
			name: "booleans as letters, times as numbers",
			statements: []string{
				"CREATE TABLE users (id INTEGER PRIMARY KEY, email VARCHAR, first_name VARCHAR, last_name VARCHAR, admin BOOLEAN, confirmed BOOLEAN, subscribed BOOLEAN, deleted_at INTEGER)",
				"INSERT INTO users VALUES (1, 'ada@example.com', 'Ada', 'Lovelace', 'f', 't', 't', 0), (2, 'bob@example.com', 'Bob', 'B', 'f', 'f', 't', NULL), (3, 'cy@example.com', 'Cy', 'C', 'f', 't', 'f', 1700000000)",
				"CREATE TABLE schema_migrations (version VARCHAR)",
			},
			table: "users",
			query: "SELECT id, email, first_name, last_name, subscribed\nFROM users\n" +
				"WHERE lower(confirmed) IN ('t', 'true', 'y', 'yes', 'on', '1')\n  AND COALESCE(deleted_at, 0) = 0",
			key:    []string{"id"},
			fields: [3]string{"email", "first_name", "last_name"}, when: []string{"subscribed"}, rows: 1,
		},
		{
			name: "no types, a broken view, a name with a quote",
			statements: []string{
				`CREATE TABLE "john's contacts" (uid, "e mail", "full name", active)`,
				`INSERT INTO "john's contacts" VALUES ('u1', 'ada@example.com', 'Ada  King Lovelace', 1), ('u2', 'bob@example.com', 'Bob', 0), ('u3', 'cy@example.com', NULL, 1)`,
				"CREATE TABLE gone (email TEXT)", "CREATE VIEW users AS SELECT email FROM gone", "DROP TABLE gone",
			},
			table:  "john's contacts",
			query:  "SELECT uid, \"e mail\", \"full name\"\nFROM \"john's contacts\"\nWHERE active",
			key:    []string{"uid"},
			fields: [3]string{"e mail", "", ""}, full: "full name", rows: 2,
		},
		{
			name: "the address is the primary key",
			statements: []string{
				"CREATE TABLE newsletter_signups (email TEXT PRIMARY KEY, created_at TEXT, unsubscribed_at TEXT)",
				"INSERT INTO newsletter_signups VALUES ('ada@example.com', '2026-01-01', ''), ('bob@example.com', '2026-01-01', '2026-02-02')",
			},
			table:  "newsletter_signups",
			query:  "SELECT email, (COALESCE(unsubscribed_at, '') = '') AS subscribed\nFROM newsletter_signups",
			fields: [3]string{"email", "", ""}, when: []string{"subscribed"}, rows: 2,
		},
		{
			name: "bytes that the type does not tell",
			statements: []string{
				"CREATE TABLE users (id UUID PRIMARY KEY, email TEXT)", "INSERT INTO users VALUES (X'00FF8001', 'ada@example.com')",
			},
			table:  "users",
			query:  "SELECT lower(hex(id)) AS id, email\nFROM users",
			key:    []string{"id"},
			fields: [3]string{"email", "", ""}, rows: 1,
		},
		{
			name: "nobody there yet",
			statements: []string{
				"CREATE TABLE customers (id INTEGER PRIMARY KEY, email TEXT, vorname TEXT, nachname TEXT, is_active INTEGER, accepts_marketing INTEGER)",
			},
			table:  "customers",
			query:  "SELECT id, email, vorname, nachname, accepts_marketing\nFROM customers\nWHERE is_active <> 0",
			key:    []string{"id"},
			fields: [3]string{"email", "vorname", "nachname"}, when: []string{"accepts_marketing"},
		},
	} {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			s.check(t, sqlite(t))
		})
	}
}

func (s schema) check(t *testing.T, db database) {
	t.Helper()
	db.exec(t, s.statements...)
	c := db.catalog(t)
	ranked := Rank(c)
	if len(ranked) == 0 {
		t.Fatalf("no candidate among %d tables", len(c.Tables))
	}
	if got := ranked[0].Table.Title(); got != s.table {
		t.Fatalf("chose %s, want %s; ranked: %+v", got, s.table, ranked)
	}
	p, err := Propose(c, ranked[0].Table)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(s.query, p.Query()); diff != "" {
		t.Errorf("query (-want +got):\n%s", diff)
	}
	if !slices.Equal(p.Key, s.key) {
		t.Errorf("key %q, want %q", p.Key, s.key)
	}
	if got := [3]string{p.Email, p.Fields[owlatsync.FirstName], p.Fields[owlatsync.LastName]}; got != s.fields || p.FullName != s.full {
		t.Errorf("fields %q and %q, want %q and %q", got, p.FullName, s.fields, s.full)
	}
	var when []string
	for _, topic := range p.Topics {
		when = append(when, topic.When)
	}
	if !slices.Equal(when, s.when) {
		t.Errorf("topics by %q, want %q", when, s.when)
	}
	names, rows := db.query(t, p.Query())
	for _, name := range slices.Concat(p.Key, when, []string{p.Email, p.Fields[owlatsync.FirstName], p.Fields[owlatsync.LastName]}) {
		if name != "" && !slices.Contains(names, name) {
			t.Errorf("the query has no column %q; it has %q", name, names)
		}
	}
	if len(rows) != s.rows {
		t.Errorf("the query finds %d rows, want %d: %v", len(rows), s.rows, rows)
	}
}
