package sqlite

import (
	"slices"
	"strings"
	"testing"
)

// TestBriefsReadAnIndexAlone looks at how SQLite finds them: with ten thousand runs their records would take a second.
func TestBriefsReadAnIndexAlone(t *testing.T) {
	t.Parallel()
	l := openFresh(t)
	var read []string
	for _, query := range []string{briefs, endless} {
		rows, err := l.f.Readers.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+query, "users", 1, 10)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var id, parent, unused int
			var detail string
			if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(detail, "runs") || strings.Contains(detail, "TEMP B-TREE") { // what packs the rows reads no table
				read = append(read, detail)
			}
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"SEARCH runs USING COVERING INDEX runs_counts (sync=? AND finished>?)", "SEARCH runs USING COVERING INDEX runs_counts (sync=? AND finished=? AND heartbeat>?)"}
	if !slices.Equal(read, want) {
		t.Errorf("%q", read)
	}
}
