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

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/owlat/owlattest"
	"owlatsync/reconcile"
)

// exported exports the rows, in an export that began then; the zero time only counts.
func (w *world) exported(began time.Time, list ...owlatsync.Row) ([]reconcile.Person, reconcile.Exported) {
	w.t.Helper()
	people, done, err := w.export(began, nil, list...)
	if err != nil {
		w.t.Fatal(err)
	}
	return people, done
}

func (w *world) export(began time.Time, written func() error, list ...owlatsync.Row) (people []reconcile.Person, done reconcile.Exported, err error) {
	w.t.Helper()
	e, client := w.engine()
	defer client.CloseIdleConnections()
	s := w.sync
	s.Source = rows{list: list}
	done, err = e.Export(context.Background(), s, reconcile.ExportOptions{Began: began, Written: written, Write: func(p reconcile.Person) (bool, error) {
		people = append(people, p)
		return true, nil
	}})
	return people, done, err
}

// imports does what Owlat's importer does with the people: it makes those whom Owlat has not, and puts all on their topics.
func (w *world) imports(people ...reconcile.Person) {
	w.t.Helper()
	for _, p := range people {
		state := owlattest.ContactState{Email: p.Email}
		if first := p.Fields[owlatsync.FirstName]; first != nil {
			state.FirstName = *first
		}
		_, _ = w.server.AddContact(state) // it may be there
		if len(p.Topics) > 0 {
			w.join(w.contact(p.Email).ID, p.Topics...)
		}
	}
}

func crowdOf(n int, first string, yes bool) (list []owlatsync.Row) {
	for i := range n {
		list = append(list, user(fmt.Sprint(i), fmt.Sprintf("user%d@example.com", i), first, yes))
	}
	return list
}

func addressesOf(people []reconcile.Person) (all []string) {
	for _, p := range people {
		all = append(all, p.Email)
	}
	return all
}

// TestExportHandsOutWhoIsNew and nobody else, by the rules of a run.
func TestExportHandsOutWhoIsNew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, reconcile.Topic{ID: "news", When: true}, reconcile.Topic{ID: "offers", When: true})
		if _, err := w.server.AddContact(owlattest.ContactState{Email: "here@example.com"}); err != nil {
			t.Fatal(err)
		}
		w.hear(bounced("bounced@example.com"))
		w.run(user("met", "met@example.com", "Met", true, true))
		if err := w.server.SoftDelete("met@example.com"); err != nil {
			t.Fatal(err)
		}
		list := []owlatsync.Row{
			user("1", "Ada@Example.com", "Ada", true, false),
			user("2", "here@example.com", "Here", true, true),
			user("3", "no address", "Nobody", true, true),
			user("4", "ada@example.com", "Twin", false, true),
			user("5", "bounced@example.com", "Bounced", true, true),
			user("6", "bob@example.com", "Bob", false, false),
			user("met", "met@example.com", "Met", true, true),
		}
		before := w.server.Stats().Total
		counted, sum := w.exported(time.Time{}, list...)
		if got := w.server.Stats().Total - before; got != 1 || sum.Requests != 1 {
			t.Errorf("the count took %d requests, and says %d; want 1", got, sum.Requests)
		}
		if len(w.entries()) != 1 {
			t.Error("a count is recorded")
		}
		people, done := w.exported(time.Now(), list...)
		want := []string{"ada@example.com", "bob@example.com"}
		if !slices.Equal(addressesOf(people), want) || !slices.Equal(addressesOf(counted), want) {
			t.Errorf("exported %q, counted %q, want %q", addressesOf(people), addressesOf(counted), want)
		}
		if done.People != 2 || done.Left != 1 || done.Summary.Adoption.Matched != 1 || done.Summary.Outcomes[owlatsync.Invalid] != 1 || done.Summary.Outcomes[owlatsync.Duplicate] != 1 {
			t.Errorf("it says %+v", done)
		}
		if topics := people[0].Topics; !slices.Equal(topics, []string{w.sync.Topics[0].ID}) || *people[0].Fields[owlatsync.FirstName] != "Ada" || len(people[1].Topics) > 0 {
			t.Errorf("exported %+v", people)
		}
		e := w.entryOf("1")
		if e.Origin != ledger.OriginExported || e.ContactID != "" || e.Email != "" || e.Identity != "ada@example.com" || e.Membership(w.sync.Topics[0].ID).State != ledger.MemberImported {
			t.Errorf("the ledger has %+v", e)
		}
		if writes := w.server.Stats().Writes; writes != 3 { // those of the run
			t.Errorf("%d writes", writes)
		}
	})
}

