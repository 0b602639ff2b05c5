package source_test

import (
	"path/filepath"
	"syscall"
	"testing"

	"owlatsync/source"
)

// A database in WAL mode that nobody has open, in a folder where nothing can be written.
func TestSQLiteInAReadOnlyFolder(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	if err := syscall.Mount("tmpfs", folder, "tmpfs", 0, "size=4m"); err != nil {
		t.Skipf("mounting a file system is refused: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(folder, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	file := filepath.Join(folder, "app.db")
	db := openDB(t, "sqlite", file)
	execute(t, db, "PRAGMA journal_mode = WAL")
	execute(t, db, "CREATE TABLE users (id int, email text)")
	execute(t, db, "INSERT INTO users VALUES (1, 'a@example.com')")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", folder, "tmpfs", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	table := func(options string) *source.Table {
		return must(source.SQL(openDB(t, "sqlite", "file:"+file+"?mode=ro"+options), source.SQLite, "SELECT id, email FROM users", idAndEmail))
	}
	says(t, fails(t, table(""), nil), "WAL mode", "read a copy", "?immutable=1")
	if rows, err := read(t.Context(), table("&immutable=1")); err != nil || len(rows) != 1 {
		t.Errorf("as a file that nobody writes to: %d rows and %v", len(rows), err)
	}
}
