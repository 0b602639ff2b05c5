// Package budget measures what a client makes of the requests that its key may send, in the situations that a deployment
// and others with the same key bring about.
package budget

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"owlatsync/internal/bench/bubble"
	"owlatsync/internal/bench/findings"
	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
)

const (
	// playTime is how long each scenario is measured.
	playTime = time.Minute
	ms       = time.Millisecond
)

// scenario is a way in which an Owlat, and perhaps somebody else with the same key, treat a client that always has
// work to do.
type scenario struct {
	Name    string
	Faults  []owlattest.Fault
	Limit   float64 // requests a second that the server allows a key; 0: Owlat's 10
	Spent   int     // tokens that were taken from the bucket just before
	Rival   rival
	Arrives time.Duration // when the rival does
	Outage  bool          // ten seconds of 503s come first
	Seed    uint64        // of the emulator's choices and the client's dither
}

// rival is somebody else with the same key: so many requests at once, again and again.
type rival struct {
	Burst int
	Every time.Duration
}

// outcome is what came of it, counted at the emulator.
type outcome struct {
	Allowed  float64 // what the bucket had for the client
	Passed   int
	Refused  int
	Peak     int // most requests in any second
	InFlight int // most at once
	Recovery time.Duration
}

func (r outcome) share() float64   { return float64(r.Passed) / r.Allowed }
func (r outcome) refused() float64 { return float64(r.Refused) / float64(r.Passed+r.Refused) }

func oneWay(delay, jitter time.Duration) []owlattest.Fault {
	return []owlattest.Fault{
		{Kind: owlattest.Latency, Delay: delay, Jitter: jitter},
		{Kind: owlattest.Latency, Delay: delay, Jitter: jitter, After: true},
	}
}

// roundTrip lets half of the latency pass before a request takes effect and half after.
func roundTrip(latency time.Duration) []owlattest.Fault { return oneWay(latency/2, 0) }

// scenarios are the rows of the table.
func scenarios() []scenario {
	polite, bursts := rival{1, 200 * ms}, rival{10, 2 * time.Second}
	return []scenario{
		{Name: "alone, 1 ms", Faults: roundTrip(ms)},
		{Name: "alone, 50 ms", Faults: roundTrip(50 * ms)},
		{Name: "alone, 300 ms", Faults: roundTrip(300 * ms)},
		{Name: "alone, 2 s", Faults: roundTrip(2 * time.Second)},
		{Name: "alone, jitter of 0–200 ms each way", Faults: oneWay(ms, 200*ms)},
		{Name: "alone, another run ended just before", Faults: oneWay(ms, 50*ms), Spent: owlat.DefaultBurst - 1},
		{Name: "a limit of 50", Faults: roundTrip(50 * ms), Limit: 50},
		{Name: "a limit of 4", Faults: roundTrip(50 * ms), Limit: 4},
		{Name: "after ten seconds of 503s", Faults: roundTrip(50 * ms), Outage: true},
		{Name: "beside a polite client (5/s), 50 ms", Faults: roundTrip(50 * ms), Rival: polite},
		{Name: "beside a polite client (5/s), 300 ms", Faults: roundTrip(300 * ms), Rival: polite},
		{Name: "beside a greedy client (10 at once, every 2 s), 50 ms", Faults: roundTrip(50 * ms), Rival: bursts, Arrives: time.Second},
	}
}

// play plays one scenario. It takes minutes, and is meant for a bubble of testing/synctest, in which they cost nothing.
func play(ctx context.Context, sc scenario) (outcome, error) {
	s := &owlattest.Server{Rate: sc.Limit, Burst: int(1.5 * sc.Limit), RandomSeed: sc.Seed + 1}
	key := s.AddKey()
	contact, err := s.AddContact(owlattest.ContactState{Email: "ada@example.com"})
	if err != nil {
		return outcome{}, err
	}
	flights := &flightCounter{next: s.Transport()}
	client, err := owlat.NewClient("https://owlat.example", key, owlat.WithTransport(flights), owlat.WithRandom(seeded(sc.Seed)))
	if err != nil {
		return outcome{}, err
	}
	other, err := owlat.NewClient("https://owlat.example", key, owlat.WithTransport(s.Transport()), owlat.WithoutLimiter(), owlat.WithRetries(0))
	if err != nil {
		return outcome{}, err
	}
	list := func(ctx context.Context) { _, _ = other.Contacts.List(ctx, owlat.ListContactsRequest{}) }
	for range sc.Spent {
		list(ctx)
	}
	if err := s.InjectFaults(sc.Faults...); err != nil {
		return outcome{}, err
	}

	var all sync.WaitGroup
	working, stopWork := context.WithCancel(ctx)
	sharing, stopRival := context.WithCancel(ctx)
	defer all.Wait()
	defer stopWork()
	defer stopRival()
	from := time.Now()
	all.Go(func() {
		pool := client.NewPool(0)
		for working.Err() == nil {
			pool.Go(working, func(ctx context.Context, client *owlat.Client) { _, _ = client.Contacts.Get(ctx, contact) })
		}
		pool.Wait()
	})
	if sc.Rival.Burst > 0 {
		all.Go(func() {
			time.Sleep(sc.Arrives)
			for sharing.Err() == nil {
				for range sc.Rival.Burst {
					all.Go(func() { list(sharing) })
				}
				time.Sleep(sc.Rival.Every)
			}
		})
	}
	if sc.Outage {
		if err := s.InjectFaults(owlattest.Fault{Kind: owlattest.StatusError}); err != nil {
			return outcome{}, err
		}
		time.Sleep(10 * time.Second)
		s.ClearFaults()
		if err := s.InjectFaults(sc.Faults...); err != nil {
			return outcome{}, err
		}
		from = time.Now()
	}
	time.Sleep(playTime)
	stopRival()
	until := time.Now()
	if sc.Rival.Burst > 0 {
		time.Sleep(30 * time.Second)
	}
	stopWork()
	all.Wait()

	result := weigh(s.Stats().Log, from, until)
	result.InFlight = flights.most
	limit := sc.Limit
	if limit == 0 {
		limit = 10
	}
	result.Allowed += limit*playTime.Seconds() + 1.5*limit
	return result, nil
}

