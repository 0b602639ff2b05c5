package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
	"owlatsync/reconcile"
)

// overwrites gives every field of the sync one rule.
func (w *world) overwrites(rule owlatsync.Overwrite) {
	w.sync.Overwrite.Email = rule
	for f := range w.sync.Overwrite.Fields {
		w.sync.Overwrite.Fields[f] = rule
	}
}

// corrects changes the first name of a contact in the dashboard.
func (w *world) corrects(email, first string) {
	w.t.Helper()
	if err := w.server.EditContact(email, owlat.UpdateContactRequest{FirstName: &first}); err != nil {
		w.t.Fatal(err)
	}
}

// ruled are the four rules.
var ruled = []owlatsync.Overwrite{owlatsync.OverwriteAlways, owlatsync.OverwriteIfOurs, owlatsync.OverwriteIfEmpty, owlatsync.OverwriteNever}

// TestWhoOwnsAField goes through what may have become of a field in Owlat before its row changes from Ada to Grace, under each rule: what Owlat
// holds afterwards, what the run counts and what it asks. The run after it does nothing and tells nothing.
func TestWhoOwnsAField(t *testing.T) {
	t.Parallel()
	const put, get = "PUT /contacts/{contact} 1", "GET /contacts/{contact} 1"
	type want struct {
		first    string
		outcomes string
		kept     int
		sent     []string
	}
	kept := func(first string, sent ...string) want { return want{first, "unchanged 1", 1, sent} }
	written := func(sent ...string) want { return want{"Grace", "updated 1", 0, sent} }
	for _, c := range []struct {
		state string
		do    func(w *world)
		want  [4]want // by rule
	}{
		{"ours", func(*world) {}, [4]want{written(put), written(get, put), kept("Ada"), kept("Ada")}},
		{"corrected", func(w *world) { w.corrects("a@example.com", "Augusta") },
			[4]want{written(put), kept("Augusta", get), kept("Augusta"), kept("Augusta")}},
		{"cleared", func(w *world) { w.corrects("a@example.com", "") },
			[4]want{written(put), kept("", get), kept(""), kept("")}},
		{"equal", func(w *world) { w.corrects("a@example.com", "Grace") },
			[4]want{written(put), {"Grace", "unchanged 1", 0, []string{get}}, kept("Grace"), kept("Grace")}},
	} {
		for i, rule := range ruled {
			t.Run(c.state+" "+string(rule), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				w.overwrites(rule)
				w.run(user("1", "a@example.com", "Ada"))
				c.do(w)
				before, want := w.requests(), c.want[i]
				report := w.run(user("1", "a@example.com", "Grace"))
				expect(t, report, want.outcomes)
				w.sent(before, want.sent...)
				if got := w.contact("a@example.com").FirstName; got != want.first || report.Kept != want.kept {
					t.Errorf("Owlat holds %q and %d values were kept, want %q and %d", got, report.Kept, want.first, want.kept)
				}
				before = w.requests()
				if report = w.run(user("1", "a@example.com", "Grace")); report.Kept != 0 {
					t.Errorf("%d values are told again", report.Kept)
				}
				w.sent(before)
			})
		}
	}
}

// TestNobodyOwnsAnEmptyField fills what neither the sync nor anybody else has written.
func TestNobodyOwnsAnEmptyField(t *testing.T) {
	t.Parallel()
	for _, rule := range ruled {
		w := newWorld(t)
		w.overwrites(rule)
		unnamed := user("1", "a@example.com", "")
		unnamed.Fields[owlatsync.FirstName] = owlatsync.Field{State: owlatsync.Null}
		w.run(unnamed)
		report := w.run(user("1", "a@example.com", "Grace"))
		want, kept := "Grace", 0
		if rule == owlatsync.OverwriteNever {
			want, kept = "", 1
		}
		if got := w.contact("a@example.com").FirstName; got != want || report.Kept != kept {
			t.Errorf("%s: Owlat holds %q and %d values were kept", rule, got, report.Kept)
		}
	}
}

