package postgres

import (
	"time"

	"owlatsync/ledger/postgres/internal/clock"
)

// Clock goes as PostgreSQL's does, whatever the machine's own says. PostgreSQL is asked when somebody wants to know the time and the latest answer
// is ten seconds old. Its methods are safe for concurrent use.
type Clock = clock.Clock

// Clock returns the clock of the server, by which all ledgers go.
func (d *Database) Clock() *Clock { return d.db.clock }

// Now implements ledger.Clock.
func (b *base) Now() time.Time { return b.db.clock.Now() }
