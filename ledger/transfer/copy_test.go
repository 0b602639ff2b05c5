package transfer

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"owlatsync/ledger"
)

// eitherWay runs a test with a ledger of each kind that is copied into one of each kind.
func eitherWay(t *testing.T, test func(t *testing.T, from, into ledger.Store)) {
	t.Helper()
	t.Parallel()
	all := kinds(t)
	for from, openFrom := range all {
		for into, openInto := range all {
			t.Run(from+" into "+into, func(t *testing.T) {
				t.Parallel()
				test(t, openFrom(t), openInto(t))
			})
		}
	}
}

func TestCopy(t *testing.T) {
	eitherWay(t, func(t *testing.T, from, into ledger.Store) {
		furnish(t, from)
		at := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
		// Nothing of it may be made safe: no run does anything meanwhile.
		unsafe := &ledger.Entry{
			Key: "unsafe", ContactID: "c", Email: "c@example.com", Identity: "c@example.com", Origin: ledger.OriginCreated, ChangedAt: at,
			Fingerprint: ledger.Fingerprint{Hi: 1, Lo: 1}, Intent: ledger.Intent{Create: at},
			Memberships: []ledger.Membership{{Topic: "no", State: ledger.MemberOut, At: at}, {Topic: "yes", Consent: true, State: ledger.MemberWanted, At: at}},
			Events:      []ledger.EventMark{{Name: "e", On: ledger.OnUpdated, State: ledger.EventDue, At: at}},
		}
		put(t, from, ledger.Record{Sync: "users", Run: 1, Entry: unsafe, Event: "updated"})
		want := contents(t, from)
		runs := want["runs"].([]ledger.Run)
		if runs[2].Status != ledger.StatusHeld {
			t.Fatalf("runs %+v", runs)
		}
		runs[2].Status, runs[2].PlanForm = ledger.StatusSuperseded, 0 // without its plan
		if err := Copy(t.Context(), from, into); err != nil {
			t.Fatal(err)
		}
		// Entries that are gone leave gaps in the numbers of the index, which need not be the same.
		unnumbered, anyOrder := cmpopts.IgnoreFields(ledger.IndexEntry{}, "Number"), cmpopts.SortSlices(func(a, b ledger.IndexEntry) bool { return a.KeyHash < b.KeyHash })
		if diff := cmp.Diff(want, contents(t, into), unnumbered, anyOrder); diff != "" {
			t.Errorf("the copy (-want +got):\n%s", diff)
		}
		got, err := into.Entries(t.Context(), "users", []string{"unsafe"})
		if diff := cmp.Diff(unsafe, got["unsafe"]); err != nil || diff != "" {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
		if state, err := into.SyncState(t.Context(), "users"); err != nil || !state.SetBack.IsZero() {
			t.Errorf("the copy is set back: %+v, %v", state, err)
		}
		under(t, into, ledger.Claim{}, func(k ledger.Lock) error {
			id, err := k.BeginRun(t.Context(), ledger.Run{Sync: "users"})
			if err != nil || id != runs[0].ID+1 {
				t.Errorf("the next run has the number %d: %v", id, err)
			}
			return k.Record(t.Context(), rowRecord("goes on"))
		})
		under(t, from, ledger.Claim{}, func(ledger.Lock) error { return nil }) // it is given back
	})
}

func TestCopyRefuses(t *testing.T) {
	const target = "crm"
	takeIn := func(t *testing.T, l ledger.Store, news ledger.News) {
		t.Helper()
		if _, err := l.TakeIn(t.Context(), news); err != nil {
			t.Fatal(err)
		}
	}
	news := func() ledger.News {
		return ledger.News{Feedback: ledger.Feedback{Event: "email.bounced", Received: time.Now()}, Deliveries: []ledger.Delivery{{Target: target}}}
	}
	lockOf := func(t *testing.T, l ledger.Store) {
		t.Helper()
		k, err := l.Acquire(t.Context(), ledger.Claim{Purpose: "a run"})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = k.Release() })
	}
	for name, c := range map[string]struct {
		given func(t *testing.T, from, into ledger.Store)
		want  error
	}{
		"what waits to be written back": {func(t *testing.T, from, _ ledger.Store) { takeIn(t, from, news()) }, ErrUndelivered},
		"what was written back": {func(t *testing.T, from, _ ledger.Store) {
			takeIn(t, from, news())
			due, err := from.DueDeliveries(t.Context(), target, time.Now().Add(time.Hour), 9)
			if err != nil || len(due) != 1 {
				t.Fatalf("due %+v: %v", due, err)
			}
			if err := from.Delivered(t.Context(), due[0].ID, time.Now(), time.Time{}); err != nil {
				t.Fatal(err)
			}
		}, nil},
		"a run goes on":              {func(t *testing.T, from, _ ledger.Store) { lockOf(t, from) }, ledger.ErrLocked},
		"a run goes on in the other": {func(t *testing.T, _, into ledger.Store) { lockOf(t, into) }, ledger.ErrLocked},
		"a ledger that holds something": {func(t *testing.T, _, into ledger.Store) {
			put(t, into, rowRecord("1"))
		}, ledger.ErrNotEmpty},
		"a ledger of another deployment": {func(t *testing.T, from, into ledger.Store) {
			bind(t, from, "https://a.example.com")
			bind(t, into, "https://b.example.com")
		}, ledger.ErrNotEmpty},
	} {
		t.Run(name, func(t *testing.T) {
			eitherWay(t, func(t *testing.T, from, into ledger.Store) {
				put(t, from, rowRecord("kept"))
				c.given(t, from, into)
				if err := Copy(t.Context(), from, into); !errors.Is(err, c.want) {
					t.Errorf("error %v, not %v", err, c.want)
				}
				found, err := into.Entries(t.Context(), "users", []string{"kept"})
				if err != nil || (len(found) == 1) != (c.want == nil) {
					t.Errorf("copied %v: %v", found, err)
				}
			})
		})
	}
}

// lostDuring is a ledger whose lock ends while it is read.
type lostDuring struct {
	ledger.Store
	lose context.CancelCauseFunc
}

func (l lostDuring) Snapshot(ctx context.Context, read func(ledger.Snapshot) error) error {
	return l.Store.Snapshot(context.WithoutCancel(ctx), func(s ledger.Snapshot) error {
		l.lose(ledger.ErrLockLost)
		return read(s)
	})
}

// TestACopyThatLosesTheLockCopiesNothing loses the lock while it reads: a run may have begun meanwhile.
func TestACopyThatLosesTheLockCopiesNothing(t *testing.T) {
	eitherWay(t, func(t *testing.T, from, into ledger.Store) {
		put(t, from, rowRecord("1"))
		ctx, lose := context.WithCancelCause(t.Context())
		defer lose(nil)
		if err := Copy(ctx, lostDuring{from, lose}, into); !errors.Is(err, ledger.ErrLockLost) {
			t.Errorf("copied without the lock: %v", err)
		}
		mustBeEmpty(t, into)
	})
}
