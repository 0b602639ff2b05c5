package room

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"

	"owlatsync/ledger/sqlite"
)

// usedOf returns how many bytes of the ledger's file hold something.
func usedOf(t *testing.T, file string) int64 {
	t.Helper()
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var pages, free, size int64
	if err := db.QueryRow("SELECT * FROM pragma_page_count, pragma_freelist_count, pragma_page_size").Scan(&pages, &free, &size); err != nil {
		t.Fatal(err)
	}
	return (pages - free) * size
}

// TestAContactTakesLittleRoom holds the goal of the measurement for some thousand contacts, beside what an empty ledger takes.
func TestAContactTakesLittleRoom(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	empty := filepath.Join(folder, "empty.db")
	l, err := sqlite.Open(t.Context(), "sqlite", empty)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	const n = 4500 // enough for temporary files
	file := filepath.Join(folder, "ledger.db")
	if _, _, err := firstRun(t.Context(), file, t.TempDir(), n); err != nil {
		t.Fatal(err)
	}
	each := (usedOf(t, file) - usedOf(t, empty)) / n
	t.Logf("%d bytes a contact", each)
	if each > wantBytes || each < 200 {
		t.Errorf("a contact takes %d bytes of the ledger, want at most %d, and not as few as nothing", each, wantBytes)
	}
}

func TestAMissedGoalIsTold(t *testing.T) {
	t.Parallel()
	w := &watch{peak: used{ledger: 500, log: 500, temporary: 1}, log: wantLog + 1}
	s := section(1, w, 500, []part{{"entries", 100}})
	missed := 0
	for _, g := range s.Goals {
		if g.Missed {
			missed++
		}
	}
	if err := s.Check(); err != nil || missed != 3 {
		t.Errorf("%d of 3 goals are missed: %+v, %v", missed, s.Goals, err)
	}
	w = &watch{peak: used{ledger: 400, log: 400}, log: wantLog}
	for _, g := range section(1, w, 400, nil).Goals {
		if g.Missed || strings.Contains(g.What, "%!") {
			t.Errorf("%+v", g)
		}
	}
}
