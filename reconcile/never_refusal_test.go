package reconcile_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/owlat"
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
		"refused in the middle": {func(w *world) {
			sent := 0
			w.workers = 1
			w.server.OnAnswer = func(r owlattest.Request, _ int) {
				if r.Route == owlattest.RouteUnsubscribe {
					if sent++; sent == 3 {
						w.server.SetUnsubscribeSecret("changed")
					}
				}
			}
		}, "signs with another secret"},
		"late": {faulty(owlattest.Fault{Kind: owlattest.Latency, Delay: time.Hour}), "answer too slowly or not at all"},
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
			report, said := w.run(list...), 0
			if done := report.Memberships.OptedOut; done+report.Outcomes[owlatsync.Failed] != 14 || done > 0 != (name == "refused in the middle") {
				t.Errorf("%s: %+v", name, report)
			}
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

// TestNeverMailOfWhoGoesMeanwhile: contacts are deleted, and one is merged, while a run opts people out. Nobody who is gone is created
// again; the contact into which one was merged is opted out by its address.
func TestNeverMailOfWhoGoesMeanwhile(t *testing.T) {
	t.Parallel()
	w := newNever(t, true, reconcile.Topic{ID: "news"})
	w.workers = 1
	list := people(4, "P")
	w.run(list...)
	into := w.people("heir@example.com")
	w.join(into, w.sync.Topics[0].ID)
	gone := false
	w.server.OnRequest = func(r owlattest.Request) {
		if r.Route != owlattest.RouteUnsubscribe || gone {
			return
		}
		gone = true
		third := w.contact("p3@example.com").ID
		if err := errors.Join(w.server.SoftDelete("p1@example.com"), w.server.SoftDelete("p2@example.com"), w.server.Merge(into, third),
			w.server.EditContact(into, owlat.UpdateContactRequest{Email: new("p3@example.com")})); err != nil {
			t.Error(err)
		}
	}
	for i := range list {
		list[i] = neverMail(list[i])
	}
	report := w.run(list...)
	expect(t, report, "updated 3, adopted 1")
	w.wantOut(into)
	w.wantOut("p4@example.com")
	for range 2 {
		w.run(list...)
	}
	if all := w.server.Contacts(); len(all) != 2 || w.linksSent() > 6 {
		t.Errorf("%d opt-outs were sent; %+v", w.linksSent(), all)
	}
}
