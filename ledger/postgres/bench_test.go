package postgres

import (
	"fmt"
	"sync"
	"testing"

	"owlatsync/ledger"
)

func BenchmarkRecord(b *testing.B) {
	for _, callers := range []int{1, 8, 64} {
		b.Run(fmt.Sprint(callers, " callers"), func(b *testing.B) {
			l := openLedger(b, openDatabase(b, migrated.Postgres(b)), "")
			k := takeLock(b, l)
			put(b, k, "warm")
			var wg sync.WaitGroup
			next := make(chan int)
			b.ResetTimer()
			for range callers {
				wg.Go(func() {
					for i := range next {
						if err := tryPut(b.Context(), k, fmt.Sprint("row", i)); err != nil {
							b.Error(err)
						}
					}
				})
			}
			for i := range b.N {
				next <- i
			}
			close(next)
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
		})
	}
}

func BenchmarkIndex(b *testing.B) {
	const rows = 200_000
	l := openLedger(b, openDatabase(b, migrated.Postgres(b)), "")
	k := takeLock(b, l)
	for i := 0; i < rows; i += 2000 {
		records := make([]ledger.Record, 2000)
		for n := range records {
			records[n] = ledger.Record{Sync: "users", Entry: entryOf(fmt.Sprint("row", i+n))}
		}
		if err := k.Record(b.Context(), records...); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		n := 0
		for _, err := range l.Index(b.Context(), "users") {
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
		if n != rows {
			b.Fatalf("%d rows", n)
		}
	}
	b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
