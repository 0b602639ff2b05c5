package reconcile_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/owlat/owlattest"
	"owlatsync/reconcile"
)

// merge has Owlat merge the contact with an address into another one that has the address too, and returns the other's id.
func (w *world) merge(email, first string) (heir string) {
	w.t.Helper()
	old := w.contact(email).ID
	w.call("PUT", "/contacts/"+old, `{"email":"old@example.com"}`)
	w.call("POST", "/contacts", `{"email":"new@example.com","firstName":"`+first+`"}`)
	w.call("PUT", "/contacts/new@example.com", `{"email":"`+email+`"}`)
	heir = w.contact(email).ID
	if err := w.server.Merge(heir, old); err != nil {
		w.t.Fatal(err)
	}
	return heir
}

// heldBy fails unless the ledger's entry of row 1 has that contact, and as one that was there before the sync.
func (w *world) heldBy(heir string) {
	w.t.Helper()
	if e := w.entryOf("1"); e.ContactID != heir || e.Origin != ledger.OriginAdopted {
		w.t.Errorf("the ledger has %+v, want the contact %s", e, heir)
	}
}

// TestAMergedContactIsAdoptedWhereContactsAreListed: what lists Owlat's contacts goes on with the contact into which that of a row was
// merged, as a run does that meets it. Nobody is added for it, and a no goes to it.
func TestAMergedContactIsAdoptedWhereContactsAreListed(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"run --full", "verify --repair"} {
		for _, member := range []bool{true, false} {
			w := newWorld(t, reconcile.Topic{ID: "news", When: true})
			row := user("1", "a@example.com", "A", member)
			w.run(row, user("2", "b@example.com", "B", true))
			heir := w.merge("a@example.com", "Other")
			row.Consents[0] = owlatsync.Yes
			list := []owlatsync.Row{row, user("2", "b@example.com", "B", true)}
			_, told := w.verify(false, list...)
			if !slices.Contains(told, "missing 1  >"+heir) {
				t.Errorf("verify tells %q, want the contact %s named", told, heir)
			}
			if how == "run --full" {
				if _, err := w.try(t.Context(), runOptions{Full: true}, rows{list: list}); err != nil {
					t.Fatal(err)
				}
			} else {
				w.verify(true, list...)
				w.heldBy(heir)
				w.run(list...)
			}
			w.heldBy(heir)
			if c := w.contact(heir); c.FirstName != "A" || w.on(heir) != member {
				t.Errorf("%s, member %v: Owlat holds %+v", how, member, c)
			}
			list[0] = user("1", "a@example.com", "A", false)
			w.run(list...)
			if w.on(heir) {
				t.Errorf("%s, member %v: a no takes nobody off", how, member)
			}
			before := w.requests()
			expect(t, w.run(list...), "unchanged 2")
			w.sent(before)
		}
	}
}

// TestAListedHeirOfAnotherRowIsNotTaken: a contact that another row of the sync has is no heir, and of two rows one takes it.
func TestAListedHeirOfAnotherRowIsNotTaken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := []owlatsync.Row{user("1", "a@example.com", "A"), user("2", "b@example.com", "B")}
	w.run(list...)
	b := w.contact("b@example.com").ID
	w.call("DELETE", "/contacts/a@example.com", "")
	w.call("PUT", "/contacts/"+b, `{"email":"a@example.com"}`)
	w.verify(true, list...)
	if e := w.entryOf("1"); e.Origin != ledger.OriginGone {
		t.Errorf("the ledger has %+v", e)
	}
	if e := w.entryOf("2"); e.ContactID != b || e.Origin != ledger.OriginCreated {
		t.Errorf("the ledger has %+v", e)
	}
}

// TestARowThatLeftFollowsItsMergedContact: the contact into which that of the row was merged was not created by the sync. It is not
// deleted, and it leaves the topics of this sync but those that another sync wants.
func TestARowThatLeftFollowsItsMergedContact(t *testing.T) {
	t.Parallel()
	for _, policy := range []reconcile.MissingPolicy{reconcile.MissingDelete, reconcile.MissingLeave} {
		for _, shared := range []bool{false, true} {
			name := string(policy)
			if shared {
				name += ", another sync has the other contact"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, reconcile.Topic{ID: "news", When: true}, reconcile.Topic{ID: "offers", When: true})
				w.sync.OnMissing = policy
				users := w.sync
				row := user("1", "a@example.com", "A", true, true)
				w.run(row)
				heir := w.merge("a@example.com", "Other")
				if shared {
					w.sync.Name, w.sync.Topics = "orders", slices.Clone(users.Topics[:1])
					w.sync.Topics[0].Existing = reconcile.ExistingAdd
					w.run(user("o", "a@example.com", "Other", true))
					w.sync = users
				}
				other := w.server.AddTopic("other", false)
				w.call("POST", "/topics/"+other+"/contacts", `{"contactId":"`+heir+`"}`)
				report := w.run()
				expect(t, report, "removed 1")
				want := []string{other}
				if shared {
					want = []string{users.Topics[0].ID, other}
				}
				c, there := w.server.Contact(heir)
				if slices.Sort(c.Topics); !there || !slices.Equal(c.Topics, slices.Sorted(slices.Values(want))) {
					t.Errorf("Owlat holds %+v, want topics %v", c, want)
				}
				if d := w.done("1"); !strings.Contains(d.Reason, "merged") || strings.Contains(d.Reason, "adopted") {
					t.Errorf("told %+v", d)
				}
				w.heldBy(heir)
				before := w.requests()
				expect(t, w.run(), "")
				w.sent(before)
				w.run(row)
				if c := w.contact(heir); len(c.Topics) != len(want) {
					t.Errorf("a row that is back is no consent, and Owlat holds %+v", c)
				}
			})
		}
	}
}

