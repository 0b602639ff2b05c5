package service

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"owlatsync/ledger"
)

// told is a feedback with a value in every field; its number becomes its place.
func told(n int, event string) ledger.Feedback {
	return ledger.Feedback{
		Hash: [ledger.HashSize]byte{byte(n), byte(n >> 8), 1}, Event: event, ContactID: fmt.Sprint("contact", n), Email: fmt.Sprintf("row%d@example.com", n),
		At: at(n % 50), Received: at(n%50 + 1), Topics: []ledger.FeedbackTopic{{ID: "topic1", Name: "News"}, {ID: "topic\xff"}}, Kind: "hard", Detail: "550 \xff no such user",
	}
}

func take(t *testing.T, l Ledger, news ledger.News) int64 {
	t.Helper()
	took, err := l.TakeIn(t.Context(), news)
	noError(t, err)
	same(t, "is new", took.New, true)
	return took.ID
}

func feedbacks(t *testing.T, l Ledger, event, person string, before int64, limit int) (ids []int64) {
	t.Helper()
	found, err := l.Feedbacks(t.Context(), event, person, before, limit)
	noError(t, err)
	for _, f := range found {
		ids = append(ids, f.ID)
	}
	return ids
}

func suppressions(t *testing.T, l Ledger, addresses ...string) map[string]ledger.Suppression {
	t.Helper()
	found, err := l.Suppressions(t.Context(), addresses)
	noError(t, err)
	return found
}

func known(t *testing.T, l Ledger, addresses ...string) map[string]string {
	t.Helper()
	found, err := l.Known(t.Context(), addresses)
	noError(t, err)
	return found
}

func optOuts(t *testing.T, l Ledger, contacts ...string) []ledger.OptOut {
	t.Helper()
	found, err := l.OptOuts(t.Context(), contacts)
	noError(t, err)
	slices.SortFunc(found, func(a, b ledger.OptOut) int { return strings.Compare(a.ContactID+a.Topic, b.ContactID+b.Topic) })
	return found
}

func lastFeedback(t *testing.T, l Ledger) time.Time {
	t.Helper()
	last, err := l.LastFeedback(t.Context())
	noError(t, err)
	return last
}

func suppress(address string, reason ledger.SuppressionReason, second int) ledger.Suppression {
	return ledger.Suppression{Email: address, Reason: reason, At: at(second).UTC()}
}

