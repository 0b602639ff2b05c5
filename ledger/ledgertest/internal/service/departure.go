package service

import (
	"slices"
	"sync/atomic"
	"testing"

	"owlatsync/ledger"
)

// departureTest makes news of one person, contact1, who left the topics t1 and t2, or some of them.
type departureTest struct {
	t *testing.T
	l Ledger
}

// hook is a webhook that tells that the person left at a second.
func (d departureTest) hook(second int, topics ...string) ledger.News {
	return d.news(byte(second), second, 0, topics)
}

// read is a reading at a second on which the person was no longer on topics, as at the second since.
func (d departureTest) read(since, second int, topics ...string) ledger.News {
	n := d.news(byte(100+second), second, since, topics)
	n.Feedback.Kind = ledger.KindRead
	return n
}

func (d departureTest) news(hash byte, second, since int, topics []string) ledger.News {
	n := ledger.News{Feedback: ledger.Feedback{
		Hash: [ledger.HashSize]byte{hash}, Event: "topic.unsubscribed", ContactID: "contact1", Email: "row1@example.com", At: at(second), Received: at(second),
	}}
	for _, topic := range topics {
		o := ledger.OptOut{ContactID: "contact1", Topic: topic, At: at(second)}
		if since > 0 {
			o.Since = at(since)
		}
		n.OptOuts = append(n.OptOuts, o)
		n.Feedback.Topics = append(n.Feedback.Topics, ledger.FeedbackTopic{ID: topic})
		n.Deliveries = append(n.Deliveries, ledger.Delivery{Target: "crm", Person: "row1@example.com", Topic: topic})
	}
	return n
}

// take takes news in and returns the topics that are to be written back since, and whether the news were new.
func (d departureTest) take(n ledger.News) (told []string, isNew bool) {
	d.t.Helper()
	before := d.deliveries()
	took, err := d.l.TakeIn(d.t.Context(), n)
	noError(d.t, err)
	same(d.t, "a number", took.ID != 0, took.New)
	told = d.deliveries()[len(before):]
	same(d.t, "deliveries of the receipt", took.Deliveries, len(told))
	if !slices.Contains(told, "") {
		same(d.t, "topics of the receipt", took.Left, len(told))
	}
	return told, took.New
}

// deliveries returns the topics of all deliveries in the order in which they came.
func (d departureTest) deliveries() (topics []string) {
	d.t.Helper()
	found, err := d.l.Deliveries(d.t.Context(), "", 0)
	noError(d.t, err)
	for _, delivery := range slices.Backward(found) {
		topics = append(topics, delivery.Topic)
	}
	return topics
}

func (d departureTest) want(what string, n ledger.News, wantNew bool, wantTold ...string) {
	d.t.Helper()
	told, isNew := d.take(n)
	same(d.t, what+": is new", isNew, wantNew)
	same(d.t, what+": is written back", append([]string{}, told...), append([]string{}, wantTold...))
}

func (d departureTest) left(want ...ledger.OptOut) {
	d.t.Helper()
	for i := range want {
		want[i].At = want[i].At.UTC()
		if !want[i].Since.IsZero() {
			want[i].Since = want[i].Since.UTC()
		}
	}
	same(d.t, "opt-outs", optOuts(d.t, d.l, "contact1"), want)
}

