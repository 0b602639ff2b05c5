package reconcile

import (
	"cmp"
	"fmt"
	"iter"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/ledger/memory"
)

// pick returns one of several.
func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

// randomEntry is an entry of few contacts and addresses, so that rows and syncs share them.
func randomEntry(r *rand.Rand, key string) *ledger.Entry {
	address := func() string { return pick(r, "", "a@example.com", "b@example.com", "c@example.com", "d@example.com") }
	at := time.Date(2026, 3, 1, 12, 0, r.IntN(60), 0, time.UTC)
	e := &ledger.Entry{
		Key: key, ContactID: pick(r, "", "c1", "c2", "c3"), Email: address(), Identity: address(), Fields: owlatsync.Texts{owlatsync.FirstName: pick(r, "", "Ada", "Bob")},
		Origin:    pick(r, ledger.OriginNone, ledger.OriginCreated, ledger.OriginAdopted, ledger.OriginGone, ledger.OriginDeleting),
		FirstSeen: at, ChangedAt: at, Memberships: []ledger.Membership{{Topic: "news", Consent: true, State: ledger.MemberAdded, At: at}},
	}
	if r.IntN(2) == 0 {
		e.Fingerprint = ledger.Fingerprint{Hi: r.Uint64(), Lo: 1 + r.Uint64N(9)}
	}
	if r.IntN(3) == 0 {
		e.Failure = &ledger.Failure{Attempts: 1, First: at, Last: at, NextTry: at}
		e.Events = []ledger.EventMark{{Name: "moved", On: ledger.OnUpdated, State: ledger.EventAwaited, At: at}}
	}
	return e
}

// TestAnOverlayIsALedgerWithItsRecords settles random doubts in one ledger, and lays the same records over another.
func TestAnOverlayIsALedgerWithItsRecords(t *testing.T) {
	t.Parallel()
	for seed := range uint64(60) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 1))
			ctx := t.Context()
			plain, recorded := memory.New(), memory.New()
			var records, settled []ledger.Record
			for _, sync := range []string{"users", "customers"} {
				for i := range 4 + r.IntN(8) {
					key := fmt.Sprint(i)
					e := randomEntry(r, key)
					if e.Doubt = r.IntN(2) == 0; e.Doubt {
						e.Fingerprint = ledger.Fingerprint{}
						if r.IntN(4) > 0 { // else it could not be looked up
							s := randomEntry(r, key)
							s.Fingerprint = ledger.Fingerprint{}
							settled = append(settled, ledger.Record{Sync: sync, Entry: s})
						}
					}
					records = append(records, ledger.Record{Sync: sync, Entry: e})
				}
			}
			recordIn(t, plain, records...)
			recordIn(t, recorded, append(records, settled...)...)
			before := entriesOf(t, plain.All(ctx, "users"))
			over := newOverlay(plain)
			for _, s := range settled {
				if err := over.put(s); err != nil {
					t.Fatal(err)
				}
			}
			same := func(what string, want, got any) {
				t.Helper()
				if !reflect.DeepEqual(want, got) { // much faster than a difference
					t.Errorf("%s (-recorded +overlay):\n%s", what, gocmp.Diff(want, got))
				}
			}
			for _, sync := range []string{"users", "customers", "nobody"} {
				same("index of "+sync, entriesOf(t, recorded.Index(ctx, sync)), entriesOf(t, over.Index(ctx, sync)))
				same("all of "+sync, entriesOf(t, recorded.All(ctx, sync)), entriesOf(t, over.All(ctx, sync)))
				for range 5 {
					keys := []string{fmt.Sprint(r.IntN(14)), fmt.Sprint(r.IntN(14)), "unknown"}
					same(fmt.Sprint("entries ", keys), must(recorded.Entries(ctx, sync, keys))(t), must(over.Entries(ctx, sync, keys))(t))
				}
			}
			for range 8 {
				addresses := []string{pick(r, "a@example.com", "b@example.com"), pick(r, "c@example.com", "d@example.com", "nobody@example.com", "")}
				same(fmt.Sprint("holders ", addresses), sorted(must(recorded.Holders(ctx, addresses))(t)), sorted(must(over.Holders(ctx, addresses))(t)))
				contacts := []string{pick(r, "c1", "c2"), pick(r, "c3", "c4", "")}
				same(fmt.Sprint("sharers ", contacts), sorted(must(recorded.Sharers(ctx, contacts))(t)), sorted(must(over.Sharers(ctx, contacts))(t)))
			}
			for e, err := range over.All(ctx, "users") { // what is handed out is the asker's own
				if err != nil {
					t.Fatal(err)
				}
				e.Email, e.Memberships[0].State = "changed@example.com", ledger.MemberLeft
			}
			same("all, changed by somebody", entriesOf(t, recorded.All(ctx, "users")), entriesOf(t, over.All(ctx, "users")))
			same("the ledger below", before, entriesOf(t, plain.All(ctx, "users")))
		})
	}
}

