package sqlite

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"owlatsync/ledger"
	"owlatsync/ledger/sqlite/internal/dbfile"
)

// execFile runs statements on a file without this package.
func execFile(t *testing.T, file string, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", dbfile.URI(file))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func readFile(t *testing.T, file string) []byte {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func put(t *testing.T, l *Ledger, keys ...string) {
	t.Helper()
	under(t, l, func(k *lock) error {
		for _, key := range keys {
			address := key + "@example.com"
			err := k.Record(t.Context(), ledger.Record{Sync: "users", Run: 1, Event: "created", Note: "as planned", Entry: &ledger.Entry{
				Key: key, ContactID: "contact " + key, Email: address, Identity: address, Fingerprint: ledger.Fingerprint{Hi: 1, Lo: 2},
			}})
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// keysOf returns how many of the keys have an entry, by way of the index and of the entries.
func mustHold(t *testing.T, l *Ledger, keys ...string) {
	t.Helper()
	found, err := l.Entries(t.Context(), "users", keys)
	if err != nil || len(found) != len(keys) {
		t.Errorf("of %d entries %d are there: %v", len(keys), len(found), err)
	}
	hashes := make(map[uint64]bool)
	for e, err := range l.Index(t.Context(), "users") {
		if err != nil {
			t.Fatal(err)
		}
		hashes[e.KeyHash] = true
	}
	for _, key := range keys {
		if !hashes[ledger.HashText(key)] {
			t.Errorf("the index lacks %q", key)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		given func(t *testing.T, file string) // prepares the file
		want  error
	}{
		{"text", func(t *testing.T, file string) {
			if err := os.WriteFile(file, bytes.Repeat([]byte("id,email\n"), 1000), 0o600); err != nil {
				t.Fatal(err)
			}
		}, ledger.ErrNotLedger},
		{"a few bytes", func(t *testing.T, file string) {
			if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, ledger.ErrNotLedger},
		{"a short text", func(t *testing.T, file string) {
			if err := os.WriteFile(file, bytes.Repeat([]byte("x"), 2000), 0o600); err != nil {
				t.Fatal(err)
			}
		}, ledger.ErrNotLedger},
		{"another program's database", func(t *testing.T, file string) {
			execFile(t, file, "CREATE TABLE users (id INTEGER, email TEXT)", "INSERT INTO users VALUES (1, 'a@example.com')")
		}, ledger.ErrNotLedger},
		{"another program's marked database", func(t *testing.T, file string) {
			execFile(t, file, "PRAGMA application_id = 7")
		}, ledger.ErrNotLedger},
		{"another program's numbered database", func(t *testing.T, file string) {
			execFile(t, file, "PRAGMA user_version = 1")
		}, ledger.ErrNotLedger},
		{"a newer ledger", func(t *testing.T, file string) {
			l := openIn(t, filepath.Dir(file))
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			execFile(t, file, "PRAGMA user_version = 1000")
		}, ledger.ErrNewer},
		{"a folder", func(t *testing.T, file string) {
			if err := os.Mkdir(file, 0o700); err != nil {
				t.Fatal(err)
			}
		}, ledger.ErrNotLedger},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "ledger.db")
			c.given(t, file)
			info, err := os.Stat(file)
			if err != nil {
				t.Fatal(err)
			}
			var before []byte
			if info.Mode().IsRegular() {
				before = readFile(t, file)
			}
			if _, err := Examine(t.Context(), "sqlite", file); !errors.Is(err, c.want) || !strings.Contains(err.Error(), file) {
				t.Errorf("examined: %v", err)
			}
			l, err := Open(t.Context(), "sqlite", file)
			if l != nil || !errors.Is(err, c.want) {
				t.Fatalf("opened %v: %v", l, err)
			}
			if !strings.Contains(err.Error(), file) {
				t.Errorf("the error does not name the file: %v", err)
			}
			if before != nil && !bytes.Equal(before, readFile(t, file)) {
				t.Error("the file was changed")
			}
		})
	}
}

func TestOpenWithoutPlace(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	if _, err := Open(t.Context(), "sqlite", filepath.Join(folder, "missing", "ledger.db")); !errors.Is(err, ledger.ErrNoFolder) {
		t.Errorf("in a missing folder: %v", err)
	}
	if _, err := Open(t.Context(), "sqlite", ""); err == nil || !strings.Contains(err.Error(), "give the ledger a path") {
		t.Errorf("without a path: %v", err)
	}
	file := filepath.Join(folder, "ledger.db")
	if _, err := Open(t.Context(), "no such driver", file); err == nil || !strings.Contains(err.Error(), "no such driver") {
		t.Errorf("with an unknown driver: %v", err)
	}
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an unknown driver left a file: %v", err)
	}
}

func TestOpenEmptyFile(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "ledger.db"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	l := openIn(t, folder)
	put(t, l, "1")
	mustHold(t, l, "1")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestANewLedgerIsAsMigrationsMakeIt: a new file gets all tables at once, one that has none of them yet gets them one migration after another.
func TestANewLedgerIsAsMigrationsMakeIt(t *testing.T) {
	t.Parallel()
	schemaOf := func(folder string) (lines []string) {
		t.Helper()
		l := openIn(t, folder)
		defer l.Close()
		for _, query := range []string{
			"SELECT name, coalesce(sql, '') FROM sqlite_master ORDER BY name", "SELECT version_id, is_applied FROM goose_db_version ORDER BY id",
			"SELECT * FROM pragma_application_id, pragma_user_version", "SELECT auto_vacuum, '' FROM pragma_auto_vacuum",
		} {
			noError(t, l.f.Query(t.Context(), query, nil, func(rows *sql.Rows) error {
				var a, b string
				err := rows.Scan(&a, &b)
				lines = append(lines, a+" "+b)
				return err
			}))
		}
		return lines
	}
	migrated := t.TempDir()
	execFile(t, filepath.Join(migrated, "ledger.db"), "PRAGMA auto_vacuum = INCREMENTAL", fmt.Sprintf("PRAGMA application_id = %d", 0x4f776c53))
	if diff := cmp.Diff(schemaOf(migrated), schemaOf(t.TempDir())); diff != "" {
		t.Errorf("the schema (-migrated +new):\n%s", diff)
	}
}

func TestOpenOddNames(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"a b.db", "a?mode=memory", "a%41.db", "a#b.db", "ä😀.db", "a&b=c", "ledger", ":memory:", "file:x"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), name)
			for range 2 {
				l, err := Open(t.Context(), "sqlite", path)
				if err != nil {
					t.Fatal(err)
				}
				if l.Path() != path {
					t.Errorf("path %q", l.Path())
				}
				put(t, l, "1")
				if err := l.Close(); err != nil {
					t.Fatal(err)
				}
			}
			info, err := os.Stat(path)
			if err != nil || info.Size() == 0 {
				t.Errorf("the ledger is elsewhere: %v", err)
			}
		})
	}
}

