package pages

import (
	"path/filepath"
	"testing"

	_ "modernc.org/sqlite"

	"owlatsync"
	"owlatsync/ledger/sqlite"
)

// TestFill: what is measured is over what it says.
func TestFill(t *testing.T) {
	t.Parallel()
	l, err := sqlite.Open(t.Context(), "sqlite", filepath.Join(t.TempDir(), "ledger.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	if err := fill(t.Context(), l, Size{Entries: 2000, Runs: 50, Decisions: 300, Audit: 10}); err != nil {
		t.Fatal(err)
	}
	standing, err := l.Standing(t.Context(), syncName)
	if err != nil || standing.Entries != 2000 || standing.Failing != 2 || standing.OptedOut != 2 {
		t.Errorf("%+v, %v", standing, err)
	}
	briefs, err := l.Briefs(t.Context(), syncName, l.Now().Add(-window-1), 0)
	if err != nil || len(briefs) != 50 || briefs[0].Of(owlatsync.Created) != 7 {
		t.Errorf("%d briefs, %v", len(briefs), err)
	}
	lines, err := l.Changes(t.Context(), 0, 0)
	if err != nil || len(lines) != 300 {
		t.Errorf("%d lines, %v", len(lines), err)
	}
	audit, err := l.AuditLines(t.Context(), 0, 0)
	if err != nil || len(audit) != 10 {
		t.Errorf("%d audit lines, %v", len(audit), err)
	}
}
