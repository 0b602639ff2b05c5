package service

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"owlatsync/ledger"
)

// due returns the numbers of the deliveries that are due.
func due(t *testing.T, l Ledger, target string, second, limit int) (ids []int64) {
	t.Helper()
	found, err := l.DueDeliveries(t.Context(), target, at(second), limit)
	noError(t, err)
	for _, d := range found {
		ids = append(ids, d.ID)
	}
	return ids
}

// next returns in how many seconds the next delivery is due, -1 if none waits.
func next(t *testing.T, l Ledger, target string) int {
	t.Helper()
	when, err := l.NextDelivery(t.Context(), target)
	noError(t, err)
	if when.IsZero() {
		return -1
	}
	return int(when.Sub(at(0)) / time.Second)
}

func counts(t *testing.T, l Ledger) map[string]map[ledger.DeliveryState]int {
	t.Helper()
	found, err := l.DeliveryCounts(t.Context())
	noError(t, err)
	return found
}

// latest returns the numbers of the latest deliveries with the state.
func latest(t *testing.T, l Ledger, state ledger.DeliveryState, limit int) (ids []int64) {
	t.Helper()
	found, err := l.Deliveries(t.Context(), state, limit)
	noError(t, err)
	for _, d := range found {
		ids = append(ids, d.ID)
	}
	return ids
}

func deliveryOf(t *testing.T, l Ledger, id int64) ledger.Delivery {
	t.Helper()
	found, err := l.Deliveries(t.Context(), "", 0)
	noError(t, err)
	for _, d := range found {
		if d.ID == id {
			return d
		}
	}
	t.Fatalf("no delivery %d", id)
	return ledger.Delivery{}
}

