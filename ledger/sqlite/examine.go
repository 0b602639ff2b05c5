package sqlite

import (
	"context"

	"owlatsync/ledger"
	"owlatsync/ledger/sqlite/internal/dbfile"
)

// Examine tells whether Open and a run would accept the ledger at path. It does not create, migrate or change the ledger. It reads
// the whole file to find damage, and tests with a temporary file whether the folder can be written. The error matches the same
// sentinels as that of Open.
func Examine(ctx context.Context, driver, path string) (ledger.Condition, error) {
	return dbfile.Examine(ctx, driver, path, migrations)
}

// Migrations tells the migrations that Open would make with the ledger at path. It changes nothing.
func Migrations(ctx context.Context, driver, path string) (ledger.Migrations, error) {
	return dbfile.Migrations(ctx, driver, path, migrations)
}
