package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
	"owlatsync/reconcile"
)

const verifySecret = "the secret of links"

// knowing is a world whose client has the unsubscribe secret.
func knowing(t testing.TB, topics ...reconcile.Topic) *world {
	w := newWorld(t, topics...)
	w.server.SetUnsubscribeSecret(verifySecret)
	w.options = append(w.options, owlat.WithUnsubscribeSecret(verifySecret))
	return w
}

// look verifies with memberships, and tells each finding about one as "kind key: should, is".
func (w *world) look(o reconcile.VerifyOptions, list ...owlatsync.Row) (v reconcile.Verified, told []string, err error) {
	w.t.Helper()
	e, client := w.engine()
	defer client.CloseIdleConnections()
	s := w.sync
	s.Source = rows{list: list}
	o.Members = true
	o.Each = func(f reconcile.Finding) error {
		text := fmt.Sprintf("%s %s", f.Kind, f.Key)
		if f.Member != nil {
			text += fmt.Sprintf(": %s, %s", f.Member.Should, f.Member.Is)
		}
		told = append(told, text)
		return nil
	}
	v, err = e.Verify(w.t.Context(), []reconcile.Sync{s}, o)
	slices.Sort(told)
	return v, told, err
}

// by puts a contact on a topic as somebody else.
func (w *world) by(email, topic string) {
	w.t.Helper()
	if resp := w.call("POST", "/topics/"+topic+"/contacts", `{"email":"`+email+`"}`); resp.StatusCode != 201 {
		w.t.Fatalf("put %s on a topic: %d", email, resp.StatusCode)
	}
}

// disagreeing is a world in which each row disagrees with Owlat in another way, and its rows.
func disagreeing(t testing.TB) (*world, []owlatsync.Row) {
	w := knowing(t, reconcile.Topic{ID: "news", When: true}, reconcile.Topic{ID: "offers", When: true, Existing: reconcile.ExistingAdd})
	news, offers := w.sync.Topics[0].ID, w.sync.Topics[1].ID
	for _, there := range []string{"was-no@example.com", "was-yes@example.com"} {
		w.call("POST", "/contacts", `{"email":"`+there+`"}`)
		w.by(there, news)
	}
	if err := w.server.Unsubscribe("was-yes@example.com", ""); err != nil {
		t.Fatal(err)
	}
	list := []owlatsync.Row{
		user("fine", "fine@example.com", "A", true, true),
		user("left", "left@example.com", "A", true, false),
		user("back", "back@example.com", "A", true, false),
		user("own", "own@example.com", "A", false, false),
		user("ruled", "ruled@example.com", "A", false, false),
		user("was-no", "was-no@example.com", "A", false, false),
		user("was-yes", "was-yes@example.com", "A", true, false),
		user("due", "due@example.com", "A", false, false),
		user("gone", "gone@example.com", "A", true, false),
	}
	w.run(list...)
	time.Sleep(time.Second)
	list[2] = user("back", "back@example.com", "A", false, false)
	w.run(list...)
	time.Sleep(time.Second)
	if err := w.server.RemoveMember("left@example.com", news); err != nil {
		t.Fatal(err)
	}
	w.by("back@example.com", news)
	w.by("own@example.com", news)
	w.by("ruled@example.com", offers)
	list[7] = user("due", "due@example.com", "A", true, false)
	time.Sleep(time.Second)
	return w, list
}

var disagreements = []string{
	"due due: on, off",
	"left left: on, off",
	"off was-yes: either, off",
	"on own: either, on",
	"on was-no: either, on",
	"source due",
	"still-on back: off, on",
	"still-on ruled: off, on",
}

