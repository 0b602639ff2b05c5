package sqlite

import (
	"slices"
	"strings"
	"testing"
	"time"

	"owlatsync/ledger"
)

func TestPruningLetsOthersWrite(t *testing.T) {
	t.Parallel()
	l := openFresh(t)
	records := make([]ledger.Record, 3*pruneBatch+1)
	for i := range records {
		records[i] = rowRecord("1")
	}
	if err := l.Record(t.Context(), records...); err != nil {
		t.Fatal(err)
	}
	commits := 0
	var later <-chan error
	onCommit(t, l, func() bool {
		if commits++; commits == 2 {
			later = recordLater(t.Context(), l, rowRecord("2"))
		}
		return true
	})
	removed, err := l.Prune(t.Context(), time.Now().Add(-time.Microsecond))
	if err != nil || removed != int64(len(records)) {
		t.Errorf("removed %d lines: %v", removed, err)
	}
	if err := <-later; err != nil {
		t.Error(err)
	}
	if commits < 4 {
		t.Errorf("%d lines were removed in %d transactions", len(records), commits)
	}
}

// TestPruningReadsWhatIsOld looks at how SQLite finds the lines, because a look through all of them would pass other tests.
func TestPruningReadsWhatIsOld(t *testing.T) {
	t.Parallel()
	l := openFresh(t)
	var id, parent, unused int
	var detail string
	err := l.readers.QueryRow("EXPLAIN QUERY PLAN SELECT id FROM history WHERE at < ?1 ORDER BY at LIMIT ?2", 1, 1).Scan(&id, &parent, &unused, &detail)
	if err != nil || !strings.Contains(detail, "history_at") {
		t.Errorf("%s: %v", detail, err)
	}
}

// TestHeldRunsAreFoundByTheirIndex looks at how SQLite finds them, because a look through all runs would pass other tests.
func TestHeldRunsAreFoundByTheirIndex(t *testing.T) {
	t.Parallel()
	l := openFresh(t)
	rows, err := l.readers.Query("EXPLAIN QUERY PLAN "+heldRuns, "users")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var steps []string
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			t.Fatal(err)
		}
		steps = append(steps, detail)
	}
	if rows.Err() != nil || !slices.Contains(steps, "SEARCH r USING INDEX runs_held (sync=?)") {
		t.Errorf("%q, %v", steps, rows.Err())
	}
}
