package reconcile_test

import (
	"context"
	"testing"

	"owlatsync"
	"owlatsync/reconcile"
)

// What an increment does not show of other rows is looked up: who holds an address, and whether they still do.
func TestAddressesAcrossTheIncrement(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		edit  func(u *users)
		want  string
		then  func(u *users)
		after string
	}{
		{
			"another row has the address",
			func(u *users) { u.put(2, "a@example.com", "A") }, "changes: unchanged 2 duplicate 1",
			func(u *users) { u.far(); u.put(1, "z@example.com", "A") }, "changes: renamed 2",
		},
		{
			"the row that had the address has left",
			func(u *users) { u.exec("DELETE FROM users WHERE id = 1"); u.put(4, "a@example.com", "D") }, "changes: adopted 1 unchanged 2",
			func(u *users) {}, "changes: unchanged 1",
		},
		{
			"the row that had the address moved on, uncounted",
			func(u *users) {
				u.exec("UPDATE users SET email = 'z@example.com' WHERE id = 1")
				u.put(2, "a@example.com", "A")
			}, "changes: renamed 2 unchanged 1",
			func(u *users) {}, "changes: unchanged 1",
		},
		{
			"a chain of rows, uncounted but for its end",
			func(u *users) {
				u.exec("UPDATE users SET email = 'z@example.com' WHERE id = 2")
				u.exec("UPDATE users SET email = 'b@example.com' WHERE id = 1")
				u.put(3, "a@example.com", "A")
			}, "changes: renamed 3",
			func(u *users) {}, "changes: unchanged 1",
		},
		{
			"an exchange, solved by a third address",
			func(u *users) {
				u.put(1, "b@example.com", "A")
				u.put(2, "a@example.com", "A")
			}, "changes: unchanged 1 failed 2",
			func(u *users) { u.far(); u.put(1, "z@example.com", "A"); u.far(); u.put(5, "n@example.com", "N") }, "changes: created 1 renamed 2",
		},
		{
			"two new rows with one address",
			func(u *users) { u.put(4, "n@example.com", "N"); u.put(5, "n@example.com", "N") }, "changes: created 1 unchanged 2 duplicate 1",
			func(u *users) { u.far(); u.put(6, "m@example.com", "M") }, "changes: created 1 unchanged 1 duplicate 1",
		},
		{
			"the row that had the address is invalid",
			func(u *users) {
				u.exec("UPDATE users SET email = 'nothing' WHERE id = 1")
				u.put(4, "a@example.com", "D")
			}, "changes: unchanged 2 invalid 1 duplicate 1",
			func(u *users) {}, "changes: invalid 1 duplicate 1",
		},
		{
			"another sync gave the address to the contact of a row",
			func(u *users) { u.elsewhere("a@example.com", "n@example.com"); u.put(4, "n@example.com", "N") }, "changes: unchanged 3 duplicate 1",
			func(u *users) { u.far(); u.put(1, "m@example.com", "A") }, "changes: created 1 renamed 1",
		},
		{
			"another sync gave the address to the contact of a row that has left",
			func(u *users) {
				u.elsewhere("b@example.com", "n@example.com")
				u.exec("DELETE FROM users WHERE id = 2")
				u.put(4, "n@example.com", "N")
			}, "changes: renamed 1 unchanged 1",
			func(u *users) {}, "changes: unchanged 1",
		},
		{
			"a row without a count",
			func(u *users) { u.exec("UPDATE users SET v = NULL, name = 'N' WHERE id = 2") }, "changes: updated 1 unchanged 1",
			func(u *users) { u.exec("UPDATE users SET name = 'M' WHERE id = 2") }, "changes: updated 1 unchanged 1",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			u := newUsers(t)
			for id, email := range []string{"a@example.com", "b@example.com", "c@example.com"} {
				u.put(id+1, email, "A")
			}
			u.synced("full: created 3")
			u.far()
			tt.edit(u)
			u.synced(tt.want)
			tt.then(u)
			u.synced(tt.after)
			// Reading everything finds nothing that was forgotten.
			before := u.requests()
			u.syncedWithNoWrite(before)
		})
	}
}

// elsewhere has another sync meet the contact with an address, and give it another one.
func (u *users) elsewhere(address, other string) {
	u.t.Helper()
	own := u.sync
	u.sync = reconcile.Sync{Name: "orders"}
	expect(u.t, u.run(user("o", address, "A")), "adopted 1")
	expect(u.t, u.run(user("o", other, "A")), "renamed 1")
	u.sync = own
}

// syncedWithNoWrite makes a run that reads everything, and has nothing to send.
func (u *users) syncedWithNoWrite(before map[string]int) {
	u.t.Helper()
	u.query += " "
	report, err := u.try(context.Background(), runOptions{}, u.source())
	if err != nil {
		u.t.Fatal(err)
	}
	if report.Reading.Mode != owlatsync.ReadAll {
		u.t.Errorf("read %q", report.Reading.Mode)
	}
	u.sent(before)
}