// TestAnOverlayKeepsWhatIsNewer has a run settle and apply what a plan beside it has settled for itself.
func TestAnOverlayKeepsWhatIsNewer(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	store := memory.New()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	doubtful := &ledger.Entry{Key: "1", Identity: "a@example.com", Doubt: true, Intent: ledger.Intent{Create: at}, ChangedAt: at}
	applied := &ledger.Entry{Key: "1", ContactID: "c1", Email: "a@example.com", Origin: ledger.OriginCreated, Fingerprint: ledger.Fingerprint{Hi: 1, Lo: 2}, ChangedAt: at}
	recordIn(t, store, ledger.Record{Sync: "users", Entry: doubtful})
	over := newOverlay(store)
	if err := over.put(ledger.Record{Sync: "users", Entry: &ledger.Entry{Key: "1"}}); err != nil {
		t.Fatal(err)
	}
	recordIn(t, store, ledger.Record{Sync: "users", Entry: applied})
	want := []ledger.Holder{{Sync: "users", Entry: applied}}
	for what, diff := range map[string]string{
		"entries": gocmp.Diff(map[string]*ledger.Entry{"1": applied}, must(over.Entries(ctx, "users", []string{"1"}))(t)),
		"all":     gocmp.Diff([]*ledger.Entry{applied}, entriesOf(t, over.All(ctx, "users"))),
		"index":   gocmp.Diff([]ledger.IndexEntry{{Number: 1, KeyHash: ledger.HashText("1"), Print: 2}}, entriesOf(t, over.Index(ctx, "users"))),
		"holders": gocmp.Diff(want, must(over.Holders(ctx, []string{"a@example.com"}))(t)),
		"sharers": gocmp.Diff(want, must(over.Sharers(ctx, []string{"c1"}))(t)),
	} {
		if diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
}

// sorted returns holders in the order of syncs and keys, never nil.
func sorted(holders []ledger.Holder) []ledger.Holder {
	return slices.SortedFunc(slices.Values(append([]ledger.Holder{}, holders...)), func(a, b ledger.Holder) int {
		return cmp.Or(cmp.Compare(a.Sync, b.Sync), cmp.Compare(a.Entry.Key, b.Entry.Key))
	})
}

func recordIn(t *testing.T, store *memory.Ledger, records ...ledger.Record) {
	t.Helper()
	lock, err := store.Acquire(t.Context(), ledger.Claim{Purpose: "a test"})
	if err != nil {
		t.Fatal(err)
	}
	for part := range slices.Chunk(records, 3) {
		if err := lock.Record(t.Context(), part...); err != nil {
			t.Fatal(err)
		}
	}
	if err := lock.Release(); err != nil {
		t.Fatal(err)
	}
}

func entriesOf[T any](t *testing.T, seq iter.Seq2[T, error]) (all []T) {
	t.Helper()
	for v, err := range seq {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, v)
	}
	return all
}

// must returns what a call returned, and fails the test if it failed.
func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}
