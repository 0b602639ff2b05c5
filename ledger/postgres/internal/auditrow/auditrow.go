// Package auditrow keeps who asked for what.
package auditrow

import (
	"context"
	"math"
	"time"

	"github.com/jackc/pgx/v5"

	"owlatsync/ledger"
	"owlatsync/ledger/postgres/internal/pgrow"
)

// Columns are the columns of a line, as Scan reads and Values gives them.
var Columns = []string{"deployment", "number", "at", "who", "way", "what", "sync", "run", "n"}

// Select selects the lines of the deployment.
const Select = "SELECT number, at, who, way, what, sync, run, n FROM @audit WHERE deployment = $1 "

// Scan reads a line.
func Scan(rows pgx.Rows) (line ledger.AuditLine, err error) {
	var at pgrow.Moment
	err = rows.Scan(&line.Number, &at, &line.Who, &line.Way, &line.What, &line.Sync, &line.Run, &line.Count)
	line.At = at.Time
	return line, err
}

// Values are those of a line in the order of Columns.
func Values(deployment int64, line *ledger.AuditLine) []any {
	return []any{deployment, line.Number, line.At.UnixMicro(), []byte(line.Who), string(line.Way), string(line.What), []byte(line.Sync), line.Run, int64(line.Count)}
}

// Note adds a line under the next number.
func Note(t pgrow.Tx, line *ledger.AuditLine) (err error) {
	if err := line.Check(); err != nil {
		return err
	}
	if line.Number, err = t.Number(pgrow.Audit, 1); err != nil {
		return err
	}
	_, err = t.Change("INSERT INTO @audit (deployment, number, at, who, way, what, sync, run, n) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
		Values(0, line)[1:]...)
	return err
}

// Latest returns the latest lines below the number before, newest first. A limit below 1 means no limit, and 0 before from the newest.
func Latest(ctx context.Context, read pgrow.Read, before int64, limit int) (found []ledger.AuditLine, err error) {
	if before == 0 {
		before = math.MaxInt64
	}
	err = read(ctx, Select+"AND number < $2 ORDER BY number DESC LIMIT $3", []any{before, pgrow.Limit(limit)}, func(rows pgx.Rows) error {
		line, err := Scan(rows)
		found = append(found, line)
		return err
	})
	return found, err
}

// Prune removes a batch of lines from before the time.
func Prune(t pgrow.Tx, before time.Time, batch int) (n int64, more bool, err error) {
	n, err = t.Change(`DELETE FROM @audit WHERE deployment = $1 AND number IN
		(SELECT number FROM @audit WHERE deployment = $1 AND at < $2 ORDER BY at LIMIT $3)`, before.UnixMicro(), batch)
	return n, n == int64(batch), err
}