// TestASyncOfEventsAloneHasNobodyToExport says so, and keeps nothing.
func TestASyncOfEventsAloneHasNobodyToExport(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.sync.Match, w.sync.Events = true, []reconcile.EventRule{{Name: "reader", On: ledger.OnWhen, Column: "news"}}
		people, done, err := w.export(time.Now(), nil, crowdOf(2, "A", true)...)
		if err == nil || !strings.Contains(err.Error(), "nobody to export") || len(people) > 0 || done.Requests > 0 || len(w.entries()) > 0 {
			t.Errorf("exported %+v, %+v: %v", people, done, err)
		}
	})
}

// TestARunAdoptsWhatWasImported by listing, and writes nothing, whoever has left since, and although `existing: add` is set.
func TestARunAdoptsWhatWasImported(t *testing.T) {
	t.Parallel()
	for _, existing := range []reconcile.Existing{reconcile.ExistingSkip, reconcile.ExistingAdd} {
		for _, early := range []bool{false, true} { // a run comes before the import
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, reconcile.Topic{ID: "news", When: true, Existing: existing})
				w.sync.Events = []reconcile.EventRule{{Name: "created", On: ledger.OnCreated}, {Name: "appears", On: ledger.OnAppears}}
				const n = 450
				list := crowdOf(n, "A", true)
				people, _ := w.exported(time.Now(), list...)
				if len(people) != n {
					t.Fatalf("%d people were exported", len(people))
				}
				if early {
					report := w.run(list...)
					if report.NotImported != n || report.Outcomes[owlatsync.Failed] != n || report.Requests.Writes > 0 {
						t.Errorf("before the import: %+v", report)
					}
				}
				w.imports(people...)
				topic := w.sync.Topics[0].ID
				for i := range 20 {
					if err := w.server.Unsubscribe(people[i].Email, topic); err != nil {
						t.Fatal(err)
					}
				}
				before := w.server.Stats().Total
				report := w.run(list...)
				sent := w.server.Stats().Total - before
				if report.Outcomes[owlatsync.Adopted] != n || report.Requests.Writes > 0 || sent != n/100+1 || report.NotImported > 0 {
					t.Errorf("existing: %s, early %v: %d requests, %+v", existing, early, sent, report)
				}
				if again := w.run(list...); again.Requests.Total > 0 || again.Outcomes[owlatsync.Unchanged] != n {
					t.Errorf("the run after it: %+v", again)
				}
				for i := range 20 {
					if w.on(w.contact(people[i].Email).ID) {
						t.Fatal("somebody was put back who had left")
					}
				}
				// The consents are known: a no takes off, and a new yes counts.
				list[30].Consents[0] = owlatsync.No
				w.run(list...)
				if w.on(w.contact(people[30].Email).ID) {
					t.Error("a withdrawn consent counts for nothing")
				}
				list[30].Consents[0] = owlatsync.Yes
				w.run(list...)
				if !w.on(w.contact(people[30].Email).ID) {
					t.Error("a new consent counts for nothing")
				}
			})
		}
	}
}

// TestAPartialImport is found out and told, and people who are missing are created when that is asked for.
func TestAPartialImport(t *testing.T) {
	t.Parallel()
	for _, n := range []int{3, 40} { // looked for one by one, and listed
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, reconcile.Topic{ID: "news", When: true})
			list := crowdOf(n, "A", true)
			people, _ := w.exported(time.Now(), list...)
			w.imports(people[2:]...)
			report := w.run(list...)
			if report.NotImported != 2 || report.Outcomes[owlatsync.Adopted] != n-2 || report.Outcomes[owlatsync.Failed] != 2 || report.Requests.Writes > 0 {
				t.Errorf("%d people: %+v", n, report)
			}
			if f := w.entryOf("0").Failure; f == nil || f.Category != ledger.CategoryNotImported {
				t.Errorf("the failure is %+v", f)
			}
			// Somebody is imported later, and the run that creates whoever is missing takes them over.
			w.imports(people[1])
			if err := w.server.Unsubscribe(people[1].Email, ""); err != nil {
				t.Fatal(err)
			}
			report, err := w.try(context.Background(), runOptions{CreateMissing: true}, rows{list: list})
			if err != nil || report.Outcomes[owlatsync.Created] != 1 || report.Outcomes[owlatsync.Adopted] != 1 || report.NotImported > 0 {
				t.Errorf("%d people: %+v, %v", n, report, err)
			}
			if !w.on(w.contact(people[0].Email).ID) || w.on(w.contact(people[1].Email).ID) {
				t.Error("who was missing is to be on the topic, and who has left is not")
			}
			if again := w.run(list...); again.Requests.Total > 0 || again.Outcomes[owlatsync.Unchanged] != n {
				t.Errorf("the run after it: %+v", again)
			}
		})
	}
}

