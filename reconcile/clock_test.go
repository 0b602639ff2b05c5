package reconcile_test

import (
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

// apart are how far the deployment's clock may be ahead of this machine's.
var apart = []time.Duration{0, -90 * time.Second, 11 * time.Minute, -time.Hour, 25 * time.Hour}

// TestOurContactsAreKnownWhateverTheClocksSay loses the answer to a create, in a run and by a kill: the contact is ours, so it gets its
// topic and its event, and may be deleted.
func TestOurContactsAreKnownWhateverTheClocksSay(t *testing.T) {
	t.Parallel()
	for _, ahead := range apart {
		for _, how := range []string{"answer lost", "killed", "killed later"} {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, reconcile.Topic{ID: "news", When: true})
				defer func() { w.ledger.Close() }()
				w.server.ClockAhead = ahead
				w.workers = 1
				w.sync.OnMissing = reconcile.MissingDelete
				w.sync.Events = []reconcile.EventRule{{Name: "made", On: ledger.OnCreated}}
				row := user("1", "a@example.com", "A", true)
				list := []owlatsync.Row{row}
				switch how {
				case "answer lost":
					if err := w.server.InjectFaults(owlattest.Fault{Kind: owlattest.ResetAfter, Route: owlattest.RouteContacts, Method: "POST", At: 1}); err != nil {
						t.Fatal(err)
					}
				case "killed": // at its first request: no answer has told the time
					w.killedAt(1, true, row)
					time.Sleep(time.Hour)
				case "killed later":
					list = append(list, user("0", "b@example.com", "B", true))
					w.killedAt(4, true, list[1], row)
					time.Sleep(time.Hour)
				}
				report := w.run(list...)
				if report.Outcomes[owlatsync.Created] != len(list) && how != "killed later" || report.Outcomes[owlatsync.Failed] > 0 {
					t.Errorf("%v ahead, %s: %v", ahead, how, report.Outcomes)
				}
				if n := w.members("a@example.com"); n != 1 {
					t.Errorf("%v ahead, %s: on %d topics", ahead, how, n)
				}
				if n := w.requests()["POST /events"]; n != len(list) {
					t.Errorf("%v ahead, %s: %d events", ahead, how, n)
				}
				want := "removed 1"
				if len(list) > 1 {
					want = "unchanged 1, removed 1"
				}
				expect(t, w.run(list[1:]...), want)
			})
		}
	}
}

// TestAContactThatWasThereIsNotOurs meets a contact that somebody else made a while before a create whose answer was lost.
func TestAContactThatWasThereIsNotOurs(t *testing.T) {
	t.Parallel()
	for _, ahead := range apart {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, reconcile.Topic{ID: "news"})
			defer w.ledger.Close()
			w.server.ClockAhead = ahead
			w.run(user("0", "b@example.com", "B", true)) // not the first run
			w.call("POST", "/contacts", `{"email":"a@example.com","firstName":"Other"}`)
			time.Sleep(2 * time.Minute)
			if err := w.server.InjectFaults(owlattest.Fault{Kind: owlattest.ResetBefore, Route: owlattest.RouteContacts, Method: "POST", At: 1}); err != nil {
				t.Fatal(err)
			}
			report := w.run(user("0", "b@example.com", "B", true), user("1", "a@example.com", "A", true))
			if report.Outcomes[owlatsync.Adopted] != 1 || w.members("a@example.com") != 0 {
				t.Errorf("%v ahead: %v, on %d topics", ahead, report.Outcomes, w.members("a@example.com"))
			}
		})
	}
}

// TestWhoLeavesAfterThePlanIsNotPutBack has the clocks apart while a person leaves, before a run has planned their new consent, or
// after.
func TestWhoLeavesAfterThePlanIsNotPutBack(t *testing.T) {
	t.Parallel()
	for _, ahead := range apart {
		for _, first := range []bool{false, true} { // the add is the run's first request
			for _, late := range []bool{false, true} { // the person leaves after the plan
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, reconcile.Topic{ID: "news", When: true})
					defer w.ledger.Close()
					w.server.ClockAhead = ahead
					w.run(user("1", "a@example.com", "A", false))
					c := w.contact("a@example.com")
					leaves := func() {
						if err := reconcile.Unsubscribed(t.Context(), w.ledger, owlat.WebhookTopicUnsubscribedPayload{
							ContactID: c.ID, UnsubscribedAt: time.Now().Add(ahead), Topics: []owlat.WebhookRemovedTopic{{ID: w.sync.Topics[0].ID}},
						}); err != nil {
							t.Error(err)
						}
					}
					time.Sleep(time.Hour)
					row := user("1", "a@example.com", "Changed", true)
					if first {
						row = user("1", "a@example.com", "A", true)
					}
					if !late {
						leaves()
						time.Sleep(time.Minute)
						w.run(row)
					} else if e, client := w.engine(); true {
						s := w.sync
						s.Source = rows{list: []owlatsync.Row{row}}
						observer := progress.Observer{Complete: true, Each: func(v progress.Value) {
							if _, ok := v.(progress.Planned); ok {
								time.Sleep(2 * time.Second)
								leaves()
							}
						}}
						if _, err := e.Run(t.Context(), s, reconcile.RunOptions{Observers: []progress.Observer{observer}}); err != nil {
							t.Fatal(err)
						}
						client.CloseIdleConnections()
					}
					want := 1
					if late {
						want = 0
					}
					if n := w.members("a@example.com"); n != want {
						t.Errorf("%v ahead, the first request %v, left after the plan %v: on %d topics", ahead, first, late, n)
					}
				})
			}
		}
	}
}

// TestAClockThatWasAheadParksNothing lets a row fail while this machine's clock is years ahead.
func TestAClockThatWasAheadParksNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.ledger.Close()
		w.sync.OnMissing = reconcile.MissingDelete
		w.run(people(2, "P")...)
		e := w.entries()
		far := time.Now().AddDate(3, 0, 0)
		fails := func(absence bool, print ledger.Fingerprint) *ledger.Failure {
			return &ledger.Failure{Class: ledger.RetryLater, Category: ledger.CategoryNetwork, Attempts: 3, First: far, Last: far, NextTry: far.Add(2 * time.Minute), Absence: absence, Fingerprint: print}
		}
		changed := people(2, "Q")
		s := w.sync
		print, err := s.Fingerprint(&changed[0])
		if err != nil {
			t.Fatal(err)
		}
		for i, x := range e {
			if x.Failure = fails(true, ledger.Fingerprint{}); i == 0 {
				x.Failure = fails(false, print)
			}
			x.Fingerprint = ledger.Fingerprint{}
			w.record(ledger.Record{Sync: w.sync.Name, Entry: x})
		}
		expect(t, w.run(changed[0]), "updated 1, removed 1")
	})
}
