package source_test

import (
	"bytes"
	"compress/gzip"
	"database/sql"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"owlatsync/internal/sourcedsn"
	"owlatsync/internal/testdb"
	"owlatsync/reconcile"
	"owlatsync/source"
	"owlatsync/source/sourcetest"
)

var _ reconcile.Source = (*source.Table)(nil)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func openDB(t testing.TB, driver, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// A server's rows fill the buffers of a socket; those of a file only the reader's own.
const (
	serverRows = 8_000
	localRows  = 1_000
)

// hasBadText reports whether the fixture needs a database that takes any bytes for text.
func hasBadText(f sourcetest.Fixture) bool {
	for _, row := range f.Rows {
		for _, value := range row {
			if _, bad := value.(sourcetest.BadText); bad {
				return true
			}
		}
	}
	return false
}

// postgresDSN names a fresh database, of the encoding SQL_ASCII if any bytes are to be stored.
func postgresDSN(t testing.TB, anyBytes bool) string {
	t.Helper()
	dsn := testdb.Postgres(t)
	if !anyBytes {
		return dsn
	}
	u := must(url.Parse(dsn))
	db := openDB(t, "pgx", dsn)
	u.Path += "_ascii"
	name := strings.TrimPrefix(u.Path, "/")
	execute(t, db, "CREATE DATABASE "+name+" ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
	t.Cleanup(func() { execute(t, db, "DROP DATABASE "+name+" WITH (FORCE)") })
	return u.String()
}

// storePostgres keeps a fixture in PostgreSQL; open makes the source, whose connections bear the application's name.
func storePostgres(open func(testing.TB, string, string, source.Mapping) (*source.Table, error)) func(testing.TB, sourcetest.Fixture) sourcetest.Stored {
	return func(t testing.TB, f sourcetest.Fixture) sourcetest.Stored {
		dsn := postgresDSN(t, hasBadText(f))
		db := openDB(t, "pgx", dsn)
		postgresLanguage.fill(t, db, f)
		const scans = " FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'owlat-sync'"
		return sourcetest.Stored{
			Open: func(t testing.TB, names []string, m source.Mapping) *source.Table {
				t.Helper()
				table, err := open(t, dsn, query(f, names), m)
				if err != nil {
					t.Fatal(err)
				}
				return table
			},
			Change: func(t testing.TB) { changeFixture(t, db, f) },
			Break: func(t testing.TB) {
				if n := queryInt(t, db, "SELECT count(pg_terminate_backend(pid))"+scans); n != 1 {
					t.Errorf("cut %d connections, want 1", n)
				}
			},
			Idle: func(t testing.TB) bool { return queryInt(t, db, "SELECT count(*)"+scans) == 0 },
		}
	}
}

var postgresKind = sourcetest.Kind{
	Store: storePostgres(func(_ testing.TB, dsn, query string, m source.Mapping) (*source.Table, error) {
		return source.Postgres(dsn, query, m)
	}),
	Unit: "row", First: 1, Wide: serverRows,
	NoNUL: true,
}

// genericPostgresKind is PostgreSQL through database/sql, like any database that this package does not know.
var genericPostgresKind = sourcetest.Kind{
	Store: storePostgres(func(t testing.TB, dsn, query string, m source.Mapping) (*source.Table, error) {
		db := openDB(t, "pgx", dsn+"&application_name=owlat-sync")
		db.SetMaxIdleConns(0)
		return source.SQL(db, source.Generic, query, m)
	}),
	Unit: "row", First: 1, Wide: serverRows,
	NoBadText: true, // the driver asks the server for UTF-8, and the server then ends the query
	NoNUL:     true,
}

// mySQL keeps a fixture in MySQL, whose driver the scans have as it was changed.
func mySQL(change func(*mysql.Config)) sourcetest.Kind {
	return sourcetest.Kind{Store: func(t testing.TB, f sourcetest.Fixture) sourcetest.Stored {
		dsn := testdb.MySQL(t)
		db := testdb.OpenMySQL(t, dsn)
		db.SetMaxOpenConns(1)
		mySQLLanguage.fill(t, db, f)
		scans := openMySQL(t, dsn, change)
		const others = " FROM information_schema.processlist WHERE db = database() AND id <> connection_id()"
		return sourcetest.Stored{
			Open: func(t testing.TB, names []string, m source.Mapping) *source.Table {
				t.Helper()
				return must(source.SQL(scans, source.MySQL, query(f, names), m))
			},
			Change: func(t testing.TB) { changeFixture(t, db, f) },
			Break: func(t testing.TB) {
				execute(t, db, fmt.Sprintf("KILL CONNECTION %d", queryInt(t, db, "SELECT id"+others)))
			},
			Idle: func(t testing.TB) bool {
				return scans.Stats().InUse == 0 && queryInt(t, db, "SELECT count(*)"+others) == 0
			},
		}
	},
		Unit: "row", First: 1, Wide: serverRows,
		NoBooleans: true, // tinyint(1)
		NoBadText:  true, // the server converts what it sends to UTF-8
	}
}

var mySQLKind = mySQL(func(*mysql.Config) {})

// storeSQLite keeps a fixture in a SQLite file that is being written in WAL mode.
func storeSQLite(dialect source.Dialect) func(testing.TB, sourcetest.Fixture) sourcetest.Stored {
	return func(t testing.TB, f sourcetest.Fixture) sourcetest.Stored {
		path := filepath.Join(t.TempDir(), "users #1.db")
		db := openDB(t, "sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?_pragma=journal_mode(wal)&_pragma=synchronous(off)")
		sqliteLanguage.fill(t, db, f)
		reader := openDB(t, "sqlite", must(must(sourcedsn.Parse("sqlite:"+path, "")).SQLiteURI()))
		return sourcetest.Stored{
			Open: func(t testing.TB, names []string, m source.Mapping) *source.Table {
				t.Helper()
				return must(source.SQL(reader, dialect, query(f, names), m))
			},
			Change: func(t testing.TB) { changeFixture(t, db, f) },
			Idle:   func(testing.TB) bool { return reader.Stats().InUse == 0 },
		}
	}
}

var sqliteKind = sourcetest.Kind{Store: storeSQLite(source.SQLite), Unit: "row", First: 1, Wide: localRows, NoLoss: true, Doubles: true}

var genericSQLiteKind = sourcetest.Kind{Store: storeSQLite(source.Generic), Unit: "row", First: 1, Wide: localRows, NoLoss: true, Doubles: true}

// files keeps a fixture as the bytes of a file, and counts what is open.
type files struct {
	open   atomic.Int64
	broken atomic.Bool
}

var errCutOff = errors.New("the disk is gone")

// file is one opening of a file that can be cut off.
type file struct {
	io.Reader
	*files
}

func (f file) Read(p []byte) (int, error) {
	if f.broken.Load() {
		return 0, errCutOff
	}
	return f.Reader.Read(p)
}

func (f file) Close() error {
	f.files.open.Add(-1)
	return nil
}

// storeFile keeps a fixture as what write makes of it, packed or not; open makes the source.
func storeFile(packed bool, write func(f sourcetest.Fixture, names []string) []byte,
	open func(source.Opener, source.Mapping) (*source.Table, error),
) func(testing.TB, sourcetest.Fixture) sourcetest.Stored {
	return func(_ testing.TB, f sourcetest.Fixture) sourcetest.Stored {
		all := &files{}
		return sourcetest.Stored{
			Open: func(t testing.TB, names []string, m source.Mapping) *source.Table {
				t.Helper()
				if names == nil {
					for _, c := range f.Columns {
						names = append(names, c.Name)
					}
				}
				content := write(f, names)
				if packed {
					content = gzipped(content)
				}
				return must(open(func() (io.ReadCloser, error) {
					all.open.Add(1)
					return file{bytes.NewReader(content), all}, nil
				}, m))
			},
			Break: func(testing.TB) { all.broken.Store(true) },
			Idle:  func(testing.TB) bool { return all.open.Load() == 0 },
		}
	}
}

func gzipped(content []byte) []byte {
	var b bytes.Buffer
	// Without compression the packed file is as long as the plain one, longer than the buffers on the way.
	w := must(gzip.NewWriterLevel(&b, gzip.NoCompression))
	must(w.Write(content))
	if err := w.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func csvFile(f sourcetest.Fixture, names []string) []byte {
	b := bytes.NewBufferString("\uFEFF")
	w := csv.NewWriter(b)
	w.UseCRLF = true
	if err := w.Write(names); err != nil {
		panic(err)
	}
	for _, row := range f.Rows {
		var fields []string
		for _, value := range row {
			field := fmt.Sprint(value)
			switch v := value.(type) {
			case nil:
				field = ""
			case time.Time:
				field = v.Format(time.RFC3339Nano)
			}
			fields = append(fields, field)
		}
		if err := w.Write(fields); err != nil {
			panic(err)
		}
	}
	w.Flush()
	return b.Bytes()
}

func ndjsonFile(f sourcetest.Fixture, names []string) []byte {
	var b bytes.Buffer
	for _, row := range f.Rows {
		b.WriteByte('{')
		for i, value := range row {
			if i > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, "%q:", names[i])
			if bad, ok := value.(sourcetest.BadText); ok {
				b.WriteString(`"` + strings.ReplaceAll(string(bad), "\x00", `\u0000`) + `"`)
				continue
			}
			b.Write(must(json.Marshal(value)))
		}
		b.WriteString("}\n")
	}
	return b.Bytes()
}

func openCSV(o source.Opener, m source.Mapping) (*source.Table, error) { return source.CSV(o, m) }

var (
	csvKind = sourcetest.Kind{
		Store: storeFile(false, csvFile, openCSV),
		Unit:  "line", First: 2, Untyped: true, NoBinary: true, NoSnapshot: true, Wide: localRows,
	}
	csvGzipKind = sourcetest.Kind{
		Store: storeFile(true, csvFile, openCSV),
		Unit:  "line", First: 2, Untyped: true, NoBinary: true, NoSnapshot: true, Wide: localRows,
	}
	ndjsonKind = sourcetest.Kind{
		Store: storeFile(false, ndjsonFile, source.NDJSON),
		Unit:  "line", First: 1, NoDuplicate: true, NoBinary: true, NoSnapshot: true, Wide: localRows,
	}
	ndjsonGzipKind = sourcetest.Kind{
		Store: storeFile(true, ndjsonFile, source.NDJSON),
		Unit:  "line", First: 1, NoDuplicate: true, NoBinary: true, NoSnapshot: true, Wide: localRows,
	}
)

func TestPostgres(t *testing.T) { sourcetest.Run(t, postgresKind) }
func TestMySQL(t *testing.T)    { sourcetest.Run(t, mySQLKind) }

// TestMySQLInZones has the driver make times, and take the server's for those of a zone.
func TestMySQLInZones(t *testing.T) {
	for _, zone := range []string{"UTC", "America/Sao_Paulo", "Asia/Kolkata"} {
		t.Run(zone, func(t *testing.T) {
			t.Parallel()
			loc := must(time.LoadLocation(zone))
			sourcetest.Run(t, mySQL(func(c *mysql.Config) { c.ParseTime, c.Loc = true, loc }))
		})
	}
}

func TestSQLite(t *testing.T)          { sourcetest.Run(t, sqliteKind) }
func TestGenericPostgres(t *testing.T) { sourcetest.Run(t, genericPostgresKind) }
func TestGenericSQLite(t *testing.T)   { sourcetest.Run(t, genericSQLiteKind) }
func TestCSV(t *testing.T)             { sourcetest.Run(t, csvKind) }
func TestCSVGzip(t *testing.T)         { sourcetest.Run(t, csvGzipKind) }
func TestNDJSON(t *testing.T)          { sourcetest.Run(t, ndjsonKind) }
func TestNDJSONGzip(t *testing.T)      { sourcetest.Run(t, ndjsonGzipKind) }

func TestMemory(t *testing.T) {
	for name, kind := range map[string]sourcetest.Kind{
		"postgres": postgresKind, "mysql": mySQLKind, "sqlite": sqliteKind, "csv": csvKind, "ndjson": ndjsonGzipKind,
	} {
		t.Run(name, func(t *testing.T) { sourcetest.RunMemory(t, kind) })
	}
}
