package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
	"owlatsync/reconcile"
	"owlatsync/reconcile/bar"
)

// neverMail is a row that says that no mail may go to the person, whatever else it says.
func neverMail(r owlatsync.Row) owlatsync.Row {
	r.Suppressed = true
	return r
}

// newNever returns a world whose rows say to whom no mail may go, with an unsubscribe secret or without one.
func newNever(t testing.TB, secret bool, topics ...reconcile.Topic) *world {
	w := newWorld(t, topics...)
	w.sync.Suppressed = true
	w.server.SetUnsubscribeSecret(linkSecret)
	w.sync.Guards.OptOuts = reconcile.NoLimit
	if secret {
		w.options = append(w.options, owlat.WithUnsubscribeSecret(linkSecret), owlat.WithPreferencesRate(1000))
	}
	return w
}

// optedOut reports whether Owlat has opted the contact out of everything, and on how many topics it is.
func (w *world) optedOut(contact string) (out bool, topics int) {
	w.t.Helper()
	c, ok := w.server.Contact(contact)
	if !ok {
		w.t.Fatalf("there is no contact %s", contact)
	}
	return c.Unsubscribed, len(c.Topics)
}

func (w *world) wantOut(contact string) {
	w.t.Helper()
	if out, topics := w.optedOut(contact); !out || topics != 0 {
		w.t.Errorf("%s: opted out %v, on %d topics", contact, out, topics)
	}
}

// join puts a contact on topics as somebody else would.
func (w *world) join(id string, topics ...string) {
	w.t.Helper()
	for _, topic := range topics {
		if resp := w.call("POST", "/topics/"+topic+"/contacts", `{"contactId":"`+id+`"}`); resp.StatusCode != 201 {
			w.t.Fatal(resp.Status)
		}
	}
}

// linksSent counts opt-outs since the server began.
func (w *world) linksSent() (n int) {
	for _, a := range w.server.Stats().Links.Log {
		if a.Method == "POST" {
			n++
		}
	}
	return n
}

// TestNeverMail follows a person from a yes to "never mail" and back: they are opted out once, and nothing lifts that.
func TestNeverMail(t *testing.T) {
	t.Parallel()
	for _, existing := range []reconcile.Existing{reconcile.ExistingSkip, reconcile.ExistingAdd} {
		w := newNever(t, true, reconcile.Topic{ID: "news", When: true, Existing: existing}, reconcile.Topic{ID: "all", Existing: existing})
		w.sync.Events = []reconcile.EventRule{{Name: "changed", On: ledger.OnUpdated}}
		expect(t, w.run(user("1", "a@example.com", "A", true, true), user("2", "b@example.com", "B", true, true)), "created 2")
		report := w.run(neverMail(user("1", "a@example.com", "New", true, true)), user("2", "b@example.com", "B", true, true))
		expect(t, report, "updated 1, unchanged 1")
		if report.Memberships.OptedOut != 1 || report.Requests.Links != 1 || w.summary().OptOuts != 1 {
			t.Errorf("report %+v, plan %+v", report, w.summary())
		}
		w.wantOut("a@example.com")
		if w.contact("a@example.com").FirstName != "New" || len(w.contact("b@example.com").Topics) != 2 || w.server.Stats().Events != 0 {
			t.Errorf("%+v", w.server.Contacts())
		}
		before := w.requests()
		expect(t, w.run(neverMail(user("1", "a@example.com", "New", true, true)), user("2", "b@example.com", "B", true, true)), "unchanged 2")
		w.sent(before)
		// The column goes back, the consent goes to no and to yes, and the address changes.
		for _, then := range []owlatsync.Row{
			user("1", "a@example.com", "New", true, true), user("1", "a@example.com", "New", false, true), user("1", "a@example.com", "New", true, true),
			user("1", "c@example.com", "New", true, true), user("1", "c@example.com", "New", false, true), user("1", "c@example.com", "New", true, true),
		} {
			before = w.requests()
			w.run(then, user("2", "b@example.com", "B", true, true))
			w.wantOut(then.Email.Value)
			if n := w.requests()["POST /topics/{topic}/contacts"] - before["POST /topics/{topic}/contacts"]; n > 0 {
				t.Fatalf("existing %s: a row put the person back", existing)
			}
		}
		if w.linksSent() != 1 {
			t.Errorf("%d opt-outs were sent", w.linksSent())
		}
	}
}

