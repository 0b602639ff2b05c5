// Package historyrow is how the ledger in PostgreSQL keeps a line of the history of a row, and finds it.
package historyrow

import (
	"owlatsync/ledger"
	"owlatsync/ledger/postgres/internal/pgrow"

	"github.com/jackc/pgx/v5"
)

// The first argument of each statement is the deployment.
const (
	wanted  = "SELECT h.number, s.name, h.key, h.at, h.run, h.event, h.note FROM "
	columns = wanted + "@history h JOIN @syncs s ON s.id = h.sync WHERE h.deployment = $1"
	byOrder = " ORDER BY h.number"

	// All finds all lines.
	All = columns + byOrder
	// OfRow finds those of a row: the sync's name, the key and its head.
	OfRow = columns + " AND h.sync = (SELECT id FROM @syncs WHERE deployment = $1 AND name = $2) AND substring(h.key FROM 1 FOR 64) = $4 AND h.key = $3" + byOrder
	// After finds those after a number, at most so many.
	After = columns + " AND h.number > $2" + byOrder + " LIMIT $3"
	// OfRun finds those of a run: its number, after which line, the key or an empty one, the events or none, at most so many. It looks no further
	// than some line of an hour before the run, and one after it, with an hour more on each side, because the clock may have been set.
	OfRun = wanted + `(SELECT * FROM @history l WHERE l.deployment = $1 AND l.run = $2
			AND l.number > greatest($3, (SELECT number FROM @history WHERE deployment = $1
				AND at / 3600000000 < (SELECT started FROM @runs WHERE deployment = $1 AND id = $2) / 3600000000 - 1 ORDER BY at / 3600000000 DESC LIMIT 1))
			AND l.number < coalesce((SELECT number FROM @history WHERE deployment = $1
				AND at / 3600000000 > (SELECT finished FROM @runs WHERE deployment = $1 AND id = $2) / 3600000000 + 1 ORDER BY at / 3600000000 LIMIT 1), 9223372036854775807)
			AND ($4 = ''::bytea OR l.key = $4) AND (cardinality($5::bytea[]) = 0 OR l.event = ANY ($5::bytea[])) ORDER BY l.number LIMIT $6) h
		JOIN @syncs s ON s.id = h.sync` + byOrder
)

// Scan reads a line.
func Scan(rows pgx.Rows) (line ledger.HistoryLine, err error) {
	var at pgrow.Moment
	err = rows.Scan(&line.Number, &line.Sync, &line.Key, &at, &line.Run, &line.Event, &line.Note)
	line.At = at.Time
	return line, err
}
