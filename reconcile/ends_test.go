package reconcile_test

import (
	"fmt"
	"testing"
	"testing/synctest"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/reconcile"
)

// TestThePlanShowsBothEnds plans the creation of contacts that exist or not, which nobody has looked at: the plan says so, and the
// run sends no less than the least and no more than the most. Each end is met by one of the cases.
func TestThePlanShowsBothEnds(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		exist    int    // of the 4 contacts
		named    string // their first names in Owlat
		existing reconcile.Existing
		on       ledger.EventOn
		meets    string // the end that the run's requests meet
	}{
		{"none exists", 0, "", reconcile.ExistingSkip, ledger.OnCreated, "create"},
		{"all exist, and nothing is to be done", 4, "A", reconcile.ExistingSkip, ledger.OnCreated, "least"},
		{"all exist, with other names, and go on the topic", 4, "B", reconcile.ExistingAdd, ledger.OnAppears, "most"},
		{"some exist", 2, "B", reconcile.ExistingSkip, ledger.OnAppears, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, reconcile.Topic{ID: "news", Existing: tt.existing})
				defer w.ledger.Close()
				w.sync.Events = []reconcile.EventRule{{Name: "met", On: tt.on}}
				var list []owlatsync.Row
				for i := range 4 { // fewer than a listing is worth
					list = append(list, user(fmt.Sprint(i), fmt.Sprintf("p%d@example.com", i), "A", true))
					if i < tt.exist {
						w.call("POST", "/contacts", fmt.Sprintf(`{"email":"p%d@example.com","firstName":%q}`, i, tt.named))
					}
				}
				e, client := w.engine()
				defer client.CloseIdleConnections()
				s := w.sync
				s.Source = rows{list: list}
				sum, err := e.Plan(t.Context(), s, reconcile.PlanOptions{Each: func(d reconcile.Decision) error {
					if d.Outcome != owlatsync.Created || !d.MayExist {
						t.Errorf("planned %+v", d)
					}
					return nil
				}})
				if err != nil {
					t.Fatal(err)
				}
				report := w.run(list...)
				sent := report.Requests.Total
				ends := map[string]int{"create": sum.Requests, "least": sum.Least.Requests, "most": sum.Most.Requests}
				if tt.meets != "" && sent != ends[tt.meets] {
					t.Errorf("%d requests sent, want %s of %v", sent, tt.meets, ends)
				}
				if sum.MayExist != 4 || sent < sum.Least.Requests || sent > sum.Most.Requests || sum.Longest < sum.Duration {
					t.Errorf("%d requests sent, planned %+v", sent, sum)
				}
				if added := report.Memberships.Added; added < sum.Least.Added || added > sum.Most.Added {
					t.Errorf("%d memberships added, planned %+v to %+v", added, sum.Least, sum.Most)
				}
				if events := w.server.Stats().Events; events < sum.Least.Events || events > sum.Most.Events {
					t.Errorf("%d events sent, planned %+v to %+v", events, sum.Least, sum.Most)
				}
			})
		})
	}
}

// TestAListedContactIsNoQuestion lists the contacts: the plan knows which of them exist, and promises one number.
func TestAListedContactIsNoQuestion(t *testing.T) {
	t.Parallel()
	w := newWorld(t, reconcile.Topic{ID: "news"})
	w.call("POST", "/contacts", `{"email":"p1@example.com"}`)
	e, client := w.engine()
	defer client.CloseIdleConnections()
	s := w.sync
	s.Source = rows{list: people(9, "A", true)}
	sum, err := e.Plan(t.Context(), s, reconcile.PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if sum.MayExist != 0 || sum.Least != sum.Most || sum.Least.Requests != sum.Requests || sum.Outcomes[owlatsync.Adopted] != 1 {
		t.Errorf("planned %+v", sum)
	}
}
