package source_test

import (
	"context"
	"database/sql"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"owlatsync"
	"owlatsync/internal/testdb"
	"owlatsync/source"
)

// benchRows is how many rows of a key, an address and two names one iteration reads.
const benchRows = 100_000

var benchMapping = source.Mapping{Key: []string{"id"}, Email: "email", Fields: owlatsync.Texts{owlatsync.FirstName: "first_name", owlatsync.LastName: "last_name"}}

// benchmark compares a source with what the bare driver or reader takes for the same rows.
func benchmark(b *testing.B, table *source.Table, bare func() int) {
	b.Run("source", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			n := 0
			for _, err := range table.Rows(b.Context()) {
				if err != nil {
					b.Fatal(err)
				}
				n++
			}
			if n != benchRows {
				b.Fatalf("%d rows", n)
			}
		}
	})
	b.Run("bare", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if n := bare(); n != benchRows {
				b.Fatalf("%d rows", n)
			}
		}
	})
}

// drain reads a query's rows as bytes and forgets them.
func drain(db *sql.DB, query string) (n int) {
	rows := must(db.Query(query))
	defer rows.Close()
	var raw [4]sql.RawBytes
	for rows.Next() {
		if err := rows.Scan(&raw[0], &raw[1], &raw[2], &raw[3]); err != nil {
			panic(err)
		}
		n++
	}
	return n
}

func BenchmarkPostgres(b *testing.B) {
	dsn := testdb.Postgres(b)
	db := openDB(b, "pgx", dsn)
	execute(b, db, fmt.Sprintf(`CREATE TABLE users AS SELECT n AS id, 'user' || n || '@example.com' AS email, 'First' || n AS first_name,
		'Last' || n AS last_name FROM generate_series(1, %d) AS n`, benchRows))
	const query = "SELECT id, email, first_name, last_name FROM users"
	benchmark(b, must(source.Postgres(dsn, query, benchMapping)), func() (n int) {
		conn := must(pgx.Connect(context.Background(), dsn))
		defer conn.Close(context.Background())
		rows := must(conn.Query(context.Background(), query))
		for rows.Next() {
			_ = rows.RawValues()
			n++
		}
		return n
	})
}

func BenchmarkMySQL(b *testing.B) {
	db := testdb.OpenMySQL(b, testdb.MySQL(b))
	execute(b, db, fmt.Sprintf(`CREATE TABLE users AS SELECT seq AS id, concat('user', seq, '@example.com') AS email, concat('First', seq) AS first_name,
		concat('Last', seq) AS last_name FROM seq_1_to_%d`, benchRows))
	const query = "SELECT id, email, first_name, last_name FROM users"
	benchmark(b, must(source.SQL(db, source.MySQL, query, benchMapping)), func() int { return drain(db, query) })
}

func BenchmarkSQLite(b *testing.B) {
	db := openDB(b, "sqlite", "file:"+b.TempDir()+"/users.db")
	execute(b, db, fmt.Sprintf(`CREATE TABLE users AS WITH RECURSIVE seq(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM seq WHERE n < %d)
		SELECT n AS id, 'user' || n || '@example.com' AS email, 'First' || n AS first_name, 'Last' || n AS last_name FROM seq`, benchRows))
	const query = "SELECT id, email, first_name, last_name FROM users"
	benchmark(b, must(source.SQL(db, source.SQLite, query, benchMapping)), func() int { return drain(db, query) })
}

func BenchmarkCSV(b *testing.B) {
	var text strings.Builder
	text.WriteString("id,email,first_name,last_name\n")
	for n := range benchRows {
		fmt.Fprintf(&text, "%d,user%d@example.com,First%d,Last%d\n", n, n, n, n)
	}
	benchmark(b, must(source.CSV(content(text.String()), benchMapping)), func() (n int) {
		r := csv.NewReader(strings.NewReader(text.String()))
		r.ReuseRecord = true
		for {
			if _, err := r.Read(); err == io.EOF {
				return n - 1
			}
			n++
		}
	})
}

// BenchmarkNDJSON reads all kinds of values: a consent as text, and properties of every type.
func BenchmarkNDJSON(b *testing.B) {
	var text strings.Builder
	for n := range benchRows {
		fmt.Fprintf(&text, `{"id":%d,"email":"user%d@example.com","first_name":"Zo\u00eb","last_name":"Last%d","wants":"Yes","score":%d.25,"visits":%d,"plan":"pro"}`+"\n", n, n, n, n, n)
	}
	m := benchMapping
	m.Topics = []string{"wants"}
	for _, name := range []string{"score", "visits", "plan"} {
		m.Properties = append(m.Properties, source.Property{Name: name, Column: name})
	}
	benchmark(b, must(source.NDJSON(content(text.String()), m)), func() (n int) {
		d := json.NewDecoder(strings.NewReader(text.String()))
		for {
			var row map[string]json.RawMessage
			if err := d.Decode(&row); err == io.EOF {
				return n
			}
			n++
		}
	})
}