// weigh counts what the emulator saw between two times, and how long after them the full rate was back. Allowed is, for
// now, what others took of it.
func weigh(log []owlattest.Arrival, from, until time.Time) (r outcome) {
	var ours []time.Time
	for _, a := range log {
		during := !a.Time.Before(from) && a.Time.Before(until)
		mine := a.Route == owlattest.RouteContact
		switch {
		case mine && a.Status == http.StatusOK:
			ours = append(ours, a.Time)
			if during {
				r.Passed++
			}
		case mine && a.Status == http.StatusTooManyRequests && during:
			r.Refused++
		case !mine && a.Status == http.StatusOK && during:
			r.Allowed--
		}
	}
	within := func(begin time.Time, d time.Duration) (n int) {
		for _, at := range ours {
			if !at.Before(begin) && at.Before(begin.Add(d)) {
				n++
			}
		}
		return n
	}
	for at := from; at.Before(until); at = at.Add(100 * ms) {
		r.Peak = max(r.Peak, within(at, time.Second))
	}
	for r.Recovery = 0; r.Recovery < 30*time.Second; r.Recovery += 500 * ms {
		if within(until.Add(r.Recovery), 2*time.Second) >= 19 {
			break
		}
	}
	return r
}

// seeded returns random numbers that are the same for the same seed.
func seeded(seed uint64) func() float64 {
	var mu sync.Mutex
	random := rand.New(rand.NewPCG(seed, 1))
	return func() float64 {
		mu.Lock()
		defer mu.Unlock()
		return random.Float64()
	}
}

// flightCounter counts the requests under way at once.
type flightCounter struct {
	next http.RoundTripper
	mu   sync.Mutex
	now  int
	most int
}

func (f *flightCounter) RoundTrip(req *http.Request) (*http.Response, error) {
	f.mu.Lock()
	f.now++
	f.most = max(f.most, f.now)
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		f.now--
		f.mu.Unlock()
	}()
	return f.next.RoundTrip(req)
}

// Measure plays every scenario for a minute of fake time.
func Measure(ctx context.Context, log io.Writer) (findings.Section, error) {
	found := findings.Section{
		Title: "The budget",
		Intro: "A client that always has work to do, for a minute each: how many requests Owlat's token bucket (10 a second, holding 15) " +
			"would have let it send, beyond what others with the key took, and how many it sent. In fake time, counted at the emulator. " +
			"The last column is how long after the other client stopped the full rate was back.",
		Tables: []findings.Table{{Columns: []string{"scenario", "allowed", "passed", "share", "429s", "refused", "most in a second", "most in flight", "full rate after"}}},
	}
	share := findings.Chart{File: "budget.svg", Title: "Share of the allowed requests that were sent", Unit: "%", Series: []string{"share"}}
	for _, sc := range scenarios() {
		var r outcome
		err := bubble.Run(ctx, sc.Name, func(ctx context.Context) (err error) {
			r, err = play(ctx, sc)
			return err
		})
		if err != nil {
			return findings.Section{}, err
		}
		_, _ = fmt.Fprintf(log, "budget: %s: %.1f %% of %.0f\n", sc.Name, 100*r.share(), r.Allowed)
		recovery := "–"
		if sc.Rival.Burst > 0 {
			recovery = fmt.Sprintf("%.1f s", r.Recovery.Seconds())
		}
		found.Tables[0].Rows = append(found.Tables[0].Rows, []string{
			sc.Name, fmt.Sprintf("%.0f", r.Allowed), fmt.Sprint(r.Passed), fmt.Sprintf("%.1f %%", 100*r.share()),
			fmt.Sprint(r.Refused), fmt.Sprintf("%.1f %%", 100*r.refused()), fmt.Sprint(r.Peak), fmt.Sprint(r.InFlight), recovery,
		})
		share.Labels = append(share.Labels, sc.Name)
		share.Values = append(share.Values, []float64{100 * r.share()})
		found.Goals = append(found.Goals, sc.goals(r)...)
	}
	found.Charts = []findings.Chart{share}
	return found, nil
}

// goals are what a scenario is to reach.
func (sc scenario) goals(r outcome) []findings.Goal {
	least, most, refused := 0.98, 0.0, "no 429"
	switch {
	case sc.Rival.Burst > 0:
		least, most, refused = 0.9, 0.02, "fewer than 2 % refused"
	case sc.Limit > 10, sc.Outage, sc.Faults[0].Delay >= time.Second:
		least = 0 // the bucket of an unknown limit, the wait for the first answer and the ramp have no goal of their own
	}
	goals := []findings.Goal{{
		What: "budget, " + sc.Name + ": 429s", Want: refused, Got: fmt.Sprintf("%d of %d", r.Refused, r.Passed+r.Refused),
		Missed: r.refused() > most || most > 0 && r.refused() == most,
	}}
	if least > 0 {
		goals = append(goals, findings.Goal{
			What: "budget, " + sc.Name + ": share sent", Want: fmt.Sprintf("at least %.0f %%", 100*least),
			Got: fmt.Sprintf("%.1f %%", 100*r.share()), Missed: r.share() < least,
		})
	}
	return goals
}