// TestALiftedNeverMail: nothing follows from a lift alone. A row that goes on saying so suppresses the person again when it changes, and one that says so no more counts as anybody's: its
// consent is new, and the add ends the opt-out in Owlat.
func TestALiftedNeverMail(t *testing.T) {
	t.Parallel()
	for _, corrected := range []bool{false, true} {
		w := newNever(t, true, reconcile.Topic{ID: "news", When: true})
		w.run(user("1", "a@example.com", "A", true))
		w.run(neverMail(user("1", "a@example.com", "A", true)))
		w.wantOut("a@example.com")
		if was, err := bar.Lift(t.Context(), w.ledger, "a@example.com"); !was || err != nil {
			t.Fatal(was, err)
		}
		before := w.requests()
		w.run(neverMail(user("1", "a@example.com", "A", true)))
		w.sent(before)
		w.wantOut("a@example.com")
		next := neverMail(user("1", "a@example.com", "New", true))
		if next.Suppressed = !corrected; !corrected {
			w.run(next)
			w.wantOut("a@example.com")
			if w.linksSent() != 2 {
				t.Errorf("%d opt-outs were sent", w.linksSent())
			}
			continue
		}
		w.run(next)
		if out, topics := w.optedOut("a@example.com"); out || topics != 1 {
			t.Errorf("once the row is corrected: opted out %v, on %d topics", out, topics)
		}
	}
}

// TestNeverMailOfARowThatIsNotApplied opts people out whatever is wrong with their rows.
func TestNeverMailOfARowThatIsNotApplied(t *testing.T) {
	t.Parallel()
	for name, breaks := range broken {
		w := newNever(t, true, reconcile.Topic{ID: "news", When: true})
		winner, good := user("0", "winner@example.com", "W", true), user("1", "a@example.com", "A", true)
		w.run(winner, good)
		before, list := w.requests(), []owlatsync.Row{winner, breaks(neverMail(user("1", "a@example.com", "A", true)))}
		report := w.run(list...)
		if report.Memberships.OptedOut != 1 && name != "another's address" {
			t.Errorf("%s: %+v", name, report)
		}
		w.wantOut("a@example.com")
		if name == "another's address" {
			w.wantOut("winner@example.com") // the row says it of that address too
			continue
		}
		w.sent(before)
		w.run(list...)
		w.sent(before)
		if w.linksSent() != 1 {
			t.Errorf("%s: %d opt-outs were sent", name, w.linksSent())
		}
	}
}

// TestNeverMailOfADuplicate: any of several rows with one key or address may say it, whichever counts.
func TestNeverMailOfADuplicate(t *testing.T) {
	t.Parallel()
	for name, list := range map[string][]owlatsync.Row{
		"the second of an address": {user("1", "a@example.com", "A", true), neverMail(user("2", "a@example.com", "B", true))},
		"the second of a key":      {user("1", "a@example.com", "A", true), neverMail(user("1", "a@example.com", "B", true))},
		"the first of an address":  {neverMail(user("1", "a@example.com", "A", true)), user("2", "a@example.com", "B", true)},
	} {
		for _, known := range []bool{false, true} {
			w := newNever(t, true, reconcile.Topic{ID: "news"})
			if known {
				w.run(user("1", "a@example.com", "A", true))
			} else {
				w.people("a@example.com")
			}
			w.run(list...)
			w.wantOut("a@example.com")
			before := w.requests()
			w.run(list...)
			w.sent(before)
			if t.Failed() {
				t.Fatalf("%s, known %v", name, known)
			}
		}
	}
}

