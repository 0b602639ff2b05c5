package reconcile_test

import (
	"fmt"
	"testing"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/reconcile"
)

// TestOfTwoRowsThatLeftOneReturns: a contact that stays on a topic for the row of another sync is no matter of the row that left. The
// ledger does not say that it is on the topic when that other row has left too and the first one returns.
func TestOfTwoRowsThatLeftOneReturns(t *testing.T) {
	t.Parallel()
	for _, policy := range []reconcile.MissingPolicy{reconcile.MissingLeave, reconcile.MissingDelete} {
		for _, first := range []string{"users", "orders"} { // the sync whose row leaves first
			for _, returns := range []string{"users", "orders"} {
				for _, both := range []bool{true, false} { // have left when the row returns
					t.Run(fmt.Sprint(policy, " ", first, " first, ", returns, " returns, both left ", both), func(t *testing.T) {
						t.Parallel()
						w := newWorld(t, reconcile.Topic{ID: "news", When: true})
						w.sync.OnMissing = policy
						topic := w.sync.Topics[0].ID
						run := func(sync string, list ...owlatsync.Row) {
							t.Helper()
							w.sync.Name = sync
							w.run(list...)
						}
						row := user("1", "a@example.com", "A", true)
						run("users", row)
						run("orders", row)
						// The second sync meets a contact that was on the topic already.
						run("orders", user("1", "a@example.com", "A", false))
						run("orders", row)
						second := map[string]string{"users": "orders", "orders": "users"}[first]
						run(first)
						if c, there := w.server.Contact("a@example.com"); !there || len(c.Topics) != 1 {
							t.Fatalf("the other row wants the contact on the topic, and Owlat holds %+v", c)
						}
						if both {
							run(second)
						} else if returns == second {
							return // it has not left
						}
						run(returns, row)
						c, there := w.server.Contact("a@example.com")
						on := there && len(c.Topics) == 1
						if on == both {
							t.Errorf("on the topic: %v", on)
						}
						entries, err := w.ledger.Entries(t.Context(), returns, []string{"1"})
						if err != nil {
							t.Fatal(err)
						}
						if m := entries["1"].Membership(topic); m.State == ledger.MemberAdded {
							t.Errorf("the ledger has %+v", m)
						}
						before := w.requests()
						run(returns, row)
						w.sent(before)
						run(returns, user("1", "a@example.com", "A", false))
						if c, there := w.server.Contact("a@example.com"); there && len(c.Topics) > 0 {
							t.Errorf("a no takes nobody off: %+v", c)
						}
						run(returns, row)
						if c, there := w.server.Contact("a@example.com"); !there || len(c.Topics) != 1 {
							t.Errorf("a new consent counts, and Owlat holds %+v", c)
						}
					})
				}
			}
		}
	}
}

// TestARowThatLeftHasSpentTheConsent: a sync has put somebody on a topic, they left it without a word, and their row left the source. The
// first yes of another sync does not put them back.
func TestARowThatLeftHasSpentTheConsent(t *testing.T) {
	t.Parallel()
	for _, spared := range []bool{false, true} { // a third sync wants the contact on the topic meanwhile
		w := newWorld(t, reconcile.Topic{ID: "news", When: true})
		w.sync.OnMissing = reconcile.MissingLeave
		row := user("1", "a@example.com", "A", true)
		w.run(row)
		if spared {
			w.sync.Name = "orders"
			w.run(row)
		}
		if err := w.server.Unsubscribe("a@example.com", w.sync.Topics[0].ID); err != nil {
			t.Fatal(err)
		}
		w.sync.Name = "users"
		w.run()
		if spared {
			w.sync.Name = "orders"
			w.run()
		}
		w.sync.Name = "web"
		w.run(row)
		if w.on("a@example.com") {
			t.Errorf("spared %v: put back", spared)
		}
		w.run(user("1", "a@example.com", "A", false))
		w.run(row)
		if !w.on("a@example.com") {
			t.Errorf("spared %v: a new consent counts", spared)
		}
	}
}
