package reconcile_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/owlat/owlattest"
	"owlatsync/reconcile"
)

// TestWhySomebodyIsNotOptedOut: the reason of a row is what happened, also of rows whose opt-out was not sent any more because those of others failed.
func TestWhySomebodyIsNotOptedOut(t *testing.T) {
	t.Parallel()
	faulty := func(f owlattest.Fault) func(*world) {
		return func(w *world) {
			f.Route, f.Count = owlattest.RouteUnsubscribe, 1<<20
			if err := w.server.InjectFaults(f); err != nil {
				w.t.Fatal(err)
			}
		}
	}
	for name, test := range map[string]struct {
		spoil func(*world)
		why   string
	}{
		"another secret": {func(w *world) { w.server.SetUnsubscribeSecret("that of another deployment") }, "signs with another secret"},
		"no secret":      {func(w *world) { w.server.SetUnsubscribeSecret("") }, "signs with another secret"},
		"a clock off":    {func(w *world) { w.server.ClockAhead = 100 * 24 * time.Hour }, "compare this machine's clock"},
		"503":            {faulty(owlattest.Fault{Kind: owlattest.StatusError, Status: 503}), "503 internal"},
		"429":            {faulty(owlattest.Fault{Kind: owlattest.RateLimited}), "429 rate_limited"},
		"nothing":        {faulty(owlattest.Fault{Kind: owlattest.ResetBefore}), "connection reset"},
		"late":           {faulty(owlattest.Fault{Kind: owlattest.Latency, Delay: time.Hour}), "answer too slowly or not at all"},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newNever(t, true, reconcile.Topic{ID: "news", When: true})
			defer w.ledger.Close()
			list := people(14, "P", true)
			w.run(list...)
			time.Sleep(time.Hour)
			for i := range list {
				list[i] = neverMail(list[i])
			}
			test.spoil(w)
			expect(t, w.run(list...), "failed 14")
			said := 0
			for _, d := range w.outcomes(owlatsync.Failed) {
				if !strings.Contains(d.Reason, test.why) || strings.Contains(d.Reason, linkSecret) || strings.Contains(d.Reason, "@") {
					t.Errorf("%s: row %s, %s: %s", name, d.Key, d.Category, d.Reason)
				}
				if d.Category == ledger.CategoryNeverMail {
					said++
				}
			}
			if said == 0 {
				t.Errorf("%s: no opt-out was left out", name)
			}
		})
	}
}
