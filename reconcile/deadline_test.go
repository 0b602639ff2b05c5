package reconcile_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/owlat/owlattest"
	"owlatsync/reconcile"
)

// TestARunThatItsContextEndsIsInterrupted ends the contexts of runs in several ways, while they read and while they apply.
func TestARunThatItsContextEndsIsInterrupted(t *testing.T) {
	t.Parallel()
	own := errors.New("the machine goes down")
	for name, bound := range map[string]func(context.Context) (context.Context, context.CancelFunc){
		"deadline": func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, time.Minute)
		},
		"deadline with a cause": func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeoutCause(ctx, time.Minute, own)
		},
		"cancelled with a cause": func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancelCause(ctx)
			time.AfterFunc(time.Minute, func() { cancel(own) })
			return ctx, func() { cancel(nil) }
		},
	} {
		for _, method := range []string{"GET", "POST"} {
			t.Run(name+" "+method, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t)
					defer w.ledger.Close()
					if err := w.server.InjectFaults(owlattest.Fault{Kind: owlattest.Latency, Method: method, Delay: 40 * time.Second}); err != nil {
						t.Fatal(err)
					}
					ctx, cancel := bound(context.Background())
					defer cancel()
					w.workers = 1
					if _, err := w.try(ctx, runOptions{}, rows{list: people(30, "P")}); err == nil {
						t.Fatal("the run came to its end")
					}
					runs, err := w.ledger.Runs(context.Background(), "users", 1)
					if err != nil || runs[0].Status != ledger.StatusInterrupted {
						t.Errorf("the run is recorded as %+v, %v", runs, err)
					}
				})
			})
		}
	}
}

// TestWhoMayBeGoneIsLookedUp has a row whose contact this sync deleted and another sync holds under the same address. If nobody can tell
// whether that contact is still there, the row waits; a key that is refused ends the run.
func TestWhoMayBeGoneIsLookedUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.ledger.Close()
		list := people(5, "P")
		w.sync.OnMissing = reconcile.MissingDelete
		w.run(list...)
		expect(t, w.run(), "removed 5")
		users := w.sync
		w.sync.Name, w.sync.OnMissing = "others", ""
		w.run(list...)
		w.sync = users

		e, client := w.engine()
		defer client.CloseIdleConnections()
		s := w.sync
		list[0].Fields[owlatsync.FirstName] = owlatsync.Some("X")
		s.Source = rows{list: list}
		summary, err := e.Plan(t.Context(), s, reconcile.PlanOptions{})
		if err != nil || summary.Lookups != 5 || summary.Outcomes[owlatsync.Adopted] != 5 {
			t.Errorf("planned %+v, %v", summary, err)
		}
		if err := w.server.InjectFaults(owlattest.Fault{Kind: owlattest.StatusError, Method: "GET"}); err != nil {
			t.Fatal(err)
		}
		before := w.requests()["GET /contacts/{contact}"]
		expect(t, w.run(list...), "failed 5")
		if n := w.requests()["GET /contacts/{contact}"] - before; n != 3*3 {
			t.Errorf("%d look-ups were tried", n) // three rows, with the client's own repetitions
		}
		w.server.ClearFaults()
		good := w.key
		w.key = "lm_live_" + "0000000000000000000000000000000000000000"
		if _, err := w.try(t.Context(), runOptions{}, rows{list: list}); !isStopped(err) {
			t.Errorf("with a key that is refused: %v", err)
		}
		w.key = good
		expect(t, w.run(list...), "adopted 5")
	})
}

func isStopped(err error) bool {
	_, ok := errors.AsType[*reconcile.StoppedError](err)
	return ok
}
