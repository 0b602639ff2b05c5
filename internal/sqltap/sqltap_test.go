package sqltap_test

import (
	"database/sql"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"modernc.org/sqlite"

	"owlatsync/internal/sqltap"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestTap(t *testing.T) {
	var seen []string
	failBefore, failAfter := errors.New("failed before"), errors.New("failed after")
	sql.Register("tapped", sqltap.Driver(new(sqlite.Driver), func(name string) sqltap.Tap {
		if strings.Contains(name, "other") {
			return nil
		}
		return func(query string, run func() error) error {
			seen = append(seen, query)
			switch {
			case strings.Contains(query, "'before'"):
				return failBefore
			case strings.Contains(query, "'after'"):
				return errors.Join(run(), failAfter)
			}
			return run()
		}
	}))
	folder := t.TempDir()
	for _, name := range []string{"tapped.db", "other.db"} {
		db, err := sql.Open("tapped", filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		db.SetMaxOpenConns(1)
		if _, err := db.Exec("CREATE TABLE t (v TEXT)"); err != nil {
			t.Fatal(err)
		}
		var errs []error
		for _, v := range []string{"before", "after", "plain"} {
			_, err := db.Exec("INSERT INTO t VALUES ('" + v + "')")
			errs = append(errs, err)
		}
		prepared, err := db.Prepare("INSERT INTO t VALUES (?)")
		if err != nil {
			t.Fatal(err)
		}
		defer prepared.Close()
		if _, err := prepared.Exec("prepared"); err != nil {
			t.Fatal(err)
		}
		var all string
		if err := db.QueryRow("SELECT group_concat(v) FROM (SELECT v FROM t ORDER BY rowid)").Scan(&all); err != nil {
			t.Fatal(err)
		}
		tapped := name == "tapped.db"
		if tapped != errors.Is(errs[0], failBefore) || tapped != errors.Is(errs[1], failAfter) || errs[2] != nil {
			t.Errorf("%s: errors %v", name, errs)
		}
		if want := map[bool]string{true: "after,plain,prepared", false: "before,after,plain,prepared"}[tapped]; all != want {
			t.Errorf("%s holds %s, want %s", name, all, want)
		}
	}
	want := []string{"CREATE TABLE t (v TEXT)", "INSERT INTO t VALUES ('before')", "INSERT INTO t VALUES ('after')", "INSERT INTO t VALUES ('plain')", "INSERT INTO t VALUES (?)"}
	if !slices.Equal(seen, want) {
		t.Errorf("the tap saw %q, want %q", seen, want)
	}
}
