package reconcile_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
	"owlatsync/reconcile"
	"owlatsync/reconcile/progress"
)

// inOrder notices requests about a contact that come before the one before them has taken effect.
type inOrder struct {
	t  *testing.T
	of func(id string) string // the address of the contact with that id

	mu   sync.Mutex
	busy map[string]string // by address
}

// who returns whom a request concerns, empty for nobody alone.
func (o *inOrder) who(q owlattest.Request) string {
	var body struct{ Email, ContactID string }
	_ = json.Unmarshal(q.Body, &body) // a request without a body names the contact in its path
	switch {
	case body.ContactID != "":
		return o.of(body.ContactID)
	case strings.HasPrefix(q.Route, "/contacts/{"), q.Route == owlattest.RouteTopicContact:
		return o.of(q.Path[strings.LastIndex(q.Path, "/")+1:])
	}
	return body.Email
}

func (o *inOrder) begin(q owlattest.Request) {
	who := o.who(q)
	o.mu.Lock()
	defer o.mu.Unlock()
	if before := o.busy[who]; who != "" && before != "" {
		o.t.Errorf("%s %s comes before %s has taken effect", q.Method, q.Route, before)
	}
	o.busy[who] = q.Method + " " + q.Route
}

func (o *inOrder) end(q owlattest.Request, _ int) {
	who := o.who(q)
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.busy, who)
}

// TestSeveralKeysKeepOneContactInOrder makes runs with three keys whose requests overtake each other on the way, kills them, and goes on with
// other numbers of keys. Nobody is created twice, no event is sent twice, nothing is refused, and all is as with one key.
func TestSeveralKeysKeepOneContactInOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, reconcile.Topic{ID: "all"})
		w.server.NoLimit = false
		keys := []string{w.server.AddKey(), w.server.AddKey()}
		with := func(more int) { w.options = []owlat.Option{owlat.WithMoreKeys(keys[:more]...)} }
		w.sync.Events = []reconcile.EventRule{{Name: "made", On: ledger.OnCreated}, {Name: "changed", On: ledger.OnUpdated}}
		for _, after := range []bool{false, true} {
			if err := w.server.InjectFaults(owlattest.Fault{Kind: owlattest.Latency, Delay: time.Millisecond, Jitter: 700 * time.Millisecond, After: after}); err != nil {
				t.Fatal(err)
			}
		}
		order := &inOrder{t: t, busy: map[string]string{}, of: func(id string) string {
			c, _ := w.server.Contact(id)
			return c.Email
		}}
		w.server.OnRequest, w.server.OnAnswer = order.begin, order.end
		people := func(first string) (list []owlatsync.Row) {
			for i := range 60 {
				list = append(list, user(fmt.Sprint(i), fmt.Sprintf("user%d@example.com", i), first, true))
			}
			return list
		}
		killed := func(n int, after bool, list ...owlatsync.Row) {
			w.killedAt(n, after, list...)
			time.Sleep(3 * time.Second) // what was on its way has arrived
			order.busy = map[string]string{}
		}
		with(2)
		killed(70, true, people("A")...)
		with(0)
		killed(31, false, people("A")...)
		with(1)
		w.run(people("A")...)
		for _, v := range w.events { // an event that a killed process left open is told, and not sent again
			if d, ok := v.(progress.RowDone); ok && d.Outcome == owlatsync.Failed && d.Category != ledger.CategoryEvent {
				t.Fatalf("row %s failed: %s", d.Key, d.Reason)
			}
		}
		stats := w.server.Stats()
		if made := stats.Count(http.MethodPost, owlattest.RouteContacts, http.StatusCreated); made != 60 || w.server.Len() != 60 {
			t.Errorf("%d contacts were created, %d are there", made, w.server.Len())
		}
		if stats.Events > 60 || stats.Events < 50 || stats.RateLimited > 0 || len(stats.Keys) != 3 {
			t.Errorf("%d events, %d refused, %d keys were used", stats.Events, stats.RateLimited, len(stats.Keys))
		}
		before := stats.Events
		with(2)
		killed(40, true, people("B")...)
		w.run(people("B")...)
		with(0)
		again := w.run(people("B")...)
		if again.Requests.Writes > 0 || w.server.Stats().Events > before+60 {
			t.Errorf("one more run writes %d times; %d events", again.Requests.Writes, w.server.Stats().Events-before)
		}
		for _, c := range w.server.Contacts() {
			if c.FirstName != "B" || len(c.Topics) != 1 {
				t.Errorf("a contact has the name %q and %d topics", c.FirstName, len(c.Topics))
			}
		}
	})
}

// TestTheReportNamesRefusedKeys by their places, also one that was refused before and still is; a run that sends nothing meets none.
func TestTheReportNamesRefusedKeys(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.options = []owlat.Option{owlat.WithMoreKeys(w.server.AddKey("contacts:read"), w.server.AddKey(), "lm_live_"+strings.Repeat("0", 32))}
		refused := func(n int) []int {
			t.Helper()
			var list []owlatsync.Row
			for i := range n {
				list = append(list, user(fmt.Sprint(i), fmt.Sprintf("user%d@example.com", i), "A", true))
			}
			report := w.run(list...)
			if w.server.Len() != n {
				t.Errorf("%d of %d people are there", w.server.Len(), n)
			}
			runs, err := w.ledger.Runs(t.Context(), "", 1)
			if err != nil || !slices.Equal(runs[0].Report.KeysRefused, report.KeysRefused) {
				t.Errorf("the ledger has %+v, %v", runs, err)
			}
			return report.KeysRefused
		}
		if got := refused(20); !slices.Equal(got, []int{2, 4}) {
			t.Errorf("keys %v were refused, want 2 and 4", got)
		}
		if got := refused(20); len(got) > 0 {
			t.Errorf("a run that sends nothing has keys %v refused", got)
		}
		w.options = w.options[:0]
		if got := refused(40); len(got) > 0 {
			t.Errorf("with one key, keys %v were refused", got)
		}
	})
}