// TestNeverMailOfAStranger creates nobody, and opts out who is there all the same: found by the listing or by a look-up.
func TestNeverMailOfAStranger(t *testing.T) {
	t.Parallel()
	for _, there := range []bool{false, true} {
		for _, met := range []bool{false, true} { // without a listing, because the sync has run
			w := newNever(t, true, reconcile.Topic{ID: "news"})
			if met {
				w.run(user("0", "z@example.com", "Z", true))
			}
			if there {
				w.join(w.people("a@example.com"), w.sync.Topics[0].ID)
			}
			row := neverMail(user("1", "a@example.com", "A", true))
			report := w.run(user("0", "z@example.com", "Z", true), row)
			if _, is := w.server.Contact("a@example.com"); is != there {
				t.Fatalf("there %v, met %v: the contact is there: %v", there, met, is)
			}
			if there {
				w.wantOut("a@example.com")
			} else if d := w.done("1"); d.Outcome != owlatsync.Skipped || d.Category != ledger.CategoryNeverMail || report.Memberships.OptedOut != 0 {
				t.Errorf("told %+v", d)
			}
			before := w.requests()
			w.run(user("0", "z@example.com", "Z", true), row)
			w.sent(before)
		}
	}
}

// TestNeverMailWithoutTheSecret takes the contact off all topics of the sync, and opts it out once the secret is there.
func TestNeverMailWithoutTheSecret(t *testing.T) {
	t.Parallel()
	w := newNever(t, false, reconcile.Topic{ID: "news", When: true}, reconcile.Topic{ID: "all"})
	other := w.server.AddTopic("other", false)
	id := w.people("a@example.com")
	w.join(id, w.sync.Topics[0].ID, w.sync.Topics[1].ID, other)
	w.run(user("1", "a@example.com", "A", true, true))
	row := neverMail(user("1", "a@example.com", "A", true, true))
	before := w.requests()
	report := w.run(row)
	expect(t, report, "updated 1")
	w.sent(before, "DELETE /topics/{topic}/contacts/{contact} 2")
	if out, topics := w.optedOut(id); out || topics != 1 || report.Memberships.Removed != 2 || report.Memberships.OptedOut != 0 || w.done("1").Reason == "" {
		t.Errorf("opted out %v, on %d topics; %+v", out, topics, report)
	}
	for _, then := range []owlatsync.Row{row, user("1", "a@example.com", "A", false, true), user("1", "a@example.com", "A", true, true)} {
		before = w.requests()
		w.run(then)
		w.sent(before)
	}
	w.options = append(w.options, owlat.WithUnsubscribeSecret(linkSecret))
	expect(t, w.run(row), "updated 1")
	w.wantOut(id)
	before = w.requests()
	expect(t, w.run(row), "unchanged 1")
	w.sent(before)
}

// TestNeverMailAndOtherSyncs: no sync of the ledger puts the person on a topic any more, nor sends an event, and what they recorded counts as ended.
func TestNeverMailAndOtherSyncs(t *testing.T) {
	t.Parallel()
	w := newNever(t, true, reconcile.Topic{ID: "news", When: true, Existing: reconcile.ExistingAdd})
	mine := w.sync
	other := w.sync
	other.Name, other.Suppressed, other.Events = "others", false, []reconcile.EventRule{{Name: "seen", On: ledger.OnUpdated}}
	w.run(user("1", "a@example.com", "A", true))
	w.sync = other
	w.run(user("9", "a@example.com", "A", true))
	w.sync = mine
	w.run(neverMail(user("1", "a@example.com", "A", true)))
	w.sync = other
	for _, then := range []owlatsync.Row{user("9", "a@example.com", "B", true), user("9", "a@example.com", "B", false), user("9", "b@example.com", "B", true)} {
		w.run(then)
		w.wantOut(then.Email.Value)
	}
	if w.server.Stats().Events != 0 {
		t.Error("an event was sent")
	}
	entries, err := w.ledger.Entries(t.Context(), "others", []string{"9"})
	if err != nil {
		t.Fatal(err)
	}
	optOuts, err := w.ledger.OptOuts(t.Context(), []string{entries["9"].ContactID})
	if err != nil || len(optOuts) != 1 {
		t.Errorf("opt-outs %+v, %v", optOuts, err)
	}
}