// TestWhoOwnsAnAdoptedContact meets contacts that were there: their names are not the sync's, unless there is none.
func TestWhoOwnsAnAdoptedContact(t *testing.T) {
	t.Parallel()
	for _, listing := range []bool{false, true} {
		for _, rule := range ruled {
			w := newWorld(t)
			w.overwrites(rule)
			list := []owlatsync.Row{user("1", "named@example.com", "Grace"), user("2", "empty@example.com", "Grace")}
			if listing { // enough of them that one listing costs less
				list = append(list, people(5, "P")...)
				for i := range list[2:] {
					list[2+i].Key = fmt.Sprint("p", i)
				}
			}
			for email, first := range map[string]string{"named@example.com": "Before", "empty@example.com": ""} {
				if _, err := w.server.AddContact(owlattest.ContactState{Email: email, FirstName: first}); err != nil {
					t.Fatal(err)
				}
			}
			before := w.requests()
			report := w.run(list...)
			named, empty, kept := "Before", "Grace", 1
			switch rule {
			case owlatsync.OverwriteAlways:
				named, kept = "Grace", 0
			case owlatsync.OverwriteNever:
				empty, kept = "", 2
			}
			if n, e := w.contact("named@example.com").FirstName, w.contact("empty@example.com").FirstName; n != named || e != empty || report.Kept != kept {
				t.Errorf("%s, listing %v: %q and %q, %d kept; want %q and %q, %d", rule, listing, n, e, report.Kept, named, empty, kept)
			}
			if reads := w.requests()["GET /contacts/{contact}"] - before["GET /contacts/{contact}"]; listing && reads > 0 {
				t.Errorf("%s: %d contacts were read although all were just listed", rule, reads)
			}
			expect(t, w.run(list...), fmt.Sprintf("unchanged %d", len(list)))
		}
	}
}

// TestACorrectionSurvivesTheRow: it stays when the row changes again, which is told, and ends when the two agree.
func TestACorrectionSurvivesTheRow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.overwrites(owlatsync.OverwriteIfOurs)
	w.run(user("1", "a@example.com", "Ada"))
	w.corrects("a@example.com", "Augusta")
	for i, first := range []string{"Grace", "Joan"} {
		before := w.requests()
		if report := w.run(user("1", "a@example.com", first)); report.Kept != 1 || w.contact("a@example.com").FirstName != "Augusta" {
			t.Errorf("%s: %d kept, Owlat holds %q", first, report.Kept, w.contact("a@example.com").FirstName)
		}
		if d := w.done("1"); d.Reason != "Owlat's first name is kept: it is not what this sync wrote (overwrite: if_ours)" || len(d.Changes) != 1 ||
			d.Changes[0] != (owlatsync.Change{Kind: owlatsync.KeepField, Field: "firstName", From: "Augusta", To: first}) {
			t.Errorf("%s is told as %+v: %s", first, d.Changes, d.Reason)
		}
		if i > 0 {
			w.sent(before) // whose value it is was known
		}
	}
	m := w.entries()[0].FieldMark("firstName")
	if !m.Theirs || m.Row == nil || *m.Row != "Joan" || m.Why != owlatsync.OverwriteIfOurs {
		t.Errorf("the ledger has %+v", m)
	}
	w.run(user("1", "a@example.com", "Augusta"))
	if report := w.run(user("1", "a@example.com", "Ada Augusta")); report.Kept != 0 || w.contact("a@example.com").FirstName != "Ada Augusta" {
		t.Errorf("after they agreed: %+v, %q", report.Outcomes, w.contact("a@example.com").FirstName)
	}
	if marks := w.entries()[0].FieldMarks; marks != nil {
		t.Errorf("%+v is left", marks)
	}
}

// TestOtherFieldsOfAKeptRow: one name is kept, the other written, and the topic joined; the event tells of the update once.
func TestOtherFieldsOfAKeptRow(t *testing.T) {
	t.Parallel()
	w := newWorld(t, reconcile.Topic{ID: "news", When: true})
	w.sync.Overwrite.Fields[owlatsync.FirstName] = owlatsync.OverwriteIfOurs
	w.sync.Events = []reconcile.EventRule{{Name: "changed", On: ledger.OnUpdated}}
	row := func(first, last string, news bool) owlatsync.Row {
		r := user("1", "a@example.com", first, news)
		r.Fields[owlatsync.LastName] = owlatsync.Some(last)
		return r
	}
	w.run(row("Ada", "Byron", false))
	w.corrects("a@example.com", "Augusta")

	// Of the first name alone nothing is left to write: no event.
	report := w.run(row("Grace", "Byron", true))
	expect(t, report, "updated 1")
	if report.Kept != 1 || report.Memberships.Added != 1 || w.requests()["POST /events"] != 0 {
		t.Errorf("%d kept, %d added, %d events", report.Kept, report.Memberships.Added, w.requests()["POST /events"])
	}
	report = w.run(row("Joan", "Lovelace", true))
	if c := w.contact("a@example.com"); c.FirstName != "Augusta" || c.LastName != "Lovelace" || report.Kept != 1 || w.requests()["POST /events"] != 1 {
		t.Errorf("%q %q, %d kept, %d events", c.FirstName, c.LastName, report.Kept, w.requests()["POST /events"])
	}
}

