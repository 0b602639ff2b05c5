package wrap

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"owlatsync/source/internal/pgask"
)

// indexedPostgres looks for the bound in the condition of an index. The server would read a small table as a whole even with an
// index, so sequential scans are turned off.
func indexedPostgres(ctx context.Context, ask pgask.LookUp, query, from string) (bool, error) {
	if _, err := ask(ctx, "SELECT set_config('enable_seqscan', 'off', true)"); err != nil {
		return false, err
	}
	condition := regexp.MustCompile(`>= \(?'?` + regexp.QuoteMeta(from) + `(['+)]|$)`)
	found := false
	err := pgask.VisitPlan(ctx, ask, "EXPLAIN (FORMAT JSON, COSTS OFF) "+query, func(node map[string]any) {
		text, _ := node["Index Cond"].(string)
		found = found || condition.MatchString(text)
	})
	return found, err
}

// smallTable is the most rows of a table that MySQL may read as a whole in spite of an index.
const smallTable = 10_000

// indexedMySQL looks for tables that are read as a whole.
func indexedMySQL(ctx context.Context, ask pgask.LookUp, query, _ string) (bool, error) {
	whole := false
	err := pgask.VisitPlan(ctx, ask, "EXPLAIN FORMAT=JSON "+query, func(node map[string]any) {
		rows, _ := node["rows"].(float64)
		if r, ok := node["rows_examined_per_scan"].(float64); ok {
			rows = r
		}
		if access := node["access_type"]; (access == "ALL" || access == "index") && rows > smallTable {
			whole = true
		}
	})
	return !whole, err
}

// indexedSQLite looks for a search from a value on.
func indexedSQLite(ctx context.Context, ask pgask.LookUp, query, _ string) (bool, error) {
	steps, err := ask(ctx, "EXPLAIN QUERY PLAN "+query)
	if err != nil {
		return false, fmt.Errorf("ask how the query is carried out: %w", err)
	}
	for _, step := range steps {
		if detail := step[len(step)-1]; strings.Contains(detail, "SEARCH") && strings.Contains(detail, ">?)") {
			return true, nil
		}
	}
	return false, nil
}