// Outbox checks ledger.Outbox.
func Outbox(t *testing.T, open Open) {
	// send takes in feedback with a delivery for each person, and returns their numbers.
	send := func(t *testing.T, l Ledger, target string, second int, persons ...string) (ids []int64) {
		t.Helper()
		before, err := l.Deliveries(t.Context(), "", 0)
		noError(t, err)
		for _, person := range persons {
			n := len(before) + len(ids) + 1
			take(t, l, ledger.News{Feedback: told(n, "email.bounced"), Deliveries: []ledger.Delivery{{Target: target, Person: person, Due: at(second)}}})
			ids = append(ids, latest(t, l, "", 1)[0])
		}
		return ids
	}
	t.Run("of each person the oldest is due, and the next when it is done", func(t *testing.T) {
		t.Parallel()
		folder := t.TempDir()
		l := open(t, folder)
		ids := send(t, l, "a", 10, "ada", "bob", "ada", "eve", "ada")
		other := send(t, l, "b", 5, "ada")
		same(t, "too early", due(t, l, "a", 9, 9), []int64(nil))
		same(t, "next", []int{next(t, l, "a"), next(t, l, "b"), next(t, l, "c")}, []int{10, 5, -1})
		same(t, "due", due(t, l, "a", 10, 9), []int64{ids[0], ids[1], ids[3]})
		same(t, "some", due(t, l, "a", 10, 2), []int64{ids[0], ids[1]})
		same(t, "of another target", due(t, l, "b", 10, 9), other)
		noError(t, l.Undelivered(t.Context(), ids[0], "refused", true, at(30)))
		same(t, "while the first waits, so do those after it", due(t, l, "a", 29, 9), []int64{ids[1], ids[3]})
		noError(t, l.Delivered(t.Context(), ids[1], at(11), time.Time{}))
		noError(t, l.Delivered(t.Context(), ids[3], at(11), time.Time{}))
		same(t, "next", next(t, l, "a"), 30)
		same(t, "due again", due(t, l, "a", 30, 9), []int64{ids[0]})
		noError(t, l.Close())
		l = reopen(t, open, folder)
		failed := deliveryOf(t, l, ids[0])
		same(t, "failed", []any{failed.State, failed.Attempts, failed.Refused, failed.Due, failed.Error, failed.Done}, []any{ledger.DeliveryWaiting, 1, 1, at(30).UTC(), "refused", time.Time{}})
		noError(t, l.Delivered(t.Context(), ids[0], at(31), time.Time{}))
		noError(t, l.Delivered(t.Context(), ids[0], at(32), time.Time{}))
		done := deliveryOf(t, l, ids[0])
		same(t, "done", []any{done.State, done.Attempts, done.Error, done.Done}, []any{ledger.DeliveryDone, 2, "", at(31).UTC()})
		same(t, "the next of the person", due(t, l, "a", 59, 9), []int64{ids[2]})
		same(t, "counts", counts(t, l), map[string]map[ledger.DeliveryState]int{
			"a": {ledger.DeliveryDone: 3, ledger.DeliveryWaiting: 2}, "b": {ledger.DeliveryWaiting: 1},
		})
	})
	t.Run("a dead one stands in nobody's way, and is tried again when somebody asks", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		ids := send(t, l, "a", 10, "ada", "ada", "bob", "bob")
		for _, id := range []int64{ids[0], ids[2]} {
			noError(t, l.Undelivered(t.Context(), id, "down", false, at(20)))
			noError(t, l.Undelivered(t.Context(), id, "refused for good", true, time.Time{}))
			noError(t, l.Undelivered(t.Context(), id, "too late", true, at(20)))
		}
		dead := deliveryOf(t, l, ids[0])
		same(t, "dead", []any{dead.State, dead.Attempts, dead.Refused, dead.Error}, []any{ledger.DeliveryDead, 2, 1, "refused for good"})
		same(t, "due", due(t, l, "a", 10, 9), []int64{ids[1], ids[3]})
		same(t, "listed", [][]int64{latest(t, l, ledger.DeliveryDead, 0), latest(t, l, ledger.DeliveryDead, 1), latest(t, l, ledger.DeliveryWaiting, 0), latest(t, l, "", 3), latest(t, l, ledger.DeliveryDone, 0)},
			[][]int64{{ids[2], ids[0]}, {ids[2]}, {ids[3], ids[1]}, {ids[3], ids[2], ids[1]}, nil})
		same(t, "counts", counts(t, l), map[string]map[ledger.DeliveryState]int{"a": {ledger.DeliveryDead: 2, ledger.DeliveryWaiting: 2}})
		retry := func(ids ...int64) int {
			t.Helper()
			n, err := l.RetryDeliveries(t.Context(), ids, at(40))
			noError(t, err)
			return n
		}
		same(t, "retried", []int{retry(ids[1], ids[0], math.MaxInt32), retry(ids[0]), retry(), retry()}, []int{1, 0, 1, 0})
		again := deliveryOf(t, l, ids[0])
		same(t, "again", []any{again.State, again.Attempts, again.Refused, again.Due}, []any{ledger.DeliveryWaiting, 0, 0, at(40).UTC()})
		same(t, "it comes first again", due(t, l, "a", 40, 9), []int64{ids[0], ids[2]})
		same(t, "and those after it wait", due(t, l, "a", 39, 9), []int64(nil))
		same(t, "next", next(t, l, "a"), 40)
		noError(t, l.Delivered(t.Context(), math.MaxInt32, at(1), time.Time{})) // erased with its person
		noError(t, l.Undelivered(t.Context(), math.MaxInt32, "", true, at(1)))
	})
	t.Run("deliveries of one webhook keep their order", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		n := ledger.News{Feedback: told(1, "topic.unsubscribed")}
		for i := range 30 {
			n.Deliveries = append(n.Deliveries, ledger.Delivery{Target: "a", Person: "ada", Topic: fmt.Sprint(i), Due: at(30 - i), ID: 7, State: ledger.DeliveryDone, Attempts: 3, Error: "x"})
		}
		take(t, l, n)
		for i := range 30 {
			found, err := l.DueDeliveries(t.Context(), "a", at(59), 9)
			noError(t, err)
			if len(found) != 1 || found[0].Topic != fmt.Sprint(i) || found[0].Attempts != 0 || found[0].Error != "" {
				t.Fatalf("%d: %+v", i, found)
			}
			noError(t, l.Delivered(t.Context(), found[0].ID, at(59), time.Time{}))
		}
	})
	t.Run("an opt-out that a statement wrote is known to be written", func(t *testing.T) {
		t.Parallel()
		folder := t.TempDir()
		l := open(t, folder)
		left := func(second int, topics ...string) (outs []ledger.OptOut) {
			for _, topic := range topics {
				outs = append(outs, ledger.OptOut{ContactID: "contact1", Topic: topic, At: at(second).UTC()})
			}
			return outs
		}
		f := told(1, "topic.unsubscribed")
		f.Topics = []ledger.FeedbackTopic{{ID: "b"}, {ID: "c"}}
		take(t, l, ledger.News{Feedback: f, OptOuts: append(left(5, "a", "b", "c", "d"), ledger.OptOut{ContactID: "contact2", Topic: "a", At: at(5)}),
			Deliveries: []ledger.Delivery{{Target: "sql", Person: "1", Topic: "a"}, {Target: "sql", Person: "2"}, {Target: "file", Person: "1", Topic: "d"}}})
		ids := latest(t, l, "", 0)
		slices.Sort(ids)
		noError(t, l.Delivered(t.Context(), ids[2], at(8), time.Time{}))
		noError(t, l.Writes(t.Context(), []int64{ids[0], math.MaxInt32}, at(9)))
		noError(t, l.Delivered(t.Context(), ids[0], at(9), time.Time{}))
		want := left(5, "a", "b", "c", "d")
		want[0].Written = at(9).UTC()
		same(t, "the topic of the delivery", optOuts(t, l, "contact1"), want)
		noError(t, l.Writes(t.Context(), ids[1:2], at(10)))
		want[1].Written, want[2].Written = at(10).UTC(), at(10).UTC()
		noError(t, l.Writes(t.Context(), ids[2:3], at(11)))
		noError(t, l.Delivered(t.Context(), ids[2], at(12), at(11))) // nothing was found to write
		noError(t, l.Delivered(t.Context(), ids[0], at(12), at(11)))
		noError(t, l.NoteOptOuts(t.Context(), left(20, "a")...)) // what was written stays known
		want[0].At = at(20).UTC()
		noError(t, l.Close())
		l = reopen(t, open, folder)
		same(t, "all topics of the feedback", optOuts(t, l, "contact1"), want)
		same(t, "somebody else's", optOuts(t, l, "contact2"), []ledger.OptOut{{ContactID: "contact2", Topic: "a", At: at(5).UTC()}})
		record(t, l, "users", entry("1"))
		_, err := l.ForgetPerson(t.Context(), "row1@example.com")
		noError(t, err)
		same(t, "of a forgotten person", optOuts(t, l, "contact1"), want)
	})
	t.Run("it needs no lock", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		hold(t, l)
		id := send(t, l, "a", 1, "ada")[0]
		noError(t, l.Undelivered(t.Context(), id, "", true, time.Time{}))
		n, err := l.RetryDeliveries(t.Context(), nil, at(2))
		noError(t, err)
		same(t, "retried", n, 1)
		noError(t, l.Delivered(t.Context(), id, at(3), time.Time{}))
	})
}
