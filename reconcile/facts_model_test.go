package reconcile_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
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

// TestFactsAtRandom lets facts come, be corrected, leave and return, while requests go wrong and runs are killed: none is sent twice, and in the end each
// was sent, or is told as unknown, if its person is in Owlat.
func TestFactsAtRandom(t *testing.T) {
	t.Parallel()
	var unknown, repeated int
	for seed := range uint64(150) {
		synctest.Test(t, func(t *testing.T) {
			s := &shop{T: t, r: rand.New(rand.NewPCG(seed, 0)), book: memory.New(), sent: make(map[string]int), server: &owlattest.Server{NoLimit: true, RandomSeed: seed + 1}}
			s.live()
			unknown, repeated = unknown+s.unknown, repeated+s.repeated
		})
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	if unknown == 0 || repeated == 0 {
		t.Errorf("%d events of unknown outcome, and %d that were tried again: too few to tell anything", unknown, repeated)
	}
}

// shop is a source of facts beside an Owlat.
type shop struct {
	*testing.T
	r      *rand.Rand
	server *owlattest.Server
	key    string
	book   *memory.Ledger
	facts  []owlatsync.Row
	away   map[string]bool // facts whose rows are not there now

	mu       sync.Mutex
	sent     map[string]int // by the fact: how often it may have arrived
	tries    map[string]int
	unknown  int
	repeated int
}

func (s *shop) live() {
	s.key, s.away, s.tries = s.server.AddKey(), make(map[string]bool), make(map[string]int)
	for _, p := range []string{"a", "b"} {
		if _, err := s.server.AddContact(owlattest.ContactState{Email: p + "@example.com"}); err != nil {
			s.Fatal(err)
		}
	}
	s.server.OnAnswer = func(r owlattest.Request, status int) {
		if r.Route != owlattest.RouteEvents {
			s.Errorf("a sync of facts asked for %s %s", r.Method, r.Path)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		fact := fact(r.Body)
		if s.tries[fact]++; s.tries[fact] > 1 {
			s.repeated++
		}
		if status == 0 || status >= http.StatusInternalServerError || status < http.StatusMultipleChoices {
			s.sent[fact]++
		}
	}
	s.run(&fuse{}) // nothing is old
	for range 6 {
		for range s.r.IntN(4) {
			n := len(s.facts) + 1
			row := order(fmt.Sprint(n), pick(s.r, "a", "b", "nobody"), time.Now().Format(time.RFC3339), int64(n))
			row.Properties = append(row.Properties, owlatsync.Property{Name: "fact", Value: fmt.Sprint(n)})
			s.facts = append(s.facts, row)
		}
		for i := range s.facts {
			if s.r.IntN(6) == 0 {
				s.away[s.facts[i].Key] = !s.away[s.facts[i].Key]
			}
			if s.r.IntN(6) == 0 {
				s.facts[i].Properties[0].Value = time.Now().Add(time.Hour).Format(time.RFC3339)
			}
		}
		f := &fuse{at: 1 + s.r.IntN(8), commit: s.r.IntN(2) == 0, after: s.r.IntN(2) == 0}
		if s.r.IntN(2) == 0 {
			f.kind = pick(s.r, killed, killed, ledgerOnce)
		}
		if s.r.IntN(3) == 0 {
			if err := s.server.InjectFaults(owlattest.Fault{Kind: pick(s.r, owlattest.ResetAfter, owlattest.ResetBefore, owlattest.RateLimited), Rate: 0.5}); err != nil {
				s.Fatal(err)
			}
		}
		s.run(f)
		s.server.ClearFaults()
		time.Sleep(time.Hour)
	}
	s.away = nil
	for range 3 {
		time.Sleep(26 * time.Hour)
		s.run(&fuse{})
	}
	for _, row := range s.facts {
		entries, err := s.book.Entries(context.Background(), "orders", []string{row.Key})
		if err != nil {
			s.Fatal(err)
		}
		e, n := entries[row.Key], s.sent[row.Key]
		lost := e != nil && len(e.Events) == 2
		if lost {
			s.unknown++
		}
		nobody := row.Email.Value == "nobody@example.com"
		if n > 1 || n == 0 && !nobody && !lost || e == nil || e.Fingerprint.IsZero() {
			s.Errorf("fact %s of %s was sent %d times; the ledger has %+v", row.Key, row.Email.Value, n, e)
		}
	}
}

func fact(body []byte) string {
	_, rest, _ := strings.Cut(string(body), `"fact":"`)
	key, _, _ := strings.Cut(rest, `"`)
	return key
}

// run runs the sync until the fuse breaks it off. A process that was killed leaves its ledger as it is.
func (s *shop) run(f *fuse) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	f.cancel, f.stop = cancel, make(chan struct{})
	client, err := owlat.NewClient("https://owlat.example", s.key, owlat.WithTransport(fusedTransport{f, s.server.Transport()}), owlat.WithoutLimiter())
	if err != nil {
		s.Fatal(err)
	}
	defer client.CloseIdleConnections()
	var list []owlatsync.Row
	for _, row := range s.facts {
		if !s.away[row.Key] {
			list = append(list, row)
		}
	}
	rule := reconcile.EventRule{Name: "order_placed", On: ledger.OnFact, Column: "at", Properties: map[string]string{"fact": "fact"}}
	sync := reconcile.Sync{Name: "orders", Source: rows{list: list}, Match: true, Guards: unguarded, Events: []reconcile.EventRule{rule}}
	report, err := reconcile.New(client, fusedLedger{f, s.book}, reconcile.Options{Workers: 1 + s.r.IntN(3)}).Run(ctx, sync, reconcile.RunOptions{})
	if err != nil && f.told() == unbroken {
		s.Errorf("a run ended with %v", err)
	}
	if report != nil && err == nil && !report.Balanced() {
		s.Errorf("the outcomes %v do not add up", report.Outcomes)
	}
	if f.dead() {
		if err := s.book.Close(); err != nil {
			s.Fatal(err)
		}
		s.book = s.book.Reopen()
	}
}
