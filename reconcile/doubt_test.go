package reconcile_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
	"owlatsync/reconcile"
)

// killedAt runs the sync in a process that is killed at its n-th request, before that takes effect or after. The ledger stays as it is.
func (w *world) killedAt(n int, after bool, list ...owlatsync.Row) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	f := &fuse{kind: killed, at: n, after: after, cancel: cancel, stop: make(chan struct{})}
	client, err := owlat.NewClient("https://owlat.example/base", w.key, append(w.options, owlat.WithTransport(fusedTransport{f, w.server.Transport()}))...)
	if err != nil {
		w.t.Fatal(err)
	}
	defer client.CloseIdleConnections()
	s := w.sync
	s.Source = rows{list: list}
	_, err = reconcile.New(client, fusedLedger{f, w.ledger}, reconcile.Options{Workers: w.workers}).Run(ctx, s, reconcile.RunOptions{})
	if err == nil || !f.blown {
		w.t.Fatalf("the run was not killed at request %d: %v", n, err)
	}
	if err := w.ledger.Close(); err != nil { // the lock goes with the process
		w.t.Fatal(err)
	}
	w.open()
}

// entries returns what the ledger has of the sync.
func (w *world) entries() (all []*ledger.Entry) {
	w.t.Helper()
	for e, err := range w.ledger.All(context.Background(), w.sync.Name) {
		if err != nil {
			w.t.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}

// lostAdds makes the answers to adds be lost, from the n-th on, after they took effect or before.
func (w *world) lostAdds(after bool, from int) {
	w.t.Helper()
	kind := owlattest.ResetBefore
	if after {
		kind = owlattest.ResetAfter
	}
	if err := w.server.InjectFaults(owlattest.Fault{Kind: kind, Method: http.MethodPost, Route: owlattest.RouteTopicContacts, At: from, Count: 1000}); err != nil {
		w.t.Fatal(err)
	}
}

// TestWhatWaitsForItsTurnIsNotInDoubt kills runs at Owlat's limits, where several rows wait for the limiter. Only what was under way is in
// doubt, and in the end everybody who consents is on the topic, and each event has come once.
func TestWhatWaitsForItsTurnIsNotInDoubt(t *testing.T) {
	t.Parallel()
	for _, events := range []bool{false, true} {
		for _, at := range []int{12, 17, 23, 38} {
			if at > 20 && !events {
				continue
			}
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, reconcile.Topic{ID: "news", When: true})
				defer func() { w.ledger.Close() }()
				w.server.NoLimit, w.options = false, nil
				consent := func(yes bool) (list []owlatsync.Row) { return people(20, "P", yes) }
				if events {
					w.sync.Events = []reconcile.EventRule{{Name: "seen", On: ledger.OnAppears}}
				} else {
					w.run(consent(false)...)
				}
				w.killedAt(at, false, consent(!events)...)
				doubts := 0
				for _, e := range w.entries() {
					for _, m := range e.Memberships {
						if m.State == ledger.MemberSent {
							doubts++
						}
					}
					for _, m := range e.Events {
						if m.State == ledger.EventSent {
							doubts++
						}
					}
					if e.Doubt {
						doubts++
					}
				}
				if doubts > 2 { // one request was under way, and the answer before it perhaps not recorded yet
					t.Errorf("killed at request %d, events %v: %d rows are in doubt", at, events, doubts)
				}
				report := w.run(consent(!events)...)
				lost := report.Outcomes[owlatsync.Failed] // an event that was under way
				if lost > 2 || lost > 0 && !events {
					t.Errorf("killed at request %d, events %v: %v", at, events, report.Outcomes)
				}
				arrived := w.requests()["POST /events"]
				for i := range 20 {
					if !events && w.members(fmt.Sprintf("p%d@example.com", i+1)) != 1 {
						t.Errorf("killed at request %d: person %d is not on the topic", at, i+1)
					}
				}
				if events && arrived != 20-lost {
					t.Errorf("killed at request %d: %d events arrived, %d are unknown", at, arrived, lost)
				}
				time.Sleep(time.Minute)
				expect(t, w.run(consent(!events)...), "unchanged 20")
			})
		}
	}
}

