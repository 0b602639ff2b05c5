package reconcile_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"owlatsync"
	"owlatsync/ledger/memory"
	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
	"owlatsync/reconcile"
)

// TestNodesShareABudget lets machines take turns with a ledger and a key, while somebody without the lock uses the rest. Each run begins
// after a rest of its machine, for which a limiter that knows nothing of the others would have saved requests.
func TestNodesShareABudget(t *testing.T) {
	t.Parallel()
	for _, nodes := range []int{1, 3, 10} {
		t.Run(fmt.Sprint(nodes), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { shareABudget(t, nodes) })
		})
	}
}

func shareABudget(t *testing.T, nodes int) {
	server := &owlattest.Server{RandomSeed: 1}
	if err := server.InjectFaults(owlattest.Fault{Kind: owlattest.Latency, Delay: 20 * time.Millisecond, Jitter: 20 * time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	key, book := server.AddKey(), memory.New()
	connect := func(part float64) *owlat.Client {
		client, err := owlat.NewClient("https://owlat.example", key, owlat.WithTransport(server.Transport()), owlat.WithLimiter(owlat.NewPartLimiter(part)))
		if err != nil {
			t.Fatal(err)
		}
		return client
	}
	engines := make([]*reconcile.Engine, nodes)
	for i := range engines {
		engines[i] = reconcile.New(connect(0.97), book, reconcile.Options{Shared: true})
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		other := connect(0.03)
		other.Drain()
		for i := 0; ctx.Err() == nil; i++ {
			_, _ = other.Contacts.Upsert(ctx, owlat.CreateContactRequest{Email: fmt.Sprintf("other%d@example.org", i)})
		}
	}()
	began := time.Now()
	const runs, rowsEach = 20, 120
	for i := range runs {
		s := reconcile.Sync{Name: "users", Guards: unguarded}
		list := between(0, rowsEach)
		for j := range list {
			list[j].Fields[owlatsync.FirstName] = owlatsync.Some(fmt.Sprint(i))
		}
		s.Source = rows{list: list}
		if _, err := engines[i%nodes].Run(t.Context(), s, reconcile.RunOptions{}); err != nil {
			t.Fatalf("run %d: %v", i+1, err)
		}
	}
	took := time.Since(began)
	cancel()
	<-ended
	stats := server.Stats()
	passed, budget := stats.Total-stats.RateLimited, 10*took.Seconds()
	t.Logf("%d nodes: %d requests in %v, %.1f %% of the budget; %d refused", nodes, passed, took.Round(time.Second), 100*float64(passed)/budget, stats.RateLimited)
	if stats.RateLimited > 0 {
		t.Errorf("%d of %d requests were refused", stats.RateLimited, stats.Total)
	}
	if float64(passed) < 0.95*budget {
		t.Errorf("%d of %.0f requests were sent", passed, budget)
	}
}

// TestPlansHaveAnotherClient counts the requests of a plan and of a run.
func TestPlansHaveAnotherClient(t *testing.T) {
	t.Parallel()
	server := &owlattest.Server{NoLimit: true}
	key := server.AddKey()
	counted := func(n *int) *owlat.Client {
		client, err := owlat.NewClient("https://owlat.example", key, owlat.WithTransport(server.Transport()), owlat.WithoutLimiter(),
			owlat.WithObserver(func(owlat.Attempt) { *n++ }))
		if err != nil {
			t.Fatal(err)
		}
		return client
	}
	var own, outside int
	e := reconcile.New(counted(&own), memory.New(), reconcile.Options{Outside: counted(&outside), Workers: 1})
	s := reconcile.Sync{Name: "users", Guards: unguarded, Source: rows{list: between(0, 200)}}
	if _, err := e.Plan(t.Context(), s, reconcile.PlanOptions{}); err != nil {
		t.Fatal(err)
	}
	if own != 0 || outside == 0 {
		t.Errorf("the plan has sent %d requests as the holder and %d as somebody else", own, outside)
	}
	before := outside
	if _, err := e.Run(t.Context(), s, reconcile.RunOptions{}); err != nil {
		t.Fatal(err)
	}
	if own == 0 || outside != before {
		t.Errorf("the run has sent %d requests as the holder and %d as somebody else", own, outside-before)
	}
}