// TestTheSecretIsRefused: rows that are to be opted out wait and say why, nobody else does, and nothing puts these people on a topic meanwhile.
func TestTheSecretIsRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newNever(t, true, reconcile.Topic{ID: "news", When: true, Existing: reconcile.ExistingAdd})
		defer w.ledger.Close()
		var first, then []owlatsync.Row
		for i := range 30 {
			r := user(fmt.Sprint(i), fmt.Sprintf("p%d@example.com", i), "P", false)
			first, then = append(first, r), append(then, neverMail(user(fmt.Sprint(i), fmt.Sprintf("p%d@example.com", i), "P", true)))
		}
		w.run(first...)
		w.server.SetUnsubscribeSecret("another one")
		then = append(then, user("new", "new@example.com", "N", true))
		before := w.linksSent()
		expect(t, w.run(then...), "created 1, failed 30")
		if sent := w.linksSent() - before; sent > 12 {
			t.Errorf("%d requests were sent with a refused secret", sent)
		}
		if d := w.done("0"); d.Category != ledger.CategoryNeverMail || d.Reason == "" {
			t.Errorf("told %+v", d)
		}
		w.run(then...)
		for _, c := range w.server.Contacts() {
			if len(c.Topics) > 0 && c.Email != "new@example.com" {
				t.Errorf("%s is on a topic", c.Email)
			}
		}
		w.server.SetUnsubscribeSecret(linkSecret)
		time.Sleep(25 * time.Hour)
		expect(t, w.run(then...), "updated 30, unchanged 1")
		w.wantOut("p7@example.com")
	})
}

// mortal is a ledger whose process is killed at one of its writes: before it, or right after.
type mortal struct {
	ledger.Store
	*death
}

type death struct {
	at    int // the write, from 1
	after bool

	mu sync.Mutex
	n  int
}

// write is called by several at once when a run ends: what waits for its turn then begins.
func (d *death) write(do func() error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.n++; d.n < d.at {
		return do()
	}
	if d.n == d.at && d.after {
		_ = do()
	}
	return errKilled
}

func (m mortal) Acquire(ctx context.Context, claim ledger.Claim) (ledger.Lock, error) {
	lock, err := m.Store.Acquire(ctx, claim)
	return mortalLock{lock, m.death}, err
}

func (m mortal) Suppress(ctx context.Context, s ...ledger.Suppression) error {
	return m.write(func() error { return m.Store.Suppress(ctx, s...) })
}

func (m mortal) NoteOptOuts(ctx context.Context, o ...ledger.OptOut) error {
	return m.write(func() error { return m.Store.NoteOptOuts(ctx, o...) })
}

type mortalLock struct {
	ledger.Lock
	*death
}

func (l mortalLock) Record(ctx context.Context, records ...ledger.Record) error {
	return l.write(func() error { return l.Lock.Record(ctx, records...) })
}

