package render

import (
	"strings"
	"testing"

	"owlatsync"
	"owlatsync/reconcile"
	"owlatsync/reconcile/policy"
)

func TestGuardLines(t *testing.T) {
	t.Parallel()
	outcomes := map[owlatsync.Outcome]int{owlatsync.Created: 2}
	for _, test := range []struct {
		name    string
		summary owlatsync.Summary
		guards  reconcile.Guards
		want    string
	}{
		{"nothing holds", owlatsync.Summary{Rows: 1}, reconcile.Guards{Removals: policy.DefaultRemovals, Updates: reconcile.NoLimit, Creates: policy.DefaultCreates, TopicAdds: reconcile.Limit{Share: 1, Rows: 9}},
			"  no guard would hold a run; their limits: removals over 10 % and 20 rows, updates without limit, creates over 50 % and 20 rows, topic adds over 100 % and 9 rows, a source without rows"},
		{"a first run", owlatsync.Summary{Rows: 2, FirstRun: true, Outcomes: outcomes}, reconcile.Guards{},
			`  a run asks first, or needs --yes: this first run will create 2 contacts and 0 memberships; each fires the automations on "contact created" and "topic subscribed", such as welcome mails`},
		{"two hold", owlatsync.Summary{Entries: 100, Removals: 100}, reconcile.Guards{Removals: reconcile.Limit{Share: 0.005, Rows: 1}},
			"  a run would be HELD and change nothing until it is approved:\n" +
				"    empty source: the source has no rows, and the ledger knows 100: is the query right, and the table not being reloaded?\n" +
				"    removals: 100 of 100 rows would leave a topic or be deleted; the limit is 0.5 % and 1 row"},
	} {
		if got := strings.Join(guardLines(test.summary, test.guards), "\n"); got != test.want {
			t.Errorf("%s:\n%s\nwant:\n%s", test.name, got, test.want)
		}
	}
}