func TestVerifyTellsEveryDisagreementAboutMemberships(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, list := disagreeing(t)
		defer w.ledger.Close()
		requests, links, before := w.requests(), w.links(), time.Now()
		var announced int
		v, told, err := w.look(reconcile.VerifyOptions{Before: func(contacts int, perSecond float64) error {
			if announced = contacts; perSecond != owlat.DefaultPreferencesRate {
				t.Errorf("%v a second are announced", perSecond)
			}
			return nil
		}}, list...)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(disagreements, told); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if v.Differences() != 4 || v.Members.Contacts != 9 || v.Members.Unread != 0 || announced != 9 || w.links()-links != 9 {
			t.Errorf("verified %+v, %+v, %d announced, %d links", v, v.Members, announced, w.links()-links)
		}
		w.sent(requests, "GET /contacts 1", "GET /contacts/{contact} 1") // who is on no topic any more is looked for
		if took := time.Since(before); took != 8*time.Second/owlat.DefaultPreferencesRate {
			t.Errorf("it took %v", took)
		}
		if found, err := w.ledger.OptOuts(t.Context(), []string{w.contact("left@example.com").ID}); len(found) != 0 || err != nil {
			t.Errorf("without a repair it recorded %+v, %v", found, err)
		}
		// Nothing is read without being asked for, or without the secret.
		links = w.links()
		if v, _ := w.verify(false, list...); v.Members != nil || w.links() != links {
			t.Errorf("unasked it read memberships: %+v", v)
		}
	})
}

// TestARepairGoesInTheSafeDirectionAlone: departures are recorded, withdrawn consents are taken off, and nobody else is touched.
func TestARepairGoesInTheSafeDirectionAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, list := disagreeing(t)
		defer w.ledger.Close()
		list[7] = user("due", "due@example.com", "A", false, false)
		at := func(email string) string {
			var names []string
			for _, topic := range w.contact(email).Topics {
				names = append(names, map[string]string{w.sync.Topics[0].ID: "news", w.sync.Topics[1].ID: "offers"}[topic])
			}
			return strings.Join(names, " ")
		}
		before := map[string]string{}
		for _, row := range list {
			before[row.Key] = at(row.Email.Value)
		}
		v, _, err := w.look(reconcile.VerifyOptions{Repair: true}, list...)
		if err != nil || v.Members.Departures != 1 || v.Members.Due != 2 {
			t.Fatalf("%+v, %v", v.Members, err)
		}
		for _, row := range list {
			if got := at(row.Email.Value); got != before[row.Key] {
				t.Errorf("the verification itself moved %s to %q", row.Key, got)
			}
		}
		time.Sleep(time.Second)
		requests := w.requests()
		report := w.run(list...)
		w.sent(requests, "DELETE /topics/{topic}/contacts/{contact} 2")
		if report.Memberships.Removed != 2 || report.Memberships.Added != 0 {
			t.Errorf("memberships %+v", report.Memberships)
		}
		before["back"], before["ruled"] = "", ""
		for _, row := range list {
			if got := at(row.Email.Value); got != before[row.Key] {
				t.Errorf("%s is on %q, want %q", row.Key, got, before[row.Key])
			}
		}
		// Who left is not put back, whatever happens to the row; all agrees but what is left alone.
		list[1].Fields[owlatsync.FirstName] = owlatsync.Some("B")
		w.run(list...)
		time.Sleep(time.Second)
		v, told, err := w.look(reconcile.VerifyOptions{}, list...)
		if want := []string{"off was-yes: either, off", "on own: either, on", "on was-no: either, on"}; err != nil || !slices.Equal(told, want) || v.Differences() != 0 {
			t.Errorf("then %q, %v", told, err)
		}
		// A new consent counts.
		list[1] = user("left", "left@example.com", "B", false, false)
		w.run(list...)
		time.Sleep(time.Second)
		list[1] = user("left", "left@example.com", "B", true, false)
		w.run(list...)
		if got := at("left@example.com"); got != "news" {
			t.Errorf("after a new consent they are on %q", got)
		}
	})
}

