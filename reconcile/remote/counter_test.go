package remote_test

import (
	"testing"

	"owlatsync"
	"owlatsync/owlat"
	"owlatsync/reconcile/remote"
)

// TestCounterCountsTheBudget counts requests by links apart, because they take nothing of it.
func TestCounterCountsTheBudget(t *testing.T) {
	t.Parallel()
	var c remote.Counter
	for _, a := range []owlat.Attempt{
		{Method: "GET", Route: "/contacts", Status: 200}, {Method: "POST", Route: "/contacts", Status: 429},
		{Method: "GET", Route: "/prefs/verify/{token}", Status: 200, ByToken: true}, {Method: "POST", Route: "/unsub/{token}", Status: 429, ByToken: true},
	} {
		c.Observe(a)
	}
	if got, want := c.Counts(), (owlatsync.RequestCounts{Total: 2, Writes: 1, RateLimited: 1, Links: 2}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
