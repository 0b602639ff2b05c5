package source_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"owlatsync"
	"owlatsync/internal/testdb"
	"owlatsync/source"
)

// openMySQL opens a URL DSN with a changed configuration of the driver.
func openMySQL(t testing.TB, dsn string, change func(*mysql.Config)) *sql.DB {
	t.Helper()
	config, err := testdb.MySQLConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	change(config)
	connector, err := mysql.NewConnector(config)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	t.Cleanup(func() { db.Close() })
	return db
}

func TestMySQLTypes(t *testing.T) {
	t.Parallel()
	dsn := testdb.MySQL(t)
	db := testdb.OpenMySQL(t, dsn)
	execute(t, db, `CREATE TABLE kinds (
		tiny tinyint(1), big bigint unsigned, small smallint, flag bit(1), mask bit(12), born year, fixed char(10), varied varchar(20),
		long_text longtext, latin varchar(20) CHARACTER SET latin1, choice enum('a','b'), choices set('a','b'), amount decimal(10,2), f float, d double,
		at datetime(6), stamp timestamp NULL, noted date, at_time time, doc json, zero datetime NULL, guid uuid, nothing varchar(20))`)
	execute(t, db, `INSERT INTO kinds VALUES (1, 18446744073709551615, -5, b'1', b'101', 2026, 'Ada', 'Ada ', 'Łódź', 'Zoë', 'b', 'a,b', 12.50, 0.1, 1000000,
		'2026-11-03 05:06:07.250000', NULL, '2026-11-03', '05:06:07', '{"a": 1}', NULL, '8f14e45f-ceea-467f-a8d4-9b3f0c1d2e3f', NULL)`)
	execute(t, db, "SET STATEMENT sql_mode = '' FOR UPDATE kinds SET zero = '0000-00-00 00:00:00'")
	execute(t, db, "SET STATEMENT time_zone = '+05:00' FOR UPDATE kinds SET stamp = '2026-11-03 05:06:07'")
	values := []typed{
		{"tiny", "1", int64(1)},
		{"big", "18446744073709551615", json.Number("18446744073709551615")},
		{"CAST(big AS DECIMAL(40,15))", "18446744073709551615.000000000000000", json.Number("18446744073709551615.000000000000000")},
		{"small", "-5", int64(-5)},
		{"flag", "1", int64(1)},
		{"mask", "5", int64(5)},
		{"born", "2026", int64(2026)},
		{"fixed", "Ada", "Ada"},
		{"varied", "Ada ", "Ada "},
		{"long_text", "Łódź", "Łódź"},
		{"latin", "Zoë", "Zoë"},
		{"choice", "b", "b"},
		{"choices", "a,b", "a,b"},
		{"amount", "12.50", 12.5},
		{"f", "0.1", 0.1},
		{"d", "1000000", 1e6},
		{"at", "2026-11-03T05:06:07.25Z", "2026-11-03T05:06:07.25Z"},
		{"stamp", "2026-11-03T00:06:07Z", "2026-11-03T00:06:07Z"},
		{"noted", "2026-11-03", "2026-11-03"},
		{"at_time", "05:06:07", "05:06:07"},
		{"doc", `{"a": 1}`, `{"a": 1}`},
		{"zero", nil, nil},
		{"guid", "8f14e45f-ceea-467f-a8d4-9b3f0c1d2e3f", "8f14e45f-ceea-467f-a8d4-9b3f0c1d2e3f"},
		{"nothing", nil, nil},
		{"NULL", nil, nil},
		{"(tiny = 1)", "1", int64(1)},
		{"concat(fixed, ' ', small)", "Ada -5", "Ada -5"},
	}
	for i := range values {
		values[i].expression = "(SELECT " + values[i].expression + " FROM kinds)"
	}
	for name, change := range map[string]func(*mysql.Config){
		"as it is":     func(*mysql.Config) {},
		"times parsed": func(c *mysql.Config) { c.ParseTime = true },
		"in New York":  func(c *mysql.Config) { c.ParseTime, c.Loc = true, must(time.LoadLocation("America/New_York")) },
		"in Auckland":  func(c *mysql.Config) { c.ParseTime, c.Loc = true, must(time.LoadLocation("Pacific/Auckland")) },
		"latin1":       func(c *mysql.Config) { c.Collation = "latin1_swedish_ci" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := openMySQL(t, dsn, change)
			// A subquery would lose the type of some columns.
			testTypes(t, values, func(query string, m source.Mapping) (*source.Table, error) {
				inner := query[len("SELECT (SELECT ") : len(query)-len(" FROM kinds) AS v")]
				return source.SQL(db, source.MySQL, "SELECT "+inner+" AS v FROM kinds", m)
			})
		})
	}
}