// DeparturesOnce checks that TakeIn counts a departure once, in whatever order webhooks and readings tell of it.
func DeparturesOnce(t *testing.T, open Open) {
	fresh := func(t *testing.T) departureTest { return departureTest{t, fresh(t, open)} }
	told := func(topic string, second int) ledger.OptOut {
		return ledger.OptOut{ContactID: "contact1", Topic: topic, At: at(second)}
	}
	read := func(topic string, since, second int) ledger.OptOut {
		return ledger.OptOut{ContactID: "contact1", Topic: topic, Since: at(since), At: at(second)}
	}
	t.Run("a reading, then the webhook", func(t *testing.T) {
		t.Parallel()
		d := fresh(t)
		d.want("the reading", d.read(10, 20, "t1", "t2"), true, "t1", "t2")
		d.left(read("t1", 10, 20), read("t2", 10, 20))
		d.want("the webhook", d.hook(15, "t1", "t2"), true)
		d.left(read("t1", 10, 20), read("t2", 10, 20))
		d.want("the webhook again", func() ledger.News { n := d.hook(15, "t1", "t2"); n.Feedback.Hash[1] = 1; return n }(), true)
		d.want("a later webhook", d.hook(25, "t1"), true, "t1")
		d.left(told("t1", 25), read("t2", 10, 20))
	})
	t.Run("a webhook, then the reading", func(t *testing.T) {
		t.Parallel()
		d := fresh(t)
		d.want("the webhook", d.hook(15, "t1"), true, "t1")
		d.want("the reading", d.read(10, 20, "t1"), false)
		d.left(told("t1", 15))
		found, err := d.l.Feedbacks(t.Context(), "", "", 0, 0)
		noError(t, err)
		same(t, "feedback", len(found), 1)
		d.want("a reading of more", d.read(10, 20, "t1", "t2"), true, "t2")
		d.left(told("t1", 15), read("t2", 10, 20))
		found, err = d.l.Feedbacks(t.Context(), "", "", 0, 1)
		noError(t, err)
		same(t, "topics of what was read", found[0].Topics, []ledger.FeedbackTopic{{ID: "t2"}})
		same(t, "its kind", found[0].Kind, ledger.KindRead)
		same(t, "the latest webhook", lastFeedback(t, d.l), at(15).UTC())
	})
	t.Run("at the edges", func(t *testing.T) {
		t.Parallel()
		d := fresh(t)
		d.want("the reading", d.read(10, 20, "t1"), true, "t1")
		d.want("a webhook of before", d.hook(10, "t1"), true, "t1")
		d.want("a webhook of the time of the reading", d.hook(20, "t1"), true)
		d.left(told("t1", 20))
		d.want("the next reading since then", d.read(20, 30, "t1"), false)
		d.want("a reading after another add", d.read(21, 31, "t1"), true, "t1")
		d.left(read("t1", 21, 31))
	})
	t.Run("again and again", func(t *testing.T) {
		t.Parallel()
		d := fresh(t)
		d.want("the reading", d.read(10, 20, "t1"), true, "t1")
		again := d.read(10, 20, "t1")
		took, err := d.l.TakeIn(t.Context(), again)
		noError(t, err)
		same(t, "is counted", took, ledger.Receipt{ID: took.ID})
		same(t, "the number", took.ID != 0, true)
		d.want("another reading", d.read(10, 22, "t1"), false)
		d.left(read("t1", 10, 20))
	})
	t.Run("to a target that hears of all topics at once", func(t *testing.T) {
		t.Parallel()
		d := fresh(t)
		whole := func(n ledger.News) ledger.News {
			n.Deliveries = []ledger.Delivery{{Target: "crm", Person: "row1@example.com"}}
			return n
		}
		d.want("the reading", whole(d.read(10, 20, "t1")), true, "")
		d.want("a webhook of one more", whole(d.hook(15, "t1", "t2")), true, "")
		d.want("a webhook of what is known", whole(d.hook(16, "t1")), true)
	})
	t.Run("with what else follows", func(t *testing.T) {
		t.Parallel()
		d := fresh(t)
		d.want("the webhook", d.hook(15, "t1"), true, "t1")
		n := d.read(10, 20, "t1")
		n.Known = map[string]string{"row1@example.com": "contact1"}
		d.want("the reading", n, true)
		same(t, "known", known(t, d.l, "row1@example.com"), n.Known)
	})
	t.Run("at once", func(t *testing.T) {
		t.Parallel()
		d := fresh(t)
		done := make(chan error)
		var left atomic.Int64
		all := []ledger.News{d.read(10, 20, "t1", "t2"), d.hook(15, "t1", "t2"), d.read(10, 21, "t1"), d.read(10, 22, "t2")}
		for _, n := range all {
			go func() {
				took, err := d.l.TakeIn(t.Context(), n)
				left.Add(int64(took.Left))
				done <- err
			}()
		}
		for range all {
			noError(t, <-done)
		}
		same(t, "is counted", left.Load(), int64(2))
		topics := d.deliveries()
		slices.Sort(topics)
		same(t, "is written back", topics, []string{"t1", "t2"})
	})
	t.Run("is kept, and the later one counts", func(t *testing.T) {
		t.Parallel()
		folder := t.TempDir()
		l := open(t, folder)
		noError(t, l.NoteOptOuts(t.Context(), read("a", 10, 20), read("b", 10, 20), told("c", 20), told("d", 20), read("e", 10, 20)))
		noError(t, l.NoteOptOuts(t.Context(), told("a", 20), told("b", 15), read("c", 10, 20), read("d", 10, 21), read("e", 12, 22)))
		if err := l.NoteOptOuts(t.Context(), read("f", 21, 20)); err == nil {
			t.Error("an opt-out was taken that was found before the person was on the topic")
		}
		noError(t, l.Close())
		d := departureTest{t, reopen(t, open, folder)}
		d.left(told("a", 20), read("b", 10, 20), told("c", 20), read("d", 10, 21), read("e", 12, 22))
	})
}

// Rounds checks what is known of rounds.
func Rounds(t *testing.T, open Open) {
	folder := t.TempDir()
	l := open(t, folder)
	got, err := l.Round(t.Context())
	noError(t, err)
	same(t, "before the first", got, ledger.Round{})
	want := ledger.Round{
		Began: at(1), Ended: at(2), RoundCounts: ledger.RoundCounts{Read: "moved", Listed: 9, Contacts: 8, People: 7, Topics: 6, Gone: 5, Untold: 4, Seconds: 1.5},
		Open: ledger.OpenRound{Began: at(3), Read: "all", After: 1<<64 - 1, Contacts: 3, People: 2, Topics: 1, Tried: at(4), Failed: "it did not answer"},
	}
	want.Requests.Links = 8
	k, err := l.Acquire(t.Context(), ledger.Claim{Purpose: "a round"})
	noError(t, err)
	noError(t, k.KeepRound(t.Context(), ledger.Round{Began: at(1), Ended: at(9)}))
	noError(t, k.KeepRound(t.Context(), want))
	noError(t, k.Release())
	noError(t, l.Close())
	l = reopen(t, open, folder)
	got, err = l.Round(t.Context())
	noError(t, err)
	same(t, "across a reopening", got, want.UTC())
}
