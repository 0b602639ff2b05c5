package scan

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"testing"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/reconcile/policy"
)

// indexed is a ledger that has nothing but an index.
type indexed struct {
	ledger.Store
	entries []ledger.IndexEntry
	err     error // after the entries
}

func (l *indexed) Index(ctx context.Context, _ string) iter.Seq2[ledger.IndexEntry, error] {
	return func(yield func(ledger.IndexEntry, error) bool) {
		for _, e := range l.entries {
			if !yield(e, nil) {
				return
			}
		}
		if err := errors.Join(l.err, ctx.Err()); err != nil {
			yield(ledger.IndexEntry{}, err)
		}
	}
}

// testRow is row n of a source, in buffers of its own.
func testRow(n int) *owlatsync.Row {
	return &owlatsync.Row{
		Key: fmt.Sprint(n), Position: owlatsync.Position{Unit: "row", Number: n}, Email: owlatsync.Some(fmt.Sprintf("user%d@example.com", n)),
		Fields: owlatsync.Fields{owlatsync.FirstName: owlatsync.Some(fmt.Sprint("First", n)), owlatsync.LastName: owlatsync.Some(fmt.Sprint("Last", n))},
	}
}

// indexOf makes the index of rows 0 to n, all applied.
func indexOf(t testing.TB, n int) *indexed {
	t.Helper()
	l, rd := new(indexed), NewReader(&policy.Policies{Sync: "users"})
	for i := range n {
		d, _, invalid := rd.Read(testRow(i))
		if invalid != "" {
			t.Fatal(invalid)
		}
		l.entries = append(l.entries, ledger.IndexEntry{KeyHash: ledger.HashText(d.Key), Print: d.Fingerprint.Lo})
	}
	return l
}

func TestIndexFindsEveryEntryInAnyOrder(t *testing.T) {
	t.Parallel()
	const n = 3*pageSize + 7
	l := indexOf(t, n)
	backwards := make([]int, n)
	for i := range backwards {
		backwards[i] = n - 1 - i
	}
	inOrder := make([]int, n)
	for i := range inOrder {
		inOrder[i] = i
	}
	for name, order := range map[string][]int{
		"in order": inOrder, "backwards": backwards, "shuffled": rand.New(rand.NewPCG(1, 2)).Perm(n), "with gaps": inOrder[5 : n-5],
	} {
		ix := loadIndex(t.Context(), l, "users")
		for _, i := range order {
			e := l.entries[i]
			at, err := ix.locate(e.KeyHash, e.Print)
			if err != nil || at != i || ix.saw(at) || ix.mark(at).print != e.Print {
				t.Fatalf("%s: entry %d is found at %d, %v", name, i, at, err)
			}
			ix.see(at)
		}
		if err := ix.complete(); err != nil {
			t.Fatal(err)
		}
		if ix.size != n || ix.unseen() != n-len(order) {
			t.Errorf("%s: %d entries, %d unseen, want %d and %d", name, ix.size, ix.unseen(), n, n-len(order))
		}
		if name == "in order" && ix.slots != nil {
			t.Errorf("%s: entries were looked up by hash", name)
		}
		if at := ix.find(ledger.HashText("stranger"), 0); at != unknown {
			t.Errorf("%s: a stranger is found at %d", name, at)
		}
		ix.stop()
	}
}

func TestIndexTellsKeysOfOneHashApart(t *testing.T) {
	t.Parallel()
	const hash = 0xFFFF_FFFF_FFFF_FFFF // whose search goes round the end of the table
	var l indexed
	for i := range uint64(5) {
		l.entries = append(l.entries, ledger.IndexEntry{KeyHash: hash, Print: i + 1})
	}
	l.entries = append(l.entries, ledger.IndexEntry{KeyHash: hash - 1, Blank: true, Print: 9})
	ix := loadIndex(t.Context(), &l, "users")
	defer ix.stop()
	if err := ix.complete(); err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		if at := ix.find(hash, uint64(i)+1); at != i {
			t.Errorf("fingerprint %d is found at %d", i+1, at)
		}
	}
	if at := ix.find(hash, 7); at == unknown || ix.mark(at).key != hash {
		t.Errorf("a changed row is found at %d", at)
	}
	if at := ix.find(hash-1, 7); at != 5 || !ix.blank(at) || ix.blank(4) {
		t.Errorf("the entry without an address is found at %d", at)
	}
}

