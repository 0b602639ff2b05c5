package home

import (
	"fmt"
	"iter"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"owlatsync"
	"owlatsync/internal/config"
	"owlatsync/internal/seats"
	"owlatsync/internal/turns"
	"owlatsync/ledger"
)

// readers count how many sources are read at once.
type readers struct {
	mu        sync.Mutex
	now, most int
}

// slow makes a source take some time to be read, less than makes a run leave its seat, and counts its readers.
func (r *readers) slow(p *people) *people {
	p.around = func(rows iter.Seq2[*owlatsync.Row, error]) iter.Seq2[*owlatsync.Row, error] {
		return func(yield func(*owlatsync.Row, error) bool) {
			r.mu.Lock()
			r.now++
			r.most = max(r.most, r.now)
			r.mu.Unlock()
			time.Sleep(500 * time.Millisecond)
			rows(yield)
			r.mu.Lock()
			r.now--
			r.mu.Unlock()
		}
	}
	return p
}

// TestDeploymentsShareSeats has deployments with one sync and one with many, all due at once: no more than two are read at a time, and all
// come to their end.
func TestDeploymentsShareSeats(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		room, read := seats.New(2), &readers{}
		var towns []*town
		for n := range 8 {
			w, count := newTown(), 1
			if n == 0 {
				count = 6
			}
			var all []config.Sync
			for i := range count {
				name := fmt.Sprint("sync", i)
				all = append(all, every(name, time.Minute))
				read.slow(w.source(name)).put(fmt.Sprint("p", i), true)
			}
			w.seats = room
			p := w.start(t, all...)
			defer p.stop()
			towns = append(towns, w)
		}
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		read.mu.Lock()
		most := read.most
		read.mu.Unlock()
		if most != 2 {
			t.Errorf("%d sources were read at once", most)
		}
		for n, w := range towns {
			for name := range w.sources {
				if runs := strings.Count(w.runs(t, name), "ok"); runs < 9 || runs > 11 {
					t.Errorf("deployment %d, %s: %d runs in ten minutes that are due every minute", n, name, runs)
				}
			}
		}
	})
}

// TestARunWithoutASeatCanBeTakenBack cancels a run that waits for its seat, and stops a service with another one, which the next goes on with.
func TestARunWithoutASeatCanBeTakenBack(t *testing.T) {
	inTown(t, func(t *testing.T, w *town) {
		w.seats = seats.New(1)
		other := w.seats.Seat(time.Time{})
		if err := other.Take(t.Context()); err != nil {
			t.Fatal(err)
		}
		users := config.Sync{Name: "users", Guards: unguarded}
		w.source("users").put("ada", true)
		p := w.start(t, users)
		ask := func() int64 {
			run, err := p.queue.Desk().Trigger(t.Context(), "users", turns.Options{})
			if err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if got := w.runs(t, "users"); !strings.HasSuffix(got, string(ledger.StatusQueued)) {
				t.Errorf("a run that waits for its seat is in the record %q", got)
			}
			return run
		}
		if err := p.queue.Desk().Cancel(t.Context(), ask()); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if got := w.runs(t, "users"); got != "cancelled" {
			t.Errorf("after the cancellation: %q", got)
		}
		ask()
		p.stop()
		if got := w.runs(t, "users"); got != "cancelled, queued" {
			t.Errorf("after the end of the service: %q", got)
		}
		other.Leave()
		p = w.start(t, users)
		defer p.stop()
		time.Sleep(time.Minute)
		if got := w.runs(t, "users"); got != "cancelled, ok" {
			t.Errorf("in the next life: %q", got)
		}
		w.has(t, "ada@example.com")
	})
}
