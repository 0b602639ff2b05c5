package reconcile_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"owlatsync"
	"owlatsync/reconcile"
)

// duplicated returns the reasons of the duplicates of the latest run, by position.
func (w *world) duplicated() map[string]string {
	reasons := make(map[string]string)
	for _, d := range w.outcomes(owlatsync.Duplicate) {
		reasons[d.Position] = d.Reason
	}
	return reasons
}

// TestADuplicateNamesTheWinner: the row that counts is named with its place, also where rows have no key, whether it is new or in
// step, and the reason says whether the two consent to different topics.
func TestADuplicateNamesTheWinner(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		keyless bool
		keys    [2]string
		later   []string // what the reason says once the winner is in step
	}{
		{"with keys", false, [2]string{"1", "2"}, []string{"the row with key 1 has the same address", "the contact is its own"}},
		{"with a key that is an address", false, [2]string{"a@example.com", "2"}, []string{"another row (row 3)", "the contact is its own"}},
		{"with the same key", false, [2]string{"1", "1"}, []string{"another row with this key, in row 3"}},
		{"without keys", true, [2]string{"", ""}, []string{"another row with this key, in row 3"}},
	} {
		for _, differ := range []bool{false, true} {
			t.Run(fmt.Sprint(tt.name, " ", differ), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, reconcile.Topic{ID: "news", When: true}, reconcile.Topic{ID: "all"})
				w.sync.KeyIsAddress = tt.keyless
				list := []owlatsync.Row{
					user("8", "x@example.com", "X", true, true), user("9", "y@example.com", "Y", true, true),
					user(tt.keys[0], "a@example.com", "A", true, true), user(tt.keys[1], "a@example.com", "A", !differ, true),
				}
				for run := range 3 {
					report := w.run(list...)
					if report.Outcomes[owlatsync.Duplicate] != 1 {
						t.Fatalf("outcomes %v", report.Outcomes)
					}
					reason := w.duplicated()["row 4"]
					want := tt.later
					if run == 0 {
						if want = []string{"row 3"}; tt.keys == [2]string{"1", "2"} {
							want = []string{"the row with key 1 has the same address"} // which names it
						}
					}
					instead := w.outcomes(owlatsync.Duplicate)[0].Instead
					if named := tt.keys[0] == "1"; instead == nil || (instead.Key == "1") != named || instead.Differs != differ || instead.Same != (tt.keys[0] == tt.keys[1]) {
						t.Errorf("run %d has %+v", run, instead)
					}
					if strings.Contains(reason, "@") {
						t.Errorf("run %d says %q", run, reason)
					}
					for _, part := range want {
						if !strings.Contains(reason, part) {
							t.Errorf("run %d says %q, want %q", run, reason, part)
						}
					}
					if says := strings.Contains(reason, "consent to different topics, and only what that one says counts"); says != differ {
						t.Errorf("run %d says %q of rows that differ: %v", run, reason, differ)
					}
				}
			})
		}
	}
}

// TestAYesOfAnyDuplicateCounts has several rows for one person, of which the first counts and another consents.
func TestAYesOfAnyDuplicateCounts(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		keyless bool
		keys    [2]string
	}{
		{"with keys", false, [2]string{"1", "2"}}, {"with the same key", false, [2]string{"1", "1"}}, {"without keys", true, [2]string{"", ""}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, reconcile.Topic{ID: "news", When: true}, reconcile.Topic{ID: "offers", When: true})
			w.sync.KeyIsAddress, w.sync.Duplicates = tt.keyless, reconcile.ConsentAny
			news, offers := w.sync.Topics[0].ID, w.sync.Topics[1].ID
			on := func(want ...string) {
				t.Helper()
				c := w.contact("a@example.com")
				if fmt.Sprint(c.Topics) != fmt.Sprint(want) || c.FirstName != "A" {
					t.Errorf("Owlat holds %+v, want topics %v", c, want)
				}
			}
			two := func(a, b [2]bool) []owlatsync.Row {
				return []owlatsync.Row{
					user(tt.keys[0], "a@example.com", "A", a[0], a[1]), user(tt.keys[1], "a@example.com", "B", b[0], b[1]),
				}
			}
			same := func(list []owlatsync.Row) {
				t.Helper()
				before := w.requests()
				want := "unchanged 1, duplicate 1"
				if len(list) == 1 {
					want = "unchanged 1"
				}
				expect(t, w.run(list...), want)
				w.sent(before)
			}
			yes, no, half := [2]bool{true, true}, [2]bool{}, [2]bool{false, true}

			list := two(no, [2]bool{true, false})
			expect(t, w.run(list...), "created 1, duplicate 1")
			on(news)
			if reason := w.duplicated()["row 2"]; !strings.Contains(reason, "a yes of either counts") {
				t.Errorf("told %q", reason)
			}
			same(list)

			list = two(no, no) // nobody consents any more
			expect(t, w.run(list...), "updated 1, duplicate 1")
			on()
			same(list)

			list = two(no, half) // the row that counts has not changed
			expect(t, w.run(list...), "updated 1, duplicate 1")
			on(offers)
			same(list)

			list = two(half, half) // which of them says it makes no difference
			w.run(list...)
			on(offers)
			same(list)

			list = two(half, yes)
			expect(t, w.run(list...), "updated 1, duplicate 1")
			on(offers, news)
			same(list)

			w.leave(w.contact("a@example.com").ID, news, true) // an opt-out holds, whoever still consents
			same(list)
			on(offers)
			list = two(half, yes)
			list[0].Fields[owlatsync.LastName] = owlatsync.Some("Changed")
			expect(t, w.run(list...), "updated 1, duplicate 1")
			on(offers)

			list = two(no, half)[:1] // the row that consents has left
			expect(t, w.run(list...), "updated 1")
			on()
			same(list)

			list = two(no, yes)
			w.run(list...)
			w.sync.Duplicates = reconcile.ConsentWinner // what it says does not count any more
			w.run(list...)
			on()
			same(list)
		})
	}
}