// Mailbox checks ledger.Mailbox and ledger.Heard.
func Mailbox(t *testing.T, open Open) {
	news := func(n int) ledger.News {
		f := told(n, "email.complained")
		return ledger.News{
			Feedback: f, OptOuts: []ledger.OptOut{{ContactID: f.ContactID, Topic: "topic1", At: f.At}},
			Suppressions: []ledger.Suppression{{Email: f.Email, Reason: ledger.Complained, At: f.At}}, Known: map[string]string{f.Email: f.ContactID},
			Deliveries: []ledger.Delivery{{Target: "unsub", Person: f.Email, Topic: "topic1"}},
		}
	}
	t.Run("everything, across a reopening", func(t *testing.T) {
		t.Parallel()
		folder := t.TempDir()
		l := open(t, folder)
		same(t, "last", lastFeedback(t, l), time.Time{})
		first := take(t, l, news(1))
		bare := take(t, l, ledger.News{Feedback: ledger.Feedback{Hash: [32]byte{9}, Event: "contact.created", Received: at(30)}})
		noError(t, l.Close())
		l = reopen(t, open, folder)
		found, err := l.Feedbacks(t.Context(), "", "", 0, 0)
		noError(t, err)
		want := told(1, "email.complained")
		want.ID, want.At, want.Received = first, want.At.UTC(), want.Received.UTC()
		same(t, "feedback", found, []ledger.Feedback{{ID: bare, Hash: [32]byte{9}, Event: "contact.created", Received: at(30).UTC()}, want})
		same(t, "opt-outs", optOuts(t, l, "contact1", "contact2"), []ledger.OptOut{{ContactID: "contact1", Topic: "topic1", At: at(1).UTC()}})
		same(t, "suppressions", suppressions(t, l, "row1@example.com", "row2@example.com"),
			map[string]ledger.Suppression{"row1@example.com": suppress("row1@example.com", ledger.Complained, 1)})
		same(t, "known", known(t, l, "row1@example.com", "row2@example.com"), map[string]string{"row1@example.com": "contact1"})
		same(t, "last", lastFeedback(t, l), at(30).UTC())
		same(t, "nobody", []int{len(suppressions(t, l)), len(known(t, l))}, []int{0, 0})
		deliveries, err := l.Deliveries(t.Context(), "", 0)
		noError(t, err)
		same(t, "deliveries", deliveries, []ledger.Delivery{{
			ID: deliveries[0].ID, Feedback: want, Target: "unsub", Person: "row1@example.com", Topic: "topic1", State: ledger.DeliveryWaiting, Due: at(2).UTC(),
		}})
	})
	t.Run("the second time changes nothing", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		id := take(t, l, news(1))
		again := news(2)
		again.Feedback.Hash = news(1).Feedback.Hash
		took, err := l.TakeIn(t.Context(), again)
		noError(t, err)
		same(t, "again", took, ledger.Receipt{ID: id})
		same(t, "feedback", feedbacks(t, l, "", "", 0, 0), []int64{id})
		same(t, "what follows", []int{len(optOuts(t, l, "contact2")), len(suppressions(t, l, "row2@example.com")), len(known(t, l, "row2@example.com"))}, []int{0, 0, 0})
		same(t, "last", lastFeedback(t, l), at(2).UTC())
		counts, err := l.DeliveryCounts(t.Context())
		noError(t, err)
		same(t, "deliveries", counts, map[string]map[ledger.DeliveryState]int{"unsub": {ledger.DeliveryWaiting: 1}})
	})
	t.Run("all or nothing", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		for name, spoil := range map[string]func(n *ledger.News){
			"no event":                    func(n *ledger.News) { n.Feedback.Event = "" },
			"no time":                     func(n *ledger.News) { n.Feedback.Received = time.Time{} },
			"an opt-out without a topic":  func(n *ledger.News) { n.OptOuts[0].Topic = "" },
			"an opt-out without a time":   func(n *ledger.News) { n.OptOuts[0].At = time.Time{} },
			"a suppression of nobody":     func(n *ledger.News) { n.Suppressions[0].Email = "" },
			"a suppression for no reason": func(n *ledger.News) { n.Suppressions[0].Reason = "mood" },
			"a suppression at no time":    func(n *ledger.News) { n.Suppressions[0].At = time.Time{} },
			"an address of no contact":    func(n *ledger.News) { n.Known["x@example.com"] = "" },
			"a contact of no address":     func(n *ledger.News) { n.Known[""] = "contact9" },
			"a delivery to nobody":        func(n *ledger.News) { n.Deliveries[0].Target = "" },
		} {
			n := news(1)
			spoil(&n)
			if took, err := l.TakeIn(t.Context(), n); err == nil || took.New {
				t.Errorf("%s: taken in", name)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := l.TakeIn(ctx, news(1)); !errors.Is(err, context.Canceled) {
			t.Errorf("under a context that has ended: %v", err)
		}
		same(t, "feedback", len(feedbacks(t, l, "", "", 0, 0)), 0)
		same(t, "what follows", []int{len(optOuts(t, l, "contact1")), len(suppressions(t, l, "row1@example.com")), len(known(t, l, "row1@example.com", "x@example.com"))}, []int{0, 0, 0})
	})
	t.Run("it needs no lock, and calls at once are all taken in", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		k := hold(t, l)
		var wg sync.WaitGroup
		for w := range 8 {
			wg.Go(func() {
				for i := range 20 {
					if took, err := l.TakeIn(t.Context(), news(w*20+i)); err != nil || !took.New {
						t.Errorf("new: %v, %v", took.New, err)
					}
					if took, err := l.TakeIn(t.Context(), news(w*20)); err != nil || took.New {
						t.Errorf("again: new: %v, %v", took.New, err)
					}
					if err := k.Record(t.Context(), ledger.Record{Sync: "users", Entry: entry(fmt.Sprint(w))}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		same(t, "feedback", len(feedbacks(t, l, "", "", 0, 0)), 160)
	})
	t.Run("feedback is found by event and person, newest first", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		var ids []int64
		for n := range 6 {
			f := told(n, []string{"email.bounced", "topic.unsubscribed"}[n%2])
			f.ContactID, f.Email = fmt.Sprint("contact", n/2), fmt.Sprintf("row%d@example.com", n/3)
			ids = append(ids, take(t, l, ledger.News{Feedback: f}))
		}
		for name, c := range map[string]struct {
			event, person string
			before        int64
			limit         int
			want          []int
		}{
			"all":               {"", "", 0, 0, []int{5, 4, 3, 2, 1, 0}},
			"some":              {"", "", 0, 2, []int{5, 4}},
			"further":           {"", "", ids[4], 2, []int{3, 2}},
			"of an event":       {"email.bounced", "", 0, 0, []int{4, 2, 0}},
			"of an address":     {"", "row1@example.com", 0, 0, []int{5, 4, 3}},
			"of a contact":      {"", "contact1", 0, 0, []int{3, 2}},
			"of both":           {"email.bounced", "row1@example.com", 0, 0, []int{4}},
			"of nobody":         {"", "contact9", 0, 0, nil},
			"of no event":       {"other", "", 0, 0, nil},
			"of one, and below": {"topic.unsubscribed", "row0@example.com", ids[3], 1, []int{1}},
		} {
			var want []int64
			for _, i := range c.want {
				want = append(want, ids[i])
			}
			same(t, name, feedbacks(t, l, c.event, c.person, c.before, c.limit), want)
		}
	})
	t.Run("a complaint outweighs a bounce, then the latest counts, until it is lifted", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		n := 0
		next := func(s ...ledger.Suppression) {
			t.Helper()
			n++
			f := told(n, "email.bounced")
			take(t, l, ledger.News{Feedback: f, Suppressions: s})
		}
		const ada, bob, eve = "ada@example.com", "bob@example.com", "eve@example.com"
		for _, c := range []struct {
			s    ledger.Suppression
			want ledger.Suppression
		}{
			{suppress(ada, ledger.Bounced, 5), suppress(ada, ledger.Bounced, 5)}, {suppress(ada, ledger.Bounced, 3), suppress(ada, ledger.Bounced, 5)},
			{suppress(ada, ledger.Bounced, 7), suppress(ada, ledger.Bounced, 7)}, {suppress(ada, ledger.Complained, 2), suppress(ada, ledger.Complained, 2)},
			{suppress(ada, ledger.Bounced, 9), suppress(ada, ledger.Complained, 2)}, {suppress(ada, ledger.Complained, 1), suppress(ada, ledger.Complained, 2)},
			{suppress(ada, ledger.Complained, 4), suppress(ada, ledger.Complained, 4)},
		} {
			next(c.s)
			same(t, "suppressions", suppressions(t, l, ada, bob), map[string]ledger.Suppression{ada: c.want})
		}
		next(suppress(bob, ledger.Bounced, 8), suppress(eve, ledger.Bounced, 1), suppress(eve, ledger.Complained, 1))
		all, err := l.AllSuppressions(t.Context(), 0)
		noError(t, err)
		same(t, "all", all, []ledger.Suppression{suppress(bob, ledger.Bounced, 8), suppress(ada, ledger.Complained, 4), suppress(eve, ledger.Complained, 1)})
		some, err := l.AllSuppressions(t.Context(), 2)
		noError(t, err)
		same(t, "some", some, all[:2])
		for _, want := range []bool{true, false} {
			was, err := l.Lift(t.Context(), ada)
			noError(t, err)
			same(t, "was suppressed", was, want)
		}
		same(t, "suppressions", suppressions(t, l, ada, bob), map[string]ledger.Suppression{bob: suppress(bob, ledger.Bounced, 8)})
		next(suppress(ada, ledger.Bounced, 1))
		same(t, "after another", suppressions(t, l, ada), map[string]ledger.Suppression{ada: suppress(ada, ledger.Bounced, 1)})
	})
	t.Run("lifting stands in the history of the rows with the address", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		record(t, l, "users", entry("1"), entry("2"))
		before := len(historyOf(t, l, "2"))
		for range 2 { // the second lifts nothing
			noError(t, l.Suppress(t.Context(), suppress("row3@example.com", ledger.Bounced, 1)))
			_, err := l.Lift(t.Context(), "row1@example.com")
			noError(t, err)
			noError(t, l.Suppress(t.Context(), suppress("contact1", ledger.NeverMail, 1)))
			_, err = l.Lift(t.Context(), "contact1")
			noError(t, err)
		}
		noError(t, l.Suppress(t.Context(), suppress("row1@example.com", ledger.Bounced, 1)))
		for range 2 {
			_, err := l.Lift(t.Context(), "row1@example.com")
			noError(t, err)
		}
		lines := historyOf(t, l, "1")
		same(t, "lines of the other", len(historyOf(t, l, "2")), before)
		same(t, "lines", len(lines), before+1)
		last := lines[len(lines)-1]
		same(t, "the last", []any{last.Event, last.Note, last.Run, last.At.IsZero()}, []any{ledger.EventLifted, "", int64(0), false})
	})
	t.Run("the latest contact of an address counts, in whatever order it comes", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		for n, c := range []struct {
			second  int
			contact string
			want    string
		}{{5, "a", "a"}, {3, "b", "a"}, {9, "c", "c"}} {
			f := told(n, "contact.created")
			f.At = at(c.second)
			take(t, l, ledger.News{Feedback: f, Known: map[string]string{"ada@example.com": c.contact}})
			same(t, "known", known(t, l, "ada@example.com"), map[string]string{"ada@example.com": c.want})
		}
	})
	t.Run("many at once", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		n := ledger.News{Feedback: told(1, "contact.created"), Known: make(map[string]string)}
		var addresses []string
		for i := range 1500 {
			address := fmt.Sprintf("many%d@example.com", i)
			addresses = append(addresses, address)
			n.Known[address] = fmt.Sprint("many", i)
			n.Suppressions = append(n.Suppressions, suppress(address, ledger.Bounced, 1))
		}
		take(t, l, n)
		same(t, "all of them", []int{len(known(t, l, addresses...)), len(suppressions(t, l, addresses...))}, []int{1500, 1500})
	})
	t.Run("old feedback is pruned, but not what still waits to be told", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		waiting, done, young := take(t, l, news(1)), take(t, l, news(2)), take(t, l, news(40))
		bare := told(3, "other")
		take(t, l, ledger.News{Feedback: bare})
		due, err := l.DueDeliveries(t.Context(), "unsub", at(59), 10)
		noError(t, err)
		for _, d := range due {
			if d.Feedback.ID == done {
				noError(t, l.Delivered(t.Context(), d.ID, at(9), time.Time{}))
			}
		}
		n, err := l.Prune(t.Context(), at(20))
		noError(t, err)
		same(t, "pruned: two feedbacks and three ties", n, int64(2+2))
		same(t, "feedback", feedbacks(t, l, "", "", 0, 0), []int64{young, waiting})
		counts, err := l.DeliveryCounts(t.Context())
		noError(t, err)
		same(t, "deliveries", counts, map[string]map[ledger.DeliveryState]int{"unsub": {ledger.DeliveryWaiting: 2}})
		same(t, "known", known(t, l, "row1@example.com", "row2@example.com", "row40@example.com"), map[string]string{"row40@example.com": "contact40"})
		same(t, "suppressions stay", len(suppressions(t, l, "row1@example.com", "row2@example.com")), 2)
		for _, d := range due {
			noError(t, l.Undelivered(t.Context(), d.ID, "given up", true, time.Time{}))
		}
		_, err = l.Prune(t.Context(), at(59))
		noError(t, err)
		same(t, "feedback", len(feedbacks(t, l, "", "", 0, 0)), 0)
		same(t, "when the latest came stays known", lastFeedback(t, l), at(41).UTC())
		later := take(t, l, ledger.News{Feedback: told(5, "other")})
		if later <= young {
			t.Errorf("feedback %d after %d", later, young)
		}
		same(t, "an earlier time does not count", lastFeedback(t, l), at(41).UTC())
	})
	t.Run("a person is forgotten, but not that no mail may go to them", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		const ada = "row1@example.com"
		record(t, l, "users", entry("1"), entry("2"))
		theirs := news(1)
		theirs.Feedback.ContactID = "contact1"
		take(t, l, theirs)
		old := told(4, "contact.updated") // under another address of the contact
		old.ContactID, old.Email = "contact1", "once@example.com"
		take(t, l, ledger.News{Feedback: old, Suppressions: []ledger.Suppression{suppress("once@example.com", ledger.Bounced, 1)}})
		elsewhere := told(5, "email.opened") // it names nobody, and its delivery does
		elsewhere.ContactID, elsewhere.Email = "", ""
		take(t, l, ledger.News{Feedback: elsewhere, Deliveries: []ledger.Delivery{{Target: "file", Person: ada}}})
		others := told(6, "email.bounced")
		other := take(t, l, ledger.News{Feedback: others, Known: map[string]string{"row6@example.com": "contact6"}, Deliveries: []ledger.Delivery{{Target: "file", Person: "row6@example.com"}}})
		last := lastFeedback(t, l)
		rows, err := l.ForgetPerson(t.Context(), ada)
		noError(t, err)
		same(t, "rows", rows, 1)
		found, err := l.Feedbacks(t.Context(), "", "", 0, 0)
		noError(t, err)
		if len(found) != 1 || found[0].ID != other {
			t.Errorf("feedback %+v", found)
		}
		deliveries, err := l.Deliveries(t.Context(), "", 0)
		noError(t, err)
		if len(deliveries) != 1 || deliveries[0].Feedback.ID != other {
			t.Errorf("deliveries %+v", deliveries)
		}
		same(t, "known", known(t, l, ada, "row6@example.com"), map[string]string{"row6@example.com": "contact6"})
		same(t, "last", lastFeedback(t, l), last)
		forgotten, err := l.Forgotten(t.Context(), []string{ada, "once@example.com", "row6@example.com"})
		noError(t, err)
		same(t, "forgotten", forgotten, map[string]bool{ada: true, "once@example.com": true})
		same(t, "opt-outs", optOuts(t, l, "contact1"), []ledger.OptOut{{ContactID: "contact1", Topic: "topic1", At: at(1).UTC()}})
		same(t, "suppressions", suppressions(t, l, ada, "once@example.com"), map[string]ledger.Suppression{
			ada: suppress(ada, ledger.Complained, 1), "once@example.com": suppress("once@example.com", ledger.Bounced, 1),
		})
		all, err := l.AllSuppressions(t.Context(), 0)
		noError(t, err)
		same(t, "all suppressions", len(all), 0)

		// Owlat repeats what it told before.
		for _, n := range []ledger.News{theirs, {Feedback: old}, {Feedback: elsewhere, Deliveries: []ledger.Delivery{{Target: "file", Person: ada}}}} {
			took, err := l.TakeIn(t.Context(), n)
			if err != nil || took != (ledger.Receipt{}) {
				t.Errorf("the repetition is %+v: %v", took, err)
			}
		}
		same(t, "feedback after repetitions", feedbacks(t, l, "", "", 0, 0), []int64{other})
		same(t, "opt-outs after repetitions", optOuts(t, l, "contact1"), []ledger.OptOut{{ContactID: "contact1", Topic: "topic1", At: at(1).UTC()}})
		same(t, "known after repetitions", len(known(t, l, ada)), 0)
		_, err = l.Prune(t.Context(), at(59))
		noError(t, err)
		if took, err := l.TakeIn(t.Context(), ledger.News{Feedback: old}); err != nil || !took.New {
			t.Errorf("after as long as feedback is kept: new %v, %v", took.New, err)
		}

		// They are heard of again, and forgotten again.
		n := told(7, "email.bounced")
		n.Email = ada
		take(t, l, ledger.News{Feedback: n, Suppressions: []ledger.Suppression{suppress(ada, ledger.Bounced, 40)}})
		same(t, "the complaint counts", suppressions(t, l, ada)[ada], suppress(ada, ledger.Complained, 1))
		_, err = l.ForgetPerson(t.Context(), ada)
		noError(t, err)
		same(t, "the complaint still counts", suppressions(t, l, ada)[ada], suppress(ada, ledger.Complained, 1))
		was, err := l.Lift(t.Context(), ada)
		noError(t, err)
		same(t, "was suppressed", was, true)
		same(t, "suppressions", len(suppressions(t, l, ada)), 0)
	})
	t.Run("a person whom only Owlat told of is forgotten", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		record(t, l, "users", entry("1"))
		f := told(1, "contact.created")
		f.Email, f.ContactID = "new@example.com", ""
		take(t, l, ledger.News{Feedback: f, Known: map[string]string{"new@example.com": "contact1"}})
		rows, err := l.ForgetPerson(t.Context(), "new@example.com")
		noError(t, err)
		same(t, "rows of the same contact", rows, 1)
		same(t, "feedback", len(feedbacks(t, l, "", "", 0, 0)), 0)
		same(t, "known", len(known(t, l, "new@example.com")), 0)
	})
}

// historyOf returns the lines of a row of the sync users.
func historyOf(t *testing.T, l Ledger, key string) []ledger.HistoryLine {
	t.Helper()
	lines, err := l.History(t.Context(), "users", key)
	noError(t, err)
	return lines
}
