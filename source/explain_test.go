package source_test

import (
	"os"
	"path/filepath"
	"testing"

	"owlatsync/internal/testdb"
	"owlatsync/source"
)

func TestReservedTables(t *testing.T) {
	t.Parallel()
	my := testdb.OpenMySQL(t, testdb.MySQL(t))
	says(t, fails(t, must(source.SQL(my, source.MySQL, "SELECT id, email FROM order", idAndEmail)), nil), "order is a word of SQL", "`order`")
	lite := openDB(t, "sqlite", filepath.Join(t.TempDir(), "app.db"))
	says(t, fails(t, must(source.SQL(lite, source.SQLite, "SELECT id, email FROM group", idAndEmail)), nil), "group is a word of SQL", `"group"`)
}

func TestSQLiteSaysWhatToDo(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	query := func(file, options string) *source.Table {
		db := openDB(t, "sqlite", "file:"+filepath.Join(folder, file)+"?mode=ro"+options)
		return must(source.SQL(db, source.SQLite, "SELECT id, email FROM users", idAndEmail))
	}
	writer := openDB(t, "sqlite", filepath.Join(folder, "locked.db"))
	writer.SetMaxOpenConns(1)
	execute(t, writer, "CREATE TABLE users (id int, email text)")
	execute(t, writer, "BEGIN EXCLUSIVE")
	says(t, fails(t, query("locked.db", ""), nil), "another program holds the database for writing", "read a copy")
	execute(t, writer, "ROLLBACK")

	if err := os.WriteFile(filepath.Join(folder, "other.db"), []byte("id,email\n1,a@example.com\n"+string(make([]byte, 1000))), 0o600); err != nil {
		t.Fatal(err)
	}
	says(t, fails(t, query("other.db", ""), nil), "not a database", "encrypted")
	says(t, fails(t, query("nothing.db", ""), nil), "cannot open the file")
}