// TestAKillWhileSomebodyIsOptedOut kills the process at each of its writes, and loses each answer: the next run converges, in which nobody is put
// on a topic who must get no mail.
func TestAKillWhileSomebodyIsOptedOut(t *testing.T) {
	t.Parallel()
	for _, secret := range []bool{true, false} {
		for at := 1; ; at++ {
			killed := false
			for _, after := range []bool{at%2 == 0} {
				synctest.Test(t, func(t *testing.T) {
					w := newNever(t, secret, reconcile.Topic{ID: "news", When: true})
					defer w.ledger.Close()
					w.run(user("1", "a@example.com", "A", true), user("3", "c@example.com", "C", true))
					w.join(w.people("b@example.com"), w.sync.Topics[0].ID)
					list := []owlatsync.Row{neverMail(user("1", "a@example.com", "New", true)), neverMail(user("2", "b@example.com", "B", true)), neverMail(user("3", "", "C", true))}
					d := &death{at: at, after: after}
					w.through, w.workers = mortal{w.ledger, d}, 1
					_, err := w.try(context.Background(), runOptions{}, rows{list: list})
					killed = killed || d.n >= at
					if (err != nil) != (d.n >= at) {
						t.Fatalf("write %d of %d: %v", at, d.n, err)
					}
					w.through = nil
					before := w.requests()
					w.run(list...)
					for _, who := range []string{"a@example.com", "b@example.com", "c@example.com"} {
						if out, topics := w.optedOut(who); topics > 0 || out != secret {
							t.Errorf("write %d, after it %v: %s is opted out %v, on %d topics", at, after, who, out, topics)
						}
					}
					if sent := w.requests(); sent["POST /topics/{topic}/contacts"] != before["POST /topics/{topic}/contacts"] {
						t.Error("somebody was added")
					}
					before = w.requests()
					w.run(list...)
					if w.sent(before); t.Failed() {
						t.Fatalf("write %d, after it %v, secret %v: %+v", at, after, secret, w.rowsDone())
					}
				})
			}
			if !killed {
				if at < 5 {
					t.Errorf("only %d writes", at)
				}
				break
			}
		}
	}
	for _, kind := range []owlattest.FaultKind{owlattest.ResetBefore, owlattest.ResetAfter} {
		w := newNever(t, true, reconcile.Topic{ID: "news"})
		w.run(user("1", "a@example.com", "A", true))
		if err := w.server.InjectFaults(owlattest.Fault{Kind: kind, Route: owlattest.RouteUnsubscribe, Count: 10}); err != nil {
			t.Fatal(err)
		}
		w.options = append(w.options, owlat.WithRetries(0))
		row := neverMail(user("1", "a@example.com", "A", true))
		expect(t, w.run(row), "failed 1")
		w.server.ClearFaults()
		w.run(row)
		w.wantOut("a@example.com")
	}
}

// TestTheGuardOfOptOuts holds a run that opts out too many, and a first run asks.
func TestTheGuardOfOptOuts(t *testing.T) {
	t.Parallel()
	guards := func(err error) (names []owlatsync.Guard) {
		held := new(reconcile.HeldError)
		if errors.As(err, &held) {
			for _, hit := range held.Hits {
				names = append(names, hit.Guard)
			}
		}
		return names
	}
	for _, secret := range []bool{true, false} {
		w := newNever(t, secret, reconcile.Topic{ID: "news"})
		w.sync.Guards = reconcile.Guards{}
		var list, all []owlatsync.Row
		for i := range 8 {
			list = append(list, user(fmt.Sprint(i), fmt.Sprintf("p%d@example.com", i), "P", true))
			all = append(all, neverMail(list[i]))
		}
		w.people("p3@example.com")
		_, err := w.try(t.Context(), runOptions{}, rows{list: all})
		if got := guards(err); !slices.Equal(got, []owlatsync.Guard{owlatsync.GuardFirstRun}) {
			t.Errorf("secret %v: a first run is held by %v", secret, got)
		}
		w.sync.Guards.FirstRun = true
		w.run(list...)
		want := owlatsync.GuardOptOuts
		if !secret {
			want = owlatsync.GuardRemovals
		}
		_, err = w.try(t.Context(), runOptions{}, rows{list: all})
		if got := guards(err); !slices.Equal(got, []owlatsync.Guard{want}) {
			t.Errorf("secret %v: a wrong column is held by %v", secret, got)
		}
		if secret { // those who withdraw come first
			w.sync.Guards = unguarded
			w.sync.Guards.OptOuts = reconcile.NoLimit
			part := []owlatsync.Row{user("0", "p0@example.com", "New", true), user("1", "p1@example.com", "New", true), neverMail(user("2", "p2@example.com", "New", true))}
			if _, err := w.try(t.Context(), runOptions{Limit: 1}, rows{list: part}); err != nil {
				t.Fatal(err)
			}
			w.wantOut("p2@example.com")
		}
	}
}
