package ledgertest

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"owlatsync"
	"owlatsync/ledger"
)

func fullEntry(key string) *ledger.Entry {
	return &ledger.Entry{
		Key: key, ContactID: "k57contact", Email: "new@example.com", Identity: "old@example.com",
		Fields: owlatsync.Texts{owlatsync.FirstName: "Zoë 😀", owlatsync.LastName: "O'Hara\x00\"%"}, Origin: ledger.OriginAdopted,
		Fingerprint: ledger.Fingerprint{Hi: math.MaxUint64, Lo: 1 << 63},
		Memberships: []ledger.Membership{
			{Topic: "topic1", Consent: true, State: ledger.MemberAdded, At: at(2), Renewed: at(1), Sent: at(11), Pending: at(12), Unmailed: true, Off: at(13)},
			{Topic: "topic2", State: ledger.MemberOut},
		},
		Intent: ledger.Intent{Create: at(3), Local: true},
		Events: []ledger.EventMark{
			{Name: "user_created", On: ledger.OnCreated, State: ledger.EventSent, At: at(9)},
			{Name: "user_met", On: ledger.OnAppears, State: ledger.EventDue},
			{Name: "plan_changed", On: ledger.OnChanges, Column: "plan", State: ledger.EventSeen, Value: `"<b>\u0000 é"`, At: at(10)},
		},
		FieldMarks: []ledger.FieldMark{
			{Field: "firstName", Theirs: true, Row: new("Zoë \x00😀"), Why: owlatsync.OverwriteIfOurs, At: at(14)},
			{Field: "email", Sent: new("new@example.com")},
			{Field: "lastName", Row: new(""), Why: owlatsync.OverwriteNever, At: at(15)},
		},
		Failure: &ledger.Failure{
			Class: ledger.GiveUp, Category: "conflict", Status: 409, Reason: "held by <another> row & more", Attempts: 3,
			First: at(4), Last: at(5), NextTry: at(6), Parked: true,
			Fingerprint: ledger.Fingerprint{Hi: 3, Lo: math.MaxUint64 - 1}, Absence: true, Holder: ledger.RowRef{Sync: "others", Key: "7"},
		},
		FirstSeen: at(7), ChangedAt: at(8), Witness: at(10),
	}
}