// TestADeleteForARenameFollowsAMerge: the contact that has the address now was not created by the sync, so that the address stays its
// own, and the row that needs it is told so.
func TestADeleteForARenameFollowsAMerge(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.sync.OnMissing = reconcile.MissingDelete
	w.run(user("1", "a@example.com", "A"), user("2", "b@example.com", "B"))
	heir := w.merge("a@example.com", "Other")
	expect(t, w.run(user("2", "a@example.com", "B")), "removed 1, failed 1")
	if _, there := w.server.Contact(heir); !there {
		t.Error("a contact is deleted that the sync did not create")
	}
	if d := w.done("2"); d.Category != ledger.CategoryTaken || !strings.Contains(d.Reason, "delete that contact in Owlat") {
		t.Errorf("told %+v", d)
	}
}

// TestAMergeMetWhileDoubtsAreSettled: a request whose answer was lost is looked up after the contact was merged.
func TestAMergeMetWhileDoubtsAreSettled(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"run", "run --full", "verify --repair"} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, reconcile.Topic{ID: "news", When: true})
			defer func() { w.ledger.Close() }()
			w.sync.Events = []reconcile.EventRule{{Name: "changed", On: ledger.OnUpdated}}
			w.run(user("1", "a@example.com", "A", true))
			changed := user("1", "a@example.com", "Changed", true)
			w.killedAt(1, true, changed)
			if !w.entryOf("1").Doubt {
				t.Fatal("nothing is in doubt")
			}
			heir := w.merge("a@example.com", "Other")
			switch how {
			case "run --full":
				if _, err := w.try(t.Context(), runOptions{Full: true}, rows{list: []owlatsync.Row{changed}}); err != nil {
					t.Fatal(err)
				}
			case "verify --repair":
				w.verify(true, changed)
				w.run(changed)
			default:
				w.run(changed)
			}
			w.heldBy(heir)
			if c := w.contact(heir); c.FirstName != "Changed" || !w.on(heir) {
				t.Errorf("%s: Owlat holds %+v", how, c)
			}
			before := w.requests()
			expect(t, w.run(changed), "unchanged 1")
			w.sent(before)
			w.run(user("1", "a@example.com", "Changed", false))
			if w.on(heir) {
				t.Errorf("%s: a no after the merge takes nobody off", how)
			}
		})
	}
}

// TestADeleteInDoubtAndAMerge: a delete whose answer was lost did not take effect, and Owlat merges the contact. The other contact was
// not created by the sync, so it only leaves the topics. A contact that was made after the delete is another person's word.
func TestADeleteInDoubtAndAMerge(t *testing.T) {
	t.Parallel()
	for _, later := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, reconcile.Topic{ID: "news", When: true})
			defer func() { w.ledger.Close() }()
			w.sync.OnMissing = reconcile.MissingDelete
			w.run(user("1", "a@example.com", "A", true))
			heir := ""
			if later {
				w.killedAt(1, true)
				time.Sleep(time.Minute)
				id, err := w.server.AddContact(owlattest.ContactState{Email: "a@example.com"})
				if err != nil {
					t.Fatal(err)
				}
				heir = id
				w.call("POST", "/topics/"+w.sync.Topics[0].ID+"/contacts", `{"contactId":"`+heir+`"}`)
			} else {
				old := w.contact("a@example.com").ID
				w.call("POST", "/contacts", `{"email":"new@example.com"}`)
				heir = w.contact("new@example.com").ID
				time.Sleep(time.Minute)
				w.killedAt(1, false)
				w.call("PUT", "/contacts/"+old, `{"email":"old@example.com"}`)
				w.call("PUT", "/contacts/"+heir, `{"email":"a@example.com"}`)
				if err := w.server.Merge(heir, old); err != nil {
					t.Fatal(err)
				}
			}
			w.run()
			if _, there := w.server.Contact(heir); !there || w.on(heir) != later {
				t.Errorf("made later %v: there %v, on the topic %v", later, there, there && w.on(heir))
			}
			before := w.requests()
			w.run()
			w.sent(before)
		})
	}
}
