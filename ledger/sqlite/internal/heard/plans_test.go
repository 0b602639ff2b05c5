package heard

import (
	"database/sql"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	_ "modernc.org/sqlite"
)

// TestQueriesUseTheirIndexes looks at how SQLite finds rows, because a look through all of them would pass other tests.
func TestQueriesUseTheirIndexes(t *testing.T) {
	t.Parallel()
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	for _, name := range []string{"0016_feedback.sql", "0017_refused.sql"} {
		text, err := os.ReadFile(filepath.Join("..", "..", "migrations", name))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.Exec(string(text)); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		query string
		args  []any
		steps []string
		sorts bool
	}{
		"due": {dueDeliveries, []any{"a", 1, 1}, []string{"SEARCH d USING INDEX deliveries_order (target=?)", "SEARCH f USING INTEGER PRIMARY KEY (rowid=?)",
			"SEARCH o USING COVERING INDEX deliveries_person (target=? AND person=? AND id<?)"}, false},
		"next":         {nextDelivery, []any{"a"}, []string{"SEARCH d USING INDEX deliveries_due (target=?)"}, false},
		"counts":       {countDeliveries, nil, []string{"SCAN deliveries USING COVERING INDEX deliveries_dead"}, false},
		"old feedback": {oldFeedback, []any{1, 1}, []string{"SEARCH f USING COVERING INDEX feedback_received (received<?)", "SEARCH deliveries USING INDEX deliveries_feedback (feedback=?)"}, false},
		"old ties":     {oldKnown, []any{1, 1}, []string{"SEARCH known USING COVERING INDEX known_at (at<?)"}, false},
		"erased":       {oldErased, []any{1, 1}, []string{"SEARCH erased USING COVERING INDEX erased_received (received<?)"}, false},
		"latest":       {latest, nil, []string{"SCAN feedback USING INDEX feedback_received"}, false},
		"of a person":  {latestFeedback + ofPerson, []any{1, 1, "", "a"}, []string{"SEARCH feedback USING COVERING INDEX feedback_email (email=?)", "SEARCH feedback USING COVERING INDEX feedback_contact (contact=?)"}, true},
		"ties":         {"SELECT email, contact FROM known WHERE email IN (?, ?)", []any{"a", "b"}, []string{"SEARCH known USING PRIMARY KEY (email=?)"}, false},
		"suppressions": {"SELECT reason FROM suppressions WHERE email IN (?, ?)", []any{"a", "b"}, []string{"SEARCH suppressions USING PRIMARY KEY (email=?)"}, false},
	} {
		rows, err := db.Query("EXPLAIN QUERY PLAN "+c.query, c.args...)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var found []string
		for rows.Next() {
			var id, parent, unused int
			var detail string
			if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
				t.Fatal(err)
			}
			found = append(found, detail)
		}
		if rows.Err() != nil {
			t.Fatal(rows.Err())
		}
		for _, step := range c.steps {
			if !slices.Contains(found, step) {
				t.Errorf("%s: no step %q in %q", name, step, found)
			}
		}
		if sorts := slices.ContainsFunc(found, func(s string) bool { return strings.Contains(s, "TEMP B-TREE FOR ORDER BY") }); sorts && !c.sorts {
			t.Errorf("%s: sorts: %q", name, found)
		}
	}
}