func TestFilesAreTheOwners(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("files have no permission bits on Windows")
	}
	folder := t.TempDir()
	l := openIn(t, folder)
	defer l.Close()
	put(t, l, "1")
	takeLock(t, l)
	files, err := os.ReadDir(folder)
	if err != nil || len(files) < 3 {
		t.Fatalf("%d files: %v", len(files), err)
	}
	for _, f := range files {
		if info, err := f.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has the mode %v: %v", f.Name(), info.Mode(), err)
		}
	}
}

func TestOneLockForAllNames(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	link := filepath.Join(folder, "link.db")
	l := openIn(t, folder)
	defer l.Close()
	if err := os.Symlink("ledger.db", link); err != nil {
		t.Skipf("no symbolic links here: %v", err)
	}
	other, err := Open(t.Context(), "sqlite", link)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	takeLock(t, l)
	if _, err := other.Acquire(t.Context(), ledger.Claim{Purpose: "a second run"}); !errors.Is(err, ledger.ErrLocked) {
		t.Errorf("two runs on one file: %v", err)
	}
}

func TestOpenedAtOnceByMany(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Go(func() {
			l, err := Open(t.Context(), "sqlite", filepath.Join(folder, "ledger.db"))
			if err != nil {
				t.Errorf("open: %v", err)
				return
			}
			k, err := l.Acquire(t.Context(), ledger.Claim{Purpose: "one of many", Wait: true})
			if err != nil {
				t.Errorf("acquire: %v", err)
				return
			}
			if err := k.Record(t.Context(), rowRecord(string(rune('a'+i)))); err != nil {
				t.Errorf("record: %v", err)
			}
			if err := l.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		})
	}
	wg.Wait()
	l := openIn(t, folder)
	defer l.Close()
	mustHold(t, l, "a", "b", "c", "d", "e", "f")
}

func TestConnectionsHaveTheirSettings(t *testing.T) {
	t.Parallel()
	l := openFresh(t)
	put(t, l, "1")
	one := func(q interface{ QueryRow(string, ...any) *sql.Row }, pragma string) (value string) {
		if err := q.QueryRow("PRAGMA " + pragma).Scan(&value); err != nil {
			t.Fatal(err)
		}
		return value
	}
	for range 3 {
		tx, err := l.f.Streams.Begin()
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Rollback()
		if one(tx, "query_only") != "1" || one(tx, "journal_mode") != "wal" {
			t.Error("a reader could write")
		}
	}
	var sync string
	if err := l.f.Writer.Conn().QueryRowContext(t.Context(), "PRAGMA synchronous").Scan(&sync); err != nil || sync != "2" {
		t.Errorf("after a record synchronous is %s: %v", sync, err)
	}
	if _, err := l.f.Readers.Exec("DELETE FROM entries"); err == nil {
		t.Error("a reader wrote")
	}
}