// TestWhoIsGoneHasNotLeft: a contact that is deleted or merged while it is read is on no topic, and nobody has left.
func TestWhoIsGoneHasNotLeft(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(w *world) error{
		"deleted in the dashboard": func(w *world) error { return w.server.SoftDelete("a@example.com") },
		"deleted by the API": func(w *world) error {
			if resp := w.call("DELETE", "/contacts/a@example.com", ""); resp.StatusCode != 200 {
				return errors.New(resp.Status)
			}
			return nil
		},
		"merged": func(w *world) error { return w.server.Merge("b@example.com", "a@example.com") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := knowing(t, reconcile.Topic{ID: "news", When: true})
				defer w.ledger.Close()
				list := []owlatsync.Row{user("1", "a@example.com", "A", true), user("2", "b@example.com", "B", true)}
				w.run(list...)
				time.Sleep(time.Second)
				a := w.contact("a@example.com").ID
				v, told, err := w.look(reconcile.VerifyOptions{Repair: true, Before: func(int, float64) error { return end(w) }}, list...)
				if want := []string{"missing 1"}; err != nil || !slices.Equal(told, want) || v.Members.Departures != 0 {
					t.Errorf("%q, %+v, %v", told, v.Members, err)
				}
				if found, err := w.ledger.OptOuts(t.Context(), []string{a}); len(found) != 0 || err != nil {
					t.Errorf("%+v, %v", found, err)
				}
			})
		})
	}
}

// TestARunGoesOnWhileMembershipsAreRead: a removal of ours between the listing and the reading is no departure, and what the run records stays.
func TestARunGoesOnWhileMembershipsAreRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := knowing(t, reconcile.Topic{ID: "news", When: true})
		defer w.ledger.Close()
		list := []owlatsync.Row{user("1", "a@example.com", "A", true), user("2", "b@example.com", "B", true), user("3", "c@example.com", "C", true)}
		w.run(list...)
		time.Sleep(time.Second)
		if err := w.server.Unsubscribe("c@example.com", ""); err != nil {
			t.Fatal(err)
		}
		run := func(int, float64) error {
			now := slices.Clone(list)
			now[0] = user("1", "a@example.com", "A", false)
			expect(t, w.run(now...), "updated 1, unchanged 2")
			return nil
		}
		v, told, err := w.look(reconcile.VerifyOptions{Repair: true, Before: run}, list...)
		if want := []string{"left 3: on, off"}; err != nil || !slices.Equal(told, want) || v.Members.Departures != 1 {
			t.Errorf("%q, %+v, %v", told, v.Members, err)
		}
		if found, err := w.ledger.OptOuts(t.Context(), []string{w.contact("a@example.com").ID}); len(found) != 0 || err != nil {
			t.Errorf("our own removal counts as %+v, %v", found, err)
		}
	})
}

// TestASecretThatIsRefusedEndsTheReading: what was read stands, and the rest is told as not read.
func TestASecretThatIsRefusedEndsTheReading(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := knowing(t, reconcile.Topic{ID: "news", When: true})
		defer w.ledger.Close()
		var list []owlatsync.Row
		for i := range 60 {
			list = append(list, user(fmt.Sprintf("%02d", i), fmt.Sprintf("p%d@example.com", i), "A", true))
		}
		w.run(list...)
		time.Sleep(time.Second)
		if err := w.server.Unsubscribe("p0@example.com", ""); err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(1020*time.Millisecond, func() { w.server.SetUnsubscribeSecret("another") })
		v, told, err := w.look(reconcile.VerifyOptions{}, list...)
		refusal, _ := errors.AsType[*owlat.PreferencesError](v.Members.Ended)
		if err != nil || refusal == nil || refusal.Reason != owlat.ReasonInvalidSignature || v.Members.Contacts != 21 || v.Members.Unread != 39 || !slices.Equal(told, []string{"left 00: on, off"}) {
			t.Errorf("%q, %+v, %v", told, v.Members, err)
		}
		// Refused from the beginning: nobody has left.
		links := w.links()
		v, told, err = w.look(reconcile.VerifyOptions{Repair: true}, list...)
		if err != nil || v.Members.Ended == nil || v.Members.Contacts != 0 || v.Members.Unread != 60 || len(told) != 0 || w.links()-links > 32 {
			t.Errorf("%q, %+v, %v, %d requests", told, v.Members, err, w.links()-links)
		}
		// A clock that is off does the same.
		w.server.SetUnsubscribeSecret(verifySecret)
		w.server.ClockAhead = 100 * 24 * time.Hour
		v, told, err = w.look(reconcile.VerifyOptions{Repair: true}, list...)
		if refusal, _ := errors.AsType[*owlat.PreferencesError](v.Members.Ended); err != nil || refusal == nil || refusal.Reason != owlat.ReasonExpired || v.Members.Unread != 60 || len(told) != 0 {
			t.Errorf("%q, %+v, %v", told, v.Members, err)
		}
		w.server.ClockAhead = 0
		// Owlat is away for a while: who cannot be read is counted, and the others are read.
		w.server.SetUnsubscribeSecret(verifySecret)
		if err := w.server.InjectFaults(owlattest.Fault{Kind: owlattest.StatusError, Route: "/prefs/verify/{token}", At: 5, Count: 3}); err != nil {
			t.Fatal(err)
		}
		if v, _, err = w.look(reconcile.VerifyOptions{}, list...); err != nil || v.Members.Contacts+v.Members.Unread != 60 || v.Members.Ended != nil {
			t.Errorf("%+v, %v", v.Members, err)
		}
	})
}