// TestAYesOfAnyDuplicateCountsAmongChanges reads only changes: what a duplicate says counts whichever of the rows changed.
func TestAYesOfAnyDuplicateCountsAmongChanges(t *testing.T) {
	t.Parallel()
	u := newUsers(t)
	u.sync.Topics = []reconcile.Topic{{ID: u.server.AddTopic("news", false), When: true}}
	u.sync.Duplicates = reconcile.ConsentAny
	on := func() bool { return len(u.contact("a@example.com").Topics) == 1 }
	u.put(1, "a@example.com", "A")
	u.put(2, "a@example.com", "B")
	u.exec("UPDATE users SET news = 0")
	u.synced("full: created 1 duplicate 1")
	if on() {
		t.Error("on the topic, and nobody consents")
	}
	u.far()
	u.put(2, "a@example.com", "B")
	u.exec("UPDATE users SET news = 1 WHERE id = 2")
	u.synced("changes: updated 1 duplicate 1")
	if !on() {
		t.Error("not on the topic, and a duplicate consents")
	}
	u.far()
	u.put(1, "a@example.com", "Other")
	u.exec("UPDATE users SET news = 0 WHERE id = 1")
	u.synced("changes: updated 1 duplicate 1")
	if !on() {
		t.Error("taken off the topic, and a duplicate consents")
	}
	u.synced("changes: unchanged 1 duplicate 1")
}

// TestAWinnerThatIsInvalidIsNotRaised: a row that counts no more for being invalid is not put on a topic for another's yes.
func TestAWinnerThatIsInvalidIsNotRaised(t *testing.T) {
	t.Parallel()
	w := newWorld(t, reconcile.Topic{ID: "news", When: true})
	w.sync.Duplicates = reconcile.ConsentAny
	w.run(user("1", "a@example.com", "A", false))
	list := []owlatsync.Row{user("1", "a@example.com", strings.Repeat("A", 300), false), user("2", "a@example.com", "B", true)}
	expect(t, w.run(list...), "invalid 1, duplicate 1")
	list[0] = user("1", "a@example.com", "A", false)
	expect(t, w.run(list...), "updated 1, duplicate 1")
	if c := w.contact("a@example.com"); len(c.Topics) != 1 {
		t.Errorf("Owlat holds %+v", c)
	}
}

// TestARaisedRowIsHeldAndLeftOut has a guard hold a run in which a row in step counts with another's yes, and a part leave it out: the
// outcomes add up.
func TestARaisedRowIsHeldAndLeftOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t, reconcile.Topic{ID: "news", When: true})
	w.sync.Duplicates, w.sync.Guards.TopicAdds = reconcile.ConsentAny, reconcile.Limit{Share: 0.001}
	w.run(user("1", "a@example.com", "A", false), user("3", "c@example.com", "C", false))
	list := []owlatsync.Row{user("1", "a@example.com", "A", false), user("2", "a@example.com", "B", true), user("3", "c@example.com", "C", false)}
	_, err := w.try(t.Context(), runOptions{}, rows{list: list})
	held, ok := errors.AsType[*reconcile.HeldError](err)
	if !ok {
		t.Fatalf("not held: %v", err)
	}
	report, err := w.try(t.Context(), runOptions{Approve: held.Run}, rows{list: list})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, report, "updated 1, unchanged 1, duplicate 1")
	w.sync.Guards = unguarded
	list[1].Consents = []owlatsync.Consent{owlatsync.No}
	if report, err = w.try(t.Context(), runOptions{Only: []string{"3"}}, rows{list: list}); err != nil {
		t.Fatal(err)
	}
	expect(t, report, "unchanged 1, duplicate 1, skipped 1")
}