func TestMySQLBinaryTypes(t *testing.T) {
	t.Parallel()
	dsn := testdb.MySQL(t)
	db := testdb.OpenMySQL(t, dsn)
	execute(t, db, "CREATE TABLE kinds (a binary(16), b varbinary(16), c blob, d tinyblob, e longblob, f geometry)")
	for _, column := range []string{"a", "b", "c", "d", "e", "f", "CAST('x' AS BINARY)", "UNHEX('00')"} {
		table, err := source.SQL(db, source.MySQL, "SELECT "+column+" AS v FROM kinds", source.Mapping{Email: "v"})
		err = fails(t, table, err)
		says(t, err, `column "v"`, "binary", "HEX(column)")
	}
}

func TestMySQLConsentOfABit(t *testing.T) {
	t.Parallel()
	db := testdb.OpenMySQL(t, testdb.MySQL(t))
	execute(t, db, "CREATE TABLE users (id int PRIMARY KEY, email varchar(100), wants bit(1))")
	execute(t, db, "INSERT INTO users VALUES (1, 'a@example.com', b'1'), (2, 'b@example.com', b'0'), (3, 'c@example.com', NULL)")
	table := must(source.SQL(db, source.MySQL, "SELECT * FROM users ORDER BY id", source.Mapping{Email: "email", Topics: []string{"wants"}}))
	rows, err := read(t.Context(), table)
	if err != nil || len(rows) != 3 || rows[0].Consents[0] != owlatsync.Yes || rows[1].Consents[0] != owlatsync.No || rows[2].Consents[0] != owlatsync.No {
		t.Errorf("rows %+v and %v, want yes, no, no", rows, err)
	}
}

// TestMySQLFlags reads booleans in all the types that people choose for them, with the dialect and without.
func TestMySQLFlags(t *testing.T) {
	t.Parallel()
	db := testdb.OpenMySQL(t, testdb.MySQL(t))
	execute(t, db, "CREATE TABLE flags (id int PRIMARY KEY, one bit(1), more bit(9), tiny boolean, price decimal(4,2), word enum('yes','off',''), letter char(3), double_ double)")
	execute(t, db, "INSERT INTO flags VALUES (1, b'1', 1, TRUE, 1.00, 'yes', 'On', 1), (2, b'0', 0, FALSE, 0, 'off', 'N', 0), (3, NULL, NULL, NULL, NULL, '', '', NULL)")
	columns := []string{"one", "more", "tiny", "price", "word", "letter", "double_", "CAST(one AS CHAR)", "tiny + 0", "one = 1"}
	query := "SELECT 'a@example.com' AS email"
	m := source.Mapping{Email: "email"}
	for i, column := range columns {
		name := fmt.Sprint("c", i)
		query += ", " + column + " AS " + name
		m.Topics = append(m.Topics, name)
	}
	for _, dialect := range []source.Dialect{source.MySQL, source.Generic} {
		rows, err := read(t.Context(), must(source.SQL(db, dialect, query+" FROM flags ORDER BY id", m)))
		if err != nil || len(rows) != 3 {
			t.Fatalf("dialect %d: %d rows and %v", dialect, len(rows), err)
		}
		for i, row := range rows {
			for j, yes := range row.Consents {
				if row.Defect != "" || yes != owlatsync.ConsentOf(i == 0) {
					t.Errorf("dialect %d, row %d, %s: consent %v, defect %q", dialect, i+1, columns[j], yes, row.Defect)
				}
			}
		}
	}
}

