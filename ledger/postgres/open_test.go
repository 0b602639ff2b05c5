package postgres

import (
	"testing"

	"owlatsync/internal/testdb"
)

func TestOpenCreatesTheSchema(t *testing.T) {
	t.Parallel()
	dsn := testdb.Postgres(t)
	for range 2 {
		d, err := Open(t.Context(), Options{DSN: dsn})
		if err != nil {
			t.Fatal(err)
		}
		d.Close()
	}
	from, to, err := Migrate(t.Context(), Options{DSN: dsn})
	if err != nil || from != len(steps) || to != from {
		t.Errorf("migrated from %d to %d: %v", from, to, err)
	}
}
