package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/ledger/memory"
	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
	"owlatsync/reconcile"
)

// byKey tells a story of a table whose rows are asked for by key, once with a cursor and once without. Whole is how a run of all
// rows is told, and some how one that is not asked for keys is.
func byKey(t *testing.T, story func(t *testing.T, u *users, whole, some string)) {
	t.Helper()
	t.Parallel()
	for _, blind := range []bool{false, true} {
		t.Run(fmt.Sprintf("blind %v", blind), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u := newUsers(t, reconcile.Topic{ID: "news", When: true})
				defer u.close()
				if u.blind = blind; blind {
					u.sync.FullEvery = 0
					story(t, u, "all", "all")
					return
				}
				story(t, u, "full", "changes")
			})
		})
	}
}

// TestOnlyTheKeysAreRead asks for single rows between runs of everything.
func TestOnlyTheKeysAreRead(t *testing.T) {
	byKey(t, func(t *testing.T, u *users, whole, some string) {
		u.sync.OnMissing = reconcile.MissingDelete
		for id := range 6 {
			u.put(id+1, fmt.Sprintf("p%d@example.com", id+1), "A")
		}
		u.syncedWith(runOptions{Keys: []string{"1"}}, whole+": created 6") // the first run reads everything
		u.far()
		u.put(1, "p1@example.com", "B")
		u.put(2, "p2@example.com", "B")
		u.put(7, "p7@example.com", "G")
		u.exec("DELETE FROM users WHERE id = 3")
		before := u.requests()
		u.syncedWith(runOptions{Keys: []string{"1", "3", "7", "7", "nobody", ""}}, "keys: created 1 updated 1")
		u.sent(before, "POST /contacts 1", "POST /topics/{topic}/contacts 1", "PUT /contacts/{contact} 1")
		if c := u.contact("p1@example.com"); c.FirstName != "B" {
			t.Errorf("row 1 has the name %s", c.FirstName)
		}
		if _, there := u.server.Contact("p3@example.com"); !there {
			t.Error("a row was taken for gone that was asked for by key")
		}
		u.syncedWith(runOptions{Keys: []string{"1"}}, "keys: unchanged 1")
		u.syncedWith(runOptions{Keys: []string{"1", "2"}, Only: []string{"1"}}, "keys: unchanged 1 skipped 1")
		if u.blind {
			u.synced("all: updated 1 unchanged 5 removed 1")
			return
		}
		u.synced("changes: updated 1 unchanged 4") // what changed since the run before, which moved the mark
		u.syncedWith(runOptions{Full: true, Keys: []string{"1"}}, "full: unchanged 6 removed 1")
	})
}

// TestHoldersOfAnAddressAreReadToo asks for a row that takes over another's address.
func TestHoldersOfAnAddressAreReadToo(t *testing.T) {
	byKey(t, func(t *testing.T, u *users, whole, _ string) {
		u.put(1, "a@example.com", "A")
		u.put(2, "b@example.com", "B")
		u.synced(whole + ": created 2")
		u.put(2, "c@example.com", "B")
		u.put(1, "b@example.com", "A")
		u.syncedWith(runOptions{Keys: []string{"1"}}, "keys: renamed 2")
		if c := u.contact("b@example.com"); c.FirstName != "A" {
			t.Errorf("the address is that of %s", c.FirstName)
		}
	})
}

// TestAWithdrawalByKey asks for a row that withdraws its consent, also where the row is not valid.
func TestAWithdrawalByKey(t *testing.T) {
	byKey(t, func(t *testing.T, u *users, whole, _ string) {
		u.put(1, "a@example.com", "A")
		u.put(2, "b@example.com", "B")
		u.synced(whole + ": created 2")
		u.exec("UPDATE users SET news = 0 WHERE id = 1")
		u.exec("UPDATE users SET news = 0, email = 'no address' WHERE id = 2")
		u.syncedWith(runOptions{Keys: []string{"1", "2"}}, "keys: updated 1 invalid 1")
		if n := u.members("a@example.com") + u.members("b@example.com"); n != 0 {
			t.Errorf("%d memberships are left", n)
		}
	})
}

