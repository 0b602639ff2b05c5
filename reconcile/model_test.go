package reconcile_test

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"owlatsync/internal/testdb"
)

const (
	// seedVariable replays one history: OWLATSYNC_SEED=123 go test -run TestModel ./reconcile
	seedVariable = "OWLATSYNC_SEED"
	// soakVariable lets TestModel go on for that long, such as 2h.
	soakVariable = "OWLATSYNC_SOAK"

	histories         = 300 // with the ledger in memory
	sqliteHistories   = 16  // with the ledger in a file
	postgresHistories = 8   // with the ledger in PostgreSQL
	shortly           = 10  // what these are divided by with -short

	// firstSeed is where the histories begin that are played without being asked for others: always the same, so that a failure
	// tells of the change at hand. New ones are the soak's.
	firstSeed = 1
)

// TestModel runs random histories of sources, people, faults and kills against the emulator and checks the invariants after
// every run, and at the end of each that Owlat holds what rows and policies say.
func TestModel(t *testing.T) {
	t.Parallel()
	if seed, ok := os.LookupEnv(seedVariable); ok {
		n, err := strconv.ParseUint(seed, 10, 64)
		if err != nil {
			t.Fatalf("%s=%s is no seed: %v", seedVariable, seed, err)
		}
		replay(t, n)
		return
	}
	if soak, ok := os.LookupEnv(soakVariable); ok {
		d, err := time.ParseDuration(soak)
		if err != nil {
			t.Fatalf("%s=%s is no duration: %v", soakVariable, soak, err)
		}
		end := time.Now().Add(d)
		play(t, "soak", rand.Uint64(), func(i int) bool { return time.Now().Before(end) }, func(i int) place {
			if i%20 == 19 {
				return bookInFile
			}
			return bookInMemory
		})
		return
	}
	share := 1
	if testing.Short() {
		share = shortly
	}
	always := func(in place) func(int) place { return func(int) place { return in } }
	play(t, "memory", firstSeed, func(i int) bool { return i < histories/share }, always(bookInMemory))
	play(t, "sqlite", firstSeed+histories, func(i int) bool { return i < sqliteHistories/share }, always(bookInFile))
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		in := place(testdb.Postgres(t))
		play(t, "postgres", firstSeed+histories+sqliteHistories, func(i int) bool { return i < postgresHistories/share }, always(in))
	})
}

// place is where the ledger of a history is: bookInMemory, bookInFile, or the DSN of a database.
type place string

const (
	bookInMemory place = "memory"
	bookInFile   place = "file"
)

// inDatabase reports whether the ledger is in PostgreSQL.
func (p place) inDatabase() bool { return p != bookInMemory && p != bookInFile }

// play runs the histories of the seeds from first on, on all processors, for as long as more says.
func play(t *testing.T, name string, first uint64, more func(i int) bool, in func(i int) place) {
	var next atomic.Int64
	var mu sync.Mutex
	counts := make(map[string]int)
	t.Cleanup(func() {
		for _, what := range slices.Sorted(maps.Keys(counts)) {
			t.Logf("%s: %6d %s", name, counts[what], what)
		}
	})
	told := time.Now()
	tally := func(played int, m *model) {
		mu.Lock()
		defer mu.Unlock()
		for what, n := range m.counts {
			counts[what] += n
		}
		if name == "soak" && time.Since(told) >= time.Minute {
			told = time.Now()
			fmt.Printf("%d histories from seed %d on\n", played, first)
		}
	}
	for worker := range runtime.GOMAXPROCS(0) {
		t.Run(fmt.Sprintf("%s %d", name, worker), func(t *testing.T) {
			t.Parallel()
			for !t.Failed() {
				i := int(next.Add(1)) - 1
				if !more(i) {
					t.Logf("%d histories from seed %d on", i, first)
					return
				}
				seed := first + uint64(i)
				h := newHistory(seed, in(i))
				m := h.play(t)
				tally(i+1, m)
				if len(m.failures) > 0 {
					report(t, h, m)
				}
			}
		})
	}
}

// replay plays the history of a seed with each kind of ledger, more often if it has several workers, whose order differs each time.
func replay(t *testing.T, seed uint64) {
	places := []place{bookInMemory, bookInFile}
	if os.Getenv(testdb.PostgresVariable) != "" {
		places = append(places, place(testdb.Postgres(t)))
	}
	for _, in := range places {
		h := newHistory(seed, in)
		for range h.times() {
			m := h.play(t)
			if testing.Verbose() {
				t.Log(strings.Join(m.trace, "\n"))
			}
			if len(m.failures) > 0 {
				report(t, h, m)
				return
			}
		}
	}
}