func testEntry(t *testing.T, open Open) {
	t.Run("every field comes back, across a reopening", func(t *testing.T) {
		t.Parallel()
		folder := t.TempDir()
		l := open(t, folder)
		want := fullEntry("full")
		record(t, l, "users", want)
		same(t, "entry", entriesOf(t, l, "users", "full")["full"], want)
		noError(t, l.Close())
		got := entriesOf(t, reopen(t, open, folder), "users", "full")["full"]
		same(t, "entry after reopening", got, want)
		for _, at := range []time.Time{
			got.FirstSeen, got.ChangedAt, got.Witness, got.Intent.Create, got.Memberships[0].At, got.Memberships[0].Renewed, got.Memberships[0].Sent, got.Memberships[0].Pending, got.Events[0].At, got.FieldMarks[0].At, got.Failure.First, got.Failure.Last, got.Failure.NextTry,
		} {
			if at.Location() != time.UTC {
				t.Errorf("%v is not in UTC", at)
			}
		}
	})
	t.Run("a bare entry", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		bare := &ledger.Entry{Key: "bare", ChangedAt: at(0)}
		record(t, l, "users", bare)
		got := entriesOf(t, l, "users", "bare")["bare"]
		same(t, "entry", got, bare)
		if !got.FirstSeen.IsZero() || !got.Witness.IsZero() || !got.Intent.Create.IsZero() {
			t.Error("a zero time came back as another")
		}
	})
	t.Run("marks of fields without events", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		marked := &ledger.Entry{Key: "marked", ChangedAt: at(0), FieldMarks: fullEntry("").FieldMarks}
		record(t, l, "users", marked)
		same(t, "entry", entriesOf(t, l, "users", "marked")["marked"], marked)
		marked.FieldMarks = nil
		record(t, l, "users", marked)
		same(t, "entry without them", entriesOf(t, l, "users", "marked")["marked"], marked)
	})
	t.Run("an entry in doubt", func(t *testing.T) {
		t.Parallel()
		testDoubt(t, fresh(t, open))
	})
	t.Run("an address without an identity and the reverse", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		email := &ledger.Entry{Key: "1", Email: "one@example.com", ChangedAt: at(0)}
		identity := &ledger.Entry{Key: "2", Identity: "two@example.com", ChangedAt: at(0)}
		record(t, l, "users", email, identity)
		same(t, "entries", entriesOf(t, l, "users", "1", "2"), map[string]*ledger.Entry{"1": email, "2": identity})
	})
	t.Run("a row that was exported for import comes back", func(t *testing.T) {
		t.Parallel()
		folder := t.TempDir()
		l := open(t, folder)
		want := &ledger.Entry{
			Key: "x", Identity: "x@example.com", Origin: ledger.OriginExported, FirstSeen: at(1), ChangedAt: at(2),
			Memberships: []ledger.Membership{{Topic: "topic1", Consent: true, State: ledger.MemberImported, At: at(1)}, {Topic: "topic2", State: ledger.MemberOut, At: at(1)}},
		}
		record(t, l, "users", want)
		noError(t, l.Close())
		l = reopen(t, open, folder)
		same(t, "entry", entriesOf(t, l, "users", "x")["x"], want)
		same(t, "index", indexOf(t, l, "users"), wantIndex(want))
		held, err := l.Holders(t.Context(), []string{"x@example.com"})
		noError(t, err)
		same(t, "holders", held, []ledger.Holder{{Sync: "users", Entry: want}})
	})
	t.Run("a recorded entry replaces the one before entirely", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		record(t, l, "users", fullEntry("x"))
		plain := &ledger.Entry{Key: "x", Email: "plain@example.com", Identity: "plain@example.com", ChangedAt: at(9)}
		record(t, l, "users", plain)
		same(t, "entry", entriesOf(t, l, "users", "x")["x"], plain)
		same(t, "index", indexOf(t, l, "users"), wantIndex(plain))
	})
	t.Run("keys of every kind are told apart", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		keys := []string{
			"a", "A", "a ", " a", "ä", "a\u0308", "a\x00", "a\x00b", "\xff", "\xfe", "%", "_", "'", `"`, "a/b", `a\/b`, "1", "01", "1.0",
			"null", "\n", "😀", strings.Repeat("long", 5000),
		}
		want := make(map[string]*ledger.Entry)
		for _, key := range keys {
			want[key] = entry(key)
			record(t, l, "users", want[key])
		}
		same(t, "entries", entriesOf(t, l, "users", keys...), want)
	})
	t.Run("keys without an entry are left out", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		record(t, l, "users", entry("1"))
		same(t, "entries", entriesOf(t, l, "users", "1", "2", "1"), map[string]*ledger.Entry{"1": entry("1")})
		same(t, "entries of another sync", len(entriesOf(t, l, "others", "1")), 0)
		same(t, "entries without keys", len(entriesOf(t, l, "users")), 0)
	})
	t.Run("many keys at once", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		record(t, l, "users", many(0, 1500)...)
		keys := make([]string, 0, 1500)
		for _, e := range many(0, 1500) {
			keys = append(keys, e.Key)
		}
		found := entriesOf(t, l, "users", keys...)
		same(t, "count", len(found), 1500)
		same(t, "one of them", found["1277"], entry("1277"))
	})
	t.Run("what the caller holds is a copy", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		e := fullEntry("1")
		record(t, l, "users", e)
		e.Fields[owlatsync.FirstName], e.Memberships[0].Topic, e.Failure.Reason, e.Events[0].Name = "changed", "changed", "changed", "changed"
		*e.FieldMarks[0].Row, *e.FieldMarks[1].Sent = "changed", "changed"
		got := entriesOf(t, l, "users", "1")["1"]
		same(t, "after changing what was recorded", got, fullEntry("1"))
		got.Memberships[0].Topic, got.Failure.Reason, got.Events[0].Name, *got.FieldMarks[0].Row = "changed", "changed", "changed", "changed"
		same(t, "after changing what was read", entriesOf(t, l, "users", "1")["1"], fullEntry("1"))
	})
}