// TestWhoOwnsAContactThatIsGoneOrMerged: one that was deleted is left alone, and of one into which it was merged only the sync's values are.
func TestWhoOwnsAContactThatIsGoneOrMerged(t *testing.T) {
	t.Parallel()
	for _, rule := range ruled {
		w := newWorld(t)
		w.overwrites(rule)
		w.run(user("1", "a@example.com", "Ada"), user("2", "b@example.com", "Ada"), user("3", "c@example.com", "Ada"))
		if err := w.server.SoftDelete("a@example.com"); err != nil {
			t.Fatal(err)
		}
		for email, first := range map[string]string{"b@example.com": "Merged", "c@example.com": "Ada"} {
			id, err := w.server.AddContact(owlattest.ContactState{Email: "x" + email, FirstName: first})
			if err == nil {
				err = w.server.Merge(id, w.contact(email).ID)
			}
			if err == nil {
				err = w.server.EditContact(id, owlat.UpdateContactRequest{Email: &email})
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		list := []owlatsync.Row{user("1", "a@example.com", "Grace"), user("2", "b@example.com", "Grace"), user("3", "c@example.com", "Grace")}
		w.run(list...)
		w.run(list...)
		theirs, ours := "Merged", "Ada"
		switch rule {
		case owlatsync.OverwriteAlways:
			theirs, ours = "Grace", "Grace"
		case owlatsync.OverwriteIfOurs:
			ours = "Grace"
		}
		if rule == owlatsync.OverwriteIfEmpty || rule == owlatsync.OverwriteNever {
			ours = "Ada"
		}
		if b, c := w.contact("b@example.com").FirstName, w.contact("c@example.com").FirstName; b != theirs || c != ours {
			t.Errorf("%s: the merged contacts hold %q and %q, want %q and %q", rule, b, c, theirs, ours)
		}
		if _, there := w.server.Contact("a@example.com"); there {
			t.Errorf("%s: the deleted contact is back", rule)
		}
	}
}

// TestLooksCostNoMoreThanAListing counts requests: a read for each contact to be changed, or one listing for all where that costs less, and the plan
// says so.
func TestLooksCostNoMoreThanAListing(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		contacts, changed int
		lists, reads      int
	}{
		{contacts: 250, changed: 2, reads: 2},
		{contacts: 250, changed: 3, reads: 3}, // a listing takes three, too
		{contacts: 250, changed: 4, lists: 3},
		{contacts: 250, changed: 250, lists: 3},
		{contacts: 3, changed: 3, lists: 1},
		{contacts: 3, changed: 1, reads: 1},
	} {
		w, _ := inMemory(t)
		w.overwrites(owlatsync.OverwriteIfOurs)
		list := people(c.contacts, "Ada")
		w.run(list...)
		w.corrects("p1@example.com", "Augusta")
		for i := range c.changed {
			list[i].Fields[owlatsync.FirstName] = owlatsync.Some("Grace")
		}
		_, summary := w.planned(list)
		before := w.requests()
		report := w.run(list...)
		now := w.requests()
		if lists, reads := now["GET /contacts"]-before["GET /contacts"], now["GET /contacts/{contact}"]-before["GET /contacts/{contact}"]; lists != c.lists || reads != c.reads {
			t.Errorf("%+v: %d pages were listed and %d contacts read", c, lists, reads)
		}
		if report.Kept != 1 || w.contact("p1@example.com").FirstName != "Augusta" || now["PUT /contacts/{contact}"]-before["PUT /contacts/{contact}"] != c.changed-1 {
			t.Errorf("%+v: %d kept, and %q", c, report.Kept, w.contact("p1@example.com").FirstName)
		}
		kept := 0
		if c.lists > 0 {
			kept = 1 // it is known before the run
		}
		if listed := summary.Looking != nil && summary.Looking.Mode == owlatsync.LookListing; summary.Looks != c.reads || summary.Kept != kept || listed != (c.lists > 0) ||
			listed && summary.Looking.Requests != c.lists {
			t.Errorf("%+v: the plan says %d looks, %d kept, %+v", c, summary.Looks, summary.Kept, summary.Looking)
		}
		if sent := report.Requests.Total; summary.Least.Requests+c.lists > sent || sent > summary.Most.Requests+c.lists {
			t.Errorf("%+v: %d requests were sent, and %+v to %+v planned", c, sent, summary.Least, summary.Most)
		}
	}
}

// TestFullRunsFindCorrections: what was corrected for a row that does not change is found by a run --full, kept and told once, without a read of its own.
func TestFullRunsFindCorrections(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.overwrites(owlatsync.OverwriteIfOurs)
	list := people(3, "Ada")
	w.run(list...)
	w.corrects("p1@example.com", "Augusta")
	e, client := w.engine()
	defer client.CloseIdleConnections()
	s := w.sync
	s.Source = rows{list: list}
	found := 0
	v, err := e.Verify(context.Background(), []reconcile.Sync{s}, reconcile.VerifyOptions{Each: func(f reconcile.Finding) error {
		if found++; f.Kind != reconcile.KeptInOwlat || f.Owlat != "Augusta" || f.Ledger != "Ada" {
			t.Errorf("found %+v", f)
		}
		return nil
	}})
	if err != nil || v.Differences() != 0 || found != 1 {
		t.Errorf("%+v, %d found, %v", v, found, err)
	}
	list[1].Fields[owlatsync.FirstName] = owlatsync.Some("Grace")
	for i, want := range []int{1, 0} {
		before := w.requests()
		report, err := w.try(context.Background(), runOptions{Full: true}, rows{list: list})
		if err != nil || report.Kept != want || w.contact("p1@example.com").FirstName != "Augusta" {
			t.Errorf("run %d: %d kept, %v", i, report.Kept, err)
		}
		if reads := w.requests()["GET /contacts/{contact}"] - before["GET /contacts/{contact}"]; reads > 0 {
			t.Errorf("run %d: %d contacts were read after all were listed", i, reads)
		}
	}
	if got := w.contact("p2@example.com").FirstName; got != "Grace" {
		t.Errorf("a value of the sync's own is %q", got)
	}
}

// TestAnotherRuleTakesHold: a value that was kept is written once it may be, and one that was written stays once it may not.
func TestAnotherRuleTakesHold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.overwrites(owlatsync.OverwriteNever)
	w.run(user("1", "a@example.com", "Ada"))
	if report := w.run(user("1", "a@example.com", "Grace")); report.Kept != 1 {
		t.Errorf("%d kept", report.Kept)
	}
	w.overwrites(owlatsync.OverwriteIfOurs) // the sync wrote Ada
	expect(t, w.run(user("1", "a@example.com", "Grace")), "updated 1")
	before := w.requests()
	w.overwrites(owlatsync.OverwriteIfEmpty)
	expect(t, w.run(user("1", "a@example.com", "Grace")), "unchanged 1")
	w.sent(before)
	w.corrects("a@example.com", "Augusta")
	w.overwrites("")
	expect(t, w.run(user("1", "a@example.com", "Joan")), "updated 1")
}

