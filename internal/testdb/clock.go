package testdb

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"
)

// SetClock makes the clock of PostgreSQL be ahead of this machine's, as the statements of later connections to the database see it; below
// zero: behind. Connections that came after an earlier call see it at once.
func SetClock(t testing.TB, dsn string, ahead time.Duration) {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatalf("parse the database's DSN: %v", err)
	}
	statements := []string{"CREATE SCHEMA IF NOT EXISTS clock_of_tests"}
	for _, name := range []string{"now", "clock_timestamp"} {
		statements = append(statements, fmt.Sprintf(
			"CREATE OR REPLACE FUNCTION clock_of_tests.%s() RETURNS timestamptz LANGUAGE sql VOLATILE AS $$SELECT pg_catalog.%s() + interval '%d milliseconds'$$", name, name, ahead.Milliseconds()))
	}
	// What is named before pg_catalog hides what is in it.
	statements = append(statements, "ALTER DATABASE "+strings.TrimPrefix(u.Path, "/")+" SET search_path = clock_of_tests, pg_catalog, public")
	for _, s := range statements {
		execPostgres(t, dsn, s)
	}
}
