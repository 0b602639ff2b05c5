package cluster

import (
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"

	"owlatsync/internal/turns"
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

// TestScale tells how runs of many deployments spread over three nodes, and what that leaves in PostgreSQL. OWLATSYNC_SCALE=200 asks
// for it.
func TestScale(t *testing.T) {
	count, _ := strconv.Atoi(os.Getenv("OWLATSYNC_SCALE"))
	if count == 0 {
		t.Skip("OWLATSYNC_SCALE is not set")
	}
	const syncs, lasts = 5, 300 * time.Millisecond
	w := newWorld(t)
	w.ttl = 8 * time.Second
	w.lasts = lasts
	all := many(count, false)
	var nodes []*member
	for _, name := range []string{"a", "b", "c"} {
		nodes = append(nodes, w.node(name, func(o *Options) { o.Look, o.Linger = 2*time.Second, 20*time.Second }, all...))
	}
	for _, n := range nodes {
		if err := (lookout{n.Node}).look(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	began := time.Now()
	for i, d := range all {
		for s := range syncs {
			if err := nodes[i%3].Errands().Ask(t.Context(), d.Name, turns.Request{Sync: strconv.Itoa(s), Why: turns.Scheduled}); err != nil {
				t.Fatal(err)
			}
		}
	}
	asked := time.Since(began)
	w.until(2*time.Minute, "all runs are made", func() bool { return len(w.made()) == count*syncs })
	took := time.Since(began)
	per := map[string]int{}
	for _, r := range w.made() {
		per[r.node]++
	}
	var longest, mean float64
	if err := w.pool.QueryRow(t.Context(), "SELECT max(extract(epoch FROM attempted_at - created_at)), avg(extract(epoch FROM attempted_at - created_at)) FROM owlat_sync.river_job WHERE kind = 'run'").Scan(&longest, &mean); err != nil {
		t.Fatal(err)
	}
	var size string
	if err := w.pool.QueryRow(t.Context(), "SELECT pg_size_pretty(pg_total_relation_size('owlat_sync.river_job'))").Scan(&size); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d deployments × %d syncs: asked within %s, made within %s, runs of each node %v, a run waited %.1f s for its home in the mean and %.1f s at most, river_job has %s",
		count, syncs, asked.Round(time.Millisecond), took.Round(time.Millisecond), per, mean, longest, size)
}
