package cluster

import (
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// TestLoadOfIdleHomes tells what homes cost that have nothing to do. OWLATSYNC_HOMES=200 asks for it.
func TestLoadOfIdleHomes(t *testing.T) {
	count, _ := strconv.Atoi(os.Getenv("OWLATSYNC_HOMES"))
	if count == 0 {
		t.Skip("OWLATSYNC_HOMES is not set")
	}
	w := newWorld(t)
	all := many(count, true)
	began := time.Now()
	a := w.node("a", func(o *Options) { o.Slots = count }, all...)
	w.until(time.Minute, "all are at home", func() bool { return len(a.Homes()) == count })
	t.Logf("%d homes after %s", count, time.Since(began).Round(time.Millisecond))
	stat := func() (transactions int64, cpu time.Duration) {
		if err := w.pool.QueryRow(t.Context(), "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()").Scan(&transactions); err != nil {
			t.Fatal(err)
		}
		return transactions, cpuTime(t)
	}
	time.Sleep(3 * time.Second) // until all have begun
	t0, c0 := stat()
	const over = 10 * time.Second
	time.Sleep(over)
	t1, c1 := stat()
	t.Logf("%d homes: %.0f transactions/s, this process uses %.1f %% of a core", count, float64(t1-t0)/over.Seconds(), 100*float64(c1-c0)/float64(over))
}

// cpuTime is what this process has used.
func cpuTime(t *testing.T) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Skip(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
