package reconcile_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"owlatsync"
	"owlatsync/owlat/owlattest"
	"owlatsync/reconcile"
	"owlatsync/reconcile/progress"
)

// What a plan says that its writes take is within a tenth of the truth, whether contacts have to be listed first, whatever the
// latency, and whatever limit the deployment has.
func TestThePlansEstimateIsTheTruth(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rate           float64
		rows, contacts int
		latency        time.Duration
	}{
		{10, 40, 0, time.Millisecond}, {10, 300, 0, 50 * time.Millisecond}, {10, 300, 0, 300 * time.Millisecond},
		{10, 300, 2000, 50 * time.Millisecond}, {50, 1000, 0, 50 * time.Millisecond}, {4, 60, 300, 300 * time.Millisecond},
	} {
		t.Run(fmt.Sprintf("%+v", c), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, reconcile.Topic{ID: "news"})
				defer w.ledger.Close()
				w.options = nil
				w.server.NoLimit, w.server.Rate, w.server.Burst = false, c.rate, int(1.5*c.rate)
				if err := w.server.InjectFaults(owlattest.Fault{Kind: owlattest.Latency, Delay: c.latency}); err != nil {
					t.Fatal(err)
				}
				if c.contacts > 0 {
					if _, err := w.server.Seed(c.contacts, "p"); err != nil {
						t.Fatal(err)
					}
				}
				var list []owlatsync.Row
				for i := range c.rows {
					list = append(list, user(fmt.Sprint(i), fmt.Sprintf("p%d@seed.example", i+1), "Other", true))
				}
				e, client := w.engine()
				defer client.CloseIdleConnections()
				s := w.sync
				s.Source = rows{list: list}
				before, err := e.Plan(context.Background(), s, reconcile.PlanOptions{})
				if err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				if _, err := (runOptions{}).start(context.Background(), e, s, w.note); err != nil {
					t.Fatal(err)
				}
				all, sending := time.Since(began), time.Duration(0)
				for _, ev := range w.events {
					if p, ok := ev.(progress.Planned); ok {
						sending = p.Summary.Duration
						near(t, "the plan of the run", sending, time.Since(w.plannedAt))
					}
				}
				near(t, "the plan alone", before.Duration, all)
				if sending == 0 {
					t.Error("the run told no plan")
				}
			})
		})
	}
}

// near fails unless an estimate is within a tenth of the truth, or a second.
func near(t *testing.T, what string, estimate, truth time.Duration) {
	t.Helper()
	if apart := (estimate - truth).Abs(); apart > max(truth/10, time.Second) {
		t.Errorf("%s says %v, in truth it took %v", what, estimate, truth)
	}
}