// TestAnAddInDoubtIsSentAgain: nobody has left since, so a later run puts an end to the doubt, whatever else of ours has moved the contact
// before.
func TestAnAddInDoubtIsSentAgain(t *testing.T) {
	t.Parallel()
	row := func(email string, consents ...bool) owlatsync.Row { return user("1", email, "A", consents...) }
	for _, tt := range []struct {
		name          string
		before, after owlatsync.Row
		doubleOptIn   bool // of the first topic
	}{
		{"a new contact", owlatsync.Row{}, row("a@example.com", false, true), false},
		{"a new consent", row("a@example.com", false, false), row("a@example.com", false, true), false},
		{"beside another topic", row("a@example.com", false, false), row("a@example.com", true, true), false},
		{"after a removal", row("a@example.com", true, false), row("a@example.com", false, true), false},
		{"after a rename", row("a@example.com", false, false), row("b@example.com", false, true), false},
		{"after a rename and a removal", row("a@example.com", true, false), row("b@example.com", false, true), false},
		{"after a double opt-in", row("a@example.com", false, false), row("a@example.com", true, true), true},
	} {
		for _, after := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, reconcile.Topic{ID: "offers", When: true}, reconcile.Topic{ID: "news", When: true})
				defer w.ledger.Close()
				w.sync.Topics[0].ID = w.server.AddTopic("other offers", tt.doubleOptIn)
				if tt.before.Key != "" {
					w.run(tt.before)
					time.Sleep(time.Hour)
				}
				from, on := 1, 1
				if tt.after.Consents[0] == owlatsync.Yes { // the other topic's add comes first and gets through
					from, on = 2, 2
				}
				w.lostAdds(after, from)
				lost := w.run(tt.after)
				if lost.Outcomes[owlatsync.Failed] != 1 {
					t.Fatalf("%s: %v", tt.name, lost.Outcomes)
				}
				w.server.ClearFaults()
				time.Sleep(time.Hour)
				before := w.requests()
				report := w.run(tt.after)
				if report.Outcomes[owlatsync.Failed] != 0 || report.Memberships.Added != 1 {
					t.Errorf("%s, took effect %v: %v, %+v; %v", tt.name, after, report.Outcomes, report.Memberships, w.failed())
				}
				w.sent(before, "GET /contacts/{contact} 1", "POST /topics/{topic}/contacts 1")
				if got := w.members(tt.after.Email.Value); got != on {
					t.Errorf("%s: on %d topics, want %d", tt.name, got, on)
				}
				time.Sleep(time.Hour)
				expect(t, w.run(tt.after), "unchanged 1")
			})
		}
	}
}

// TestAnAddInDoubtIsNotSentAgain where somebody may have left: by any way out, and also where a run corrects the ledger before.
func TestAnAddInDoubtIsNotSentAgain(t *testing.T) {
	t.Parallel()
	for name, leave := range map[string]func(w *world) error{
		"the topic":    func(w *world) error { return w.server.Unsubscribe("a@example.com", w.sync.Topics[1].ID) },
		"everything":   func(w *world) error { return w.server.Unsubscribe("a@example.com", "") },
		"another one":  func(w *world) error { return w.server.Unsubscribe("a@example.com", w.sync.Topics[0].ID) },
		"by dashboard": func(w *world) error { return w.server.RemoveMember("a@example.com", w.sync.Topics[1].ID) },
	} {
		for _, how := range []string{"run", "run --full", "verify --repair", "kill", "after a rename"} {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, reconcile.Topic{ID: "offers", When: true}, reconcile.Topic{ID: "news", When: true})
				defer func() { w.ledger.Close() }()
				w.run(user("1", "a@example.com", "A", true, false))
				time.Sleep(time.Minute)
				consents := user("1", "a@example.com", "A", true, true)
				if how == "kill" {
					w.killedAt(1, true, consents)
				} else {
					w.lostAdds(true, 1)
					expect(t, w.run(consents), "failed 1")
					w.server.ClearFaults()
				}
				time.Sleep(time.Minute)
				if err := leave(w); err != nil {
					t.Fatal(err)
				}
				on := w.members("a@example.com")
				time.Sleep(time.Minute)
				switch how {
				case "run --full":
					w.call("PUT", "/contacts/a@example.com", `{"firstName":"Changed"}`)
					if report, err := w.try(t.Context(), runOptions{Full: true}, rows{list: []owlatsync.Row{consents}}); err != nil || report.Outcomes[owlatsync.Failed] != 1 {
						t.Errorf("%s, %s: %v, %v", name, how, report, err)
					}
				case "verify --repair":
					w.call("PUT", "/contacts/a@example.com", `{"firstName":"Changed"}`)
					w.verify(true, consents)
					expect(t, w.run(consents), "failed 1")
				case "after a rename":
					consents.Email = owlatsync.Some("b@example.com")
					expect(t, w.run(consents), "failed 1")
				default:
					expect(t, w.run(consents), "failed 1")
				}
				if w.done("1").Category != "unsure" {
					t.Errorf("%s, %s: told %+v", name, how, w.done("1"))
				}
				if got := w.members(consents.Email.Value); got != on {
					t.Errorf("%s, %s: on %d topics, want %d", name, how, got, on)
				}
				expect(t, w.run(consents), "unchanged 1")
			})
		}
	}
}