// TestWhatWasEditedMeanwhile between the export and the run is set right as ever.
func TestWhatWasEditedMeanwhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, reconcile.Topic{ID: "news", When: true, Existing: reconcile.ExistingAdd})
		list := crowdOf(20, "A", true)
		list[4].Consents[0] = owlatsync.No
		people, _ := w.exported(time.Now(), list...)
		w.imports(people...)
		was := w.contact(people[0].Email).ID
		list[0].Email = owlatsync.Some("moved@example.com")               // renamed
		list[1].Fields[owlatsync.FirstName] = owlatsync.Some("B")         // another name
		list[2].Consents[0] = owlatsync.No                                // a withdrawal
		list[4].Consents[0] = owlatsync.Yes                               // a new consent
		list[5].Key = "another key"                                       // the same person in another row
		if err := w.server.Unsubscribe(people[5].Email, ""); err != nil { // who has left
			t.Fatal(err)
		}
		if err := w.server.SoftDelete(people[6].Email); err != nil {
			t.Fatal(err)
		}
		report := w.run(list...)
		if report.NotImported != 1 || w.contact("moved@example.com").ID != was || w.contact(people[1].Email).FirstName != "B" {
			t.Errorf("%+v", report)
		}
		for i, want := range map[int]bool{1: true, 2: false, 3: true, 4: true, 5: false} {
			if got := w.on(w.contact(people[i].Email).ID); got != want {
				t.Errorf("person %d is on the topic: %v, want %v", i, got, want)
			}
		}
		if n := w.server.Len(); n != 19 {
			t.Errorf("Owlat has %d contacts", n)
		}
		if again := w.run(list...); again.Requests.Writes > 0 {
			t.Errorf("the run after it: %+v", again)
		}
	})
}

// TestExportLeavesOutWhomAnotherSyncHasMet and whom the ledger was asked to forget.
func TestExportLeavesOutWhomAnotherSyncHasMet(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, reconcile.Topic{ID: "news"})
		w.sync.Name = "orders"
		w.run(user("a", "ada@example.com", "A", true))
		if err := w.server.SoftDelete("ada@example.com"); err != nil {
			t.Fatal(err)
		}
		w.run(user("a", "ada@example.com", "B", true)) // it learns that the contact is gone
		w.exported(time.Now(), user("b", "bob@example.com", "B", true), user("e", "eve@example.com", "E", true))
		w.forget("eve@example.com")
		for _, e := range w.entries() {
			if e.Identity == "eve@example.com" {
				t.Errorf("a forgotten person is in the ledger: %+v", e)
			}
		}
		w.sync.Name = "users"
		time.Sleep(time.Minute)
		people, done := w.exported(time.Now(), user("1", "ada@example.com", "A", true), user("2", "bob@example.com", "B", true), user("3", "eve@example.com", "E", true),
			user("4", "cy@example.com", "C", true))
		if !slices.Equal(addressesOf(people), []string{"cy@example.com"}) || done.Left != 3 {
			t.Errorf("exported %q, %+v", addressesOf(people), done)
		}
	})
}

// TestASecondExport has nobody of the first one. One that broke off goes on with its own people.
func TestASecondExport(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, reconcile.Topic{ID: "news"})
		list := crowdOf(10, "A", true)
		began := time.Now().Truncate(time.Microsecond)
		broken := errors.New("no room")
		if _, _, err := w.export(began, func() error { return broken }, list...); !errors.Is(err, broken) {
			t.Errorf("it ends with %v", err)
		}
		if len(w.entries()) != 0 {
			t.Error("people are recorded whose file is not written")
		}
		for range 2 { // killed after the record, and made again
			time.Sleep(time.Minute)
			if people, done := w.exported(began, list...); len(people) != 10 || done.People != 10 || done.Held > 0 {
				t.Errorf("exported %d people, %+v", len(people), done)
			}
		}
		time.Sleep(time.Minute)
		people, done := w.exported(time.Now(), append(list, user("new", "new@example.com", "N", true))...)
		if !slices.Equal(addressesOf(people), []string{"new@example.com"}) || done.Held != 10 {
			t.Errorf("a second export has %q, %+v", addressesOf(people), done)
		}
	})
}
