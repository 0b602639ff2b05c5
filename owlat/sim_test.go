package owlat_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
)

type simRow struct {
	at     time.Time
	status int
}

type agg struct {
	over, under                               int
	n                                         int
	share, minShare, bad, maxBad, rec, maxRec float64
}

func TestSim(t *testing.T) {
	var seed uint64
	aggs := map[string]*agg{}
	seeds := 1
	fmt.Sscan(os.Getenv("SEEDS"), &seeds)
	for seed = range uint64(seeds) {
		sim(t, seed, aggs)
	}
	var total agg
	for _, name := range slices.Sorted(maps.Keys(aggs)) {
		a := aggs[name]
		n := float64(a.n)
		fmt.Printf("%-14s share %.1f min %.1f   429 %.2f max %.2f   recovery %.1f max %.0f over %d under %d of %d\n", name, a.share/n, a.minShare, a.bad/n, a.maxBad, a.rec/n, a.maxRec, a.over, a.under, a.n)
		total.share += a.share / n
		total.bad += a.bad / n
		total.rec += a.rec / n
		total.n++
	}
	n := float64(total.n)
	fmt.Printf("TOTAL %.1f %.2f %.1f\n", total.share/n, total.bad/n, total.rec/n)
}

func sim(t *testing.T, seed uint64, aggs map[string]*agg) {
	if os.Getenv("SIM") == "" {
		t.Skip()
	}
	lat := func(d time.Duration) []owlattest.Fault { return []owlattest.Fault{{Kind: owlattest.Latency, Delay: d}} }
	jit := func(d, j time.Duration) []owlattest.Fault {
		return []owlattest.Fault{{Kind: owlattest.Latency, Delay: d, Jitter: j}, {Kind: owlattest.Latency, Delay: d, Jitter: j, After: true}}
	}
	for _, c := range []struct {
		name   string
		faults []owlattest.Fault
		rate   float64
		rival  string
		drain  int
	}{
		{"1ms", lat(ms), 0, "", 0}, {"50ms", lat(50 * ms), 0, "", 0}, {"300ms", lat(300 * ms), 0, "", 0}, {"2s", lat(2 * time.Second), 0, "", 0}, {"10s", lat(10 * time.Second), 0, "", 0},
		{"jitter 200", jit(ms, 200*ms), 0, "", 0}, {"jitter 500", jit(ms, 500*ms), 0, "", 0}, {"jitter 700", jit(ms, 700*ms), 0, "", 0}, {"jitter 1000", jit(ms, 1000*ms), 0, "", 0},
		{"drain 7", jit(ms, 100*ms), 0, "", 7}, {"drain 15", lat(50 * ms), 0, "", 15},
		{"limit 50", lat(50 * ms), 50, "", 0}, {"limit 4", lat(50 * ms), 4, "", 0}, {"limit 200", lat(50 * ms), 200, "", 0},
		{"polite 1ms", lat(ms), 0, "polite", 0}, {"polite 50ms", lat(50 * ms), 0, "polite", 0}, {"polite 300ms", lat(300 * ms), 0, "polite", 0}, {"polite jit", jit(ms, 100*ms), 0, "polite", 0},
		{"poisson 50ms", lat(50 * ms), 0, "poisson", 0}, {"poisson 300ms", lat(300 * ms), 0, "poisson", 0}, {"sdk5 50ms", lat(50 * ms), 0, "sdk5", 0}, {"sdk5 300ms", lat(300 * ms), 0, "sdk5", 0}, {"polite2 50ms", lat(50 * ms), 0, "polite2", 0}, {"polite8 50ms", lat(50 * ms), 0, "polite8", 0},
		{"greedy10 1ms", lat(ms), 0, "greedy10", 0}, {"greedy10 50ms", lat(50 * ms), 0, "greedy10", 0}, {"greedy5 50ms", lat(50 * ms), 0, "greedy5", 0}, {"greedy5 300ms", lat(300 * ms), 0, "greedy5", 0}, {"greedy15 50ms", lat(50 * ms), 0, "greedy15", 0},
		{"own 50ms", lat(50 * ms), 0, "own", 0},
	} {
		if os.Getenv("SEEDS") != "" && c.rival == "" {
			continue
		}
		if only := os.Getenv("ONLY"); only != "" && !strings.Contains(","+only+",", ","+c.name+",") {
			continue
		}
		if os.Getenv("ONLY") != "" && os.Getenv("SEEDS") == "" {

		}
		for _, begin := range []time.Duration{0, 10 * time.Second} {
			if begin > 0 && c.rival == "" {
				continue
			}
			synctest.Test(t, func(t *testing.T) {
				s := &owlattest.Server{BasePath: basePath, RandomSeed: seed + 1, Rate: c.rate}
				if c.rate > 0 {
					s.Burst = int(1.5 * c.rate)
				}
				key := s.AddKey()
				ctx, cancel := context.WithCancel(t.Context())
				start := time.Now()
				var mu sync.Mutex
				var ours, theirs []simRow
				most := 0
				fl := 0
				record := func(list *[]simRow) http.RoundTripper {
					inner := s.Transport()
					return roundTripper(func(r *http.Request) (*http.Response, error) {
						mu.Lock()
						if list == &ours {
							fl++
							most = max(most, fl)
						}
						mu.Unlock()
						res, err := inner.RoundTrip(r)
						mu.Lock()
						defer mu.Unlock()
						if list == &ours {
							fl--
						}
						st := 0
						if err == nil {
							st = res.StatusCode
						}
						*list = append(*list, simRow{time.Now(), st})
						return res, err
					})
				}
				client := connect(t, key, record(&ours))
				owlat.SetRandom(client)
				rival := connect(t, key, record(&theirs), owlat.WithoutLimiter(), owlat.WithRetries(0))
				for range c.drain {
					rival.Contacts.List(ctx, owlat.ListOptions{})
				}
				if c.drain > 0 {
					start = time.Now()
				}
				if err := s.InjectFaults(c.faults...); err != nil {
					t.Fatal(err)
				}
				var wg sync.WaitGroup
				wg.Go(func() {
					pool := client.NewPool(0)
					for ctx.Err() == nil {
						pool.Go(ctx, func(ctx context.Context) { client.Contacts.List(ctx, owlat.ListOptions{}) })
					}
					pool.Wait()
				})
				rctx, rcancel := context.WithCancel(ctx)
				burst := func(n int, every time.Duration) {
					time.Sleep(begin)
					for rctx.Err() == nil {
						for range n {
							wg.Go(func() { rival.Contacts.List(rctx, owlat.ListOptions{}) })
						}
						time.Sleep(every)
					}
				}
				wg.Go(func() {
					switch c.rival {
					case "polite":
						burst(1, 200*ms+7)
					case "poisson":
						time.Sleep(begin)
						for rctx.Err() == nil {
							wg.Go(func() { rival.Contacts.List(rctx, owlat.ListOptions{}) })
							time.Sleep(time.Duration(rand.ExpFloat64() * 200e6))
						}
					case "sdk5":
						time.Sleep(begin)
						c2 := connect(t, key, record(&theirs), owlat.WithRate(5, 5))
						owlat.SetRandom(c2)
						pool := c2.NewPool(0)
						for rctx.Err() == nil {
							pool.Go(rctx, func(ctx context.Context) { c2.Contacts.List(ctx, owlat.ListOptions{}) })
						}
						pool.Wait()
					case "polite2":
						burst(1, 500*ms+7)
					case "polite8":
						burst(1, 125*ms+7)
					case "greedy10":
						burst(10, 2*time.Second)
					case "greedy5":
						burst(5, time.Second)
					case "greedy15":
						burst(15, 3*time.Second)
					case "own":
						time.Sleep(begin)
						c2 := connect(t, key, record(&theirs))
						owlat.SetRandom(c2)
						pool := c2.NewPool(0)
						for rctx.Err() == nil {
							pool.Go(rctx, func(ctx context.Context) { c2.Contacts.List(ctx, owlat.ListOptions{}) })
						}
						pool.Wait()
					}
				})
				stop := 60 * time.Second
				if c.rival != "" {
					stop = 120*time.Second + begin
				}
				time.Sleep(stop)
				rcancel()
				synctest.Wait()
				mu.Lock()
				count := func(list []simRow, from, to time.Duration) (ok, bad int) {
					for _, r := range list {
						if d := r.at.Sub(start); d >= from && d < to {
							if r.status == 200 {
								ok++
							} else if r.status == 429 {
								bad++
							}
						}
					}
					return
				}
				line := ""
				if c.rival == "" {
					ok, bad := count(ours, 0, stop)
					rate := 10.0
					if c.rate > 0 {
						rate = c.rate
					}
					allowed := 60*rate + float64(int(1.5*rate)-c.drain)
					line = fmt.Sprintf("ok %d of %.0f %.1f%% 429 %d inflight %d", ok, allowed, 100*float64(ok)/allowed, bad, most)
				} else {
					a := aggs[c.name]
					if a == nil {
						a = &agg{minShare: 1000}
						aggs[c.name] = a
					}
					for i, w := range [][2]time.Duration{{begin, begin + 60*time.Second}, {begin + 60*time.Second, stop}, {begin, stop}} {
						ok, bad := count(ours, w[0], w[1])
						tok, _ := count(theirs, w[0], w[1])
						left := 10*(w[1]-w[0]).Seconds() - float64(tok)
						if i < 2 {
							a.n++
							sh, b := 100*float64(ok)/left, 100*float64(bad)/float64(ok+bad)
							a.share += sh
							a.bad += b
							a.minShare = min(a.minShare, sh)
							a.maxBad = max(a.maxBad, b)
							if b >= 2 {
								a.over++
							}
							if sh < 90 {
								a.under++
							}
						}
						line += fmt.Sprintf("[ok %d of %.0f %.1f%% 429 %d %.1f%%] ", ok, left, 100*float64(ok)/left, bad, 100*float64(bad)/float64(ok+bad))
					}
				}
				mu.Unlock()
				if c.rival != "" {
					time.Sleep(40 * time.Second)
					mu.Lock()
					for i := range 40 {
						ok, _ := count(ours, stop+time.Duration(i)*time.Second, stop+time.Duration(i+3)*time.Second)
						if ok >= 28 {
							line += fmt.Sprintf("recovered %ds", i)
							a := aggs[c.name]
							a.rec += 2 * float64(i)
							a.maxRec = max(a.maxRec, float64(i))
							break
						}
					}
					if os.Getenv("SIM") == "2" {
						for i := range 80 {
							ok, bad := count(ours, time.Duration(2*i)*time.Second, time.Duration(2*i+2)*time.Second)
							line += fmt.Sprintf(" %d", ok)
							if bad > 0 {
								line += fmt.Sprintf("(%d)", bad)
							}
						}
					}
					mu.Unlock()
				}
				if seeds := os.Getenv("SEEDS"); seeds == "" {
					fmt.Printf("%-14s %4v %s\n", c.name, begin, line)
				}
				cancel()
				wg.Wait()
			})
		}
	}
}
