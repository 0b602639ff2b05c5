package render

import (
	"strings"
	"testing"
	"time"

	"owlatsync"
	"owlatsync/internal/config"
	"owlatsync/internal/words"
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
		if got := strings.Join(guardLines(test.summary, config.Sync{Guards: test.guards}), "\n"); got != test.want {
			t.Errorf("%s:\n%s\nwant:\n%s", test.name, got, test.want)
		}
	}
}

// TestAPlanOfContactsThatMayExist shows both ends in text and in JSON, and the one number of a plan that an older version kept.
func TestAPlanOfContactsThatMayExist(t *testing.T) {
	t.Parallel()
	p := owlatsync.Summary{
		Sync: "users", Rows: 3, Entries: 1, Outcomes: map[owlatsync.Outcome]int{owlatsync.Created: 2, owlatsync.Unchanged: 1},
		Memberships: owlatsync.MembershipCounts{Added: 2}, Events: 2, Requests: 6, MayExist: 2,
		Least: owlatsync.Ends{Requests: 4}, Most: owlatsync.Ends{Requests: 10, Added: 2, Events: 2}, Duration: time.Second, Longest: 3 * time.Second,
		Links: 40, LinksLast: 2 * time.Second,
	}
	text := strings.Join(summaryLines(p, config.Sync{}, 10), "\n")
	for _, want := range []string{
		"  create            2, or adopt if it exists\n", "  topics       0 to 2 to add, 0 to remove", "  events       0 to 2 to send\n",
		"  requests     4 to 10, at most about 3s at 10 a second\n",
		"  links            40 to read who is on which topic, about 2s, beside those requests\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in:\n%s", want, text)
		}
	}
	if got, want := inShort(p), "create 2, or adopt if it exists, 0 to 2 topic adds, 0 to 2 events, 4 to 10 requests, at most about 3s"; got != want {
		t.Errorf("in short %q, want %q", got, want)
	}
	shown := string(words.JSON(newSummaryJSON(p, config.Sync{})))
	for _, want := range []string{
		`"requests":6,"lookups":0,"seconds":1,"links":40,"may_exist":{"rows":2,"least":{"requests":4,"added":0,"events":0},"most":{"requests":10,"added":2,"events":2},"seconds":3}`,
	} {
		if !strings.Contains(shown, want) {
			t.Errorf("no %s in:\n%s", want, shown)
		}
	}
	p.MayExist, p.Least, p.Most, p.Longest = 0, owlatsync.Ends{}, owlatsync.Ends{}, 0
	if got, want := inShort(p), "create 2, 2 topic adds, 2 events, 6 requests, about 1s"; got != want {
		t.Errorf("in short %q, want %q", got, want)
	}
}
