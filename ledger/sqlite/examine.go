package sqlite

import (
	"context"

	"owlatsync/ledger"
	"owlatsync/ledger/sqlite/internal/dbfile"
)

// Examine tells whether Open and a run would accept the ledger at path, without creating, migrating or changing it. It
// reads the whole file to find damage, and tries with a file that it removes again whether the folder can be written. The
// error matches the same sentinels as that of Open.
func Examine(ctx context.Context, driver, path string) (ledger.Condition, error) {
	return dbfile.Examine(ctx, driver, path, migrations)
}
