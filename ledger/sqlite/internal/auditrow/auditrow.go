// Package auditrow keeps who asked for what.
package auditrow

import (
	"context"
	"database/sql"
	"math"
	"time"

	"owlatsync/ledger"
	"owlatsync/ledger/internal/entry"
	"owlatsync/ledger/sqlite/internal/dbfile"
)

// Columns are the columns that Scan reads.
const Columns = "id, at, who, way, what, sync, run, n"

// Scan reads a line.
func Scan(rows *sql.Rows) (line ledger.AuditLine, err error) {
	var at sql.NullInt64
	err = rows.Scan(&line.Number, &at, &line.Who, &line.Way, &line.What, &line.Sync, &line.Run, &line.Count)
	line.At = entry.TimeOf(at)
	return line, err
}

// Add adds a line under its number; 0 means the next.
func Add(t dbfile.Tx, line *ledger.AuditLine) error {
	return t.Exec("INSERT INTO audit ("+Columns+") VALUES (nullif(?1, 0), ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
		line.Number, line.At.UnixMicro(), line.Who, string(line.Way), string(line.What), line.Sync, line.Run, line.Count)
}

// Load adds a line to a ledger that is being filled. It fails with ledger.ErrContradiction unless its number is larger than all before.
func Load(t dbfile.Tx, line *ledger.AuditLine) error {
	if line.Number != 0 {
		var later bool
		if err := t.Row("SELECT ?1 > coalesce((SELECT max(id) FROM audit), 0)", []any{line.Number}, &later); err != nil {
			return err
		}
		if !later {
			return ledger.ErrContradiction
		}
	}
	return Add(t, line)
}

// Latest returns the latest lines below the number before, newest first. A limit below 1 means no limit, and 0 before from the newest.
func Latest(ctx context.Context, file *dbfile.File, before int64, limit int) (found []ledger.AuditLine, err error) {
	if limit < 1 {
		limit = -1
	}
	if before == 0 {
		before = math.MaxInt64
	}
	err = file.Query(ctx, "SELECT "+Columns+" FROM audit WHERE id < ?1 ORDER BY id DESC LIMIT ?2", []any{before, limit}, func(rows *sql.Rows) error {
		line, err := Scan(rows)
		found = append(found, line)
		return err
	})
	return found, err
}

// Prune removes a batch of lines from before the time.
func Prune(t dbfile.Tx, before time.Time, batch int) (n int64, more bool, err error) {
	n, err = t.Affect("DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE at < ?1 ORDER BY at LIMIT ?2)", before.UnixMicro(), batch)
	return n, n == int64(batch), err
}