// TestAFailedRowIsRememberedAfterKeys fails for a row: the next run of changes tries it again.
func TestAFailedRowIsRememberedAfterKeys(t *testing.T) {
	byKey(t, func(t *testing.T, u *users, whole, some string) {
		u.options = append(u.options, owlat.WithRetries(0))
		u.put(1, "a@example.com", "A")
		u.synced(whole + ": created 1")
		u.far()
		u.put(2, "b@example.com", "B")
		u.put(3, "c@example.com", "C")
		u.far()
		u.put(1, "a@example.com", "A2")
		if !u.blind {
			u.synced("changes: created 2 updated 1")
		} else {
			u.synced("all: created 2 updated 1")
		}
		u.exec("UPDATE users SET name = 'B2' WHERE id = 2") // and the cursor does not move
		if err := u.server.InjectFaults(owlattest.Fault{Kind: owlattest.StatusError, Status: 500, Method: "PUT", At: 1, Count: 1}); err != nil {
			t.Fatal(err)
		}
		u.syncedWith(runOptions{Keys: []string{"2"}}, "keys: failed 1")
		time.Sleep(30 * time.Minute)
		if u.blind {
			u.synced("all: updated 1 unchanged 2")
		} else {
			u.synced("changes: updated 1 unchanged 1")
		}
		u.syncedWith(runOptions{Keys: []string{"2"}}, "keys: unchanged 1")
	})
}

// TestGuardsCountKeys holds a run of single rows, and approves it.
func TestGuardsCountKeys(t *testing.T) {
	byKey(t, func(t *testing.T, u *users, whole, some string) {
		for id := range 50 {
			u.put(id+1, fmt.Sprintf("p%d@example.com", id+1), "A")
		}
		u.synced(whole + ": created 50")
		u.far()
		u.put(51, "p51@example.com", "A") // and the bookmark is far from what follows
		u.far()
		u.put(52, "p52@example.com", "A")
		u.synced(map[bool]string{true: "all: created 2 unchanged 50", false: "changes: created 2 unchanged 2"}[u.blind])
		u.sync.Guards = reconcile.Guards{}
		u.exec("UPDATE users SET news = 0 WHERE id <= 30")
		var keys []string
		for id := range 30 {
			keys = append(keys, fmt.Sprint(id+1))
		}
		report, err := u.try(context.Background(), runOptions{Keys: keys}, u.source())
		held, ok := errors.AsType[*reconcile.HeldError](err)
		if !ok || report.Rows != 30 || len(held.Hits) != 1 || held.Hits[0].Guard != owlatsync.GuardRemovals {
			t.Fatalf("%v, %+v", err, report)
		}
		if want := "30 of 52 rows"; held.Hits[0].Reason[:len(want)] != want {
			t.Errorf("the reason is %s", held.Hits[0].Reason)
		}
		u.syncedWith(runOptions{Keys: keys[:1]}, "keys: updated 1") // which makes the plan of the held run moot
		if run, err := u.ledger.Run(t.Context(), held.Run); err != nil || run.Status != ledger.StatusSuperseded {
			t.Errorf("the held run is %+v: %v", run, err)
		}
		_, err = u.try(context.Background(), runOptions{Keys: keys}, u.source())
		if held, ok = errors.AsType[*reconcile.HeldError](err); !ok {
			t.Fatal(err)
		}
		u.syncedWith(runOptions{Approve: held.Run}, "keys: updated 29")
		if run, err := u.ledger.Run(t.Context(), held.Run); err != nil || run.Status != ledger.StatusApproved {
			t.Errorf("the held run is %+v: %v", run, err)
		}
		u.syncedWith(runOptions{Keys: keys}, "keys: unchanged 30")
	})
}

