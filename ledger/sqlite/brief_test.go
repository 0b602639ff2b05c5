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
	rows, err := l.f.Readers.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+briefs, "users", 1, 10)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var read []string
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(detail, " runs ") {
			read = append(read, detail)
		}
	}
	want := []string{"SEARCH runs USING COVERING INDEX runs_counts (sync=? AND finished>?)", "SEARCH runs USING COVERING INDEX runs_counts (sync=? AND finished=? AND heartbeat>?)"}
	if err := rows.Err(); err != nil || !slices.Equal(read, want) {
		t.Errorf("%q, %v", read, err)
	}
}
