package reconcile_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"owlatsync"
	"owlatsync/owlat/owlattest"
	"owlatsync/reconcile"
)

// TestATopicIDThatIsNone gives a sync ids to which Owlat answers with 500: its rows fail for that reason and no other, rows
// without a consent are in step, and once the id is corrected the consents count.
func TestATopicIDThatIsNone(t *testing.T) {
	t.Parallel()
	for _, form := range []string{"not_a_topic_at_all", "another table's"} {
		t.Run(form, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, reconcile.Topic{ID: "good", When: true})
			w.workers = 4
			good := w.sync.Topics[0].ID
			bad := form
			if form != "not_a_topic_at_all" {
				c, err := w.server.AddContact(owlattest.ContactState{Email: "zoe@example.com"})
				if err != nil {
					t.Fatal(err)
				}
				bad = c
			}
			w.sync.Topics[0].ID = bad
			var list []owlatsync.Row
			for i := range 60 {
				list = append(list, user(fmt.Sprint(i), fmt.Sprintf("row%d@example.com", i), "Row", i%2 == 0))
			}
			report, err := w.try(context.Background(), runOptions{}, rows{list: list})
			if err != nil {
				t.Fatal(err)
			}
			expect(t, report, "created 30, failed 30")
			d := w.done("0")
			if d.Category != "topic" || d.Reason != fmt.Sprintf("Owlat has no topic %s: correct its id in the configuration", bad) {
				t.Errorf("a row failed as %q: %s", d.Category, d.Reason)
			}
			adds, probes := 0, 0
			for what, n := range w.requests() {
				switch {
				case strings.HasPrefix(what, "POST "+owlattest.RouteTopicContacts):
					adds += n
				case strings.HasPrefix(what, "DELETE "):
					probes += n
				}
			}
			if adds > w.workers || probes > 3 {
				t.Errorf("%d adds and %d requests that ask for the topic", adds, probes)
			}

			w.sync.Topics[0].ID = good
			expect(t, w.run(list...), "updated 30, unchanged 30")
			for i, row := range list {
				if c := w.contact(row.Email.Value); len(c.Topics) != (i+1)%2 {
					t.Errorf("%s is on %d topics", row.Email.Value, len(c.Topics))
				}
			}
		})
	}
}