// TestWhoOwnsAnAddress: a corrected address stays, and a row whose address may not be changed goes on with its contact.
func TestWhoOwnsAnAddress(t *testing.T) {
	t.Parallel()
	for _, rule := range ruled {
		w := newWorld(t, reconcile.Topic{ID: "news", When: true})
		w.overwrites(rule)
		w.run(user("1", "typo@example.com", "Ada", false), user("2", "plain@example.com", "Ada", false))
		id := w.contact("typo@example.com").ID
		if err := w.server.EditContact(id, owlat.UpdateContactRequest{Email: new("right@example.com")}); err != nil {
			t.Fatal(err)
		}
		list := []owlatsync.Row{user("1", "moved@example.com", "Ada", true), user("2", "other@example.com", "Ada", true)}
		report := w.run(list...)
		corrected, plain, kept := "right@example.com", "plain@example.com", 2
		switch rule {
		case owlatsync.OverwriteAlways:
			corrected, plain, kept = "moved@example.com", "other@example.com", 0
		case owlatsync.OverwriteIfOurs:
			plain, kept = "other@example.com", 1
		}
		if c, ok := w.server.Contact(id); !ok || c.Email != corrected || len(c.Topics) != 1 {
			t.Errorf("%s: the corrected contact is %+v", rule, c)
		}
		if c := w.contact(plain); len(c.Topics) != 1 || report.Kept != kept || report.Outcomes[owlatsync.Failed] > 0 {
			t.Errorf("%s: %+v, %d kept, %v", rule, c, report.Kept, report.Outcomes)
		}
		before := w.requests()
		expect(t, w.run(list...), "unchanged 2")
		w.sent(before)
		if n := w.server.Len(); n != 2 {
			t.Errorf("%s: there are %d contacts", rule, n)
		}
	}
}