func testRecord(t *testing.T, open Open) {
	t.Run("later records of one call win", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		first, second := entry("1"), entry("1")
		second.Fields[owlatsync.FirstName] = "Later"
		record(t, l, "users", first, second)
		same(t, "entry", entriesOf(t, l, "users", "1")["1"], second)
	})
	t.Run("syncs do not share keys", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		other := entry("1")
		other.Fields[owlatsync.FirstName] = "Other"
		noError(t, hold(t, l).Record(t.Context(), ledger.Record{Sync: "users", Entry: entry("1")}, ledger.Record{Sync: "others", Entry: other}))
		same(t, "users", entriesOf(t, l, "users", "1")["1"], entry("1"))
		same(t, "others", entriesOf(t, l, "others", "1")["1"], other)
	})
	t.Run("an entry takes the place of another", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		k := hold(t, l)
		noError(t, k.Record(t.Context(), ledger.Record{Sync: "users", Entry: entry("old")}, ledger.Record{Sync: "others", Entry: entry("old")}))
		for range 2 { // the second time there is none to replace
			noError(t, k.Record(t.Context(), ledger.Record{Sync: "users", Entry: entry("new"), Replaces: "old", Event: "adopted"}))
			same(t, "entries", entriesOf(t, l, "users", "old", "new"), map[string]*ledger.Entry{"new": entry("new")})
			same(t, "index", indexOf(t, l, "users"), wantIndex(entry("new")))
		}
		same(t, "others", len(entriesOf(t, l, "others", "old")), 1)
		if err := k.Record(t.Context(), ledger.Record{Sync: "users", Entry: entry("new"), Replaces: "new"}); err == nil {
			t.Error("an entry that replaces itself was recorded")
		}
		same(t, "entries", len(entriesOf(t, l, "users", "new")), 1)
	})
	t.Run("nothing to record", func(t *testing.T) {
		t.Parallel()
		noError(t, hold(t, fresh(t, open)).Record(t.Context()))
	})
	t.Run("all or none", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		k := hold(t, l)
		for name, bad := range map[string]ledger.Record{
			"no entry": {Sync: "users"}, "no key": {Sync: "users", Entry: &ledger.Entry{}}, "no sync": {Entry: entry("2")},
		} {
			if err := k.Record(t.Context(), ledger.Record{Sync: "users", Entry: entry("1")}, bad); err == nil {
				t.Errorf("%s: recorded", name)
			}
		}
		same(t, "index", len(indexOf(t, l, "users")), 0)
	})
	t.Run("a cancelled call writes nothing", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		k := hold(t, l)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := k.Record(ctx, ledger.Record{Sync: "users", Entry: entry("1")}); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
		same(t, "index", len(indexOf(t, l, "users")), 0)
	})
	t.Run("a closed ledger says so", func(t *testing.T) {
		t.Parallel()
		l := open(t, t.TempDir())
		k := hold(t, l)
		noError(t, l.Close())
		if err := k.Record(t.Context(), ledger.Record{Sync: "users", Entry: entry("1")}); err == nil {
			t.Error("recorded in a closed ledger")
		}
		if _, err := l.Entries(t.Context(), "users", []string{"1"}); err == nil {
			t.Error("read from a closed ledger")
		}
		if _, err := l.Acquire(t.Context(), ledger.Claim{}); !errors.Is(err, ledger.ErrClosed) {
			t.Errorf("acquired in a closed ledger: %v", err)
		}
		noError(t, l.Close())
	})
}

// testDoubt records entries in doubt, with and without an earlier fingerprint.
func testDoubt(t *testing.T, l Ledger) {
	doubtful, before := entry("1"), entry("2")
	doubtful.Doubt, doubtful.Fingerprint = true, ledger.Fingerprint{}
	before.Doubt = true
	record(t, l, "users", doubtful, before, entry("3"))
	before.Fingerprint = ledger.Fingerprint{} // a store keeps none
	same(t, "entries", entriesOf(t, l, "users", "1", "2", "3"), map[string]*ledger.Entry{"1": doubtful, "2": before, "3": entry("3")})
	same(t, "index", indexOf(t, l, "users"), wantIndex(doubtful, before, entry("3")))
	var open []string
	for _, e := range collect(t, l.Open(t.Context(), "users")) {
		open = append(open, e.Key)
	}
	slices.Sort(open)
	same(t, "open entries", open, []string{"1", "2"})
	standing, err := l.Standing(t.Context(), "users")
	noError(t, err)
	same(t, "standing", standing, ledger.Standing{Entries: 3, Applied: 1})
	record(t, l, "users", entry("1"))
	same(t, "no more in doubt", entriesOf(t, l, "users", "1")["1"], entry("1"))
}

func testIndex(t *testing.T, open Open) {
	t.Run("every entry of the sync and no other", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		// The two syncs alternate, so that neither lies in one piece.
		for i := range 10 {
			record(t, l, "users", many(i*600, 600)...)
			record(t, l, "others", many(i*10, 10)...)
		}
		same(t, "users", indexOf(t, l, "users"), wantIndex(many(0, 6000)...))
		same(t, "others", indexOf(t, l, "others"), wantIndex(many(0, 100)...))
		same(t, "unknown", len(indexOf(t, l, "unknown")), 0)
	})
	t.Run("a row never applied has no fingerprint", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		e := &ledger.Entry{Key: "1"}
		record(t, l, "users", e)
		same(t, "index", indexOf(t, l, "users"), wantIndex(e))
	})
	t.Run("breaking out releases it", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		record(t, l, "users", many(0, 100)...)
		for range 50 {
			for _, err := range l.Index(t.Context(), "users") {
				noError(t, err)
				break
			}
		}
		record(t, l, "users", entry("100"))
		same(t, "count", len(indexOf(t, l, "users")), 101)
	})
	t.Run("the ledger can be used while it streams", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		record(t, l, "users", many(0, 20)...)
		seen := make(map[uint64]bool)
		for e, err := range l.Index(t.Context(), "users") {
			noError(t, err)
			seen[e.KeyHash] = true
			record(t, l, "users", entry("0"))
			same(t, "entries", len(entriesOf(t, l, "users", "1")), 1)
			same(t, "inner index", len(indexOf(t, l, "users")), 20)
		}
		same(t, "count", len(seen), 20)
	})
	t.Run("a cancelled context ends it with an error", func(t *testing.T) {
		t.Parallel()
		l := fresh(t, open)
		record(t, l, "users", many(0, 6000)...)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var last error
		n := 0
		for _, err := range l.Index(ctx, "users") {
			cancel()
			n++
			last = err
		}
		if !errors.Is(last, context.Canceled) || n > 6000 {
			t.Errorf("after %d entries the last error is %v", n, last)
		}
	})
}

