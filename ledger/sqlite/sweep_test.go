package sqlite

import (
	"fmt"
	"os"
	"testing"

	"owlatsync/ledger"
)

// size returns the sizes of the ledger's file and of its log.
func size(t *testing.T, l *Ledger) (file, log int64) {
	t.Helper()
	for name, into := range map[string]*int64{l.f.Name(): &file, l.f.Name() + "-wal": &log} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		*into = info.Size()
	}
	return file, log
}

// TestADroppedPlanGivesItsRoomBack keeps a large plan and drops it: in small transactions, and with its room back on the disk. A plan
// that a kill left half swept is invisible, and the next run sweeps the rest.
func TestADroppedPlanGivesItsRoomBack(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	l := openIn(t, folder)
	k := takeLock(t, l)
	keep := func(n int) (run int64) {
		t.Helper()
		run, err := k.BeginRun(t.Context(), ledger.Run{Sync: "users"})
		noError(t, err)
		items := make([]ledger.PlanItem, n)
		for i := range items {
			items[i] = ledger.PlanItem{Phase: 5, Order: int64(i % 3), Key: fmt.Sprint(i), Body: make([]byte, 300)}
		}
		noError(t, k.KeepPlan(t.Context(), run, items))
		noError(t, k.EndRun(t.Context(), ledger.Ending{Run: ledger.Run{ID: run, Status: ledger.StatusHeld, PlanForm: 1}}))
		return run
	}
	held := keep(5*sweepBatch + 1)
	other := keep(10)
	commits := 0
	onCommit(t, l, func() bool { commits++; return true })
	run, err := k.BeginRun(t.Context(), ledger.Run{Sync: "users"})
	noError(t, err)
	noError(t, k.EndRun(t.Context(), ledger.Ending{
		Run: ledger.Run{ID: run, Status: ledger.StatusOK}, Settled: map[int64]ledger.Status{held: ledger.StatusApproved},
	}))
	if commits < 7 {
		t.Errorf("the plan went in %d transactions", commits)
	}
	if items, err := collect(l.Plan(t.Context(), held)); err != nil || len(items) > 0 {
		t.Errorf("%d items of a plan that was dropped: %v", len(items), err)
	}
	if items, err := collect(l.Plan(t.Context(), other)); err != nil || len(items) != 10 {
		t.Errorf("%d items of a plan that is held: %v", len(items), err)
	}
	var left int
	noError(t, l.f.Readers.QueryRow("SELECT count(*) FROM plan").Scan(&left))
	if left != 10 {
		t.Errorf("%d items are left in the table", left)
	}
	// As a kill between two transactions leaves it.
	_, err = l.f.Writer.Conn().ExecContext(t.Context(), "UPDATE runs SET status = 'approved' WHERE id = ?", other)
	noError(t, err)
	if items, err := collect(l.Plan(t.Context(), other)); err != nil || len(items) > 0 {
		t.Errorf("%d items of a plan that is half swept: %v", len(items), err)
	}
	_, err = k.BeginRun(t.Context(), ledger.Run{Sync: "users"})
	noError(t, err)
	noError(t, l.f.Readers.QueryRow("SELECT count(*) FROM plan").Scan(&left))
	if left != 0 {
		t.Errorf("the next run has left %d items", left)
	}
	noError(t, k.Release())
	noError(t, l.Close())
	l = openIn(t, folder)
	defer l.Close()
	if file, _ := size(t, l); file > 2<<20 {
		t.Errorf("the file still has %d bytes", file)
	}
}

// TestAnOldLedgerGivesItsRoomBack opens a ledger of an earlier version with much that is free.
func TestAnOldLedgerGivesItsRoomBack(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	l := openIn(t, folder)
	put(t, l, "1")
	name := l.f.Name()
	noError(t, l.Close())
	execFile(t, name, "PRAGMA journal_mode = DELETE; PRAGMA auto_vacuum = NONE; VACUUM; CREATE TABLE heap (a BLOB); "+
		"INSERT INTO heap VALUES (zeroblob(4000000)); DELETE FROM heap; DROP TABLE heap")
	before, err := os.Stat(name)
	noError(t, err)
	l = openIn(t, folder)
	mustHold(t, l, "1")
	mustBeSound(t, l)
	var mode int
	noError(t, l.f.Readers.QueryRow("PRAGMA auto_vacuum").Scan(&mode))
	noError(t, l.Close())
	after, err := os.Stat(name)
	noError(t, err)
	if before.Size() < 4_000_000 || after.Size() > 1<<20 || mode != 2 {
		t.Errorf("%d bytes became %d, auto_vacuum %d", before.Size(), after.Size(), mode)
	}
}