// TestAKilledUpdateIsOurs kills runs at their update. What it wrote is the sync's own, and what somebody made of it since is not.
func TestAKilledUpdateIsOurs(t *testing.T) {
	t.Parallel()
	for _, after := range []bool{false, true} {
		for _, corrected := range []bool{false, true} {
			w := newWorld(t)
			w.overwrites(owlatsync.OverwriteIfOurs)
			w.run(user("1", "a@example.com", "Ada"))
			w.killedAt(2, after, user("1", "a@example.com", "Grace")) // the first request is the look
			if m := w.entries()[0].FieldMark("firstName"); m.Sent == nil || *m.Sent != "Grace" {
				t.Errorf("the killed run has left %+v", m)
			}
			want, kept := "Joan", 0
			if corrected {
				w.corrects("a@example.com", "Ada") // it puts back what was there
				want, kept = "Ada", 1
			}
			report := w.run(user("1", "a@example.com", "Joan"))
			if got := w.contact("a@example.com").FirstName; got != want || report.Kept != kept {
				t.Errorf("after %v, corrected %v: %q, %d kept", after, corrected, got, report.Kept)
			}
			if m := w.entries()[0].FieldMark("firstName"); m.Sent != nil {
				t.Errorf("%+v is left", m)
			}
		}
	}
}

// TestAKilledCreateIsOurs is the same of a create.
func TestAKilledCreateIsOurs(t *testing.T) {
	t.Parallel()
	for _, corrected := range []bool{false, true} {
		w := newWorld(t)
		w.overwrites(owlatsync.OverwriteIfOurs)
		w.killedAt(1, true, user("1", "a@example.com", "Ada"))
		want, kept := "Joan", 0
		if corrected {
			w.corrects("a@example.com", "Augusta")
			want, kept = "Augusta", 1
		}
		report := w.run(user("1", "a@example.com", "Joan"))
		if got := w.contact("a@example.com").FirstName; got != want || report.Kept != kept {
			t.Errorf("corrected %v: %q, %d kept, %v", corrected, got, report.Kept, report.Outcomes)
		}
	}
}

// TestAValueThatChangedAgainCountsOnce: one that the plan keeps is corrected once more before the run looks at the contact for another field.
func TestAValueThatChangedAgainCountsOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.overwrites(owlatsync.OverwriteIfOurs)
	row := user("1", "a@example.com", "Ada")
	row.Fields[owlatsync.LastName] = owlatsync.Some("Byron")
	w.run(row)
	w.corrects("a@example.com", "Augusta")
	w.run(user("1", "a@example.com", "Grace")) // the last name is not said, and the first is known to be theirs
	w.corrects("a@example.com", "Ada Augusta")
	changed := user("1", "a@example.com", "Joan")
	changed.Fields[owlatsync.LastName] = owlatsync.Some("Lovelace")
	report := w.run(changed)
	if c := w.contact("a@example.com"); report.Kept != 1 || c.FirstName != "Ada Augusta" || c.LastName != "Lovelace" {
		t.Errorf("%d kept, %q %q", report.Kept, c.FirstName, c.LastName)
	}
	keeps := 0
	for _, c := range w.done("1").Changes {
		if c.Kind == owlatsync.KeepField {
			if keeps++; c.From != "Ada Augusta" {
				t.Errorf("told as %+v", c)
			}
		}
	}
	if keeps != 1 {
		t.Errorf("%+v", w.done("1").Changes)
	}
}

// TestLooksNeedTheirScope: without contacts:read no value is overwritten unseen; the run says which scope is missing.
func TestLooksNeedTheirScope(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.overwrites(owlatsync.OverwriteIfOurs)
	w.run(user("1", "a@example.com", "Ada"))
	w.key = w.server.AddKey(owlattest.ScopeContactsWrite)
	_, err := w.try(context.Background(), runOptions{}, rows{list: []owlatsync.Row{user("1", "a@example.com", "Grace")}})
	if _, stopped := errors.AsType[*reconcile.StoppedError](err); !stopped || !errors.Is(err, owlat.ErrForbidden) {
		t.Errorf("the run ended with %v", err)
	}
	if got := w.contact("a@example.com").FirstName; got != "Ada" {
		t.Errorf("Owlat holds %q", got)
	}
}

// TestAnOddRule is refused.
func TestAnOddRule(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.sync.Overwrite.Fields[owlatsync.LastName] = "mine"
	if _, err := w.try(context.Background(), runOptions{}, rows{}); err == nil || err.Error() != `sync "users": overwrite is "mine", none of ["always" "if_ours" "if_empty" "never"]` {
		t.Error(err)
	}
}
