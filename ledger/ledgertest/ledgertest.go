// Package ledgertest checks that a ledger keeps the contracts of package ledger. Every implementation runs it in its tests.
package ledgertest

import (
	"io"
	"iter"
	"testing"

	"owlatsync/ledger"
	"owlatsync/ledger/ledgertest/internal/departures"
	"owlatsync/ledger/ledgertest/internal/kit"
	"owlatsync/ledger/ledgertest/internal/service"
)

// Ledger is a ledger that can be closed and opened again, and whose lock can be lost.
type Ledger interface {
	ledger.Store
	io.Closer
	// LoseLock takes the lock from its holder without telling it, like a lease that runs out while its holder is frozen.
	LoseLock() error
}

// Open opens the ledger of a folder, and fails the test if it cannot. The same folder means the same ledger, in another process
// too, and different folders mean different ledgers. The folder exists, and an implementation may keep files in it.
type Open func(t testing.TB, folder string) Ledger

// Run runs the suite. It starts further processes of the test binary. So the test that calls it must reach the same call when it
// runs alone, and must not be skipped there.
func Run(t *testing.T, open Open) {
	RunInProcess(t, open)
	t.Run("Processes", func(t *testing.T) {
		t.Parallel()
		testProcesses(t, open)
	})
	t.Run("Traces", func(t *testing.T) {
		t.Parallel()
		testTraces(t, open)
	})
}

// RunInProcess runs the suite for ledgers that end with the process. It leaves out the tests with further processes and the search
// for every trace of a forgotten person.
func RunInProcess(t *testing.T, open Open) {
	for _, c := range []struct {
		name string
		test func(*testing.T, Open)
	}{
		{"Entry", testEntry},
		{"Record", testRecord},
		{"Index", testIndex},
		{"All", testAll},
		{"Holders", testHolders},
		{"Sharers", testSharers},
		{"Remove", testRemove},
		{"Syncs", testSyncs},
		{"History", testHistory},
		{"Changes", testChanges},
		{"Prune", testPrune},
		{"OptOuts", inService(service.OptOuts)},
		{"Queue", inService(service.Queue)},
		{"Turns", inService(service.Turns)},
		{"Dismissed", inService(service.Dismissed)},
		{"LinesOfRun", inService(service.LinesOfRun)},
		{"Briefs", inService(service.Briefs)},
		{"PlanParts", inService(service.PlanParts)},
		{"Mailbox", inService(service.Mailbox)},
		{"Suppress", inService(service.Suppress)},
		{"Outbox", inService(service.Outbox)},
		{"DeparturesOnce", inService(service.DeparturesOnce)},
		{"Rounds", inService(service.Rounds)},
		{"Audit", inService(service.Audit)},
		{"Retry", testRetry},
		{"ForgetPerson", testForgetPerson},
		{"Snapshot", testSnapshot},
		{"Load", testLoad},
		{"Deployment", testDeployment},
		{"Runs", testRuns},
		{"BeginRun", testBeginRun},
		{"Beat", testBeat},
		{"EndRun", testEndRun},
		{"Standing", testStanding},
		{"Departed", func(t *testing.T, open Open) {
			departures.Test(t, func(t testing.TB, folder string) departures.Ledger { return open(t, folder) })
		}},
		{"Bookmark", inService(service.Bookmark)},
		{"Plan", testPlan},
		{"Acquire", testAcquire},
		{"Wait", testWait},
		{"LostLock", testLostLock},
		{"Concurrent", testConcurrent},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.test(t, open)
		})
	}
}

// inService makes checks of a service checks of the suite.
func inService(test func(*testing.T, service.Open)) func(*testing.T, Open) {
	return func(t *testing.T, open Open) {
		test(t, func(t testing.TB, folder string) service.Ledger { return open(t, folder) })
	}
}

// fresh opens a new ledger and closes it at the end of the test.
func fresh(t *testing.T, open Open) Ledger {
	t.Helper()
	return reopen(t, open, t.TempDir())
}

func reopen(t *testing.T, open Open, folder string) Ledger {
	t.Helper()
	l := open(t, folder)
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return l
}

// The tools of all checks.
var (
	noError, same               = kit.NoError, kit.Same
	at, entry, many             = kit.At, kit.Entry, kit.Many
	hold, await                 = kit.Hold, kit.Await
	record, recordUnder, remove = kit.Record, kit.RecordUnder, kit.Remove
)

func entriesOf(t *testing.T, l ledger.Store, sync string, keys ...string) map[string]*ledger.Entry {
	t.Helper()
	found, err := l.Entries(t.Context(), sync, keys)
	noError(t, err)
	return found
}

func collect[T any](t *testing.T, seq iter.Seq2[T, error]) []T {
	t.Helper()
	var all []T
	for v, err := range seq {
		noError(t, err)
		all = append(all, v)
	}
	return all
}

// indexOf returns the sync's index by key hash and fails on an entry that comes twice.
func indexOf(t *testing.T, l ledger.Store, sync string) map[uint64]ledger.IndexEntry {
	t.Helper()
	index, numbers := make(map[uint64]ledger.IndexEntry), make(map[int64]bool)
	for _, e := range collect(t, l.Index(t.Context(), sync)) {
		if numbers[e.Number] {
			t.Errorf("two entries have the number %d", e.Number)
		}
		numbers[e.Number], e.Number = true, 0
		if _, twice := index[e.KeyHash]; twice {
			t.Errorf("the entry with key hash %x comes twice", e.KeyHash)
		}
		index[e.KeyHash] = e
	}
	return index
}

func wantIndex(entries ...*ledger.Entry) map[uint64]ledger.IndexEntry {
	index := make(map[uint64]ledger.IndexEntry)
	for _, e := range entries {
		index[ledger.HashText(e.Key)] = ledger.IndexEntry{
			KeyHash: ledger.HashText(e.Key), Print: e.Fingerprint.Lo, Blank: e.Email == "",
		}
	}
	return index
}
