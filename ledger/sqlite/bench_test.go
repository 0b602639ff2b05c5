package sqlite

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"owlatsync"
	"owlatsync/ledger"
)

func benchRecord(n int64) ledger.Record {
	key := fmt.Sprint(n)
	address := "row" + key + "@example.com"
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	return ledger.Record{Sync: "users", Run: 1, Event: "created", Entry: &ledger.Entry{
		Key: key, ContactID: "k57" + fmt.Sprintf("%029d", n), Email: address, Identity: address,
		Fields: owlatsync.Texts{owlatsync.FirstName: "Ada", owlatsync.LastName: "Example"}, Origin: ledger.OriginCreated,
		Fingerprint: ledger.Fingerprint{Hi: ledger.HashText(key), Lo: 7},
		Memberships: []ledger.Membership{{Topic: "k57topic", Consent: true, State: ledger.MemberAdded, At: now}},
		FirstSeen:   now, ChangedAt: now,
	}}
}

// fill records n entries in large transactions.
func fill(b *testing.B, l *Ledger, n int64) {
	b.Helper()
	k := takeLock(b, l)
	for from := int64(0); from < n; from += 5000 {
		records := make([]ledger.Record, 0, 5000)
		for i := from; i < min(from+5000, n); i++ {
			records = append(records, benchRecord(i))
		}
		if err := k.Record(b.Context(), records...); err != nil {
			b.Fatal(err)
		}
	}
	if err := k.Release(); err != nil {
		b.Fatal(err)
	}
}

func perSecond(b *testing.B, what string, n int64) {
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), what+"/s")
}

func BenchmarkRecord(b *testing.B) {
	for _, callers := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			k := takeLock(b, openFresh(b))
			b.ReportAllocs()
			// RunParallel starts SetParallelism times GOMAXPROCS goroutines, so the callers take turns on channels instead.
			next := make(chan int64)
			done := make(chan error)
			for range callers {
				go func() {
					var err error
					for n := range next {
						if err == nil {
							err = k.Record(b.Context(), benchRecord(n))
						}
					}
					done <- err
				}()
			}
			var n int64
			for b.Loop() {
				next <- n
				n++
			}
			close(next)
			for range callers {
				if err := <-done; err != nil {
					b.Fatal(err)
				}
			}
			perSecond(b, "records", n)
		})
	}
}

// BenchmarkRecordAgain replaces entries in a ledger that is already large.
func BenchmarkRecordAgain(b *testing.B) {
	l := openFresh(b)
	fill(b, l, 200_000)
	k := takeLock(b, l)
	b.ReportAllocs()
	b.SetParallelism(32)
	b.ResetTimer()
	var n atomic.Int64
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := k.Record(b.Context(), benchRecord(n.Add(1)*7919%200_000)); err != nil {
				b.Error(err)
			}
		}
	})
	perSecond(b, "records", n.Load())
}

func BenchmarkIndex(b *testing.B) {
	const n = 1_000_000
	l := openFresh(b)
	fill(b, l, n)
	b.ReportAllocs()
	var read int64
	for b.Loop() {
		for _, err := range l.Index(b.Context(), "users") {
			if err != nil {
				b.Fatal(err)
			}
			read++
		}
	}
	perSecond(b, "entries", read)
}

func BenchmarkEntries(b *testing.B) {
	l := openFresh(b)
	fill(b, l, 100_000)
	keys := make([]string, 500)
	for i := range keys {
		keys[i] = fmt.Sprint(i * 199)
	}
	b.ReportAllocs()
	var read int64
	for b.Loop() {
		found, err := l.Entries(b.Context(), "users", keys)
		if err != nil || len(found) != len(keys) {
			b.Fatal(len(found), err)
		}
		read += int64(len(found))
	}
	perSecond(b, "entries", read)
}

func BenchmarkHolders(b *testing.B) {
	l := openFresh(b)
	fill(b, l, 100_000)
	addresses := make([]string, 500)
	for i := range addresses {
		addresses[i] = fmt.Sprintf("row%d@example.com", i*199)
	}
	b.ReportAllocs()
	var read int64
	for b.Loop() {
		found, err := l.Holders(b.Context(), addresses)
		if err != nil || len(found) != len(addresses) {
			b.Fatal(len(found), err)
		}
		read += int64(len(found))
	}
	perSecond(b, "entries", read)
}

func BenchmarkPlan(b *testing.B) {
	l := openFresh(b)
	items := make([]ledger.PlanItem, 1000)
	for i := range items {
		items[i] = ledger.PlanItem{Phase: 1, Key: fmt.Sprint(i), Body: make([]byte, 200)}
	}
	k := takeLock(b, l)
	run := func() int64 {
		id, err := k.BeginRun(b.Context(), ledger.Run{Sync: "users"})
		if err != nil {
			b.Fatal(err)
		}
		return id
	}
	b.Run("keep", func(b *testing.B) {
		id := run()
		b.ReportAllocs()
		var n int64
		for b.Loop() {
			if err := k.KeepPlan(b.Context(), id, items); err != nil {
				b.Fatal(err)
			}
			n += int64(len(items))
		}
		perSecond(b, "items", n)
	})
	b.Run("read", func(b *testing.B) {
		id := run()
		for range 100 {
			if err := k.KeepPlan(b.Context(), id, items); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportAllocs()
		var n int64
		for b.Loop() {
			for _, err := range l.Plan(b.Context(), id) {
				if err != nil {
					b.Fatal(err)
				}
				n++
			}
		}
		perSecond(b, "items", n)
	})
}

// BenchmarkRun takes the lock, records a run that does nothing and gives the lock back.
func BenchmarkRun(b *testing.B) {
	l := openFresh(b)
	fill(b, l, 1000)
	b.ReportAllocs()
	for b.Loop() {
		k, err := l.Acquire(b.Context(), ledger.Claim{Purpose: "a run", Deployment: "https://owlat.example.com"})
		if err != nil {
			b.Fatal(err)
		}
		id, err := k.BeginRun(b.Context(), ledger.Run{Sync: "users"})
		if err != nil {
			b.Fatal(err)
		}
		if err := k.EndRun(b.Context(), ledger.Ending{Run: ledger.Run{ID: id, Status: ledger.StatusOK}}); err != nil {
			b.Fatal(err)
		}
		if err := k.Release(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkOpen opens and closes a ledger that is up to date.
func BenchmarkOpen(b *testing.B) {
	folder := b.TempDir()
	if err := openIn(b, folder).Close(); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := openIn(b, folder).Close(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkForgetPerson(b *testing.B) {
	l := openFresh(b)
	fill(b, l, 200_000)
	b.ReportAllocs()
	var n int64
	for b.Loop() {
		if _, err := l.ForgetPerson(b.Context(), benchRecord(n).Entry.Email); err != nil {
			b.Fatal(err)
		}
		n++
	}
}

// BenchmarkCreate makes a new ledger.
func BenchmarkCreate(b *testing.B) {
	folder := b.TempDir()
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		n++
		l, err := Open(b.Context(), "sqlite", fmt.Sprintf("%s/%d.db", folder, n))
		if err != nil {
			b.Fatal(err)
		}
		if err := l.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
