package turns

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"owlatsync/internal/events"
	"owlatsync/ledger/memory"
)

// TestAsideHasItsTurn gives work that is no run its turn in the line, lets runs go first when it yields, and ends it when it is not wanted any more.
func TestAsideHasItsTurn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		order := make(chan string, 20)
		runner := asideRunner(func(context.Context, *Job) (bool, error) {
			time.Sleep(time.Minute)
			order <- "run"
			return false, nil
		})
		q := New(memory.New(), events.NewHub(time.Now), runner, nil)
		if err := q.SetSyncs(t.Context(), []string{"users"}); err != nil {
			t.Fatal(err)
		}
		stop, ended := make(chan struct{}), make(chan struct{})
		go func() { defer close(ended); q.Run(t.Context(), stop) }()
		synctest.Wait()
		q.Submit(Request{Sync: "users"})
		done := make(chan error, 1)
		go func() {
			done <- Aside{Queue: q}.Do(t.Context(), func(ctx context.Context, j *Job) error {
				order <- "aside"
				q.Submit(Request{Sync: "users"})
				if !j.Wanted() {
					t.Error("nobody wants the turn")
				}
				if err := j.Yield(ctx); err != nil {
					return err
				}
				order <- "aside again"
				return nil
			})
		}()
		synctest.Wait()
		if err := (Aside{Queue: q}).Do(t.Context(), nil); err == nil {
			t.Error("two wait at a time")
		}
		if err := q.SetSyncs(t.Context(), []string{"users", "others"}); err != nil {
			t.Error(err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
		for _, want := range []string{"run", "aside", "run", "aside again"} {
			if got := <-order; got != want {
				t.Errorf("%s has its turn, want %s", got, want)
			}
		}
		if q.Busy() {
			t.Error("the queue is busy after the end")
		}
		long, cancel := context.WithCancel(t.Context())
		go func() {
			done <- Aside{Queue: q}.Do(long, func(_ context.Context, j *Job) error { <-j.Stop; return nil })
		}()
		synctest.Wait()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		close(stop)
		<-ended
		if err := (Aside{Queue: q}).Do(t.Context(), nil); err == nil {
			t.Error("work begins after the end")
		}
	})
}

type asideRunner func(context.Context, *Job) (bool, error)

func (f asideRunner) Run(ctx context.Context, j *Job) (bool, error) { return f(ctx, j) }
