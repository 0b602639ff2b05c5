package propose

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5"
	_ "modernc.org/sqlite"

	"owlatsync/internal/inspect"
	"owlatsync/internal/testdb"
)

// database is one kind of database with what a test needs of it.
type database struct {
	catalog func(t *testing.T) *inspect.Catalog
	exec    func(t *testing.T, statements ...string)
	// query returns the names of the columns and the rows as text.
	query func(t *testing.T, query string) ([]string, [][]string)
}

func postgres(t *testing.T) database {
	conn, err := pgx.Connect(t.Context(), testdb.Postgres(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(t.Context()) })
	return database{
		catalog: func(t *testing.T) *inspect.Catalog {
			t.Helper()
			c, err := inspect.ReadPostgres(t.Context(), conn, inspect.Look{Order: Order})
			if err != nil {
				t.Fatal(err)
			}
			return c
		},
		exec: func(t *testing.T, statements ...string) {
			t.Helper()
			for _, s := range statements {
				if _, err := conn.Exec(t.Context(), s); err != nil {
					t.Fatalf("%s: %v", s, err)
				}
			}
		},
		query: func(t *testing.T, query string) ([]string, [][]string) {
			t.Helper()
			rs, err := conn.Query(t.Context(), query)
			if err != nil {
				t.Fatalf("%s: %v", query, err)
			}
			defer rs.Close()
			var names []string
			for _, f := range rs.FieldDescriptions() {
				names = append(names, f.Name)
			}
			var out [][]string
			for rs.Next() {
				values, err := rs.Values()
				if err != nil {
					t.Fatal(err)
				}
				out = append(out, texts(values))
			}
			if rs.Err() != nil {
				t.Fatalf("%s: %v", query, rs.Err())
			}
			return names, out
		},
	}
}

func mysqlDatabase(t *testing.T) database {
	db := testdb.OpenMySQL(t, testdb.MySQL(t))
	return sqlDatabase(db, func(t *testing.T) (*inspect.Catalog, error) {
		return inspect.ReadMySQL(t.Context(), db, inspect.Look{Order: Order})
	})
}

func sqlite(t *testing.T) database {
	db, err := sql.Open("sqlite", filepath.Join(t.TempDir(), "app.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return sqlDatabase(db, func(t *testing.T) (*inspect.Catalog, error) {
		return inspect.ReadSQLite(t.Context(), db, inspect.Look{Order: Order})
	})
}

func sqlDatabase(db *sql.DB, read func(*testing.T) (*inspect.Catalog, error)) database {
	return database{
		catalog: func(t *testing.T) *inspect.Catalog {
			t.Helper()
			c, err := read(t)
			if err != nil {
				t.Fatal(err)
			}
			return c
		},
		exec: func(t *testing.T, statements ...string) {
			t.Helper()
			for _, s := range statements {
				if _, err := db.ExecContext(t.Context(), s); err != nil {
					t.Fatalf("%s: %v", s, err)
				}
			}
		},
		query: func(t *testing.T, query string) ([]string, [][]string) {
			t.Helper()
			rs, err := db.QueryContext(t.Context(), query)
			if err != nil {
				t.Fatalf("%s: %v", query, err)
			}
			defer rs.Close()
			names, err := rs.Columns()
			if err != nil {
				t.Fatal(err)
			}
			var out [][]string
			values, dest := make([]any, len(names)), make([]any, len(names))
			for i := range values {
				dest[i] = &values[i]
			}
			for rs.Next() {
				if err := rs.Scan(dest...); err != nil {
					t.Fatal(err)
				}
				out = append(out, texts(values))
			}
			if rs.Err() != nil {
				t.Fatalf("%s: %v", query, rs.Err())
			}
			return names, out
		},
	}
}

func texts(values []any) []string {
	out := make([]string, len(values))
	for i, v := range values {
		switch v := v.(type) {
		case nil:
			out[i] = "NULL"
		case []byte:
			out[i] = string(v)
		default:
			out[i] = fmt.Sprint(v)
		}
	}
	return out
}