// TestARunOfKeysLeavesHeldRuns has a held run of everything, for which a run of single rows does not stand.
func TestARunOfKeysLeavesHeldRuns(t *testing.T) {
	byKey(t, func(t *testing.T, u *users, whole, _ string) {
		for id := range 50 {
			u.put(id+1, fmt.Sprintf("p%d@example.com", id+1), "A")
		}
		u.synced(whole + ": created 50")
		u.sync.Guards = reconcile.Guards{}
		u.sync.FullEvery /= 1000
		time.Sleep(time.Hour)
		u.exec("UPDATE users SET news = 0 WHERE id <= 30")
		_, err := u.try(context.Background(), runOptions{}, u.source())
		held, ok := errors.AsType[*reconcile.HeldError](err)
		if !ok {
			t.Fatal(err)
		}
		u.exec("UPDATE users SET name = 'B' WHERE id = 40")
		u.syncedWith(runOptions{Keys: []string{"40"}}, "keys: updated 1")
		if run, err := u.ledger.Run(t.Context(), held.Run); err != nil || run.Status != ledger.StatusHeld {
			t.Errorf("the held run is %+v: %v", run, err)
		}
		u.syncedWith(runOptions{Approve: held.Run}, whole+": updated 30 unchanged 20")
	})
}

// TestKeysWhereSeveralRowsHaveASay reads more than the keys if duplicates count that the ledger does not know.
func TestKeysWhereSeveralRowsHaveASay(t *testing.T) {
	byKey(t, func(t *testing.T, u *users, whole, _ string) {
		u.sync.Duplicates = reconcile.ConsentAny
		u.put(1, "a@example.com", "A")
		u.put(2, "a@example.com", "B") // says yes for both
		u.exec("UPDATE users SET news = 0 WHERE id = 1")
		u.synced(whole + ": created 1 duplicate 1")
		u.far()
		u.put(3, "c@example.com", "C")
		u.far()
		u.exec("UPDATE users SET name = 'A2' WHERE id = 1")
		if u.blind {
			u.syncedWith(runOptions{Keys: []string{"1"}}, "all: created 1 updated 1 duplicate 1")
		} else {
			u.syncedWith(runOptions{Keys: []string{"1"}}, "keys: updated 1 duplicate 1")
		}
		if n := u.members("a@example.com"); n != 1 {
			t.Errorf("on %d topics, although a duplicate says yes", n)
		}
	})
}

// TestKeysOfALedgerThatWasSetBack reads more than the keys if the ledger is older than what was done.
func TestKeysOfALedgerThatWasSetBack(t *testing.T) {
	t.Parallel()
	u := newUsers(t, reconcile.Topic{ID: "news", When: true})
	u.through = older{memory.New()}
	u.put(1, "a@example.com", "A")
	u.synced("full: created 1")
	u.syncedWith(runOptions{Keys: []string{"1"}}, "changes: unchanged 1")
}

// older is a ledger that is always older than what was done.
type older struct{ *memory.Ledger }

func (l older) SyncState(ctx context.Context, sync string) (ledger.SyncState, error) {
	s, err := l.Ledger.SyncState(ctx, sync)
	s.SetBack = time.Now()
	return s, err
}

// TestALongRunOfKeys reads the keys again in each of its stretches.
func TestALongRunOfKeys(t *testing.T) {
	byKey(t, func(t *testing.T, u *users, whole, _ string) {
		u.put(1000, "p@example.com", "A")
		u.synced(whole + ": created 1")
		u.options = append(u.options, owlat.WithTransport(&slow{RoundTripper: u.server.Transport()}))
		u.workers, u.sync.Fresh = 1, fresh
		u.through = memory.New()
		u.syncedWith(runOptions{}, whole+": adopted 1")
		var keys []string
		for id := range 20 {
			u.put(id+1, fmt.Sprintf("p%d@example.com", id+1), "A")
			keys = append(keys, fmt.Sprint(id+1))
		}
		gives := new(turn).once(2)
		gives.yield = func(context.Context) error {
			u.exec("UPDATE users SET news = 0 WHERE id = 20")
			return nil
		}
		u.syncedWith(runOptions{Keys: keys, Turn: gives}, "keys: created 20")
		if n := u.members("p20@example.com"); n != 0 {
			t.Error("who withdrew while the run waited was added")
		}
		u.syncedWith(runOptions{Keys: keys}, "keys: unchanged 20")
	})
}