// report shows the shortest history that still fails which leaving out steps finds.
func report(t *testing.T, h *history, failed *model) {
	t.Helper()
	shorter := func(without *history) bool {
		for range without.times() {
			if m := without.play(t); len(m.failures) > 0 {
				h, failed = without, m
				return true
			}
		}
		return false
	}
	if h.workers > 1 {
		alone := *h
		alone.workers = 1
		shorter(&alone)
	}
	steps := len(h.steps)
	for size := cmp.Or(steps/2, 1); size > 0; size /= 2 {
		for i := 0; i+size <= len(h.steps); {
			without := *h
			without.steps = slices.Delete(slices.Clone(h.steps), i, i+size)
			if !shorter(&without) {
				i += size
			}
		}
	}
	for i := range h.steps {
		if h.steps[i].plain {
			continue
		}
		calm := *h
		calm.steps = slices.Clone(h.steps)
		calm.steps[i].plain = true
		shorter(&calm)
	}
	t.Errorf("%s=%d (%d of %d steps remain) fails:\n%s\n\nhistory:\n%s", seedVariable, h.seed, len(h.steps), steps,
		strings.Join(failed.failures, "\n"), strings.Join(failed.trace, "\n"))
}

// history is everything that a seed decides.
type history struct {
	seed    uint64
	in      place
	about   string // the flavour, empty for anything
	workers int
	bars    bool // a sync says to whom no mail may go
	steps   []step
}

// step is one thing that happens. What exactly follows from its own seed and from how things stand, so that a history from
// which steps were left out makes sense too.
type step struct {
	kind  string
	seed  uint64
	plain bool // without anything that goes wrong
}

// flavours are what every other history is about: half of its steps are of these kinds.
var flavours = []struct {
	name  string
	steps []string
}{
	{"departures", []string{"run", "churn", "churn", "everybody leaves", "somebody leaves", "somebody returns", "new key", "address of one who leaves", "consent"}},
	{"parts", []string{"run", "run", "run", "consent", "consent", "name", "address", "somebody joins", "invalid address", "duplicate"}},
	{"opt-in", []string{"run", "run", "consent", "consent", "confirm", "opt out", "unsubscribe", "consent again", "somebody joins"}},
	{"webhooks", []string{"run", "run", "consent", "consent again", "consent again", "unsubscribe", "opt out", "comes back", "somebody leaves", "somebody returns"}},
	{"older ledgers", []string{"run", "run", "backup", "older ledger", "older ledger", "consent", "consent", "unsubscribe", "opt out", "comes back"}},
}

// times is how often a history is played to see whether it fails: with several workers each time is different.
func (h *history) times() int {
	if h.workers > 1 {
		return 10
	}
	return 1
}

// newHistory makes the history of a seed.
func newHistory(seed uint64, in place) *history {
	r := rand.New(rand.NewPCG(seed, 0))
	h := &history{seed: seed, in: in, workers: 1}
	if r.IntN(5) == 0 {
		h.workers = 16
	}
	total := 0
	for _, k := range stepKinds {
		total += k.weight
	}
	people := r.IntN(7)
	if r.IntN(50) == 0 {
		people = 40
	}
	for range people {
		h.steps = append(h.steps, step{kind: "somebody joins", seed: r.Uint64()})
		if r.IntN(4) == 0 {
			h.steps = append(h.steps, step{kind: "somebody was there", seed: r.Uint64()})
		}
	}
	var often []string
	if r.IntN(2) == 0 {
		f := pick(r, flavours...)
		h.about, often = f.name, f.steps
	}
	for range 5 + r.IntN(20) {
		if len(often) > 0 && r.IntN(2) == 0 {
			h.steps = append(h.steps, step{kind: pick(r, often...), seed: r.Uint64()})
			continue
		}
		at := r.IntN(total)
		for _, k := range stepKinds {
			if at -= k.weight; at < 0 {
				h.steps = append(h.steps, step{kind: k.name, seed: r.Uint64()})
				break
			}
		}
	}
	h.withMarks()
	h.withCorrections()
	return h
}

// play plays the history in a bubble of its own and returns what became of it.
func (h *history) play(t *testing.T) (m *model) {
	t.Helper()
	folder := ""
	if h.in == bookInFile {
		folder = t.TempDir()
	}
	synctest.Test(t, func(t *testing.T) {
		m = newModel(t, h, folder)
		defer m.close()
		for _, s := range h.steps {
			if m.step(s); len(m.failures) > 0 {
				return
			}
		}
		m.r = rand.New(rand.NewPCG(h.seed, 2))
		if m.finale(); len(m.failures) == 0 {
			m.lastTurn()
		}
	})
	return m
}