// TestMySQLCursorInAZone follows a table whose times the driver makes in a zone of its own.
func TestMySQLCursorInAZone(t *testing.T) {
	t.Parallel()
	dsn := testdb.MySQL(t)
	zone := must(time.LoadLocation("America/New_York"))
	db := openMySQL(t, dsn, func(c *mysql.Config) { c.ParseTime, c.Loc = true, zone })
	execute(t, db, "CREATE TABLE users (id int PRIMARY KEY, email varchar(100), at datetime, stamp timestamp NULL, noted date)")
	execute(t, db, "SET STATEMENT time_zone = '+00:00' FOR INSERT INTO users VALUES (1, 'a@example.com', '2026-03-01 01:00:00', '2026-03-01 01:00:00', '2026-03-01'), (2, 'b@example.com', '2026-03-02 01:00:00', '2026-03-02 01:00:00', '2026-03-02')")
	for column, mark := range map[string]string{"at": "t 2026-03-02 01:00:00.000000", "stamp": "t 2026-03-02 01:00:00.000000", "noted": "d 2026-03-02"} {
		table := must(must(source.SQL(db, source.MySQL, "SELECT * FROM users", cursorMapping)).WithCursor(source.Cursor{Column: column, Overlap: time.Minute}))
		s := &owlatsync.Scan{}
		wantRows(t, column, scan(t, table, s), "a", "b")
		if s.Mark != mark {
			t.Errorf("%s: the mark is %q, want %q", column, s.Mark, mark)
		}
		execute(t, db, "SET STATEMENT time_zone = '+00:00' FOR INSERT INTO users VALUES (3, 'c@example.com', '2026-03-02 01:00:30', '2026-03-02 01:00:30', '2026-03-02')")
		s.Since = s.Mark
		got := scan(t, table, s)
		if !slices.Contains(got, "c") || slices.Contains(got, "a") && column != "noted" {
			t.Errorf("%s: %v changed, want c and not a", column, got)
		}
		execute(t, db, "DELETE FROM users WHERE id = 3")
	}
}

func TestMySQLRefusesWhatIsNoQuery(t *testing.T) {
	t.Parallel()
	dsn := testdb.MySQL(t)
	db := testdb.OpenMySQL(t, dsn)
	execute(t, db, "CREATE TABLE users (id int, email varchar(100)) ENGINE=InnoDB")
	execute(t, db, "INSERT INTO users VALUES (1, 'a@example.com')")
	execute(t, db, "CREATE PROCEDURE wipe() BEGIN COMMIT; DELETE FROM users; SELECT 1 AS id, 'x' AS email; END")
	unchanged := func() {
		if n := queryInt(t, db, "SELECT count(*) FROM users WHERE email = 'a@example.com'"); n != 1 {
			t.Fatalf("the table has changed: %d rows", n)
		}
	}
	several := openMySQL(t, dsn, func(c *mysql.Config) { c.MultiStatements = true })
	testRefused(t, []string{
		"", " ", "-- nothing", "# nothing", "/* nothing */",
		"INSERT INTO users VALUES (2, 'b@example.com')",
		"INSERT INTO users VALUES (2, 'b@example.com') RETURNING id, email",
		"UPDATE users SET email = 'x'", "DELETE FROM users", "REPLACE INTO users VALUES (1, 'x')",
		"/* SELECT */ DELETE FROM users", "# SELECT\nDELETE FROM users", "-- SELECT\nDELETE FROM users", "/*! DELETE FROM users */",
		"/*M!100000 DELETE FROM users */",
		"TRUNCATE users", "DROP TABLE users", "CREATE TABLE other (id int)", "CALL wipe()", "SET GLOBAL max_connections = 10",
		"COMMIT", "LOCK TABLES users WRITE", "KILL 1", "OPTIMIZE TABLE users", "DO 1", "HANDLER users OPEN",
		"SELECT id, email INTO OUTFILE '/tmp/owlatsync-never' FROM users", "SELECT id, email FROM users INTO @a, @b",
		"SELECT id, email /*!50000 INTO OUTFILE '/tmp/owlatsync-never' */ FROM users",
		"SELECT id, email FROM users; DELETE FROM users", "SELECT id, email FROM users; COMMIT; DELETE FROM users",
		`SELECT '\'' AS id, 'x' AS email; DELETE FROM users`,
	}, func(query string) (*source.Table, error) { return source.SQL(several, source.MySQL, query, idAndEmail) }, unchanged)

	// These get past the first look, but not past the server.
	execute(t, db, "CREATE FUNCTION spoil() RETURNS int MODIFIES SQL DATA BEGIN DELETE FROM users; RETURN 1; END")
	for _, statement := range []string{
		"SELECT spoil() AS id, 'x' AS email",
		"WITH old AS (SELECT 1 AS id) DELETE FROM users",
		"WITH old AS (SELECT 1 AS id) UPDATE users SET email = 'x'",
	} {
		table, err := source.SQL(several, source.MySQL, statement, idAndEmail)
		fails(t, table, err)
		unchanged()
	}
}

