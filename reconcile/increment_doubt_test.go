package reconcile_test

import (
	"testing"

	"owlatsync/owlat/owlattest"
)

// What became of a change whose answer was lost is found out also where the row has another key by then.
func TestADoubtIsSettledUnderANewKey(t *testing.T) {
	t.Parallel()
	for _, change := range []struct {
		name    string
		address string // that the row was to get, and has under its new key
		want    string
	}{
		{"names that are as before", "a@example.com", "changes: adopted 1 unchanged 1"},
		{"an address", "z@example.com", "changes: adopted 1 unchanged 1"},
	} {
		t.Run(change.name, func(t *testing.T) {
			t.Parallel()
			u := newUsers(t)
			u.put(1, "a@example.com", "A")
			u.put(2, "b@example.com", "B")
			u.synced("full: created 2")
			u.far()
			u.put(2, "b@example.com", "B")
			u.put(1, change.address, "New")
			if err := u.server.InjectFaults(owlattest.Fault{Kind: owlattest.ResetAfter, Method: "PUT"}); err != nil {
				t.Fatal(err)
			}
			u.synced("changes: unchanged 1 failed 1")
			u.server.ClearFaults()
			u.exec("DELETE FROM users WHERE id = 1")
			u.put(3, change.address, "A")
			u.synced(change.want)
			if got := u.contact(change.address); got.FirstName != "A" || u.server.Len() != 2 {
				t.Errorf("%d contacts, %s is called %q", u.server.Len(), change.address, got.FirstName)
			}
			u.syncedWithNoWrite(u.requests())
		})
	}
}