// TestAVerificationCanBeInterrupted ends it while memberships are read.
func TestAVerificationCanBeInterrupted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, list := disagreeing(t)
		defer w.ledger.Close()
		e, client := w.engine()
		defer client.CloseIdleConnections()
		s := w.sync
		s.Source = rows{list: list}
		ctx, cancel := context.WithCancel(t.Context())
		v, err := e.Verify(ctx, []reconcile.Sync{s}, reconcile.VerifyOptions{Members: true, Before: func(int, float64) error { cancel(); return nil }})
		if !errors.Is(err, context.Canceled) || v.Members == nil || v.Members.Contacts != 0 {
			t.Errorf("%+v, %v", v.Members, err)
		}
		lock, err := w.ledger.Acquire(t.Context(), ledger.Claim{Purpose: "a test"})
		if err != nil {
			t.Fatalf("the lock is not given back: %v", err)
		}
		lock.Release()
	})
}

// TestTwoSyncsAndOneContact: it is read once, and what another sync wants or has taken off counts.
func TestTwoSyncsAndOneContact(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := knowing(t, reconcile.Topic{ID: "news", When: true})
		defer w.ledger.Close()
		yes, no := []owlatsync.Row{user("1", "a@example.com", "A", true)}, []owlatsync.Row{user("1", "a@example.com", "A", false)}
		first, second := w.sync, w.sync
		second.Name = "second"
		run := func(s reconcile.Sync, list []owlatsync.Row) reconcile.Sync {
			w.sync = s
			w.run(list...)
			s.Source = rows{list: list}
			time.Sleep(time.Second)
			return s
		}
		look := func() (told []string) {
			e, client := w.engine()
			defer client.CloseIdleConnections()
			links := w.links()
			_, err := e.Verify(t.Context(), []reconcile.Sync{first, second}, reconcile.VerifyOptions{Members: true, Each: func(f reconcile.Finding) error {
				told = append(told, fmt.Sprintf("%s of %s", f.Kind, f.Sync))
				return nil
			}})
			if read := w.links() - links; err != nil || read != 1 {
				t.Errorf("%v, %d requests", err, read)
			}
			return told
		}
		first = run(first, yes)
		first = run(first, no)
		second = run(second, no)
		second = run(second, yes)
		if told := look(); len(told) != 0 {
			t.Errorf("one sync withdrew, and another put them on it: %q", told)
		}
		second = run(second, no)
		first = run(first, yes)
		if told := look(); len(told) != 0 {
			t.Errorf("the other way round: %q", told)
		}
		if err := w.server.RemoveMember("a@example.com", w.sync.Topics[0].ID); err != nil {
			t.Fatal(err)
		}
		if told := look(); !slices.Equal(told, []string{"left of users"}) {
			t.Errorf("they left: %q", told)
		}
		if err := w.server.DeleteTopic(w.sync.Topics[0].ID); err != nil {
			t.Fatal(err)
		}
		if told := look(); !slices.Equal(told, []string{"topic of users", "topic of second"}) {
			t.Errorf("the topic is gone: %q", told)
		}
	})
}