func testHolders(t *testing.T, open Open) {
	l := fresh(t, open)
	renamed := entry("2")
	renamed.Email, renamed.Identity = "now@example.com", "before@example.com"
	shared := entry("1")
	unconfirmed := &ledger.Entry{Key: "3", ChangedAt: at(0)}
	record(t, l, "users", entry("1"), renamed, unconfirmed)
	record(t, l, "others", shared)
	filler := many(1000, 2000)
	record(t, l, "filler", filler...)
	user := func(e *ledger.Entry) ledger.Holder { return ledger.Holder{Sync: "users", Entry: e} }

	var everybody []string
	for _, e := range filler {
		everybody = append(everybody, e.Email)
	}
	// The two addresses of one entry are far apart, so that an implementation that asks in chunks has them in two.
	everybody = slices.Concat([]string{"now@example.com"}, everybody, []string{"before@example.com"})

	for _, c := range []struct {
		name      string
		addresses []string
		want      []ledger.Holder
	}{
		{"by address, in all syncs", []string{"row1@example.com"}, []ledger.Holder{{Sync: "others", Entry: shared}, user(entry("1"))}},
		{"by present address", []string{"now@example.com"}, []ledger.Holder{user(renamed)}},
		{"by identity", []string{"before@example.com"}, []ledger.Holder{user(renamed)}},
		{"each once", []string{"now@example.com", "before@example.com", "now@example.com"}, []ledger.Holder{user(renamed)}},
		{"addresses are compared as they are", []string{"Now@example.com", "now@example.co", "%"}, nil},
		{"an empty address is nobody's", []string{""}, nil},
		{"none", nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := l.Holders(t.Context(), c.addresses)
			noError(t, err)
			slices.SortFunc(got, func(a, b ledger.Holder) int { return strings.Compare(a.Sync+a.Entry.Key, b.Sync+b.Entry.Key) })
			same(t, "holders", got, c.want)
		})
	}
	t.Run("many addresses", func(t *testing.T) {
		got, err := l.Holders(t.Context(), everybody)
		noError(t, err)
		same(t, "count", len(got), len(filler)+1)
	})
	t.Run("an address left behind is nobody's", func(t *testing.T) {
		moved := entry("1")
		moved.Email, moved.Identity = "moved@example.com", "moved@example.com"
		record(t, l, "others", moved)
		record(t, l, "users", moved)
		got, err := l.Holders(t.Context(), []string{"row1@example.com"})
		noError(t, err)
		same(t, "holders", len(got), 0)
	})
}

func testRemove(t *testing.T, open Open) {
	folder := t.TempDir()
	l := open(t, folder)
	record(t, l, "users", many(0, 1500)...)
	record(t, l, "others", entry("1"))
	removed := []string{"unknown"}
	for _, e := range many(0, 1400) {
		removed = append(removed, e.Key)
	}
	remove(t, l, "users", removed...)
	remove(t, l, "users")
	remove(t, l, "unknown", "1")
	noError(t, l.Close())

	l = reopen(t, open, folder)
	same(t, "index", indexOf(t, l, "users"), wantIndex(many(1400, 100)...))
	same(t, "entries", len(entriesOf(t, l, "users", "0", "1", "1399")), 0)
	same(t, "other sync", entriesOf(t, l, "others", "1")["1"], entry("1"))
	holders, err := l.Holders(t.Context(), []string{"row5@example.com"})
	noError(t, err)
	same(t, "holders", len(holders), 0)
	standing, err := l.Standing(t.Context(), "users")
	noError(t, err)
	same(t, "standing", standing, ledger.Standing{Entries: 100, Applied: 100})

	record(t, l, "users", entry("5"))
	same(t, "recorded again", entriesOf(t, l, "users", "5")["5"], entry("5"))
	same(t, "index", indexOf(t, l, "users"), wantIndex(append(many(1400, 100), entry("5"))...))
}
