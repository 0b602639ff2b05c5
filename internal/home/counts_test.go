package home

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"owlatsync/internal/setup"
	"owlatsync/ledger"
)

// slowly is a ledger that takes its time to count, and finds one entry more each time.
type slowly struct {
	setup.Ledger
	takes time.Duration
	asked atomic.Int64
}

func (l *slowly) Standing(context.Context, string) (ledger.Standing, error) {
	time.Sleep(l.takes)
	return ledger.Standing{Entries: int(l.asked.Add(1))}, nil
}

// TestManyPagesCostOneCount asks for a count that takes long, and for one that does not.
func TestManyPagesCostOneCount(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		takes time.Duration
		want  int64
	}{
		"a large ledger": {100 * time.Millisecond, 2}, "a small one": {time.Millisecond, 401},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				slow := &slowly{takes: c.takes}
				l := counted{slow, new(counts)}
				ask := func(sync string) int {
					s, err := l.Standing(t.Context(), sync)
					if err != nil {
						t.Error(err)
					}
					return s.Entries
				}
				for range 2 { // so that half come once the first has its answer
					var pages sync.WaitGroup
					for range 200 {
						pages.Go(func() { ask("users") })
					}
					pages.Wait()
				}
				time.Sleep(countedShare * c.takes)
				if got := ask("users"); int64(got) != c.want || slow.asked.Load() != c.want {
					t.Errorf("the ledger was asked %d times, and said at last %d; want %d", slow.asked.Load(), got, c.want)
				}
				if ask("others"); slow.asked.Load() != c.want+1 {
					t.Error("one sync is told what another has")
				}
			})
		})
	}
}