func TestIndexEndsWithItsError(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	l := indexOf(t, 10)
	l.err = broken
	ix := loadIndex(t.Context(), l, "users")
	defer ix.stop()
	if at, err := ix.locate(l.entries[0].KeyHash, l.entries[0].Print); !errors.Is(err, broken) {
		t.Errorf("found at %d, %v; want the error", at, err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	l.err = nil
	ix = loadIndex(ctx, l, "users")
	defer ix.stop()
	if err := ix.complete(); !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v, want that of the context", err)
	}
}

func TestUnchangedRowsAllocateNothing(t *testing.T) {
	l := indexOf(t, 1000)
	ix := loadIndex(t.Context(), l, "users")
	defer ix.stop()
	if err := ix.complete(); err != nil {
		t.Fatal(err)
	}
	rd, row := NewReader(&policy.Policies{Sync: "users"}), testRow(17)
	pass := func() {
		d, key, _ := rd.Read(row)
		at, err := ix.locate(ledger.HashText(key), d.Fingerprint.Lo)
		if err != nil || at != 17 || ix.mark(at).print != d.Fingerprint.Lo {
			t.Fatalf("found at %d, %v", at, err)
		}
		ix.see(at)
	}
	pass() // makes the buffers
	if n := testing.AllocsPerRun(100, pass); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

func BenchmarkFingerprint(b *testing.B) {
	rd, row := NewReader(&policy.Policies{Sync: "users"}), testRow(123456)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, invalid := rd.Read(row); invalid != "" {
			b.Fatal(invalid)
		}
	}
}

func BenchmarkLoadIndex(b *testing.B) {
	l := indexOf(b, 100_000)
	b.ReportAllocs()
	for b.Loop() {
		ix := loadIndex(b.Context(), l, "users")
		if err := ix.complete(); err != nil {
			b.Fatal(err)
		}
		ix.stop()
	}
}

// BenchmarkDiff compares rows with entries that are in memory: in the ledger's order and in another.
func BenchmarkDiff(b *testing.B) {
	const n = 100_000
	l := indexOf(b, n)
	rows := make([]*owlatsync.Row, n)
	for i := range rows {
		rows[i] = testRow(i)
	}
	shuffled := make([]*owlatsync.Row, n)
	for i, j := range rand.New(rand.NewPCG(1, 2)).Perm(n) {
		shuffled[i] = rows[j]
	}
	for name, rows := range map[string][]*owlatsync.Row{"in order": rows, "shuffled": shuffled} {
		b.Run(name, func(b *testing.B) {
			rd := NewReader(&policy.Policies{Sync: "users"})
			b.ReportAllocs()
			for b.Loop() {
				ix := loadIndex(b.Context(), l, "users")
				for _, row := range rows {
					d, key, _ := rd.Read(row)
					at, err := ix.locate(ledger.HashText(key), d.Fingerprint.Lo)
					if err != nil || at == unknown || ix.mark(at).print != d.Fingerprint.Lo {
						b.Fatal(at, err)
					}
					ix.see(at)
					ix.place(at, row.Position.Number)
				}
				ix.stop()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/row")
		})
	}
}

func TestIndexKnowsThePlacesOfRows(t *testing.T) {
	t.Parallel()
	const n = 2*pageSize + 9
	for name, tt := range map[string]struct {
		place func(i int) int // of entry i in the source; 0: the source does not tell; below 0: it has no such row
		exact int             // pages that need the places of single rows
	}{
		"in order":              {func(i int) int { return i + 1 }, 0},
		"after a header":        {func(i int) int { return i + 2 }, 0},
		"backwards":             {func(i int) int { return n - i }, 3},
		"one is gone":           {func(i int) int { return [2]int{i + 1, i}[min(1, i/7)] }, 1},
		"none is told":          {func(int) int { return 0 }, 0},
		"the last is not told":  {func(i int) int { return (i + 1) * (1 - (i+1)/n) }, 1},
		"one page is not there": {func(i int) int { return i/pageSize%2*-(i+2) + i + 1 }, 0},
	} {
		l := indexOf(t, n)
		ix := loadIndex(t.Context(), l, "users")
		if err := ix.complete(); err != nil {
			t.Fatal(err)
		}
		for i := range n {
			if place := tt.place(i); place >= 0 {
				ix.see(i)
				ix.place(i, place)
			}
		}
		exact := 0
		for _, p := range ix.pages {
			if p.places != nil {
				exact++
			}
		}
		if exact != tt.exact {
			t.Errorf("%s: %d pages have the places of single rows, want %d", name, exact, tt.exact)
		}
		for i := range n {
			if got, want := ix.placeOf(i), max(0, tt.place(i)); got != want {
				t.Fatalf("%s: entry %d is at %d, want %d", name, i, got, want)
			}
		}
		ix.stop()
	}
}
