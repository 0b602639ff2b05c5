package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"owlatsync/owlat/owlattest"
	"owlatsync/reconcile"
)

// A guard holds a run of changes by the share of all entries, those of rows that failed included.
func TestGuardsOfAnIncrementCountFailedRows(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		u := newUsers(t)
		defer u.close()
		u.sync.Topics = []reconcile.Topic{{ID: u.server.AddTopic("news", false)}}
		u.sync.Guards.Updates = reconcile.Limit{Share: 1, Rows: 1}
		for id := range 10 {
			u.put(id, fmt.Sprintf("p%d@example.com", id), "A")
		}
		if err := u.server.InjectFaults(owlattest.Fault{Kind: owlattest.RateLimited, Route: owlattest.RouteTopicContacts}); err != nil {
			t.Fatal(err)
		}
		u.synced("full: failed 10")
		u.server.ClearFaults()
		u.synced("changes: updated 10")
	})
}

// Nor does it forget the entries that a run made which came to no end.
func TestGuardsOfAnIncrementCountWhatAnAbortedRunMade(t *testing.T) {
	t.Parallel()
	u := newUsers(t)
	u.workers = 1
	u.sync.Guards.Updates = reconcile.Limit{Share: 0.5, Rows: 1}
	u.put(0, "p0@example.com", "A")
	u.synced("full: created 1")
	for id := 1; id < 10; id++ {
		u.put(id, fmt.Sprintf("p%d@example.com", id), "A")
	}
	ctx, abort := context.WithCancel(t.Context())
	n := 0
	u.server.OnRequest = func(owlattest.Request) {
		if n++; n == 9 {
			abort()
		}
	}
	if _, err := u.try(ctx, runOptions{}, u.source()); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	u.server.OnRequest = nil
	u.put(1, "p1@example.com", "B")
	u.put(2, "p2@example.com", "B")
	u.synced("changes: created 1 updated 2 unchanged 7")
	for id := 1; id < 7; id++ {
		u.put(id, fmt.Sprintf("p%d@example.com", id), "C")
	}
	u.held("changes")
}

// A row under another key is no further entry.
func TestGuardsOfAnIncrementCountARowUnderANewKeyOnce(t *testing.T) {
	t.Parallel()
	u := newUsers(t)
	u.sync.Guards.Updates = reconcile.Limit{Share: 0.5, Rows: 1}
	for id := range 4 {
		u.put(id, fmt.Sprintf("p%d@example.com", id), "A")
	}
	u.synced("full: created 4")
	u.version++
	u.exec("UPDATE users SET id = id + 10, v = ?", u.version)
	u.synced("changes: adopted 4")
	for id := range 3 {
		u.put(id+10, fmt.Sprintf("p%d@example.com", id), "B")
	}
	u.held("changes")
}
