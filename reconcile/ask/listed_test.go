package ask

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/reconcile/remote"
)

func TestListedContactsAreFoundByTheirAddress(t *testing.T) {
	t.Parallel()
	wanted := func(hash uint64) bool { return hash != ledger.HashText("unwanted@example.com") }
	twins := make(map[uint64]int)
	l := &Listed{at: make(map[uint64]remote.Spot)}
	var all []owlat.Contact
	for page := range 5 {
		var contacts []owlat.Contact
		for i := range remote.ListPage {
			contacts = append(contacts, owlat.Contact{
				ID: fmt.Sprint("id", page, "-", i), Email: fmt.Sprintf("user%d.%d@example.com", page, i),
				FirstName: strings.Repeat("é", i*4), LastName: strings.Repeat("x", page), Source: "import",
				UpdatedAt: time.UnixMilli(int64(page*1_000_000_000_000 + i + 1)).UTC(),
			})
		}
		contacts[7].Email, contacts[8].Email = "unwanted@example.com", "" // one came by SMS
		contacts[9].Email, contacts[10].Email = "twin@example.com", "twin@example.com"
		l.add(contacts, wanted, func(hash uint64) { twins[hash]++ })
		all = append(all, contacts...)
	}
	want := make(map[string]owlat.Contact)
	for _, c := range all {
		want[c.Email] = owlat.Contact{ID: c.ID, Email: c.Email, FirstName: c.FirstName, LastName: c.LastName, UpdatedAt: c.UpdatedAt}
	}
	delete(want, "unwanted@example.com")
	delete(want, "")
	l.Drop("user3.3@example.com")
	delete(want, "user3.3@example.com")
	for _, c := range all {
		expected, known := want[c.Email]
		got, ok := l.Find(c.Email)
		if ok != known {
			t.Errorf("%q is found: %v, want %v", c.Email, ok, known)
		}
		if diff := cmp.Diff(expected, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", c.Email, diff)
		}
	}
	if n := twins[ledger.HashText("twin@example.com")]; n != 2*5-1 || len(twins) != 1 {
		t.Errorf("%d further contacts with the address of another, and %d such addresses", n, len(twins))
	}
}
