package sqlite

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"owlatsync/ledger"
	"owlatsync/ledger/internal/entry"
)

func TestPruningLetsOthersWrite(t *testing.T) {
	t.Parallel()
	l := openFresh(t)
	records := make([]ledger.Record, 3*pruneBatch+1)
	for i := range records {
		records[i] = rowRecord("1")
	}
	k := takeLock(t, l)
	if err := k.Record(t.Context(), records...); err != nil {
		t.Fatal(err)
	}
	commits := 0
	var later <-chan error
	onCommit(t, l, func() bool {
		if commits++; commits == 2 {
			later = recordLater(t.Context(), k, rowRecord("2"))
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

// steps tells how SQLite carries out a query.
func steps(t *testing.T, l *Ledger, query string, args ...any) (steps []string) {
	t.Helper()
	rows, err := l.f.Readers.Query("EXPLAIN QUERY PLAN "+query, args...)
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
		steps = append(steps, detail)
	}
	if rows.Err() != nil {
		t.Fatal(rows.Err())
	}
	return steps
}

// TestQueriesUseTheirIndexes looks at how SQLite finds rows, because a look through all of them would pass other tests.
func TestQueriesUseTheirIndexes(t *testing.T) {
	t.Parallel()
	l := openFresh(t)
	for name, c := range map[string]struct {
		query string
		args  []any
		step  string
	}{
		"old lines":      {oldLines, []any{1, 1}, "SEARCH history USING INDEX history_hour (<expr><?)"},
		"held runs":      {heldRuns, []any{"users"}, "SEARCH r USING INDEX runs_held (sync=?)"},
		"latest runs":    {latestRuns, []any{1, "users"}, "SEARCH r USING INDEX runs_made (sync=?)"},
		"runs since":     {runsSince, []any{1, "users", 1}, "SEARCH r USING INDEX runs_counts (sync=? AND finished>?)"},
		"old runs":       {oldRuns, []any{1, 1}, "SEARCH r USING INDEX runs_started (started<?)"},
		"a sync's last":  {oldRuns, []any{1, 1}, "SEARCH runs USING INDEX runs_sync (sync=?)"},
		"run that died":  {"UPDATE runs SET status = 'died' WHERE status = 'running'", nil, "SCAN runs USING INDEX runs_running"},
		"its plan":       {"DELETE FROM plan WHERE run IN (SELECT id FROM runs WHERE status = 'running')", nil, "SCAN runs USING COVERING INDEX runs_running"},
		"queued runs":    {queuedRuns, nil, "SCAN r USING INDEX runs_queued"},
		"same queued":    {sameQueued, []any{1, nil, false, 0, "run"}, "SCAN runs USING INDEX runs_queued"},
		"waiting runs":   {diedRuns + "sync = ?3 AND status = 'waiting'", []any{"died", "", 1}, "SEARCH runs USING INDEX runs_waiting (sync=?)"},
		"failed ids":     {fmt.Sprintf(failedByID, entry.Places(retryBatch)), numbers(retryBatch, "users"), "SEARCH e USING INTEGER PRIMARY KEY (rowid=?)"},
		"failed keys":    {fmt.Sprintf(failedByKey, entry.Places(retryBatch)), numbers(retryBatch, "users"), "SEARCH e USING INDEX sqlite_autoindex_entries_1 (sync=? AND key=?)"},
		"entries":        {entriesQuery(entry.MaxParameters), append([]any{"users"}, numbers(entry.MaxParameters)...), "SEARCH e USING INDEX sqlite_autoindex_entries_1 (sync=? AND key=?)"},
		"sharers":        {sharersQuery(entry.MaxParameters), append(numbers(entry.MaxParameters), numbers(entry.MaxParameters)...), "SEARCH e USING INDEX entries_contact (<expr>=?)"},
		"numbered":       {entry.NumberedQuery(entry.PageSize), numbers(entry.PageSize, "users"), "SEARCH e USING INTEGER PRIMARY KEY (rowid=?)"},
		"departed":       {entry.PageQuery(entry.DepartedBefore), []any{"users", "keep", "", 0}, "SEARCH e USING INDEX entries_departed (sync=? AND departed>? AND departed<?)"},
		"departed too":   {entry.PageQuery(entry.DepartedAfter), []any{"users", "keep", "", 0}, "SEARCH e USING INDEX entries_departed (sync=? AND departed>?)"},
		"doubts":         {entry.PageQuery(entry.OpenEntries), []any{"users", 0, entry.Open}, "SEARCH e USING INDEX entries_open (sync=? AND state=? AND rowid>?)"},
		"one run":        {"SELECT " + runColumns + fromRuns + "WHERE r.id = ?1", []any{1}, "SEARCH r USING INTEGER PRIMARY KEY (rowid=?)"},
		"running runs":   {"SELECT id FROM runs WHERE status = 'running'", nil, "SCAN runs USING COVERING INDEX runs_running"},
		"failed rows":    {failedRows, []any{"users", entry.Failing}, "SEARCH entries USING COVERING INDEX entries_open (sync=? AND state>?)"},
		"changes":        {"SELECT " + historyColumns + fromHistory + changesAfter, []any{1, 1}, "SEARCH h USING INTEGER PRIMARY KEY (rowid>?)"},
		"lines of a run": {"SELECT " + historyColumns + fromHistory + linesOfRun, []any{1, 0, "", "[]", 1}, "SEARCH h USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"},
		"a held plan":    {"SELECT key FROM plan WHERE run = ?1 ORDER BY phase, ord, seq LIMIT ?2", []any{1, 1}, "SEARCH plan USING PRIMARY KEY (run=?)"},
		"the blank one":  {"SELECT id FROM history WHERE sync = 0 AND id < (SELECT max(id) FROM history)", nil, "SEARCH history USING COVERING INDEX history_key (sync=?)"},
	} {
		found := steps(t, l, c.query, c.args...)
		if !slices.Contains(found, c.step) && !slices.Contains(found, strings.Replace(c.step, "SCAN", "SEARCH", 1)) || slices.Contains(found, "USE TEMP B-TREE FOR ORDER BY") {
			t.Errorf("%s: %q", name, found)
		}
	}
}

// numbers returns n arguments, and others after them.
func numbers(n int, others ...any) (args []any) {
	for i := range n {
		args = append(args, fmt.Sprint(i))
	}
	return append(args, others...)
}
