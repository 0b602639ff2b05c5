package sqlite

import (
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"owlatsync/ledger"
)

// benchNews is what follows from one person's leave of a topic.
func benchNews(n uint64) ledger.News {
	contact, address := "k57"+fmt.Sprintf("%029d", n), fmt.Sprintf("row%d@example.com", n)
	now := time.Now()
	f := ledger.Feedback{
		Event: "topic.unsubscribed", ContactID: contact, Email: address, At: now, Received: now, Topics: []ledger.FeedbackTopic{{ID: "k57topic", Name: "News"}},
	}
	binary.LittleEndian.PutUint64(f.Hash[:], n*0x9e3779b97f4a7c15) // spread, as hashes are
	return ledger.News{
		Feedback: f, OptOuts: []ledger.OptOut{{ContactID: contact, Topic: "k57topic", At: now}},
		Deliveries: []ledger.Delivery{{Target: "unsub", Person: address, Topic: "k57topic"}},
	}
}

// BenchmarkTakeIn takes in news from as many goroutines as a receiver has connections.
func BenchmarkTakeIn(b *testing.B) {
	for _, callers := range []int{1, 64, 1000} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			l := openFresh(b)
			next := make(chan uint64)
			var mu sync.Mutex
			var took []time.Duration
			var wg sync.WaitGroup
			for range callers {
				wg.Go(func() {
					for n := range next {
						begin := time.Now()
						if took, err := l.TakeIn(b.Context(), benchNews(n)); err != nil || !took.New {
							b.Errorf("new: %v, %v", took.New, err)
						}
						mu.Lock()
						took = append(took, time.Since(begin))
						mu.Unlock()
					}
				})
			}
			var n uint64
			for b.Loop() {
				next <- n
				n++
			}
			close(next)
			wg.Wait()
			perSecond(b, "deliveries", int64(n))
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
		})
	}
}

// BenchmarkDue reads what is due of a long queue.
func BenchmarkDue(b *testing.B) {
	const waiting = 100_000
	l := openFresh(b)
	fillMailbox(b, l, waiting)
	later := time.Now().Add(time.Hour)
	b.Run("all", func(b *testing.B) {
		for b.Loop() {
			if found, err := l.DueDeliveries(b.Context(), "unsub", later, 100); err != nil || len(found) != 100 {
				b.Fatal(len(found), err)
			}
		}
	})
	b.Run("none", func(b *testing.B) {
		for b.Loop() {
			if found, err := l.DueDeliveries(b.Context(), "unsub", later.Add(-48*time.Hour), 100); err != nil || len(found) != 0 {
				b.Fatal(len(found), err)
			}
		}
	})
	b.Run("next", func(b *testing.B) {
		for b.Loop() {
			if next, err := l.NextDelivery(b.Context(), "unsub"); err != nil || next.IsZero() {
				b.Fatal(next, err)
			}
		}
	})
	b.Run("counts", func(b *testing.B) {
		for b.Loop() {
			if counts, err := l.DeliveryCounts(b.Context()); err != nil || counts["unsub"][ledger.DeliveryWaiting] != waiting {
				b.Fatal(counts, err)
			}
		}
	})
}

// fillMailbox takes in n news from many goroutines.
func fillMailbox(b *testing.B, l *Ledger, n uint64) {
	b.Helper()
	const callers = 500
	var wg sync.WaitGroup
	for w := range uint64(callers) {
		wg.Go(func() {
			for i := w; i < n; i += callers {
				if _, err := l.TakeIn(b.Context(), benchNews(i)); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
}