func TestMySQLBadInput(t *testing.T) {
	t.Parallel()
	const secret = "s3cret-Pass"
	dsn := testdb.MySQL(t)
	const query = "SELECT 1 AS id, 'a@example.com' AS email"
	for name, test := range map[string]struct {
		change func(*mysql.Config)
		query  string
		want   []string
	}{
		"wrong password":   {func(c *mysql.Config) { c.Passwd = secret }, query, []string{"connect to MySQL", "as the DSN says", "Access denied"}},
		"no such database": {func(c *mysql.Config) { c.DBName = "nowhere" }, query, []string{"Unknown database 'nowhere'"}},
		"nobody listens":   {func(c *mysql.Config) { c.Addr = closedPort(t) }, query, []string{"connect to MySQL", "connection refused"}},
		"no such table":    {func(*mysql.Config) {}, "SELECT id, email FROM user_accounts", []string{"check the query", "user_accounts' doesn't exist"}},
		"no such column":   {func(*mysql.Config) {}, "SELECT id, emial FROM (SELECT 1 AS id, 'x' AS email) u", []string{"Unknown column 'emial'"}},
		"syntax":           {func(*mysql.Config) {}, "SELECT id email FORM users", []string{"check the query", "syntax"}},
		"parameter":        {func(*mysql.Config) {}, "SELECT ? AS id, 'a@example.com' AS email", []string{"syntax"}},
	} {
		t.Run(name, func(t *testing.T) {
			config := must(testdb.MySQLConfig(dsn))
			db := openMySQL(t, dsn, test.change)
			table, err := source.SQL(db, source.MySQL, test.query, idAndEmail)
			says(t, fails(t, table, err), append(test.want, "!"+secret, "!"+config.Passwd)...)
		})
	}
}

// TestMySQLLeavesNoTrace checks that the settings of a scan do not stay on the caller's connections.
func TestMySQLLeavesNoTrace(t *testing.T) {
	t.Parallel()
	db := testdb.OpenMySQL(t, testdb.MySQL(t))
	db.SetMaxOpenConns(1)
	const settings = "SELECT concat(@@time_zone, ' ', @@net_write_timeout, ' ', @@tx_isolation, ' ', @@tx_read_only)"
	look := func() (s string) {
		if err := db.QueryRow(settings).Scan(&s); err != nil {
			t.Fatal(err)
		}
		return s
	}
	before := look()
	if rows, err := read(t.Context(), must(source.SQL(db, source.MySQL, "SELECT 1 AS id, 'a@example.com' AS email", idAndEmail))); err != nil || len(rows) != 1 {
		t.Fatalf("%d rows and %v", len(rows), err)
	}
	if after := look(); after != before {
		t.Errorf("settings after the scan %q, before %q", after, before)
	}
}

func TestMySQLCancelledWhileComputing(t *testing.T) {
	t.Parallel()
	dsn := testdb.MySQL(t)
	admin := testdb.OpenMySQL(t, dsn)
	table := must(source.SQL(testdb.OpenMySQL(t, dsn), source.MySQL, "SELECT sleep(600) AS id, 'a@example.com' AS email", idAndEmail))
	const running = "SELECT count(*) FROM information_schema.processlist WHERE db = database() AND info LIKE 'SELECT sleep%'"
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		eventually(t, func() bool { return queryInt(t, admin, running) == 1 })
		cancel()
	}()
	rows, err := read(ctx, table)
	if len(rows) != 0 || !errors.Is(err, context.Canceled) {
		t.Errorf("%d rows and %v, want context.Canceled", len(rows), err)
	}
	execute(t, admin, "DO 1") // the server still answers others
}
