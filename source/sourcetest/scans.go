package sourcetest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"owlatsync"
	"owlatsync/source"
)

func testRepeated(t *testing.T, k Kind) {
	table := k.Store(t, people()).Open(t, nil, peopleMapping)
	first := collect(t, table)
	for range 2 {
		if diff := cmp.Diff(first, collect(t, table)); diff != "" {
			t.Errorf("another scan differs (-first +other):\n%s", diff)
		}
	}
}

func testStringsStay(t *testing.T, k Kind) {
	f := people()
	table := k.Store(t, f).Open(t, nil, peopleMapping)
	var names []string
	for row, err := range table.Rows(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, row.Fields[owlatsync.FirstName].Value)
	}
	for i, name := range names {
		if name != f.Rows[i][2] {
			t.Errorf("the name of row %d is %q after the scan, want %q", i, name, f.Rows[i][2])
		}
	}
}

func testNoRows(t *testing.T, k Kind) {
	f := people()
	f.Rows = nil
	if got := collect(t, k.Store(t, f).Open(t, nil, peopleMapping)); len(got) != 0 {
		t.Errorf("%d rows, want none", len(got))
	}
}

func testBreak(t *testing.T, k Kind) {
	stored := k.Store(t, wide(k.Wide))
	table := stored.Open(t, nil, wideMapping)
	for range 3 {
		n := 0
		for _, err := range table.Rows(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			if n++; n == 5 {
				break
			}
		}
	}
	becomesIdle(t, stored)
}

// becomesIdle waits until no scan holds anything; a server needs a moment to notice that its client is gone.
func becomesIdle(t *testing.T, s Stored) {
	t.Helper()
	deadline, tick := time.NewTimer(20*time.Second), time.NewTicker(20*time.Millisecond)
	defer deadline.Stop()
	defer tick.Stop()
	for !s.Idle(t) {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatal("a scan still holds its connection or file")
		}
	}
}

func testCancelledBefore(t *testing.T, k Kind) {
	stored := k.Store(t, people())
	table := stored.Open(t, nil, peopleMapping)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	rows, err := count(ctx, table, nil)
	if rows != 0 || !errors.Is(err, context.Canceled) {
		t.Errorf("%d rows and %v, want none and context.Canceled", rows, err)
	}
	if _, err := table.Columns(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("columns: %v, want context.Canceled", err)
	}
	if err := table.Ping(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("ping: %v, want context.Canceled", err)
	}
	becomesIdle(t, stored)
}

func testCancelledBetween(t *testing.T, k Kind) {
	stored := k.Store(t, wide(k.Wide))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	rows, err := count(ctx, stored.Open(t, nil, wideMapping), map[int]func(){10: cancel})
	if rows != 10 || !errors.Is(err, context.Canceled) {
		t.Errorf("%d rows and %v, want 10 and context.Canceled", rows, err)
	}
	becomesIdle(t, stored)
}

// count reads a scan to its end, calls after[n] after the n-th row, and checks that nothing follows an error.
func count(ctx context.Context, table *source.Table, after map[int]func()) (rows int, err error) {
	for row, e := range table.Rows(ctx) {
		if err != nil {
			return rows, fmt.Errorf("the scan goes on after its error: %w", err)
		}
		if err = e; row == nil {
			continue
		}
		rows++
		if do := after[rows]; do != nil {
			do()
		}
	}
	return rows, err
}

func testSnapshot(t *testing.T, k Kind) {
	if k.NoSnapshot {
		t.Skip("the source has no snapshots")
	}
	stored := k.Store(t, wide(k.Wide))
	table := stored.Open(t, nil, wideMapping)
	n := 0
	for row, err := range table.Rows(t.Context()) {
		if err != nil {
			t.Fatalf("after %d rows: %v", n, err)
		}
		if n++; n == 10 {
			stored.Change(t)
		}
		if want := fmt.Sprintf("user%d@example.com", n); row.Email.Value != want {
			t.Fatalf("%s: %q, want %q: a later change shows", row.Position, row.Email.Value, want)
		}
	}
	if n != k.Wide {
		t.Errorf("%d rows, want the %d of the scan's beginning", n, k.Wide)
	}
	rows := collect(t, table)
	if last := rows[len(rows)-1]; len(rows) != k.Wide || last.Key != fmt.Sprint(k.Wide+1) || rows[k.Wide-2].Email.Value != "changed@example.com" {
		t.Errorf("the next scan has %d rows up to key %s, want it to see the change", len(rows), last.Key)
	}
}

func testLost(t *testing.T, k Kind) {
	if k.NoLoss {
		t.Skip("nothing between the source and its reader can break")
	}
	stored := k.Store(t, wide(k.Wide))
	table := stored.Open(t, nil, wideMapping)
	rows, err := count(t.Context(), table, map[int]func(){10: func() { stored.Break(t) }})
	if err == nil || rows < 10 || rows >= k.Wide {
		t.Errorf("%d of %d rows and %v, want an incomplete scan with an error", rows, k.Wide, err)
	}
	if errors.Is(err, context.Canceled) {
		t.Errorf("%v, but nobody cancelled", err)
	}
	becomesIdle(t, stored)
}

// RunMemory tests that a scan holds no more memory for many rows than for few. It must not run beside other tests.
func RunMemory(t *testing.T, k Kind) {
	allowed := uint64(k.Wide) * 2000 / 4
	stored := k.Store(t, wide(k.Wide))
	table := stored.Open(t, nil, wideMapping)
	live := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := live()
	peak := before
	steps := map[int]func(){}
	for n := k.Wide / 10; n < k.Wide; n += k.Wide / 10 {
		steps[n] = func() { peak = max(peak, live()) }
	}
	rows, err := count(t.Context(), table, steps)
	if err != nil || rows != k.Wide {
		t.Fatalf("%d rows and %v", rows, err)
	}
	if peak-before > allowed {
		t.Errorf("the scan of %d rows holds %d KiB, more than %d", rows, (peak-before)>>10, allowed>>10)
	}
}
