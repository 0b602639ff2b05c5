package testdb_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"owlatsync/internal/testdb"
)

func TestPostgresIsPrivateAndDropped(t *testing.T) {
	var first, second string
	t.Run("in use", func(t *testing.T) {
		first, second = testdb.Postgres(t), testdb.Postgres(t)
		if first == second {
			t.Error("two calls gave the same database")
		}
		if err := testdb.PingPostgres(t.Context(), first); err != nil {
			t.Error(err)
		}
	})
	if first == "" {
		t.Skip("no server")
	}
	if err := testdb.PingPostgres(t.Context(), first); err == nil || !strings.Contains(err.Error(), "does not exist") {
		t.Errorf("after the test: %v, want a database that does not exist", err)
	}
}

func TestMySQLIsPrivateAndDropped(t *testing.T) {
	var first, second string
	t.Run("in use", func(t *testing.T) {
		first, second = testdb.MySQL(t), testdb.MySQL(t)
		if first == second {
			t.Error("two calls gave the same database")
		}
		if err := testdb.OpenMySQL(t, first).PingContext(t.Context()); err != nil {
			t.Error(err)
		}
	})
	if first == "" {
		t.Skip("no server")
	}
	if err := testdb.PingMySQL(t.Context(), first); err == nil || !strings.Contains(err.Error(), "Unknown database") {
		t.Errorf("after the test: %v, want an unknown database", err)
	}
}

func TestWithoutServer(t *testing.T) {
	for _, test := range []struct{ ci, want string }{
		{"", "skipped: OWLATSYNC_TEST_%s is not set; `make test` starts a server for this test"},
		{"true", "failed: OWLATSYNC_TEST_%s is not set, and CI=true allows no skipping; run `make test`"},
	} {
		t.Run("CI="+test.ci, func(t *testing.T) {
			t.Setenv("CI", test.ci)
			t.Setenv(testdb.PostgresVariable, "")
			t.Setenv(testdb.MySQLVariable, "")
			if got, want := verdict(t, func(t testing.TB) { testdb.Postgres(t) }), fmt.Sprintf(test.want, "POSTGRES"); got != want {
				t.Errorf("PostgreSQL: %q, want %q", got, want)
			}
			if got, want := verdict(t, func(t testing.TB) { testdb.MySQL(t) }), fmt.Sprintf(test.want, "MYSQL"); got != want {
				t.Errorf("MySQL: %q, want %q", got, want)
			}
		})
	}
}

// recorder notes how a test ended.
type recorder struct {
	testing.TB
	verdict string
}

func (r *recorder) Helper() {}

func (r *recorder) Skipf(format string, args ...any) { r.end("skipped: ", format, args) }

func (r *recorder) Fatalf(format string, args ...any) { r.end("failed: ", format, args) }

func (r *recorder) end(how, format string, args []any) {
	r.verdict = how + fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func verdict(t *testing.T, f func(testing.TB)) string {
	r := &recorder{TB: t, verdict: "ran on"}
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(r)
	}()
	<-done
	return r.verdict
}
