package postgres

import (
	"context"
	"testing"

	"go.uber.org/goleak"

	"owlatsync/internal/testdb"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.Cleanup(migrated.Exit)) }

// migrated is a database with the schema in it.
var migrated = testdb.Template{Prepare: func(ctx context.Context, dsn string) error {
	_, _, err := Migrate(ctx, Options{DSN: dsn})
	return err
}}
