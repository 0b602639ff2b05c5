// Package keys measures what several API keys of one deployment make of a first run.
package keys

import (
	"context"
	"fmt"
	"io"
	"time"

	"owlatsync"
	"owlatsync/internal/bench/bubble"
	"owlatsync/internal/bench/crowd"
	"owlatsync/internal/bench/findings"
	"owlatsync/ledger/memory"
	"owlatsync/reconcile"
)

const (
	people = 3_000
	topic  = "news"
	// most is how many keys are measured at most, and part what each is to add.
	most = 5
	part = 0.29 / 0.3
)

// outcome is what the emulator counted.
type outcome struct {
	Keys     int
	Took     time.Duration
	Requests int
	Refused  int
	Least    int // requests with the key that had the fewest
	Most     int
	Planned  time.Duration // what the plan said before
}

// times is how many times as fast as with one key the run was.
func (r outcome) times(one outcome) float64 { return one.Took.Seconds() / r.Took.Seconds() }

// goals are what it is to reach.
func (r outcome) goals(one outcome) []findings.Goal {
	goals := []findings.Goal{{
		What: fmt.Sprintf("keys, %d: 429s", r.Keys), Want: "no 429", Got: fmt.Sprintf("%d of %d", r.Refused, r.Requests), Missed: r.Refused > 0,
	}}
	if r.Keys > 1 {
		least := part * float64(r.Keys)
		goals = append(goals, findings.Goal{
			What: fmt.Sprintf("keys, %d beside one", r.Keys), Want: fmt.Sprintf("at least %.1f ×", least), Got: fmt.Sprintf("%.2f ×", r.times(one)), Missed: r.times(one) < least,
		})
	}
	return goals
}

// play makes a first run of so many people with so many keys, and counts the requests of each at the emulator.
func play(ctx context.Context, keys, people int) (r outcome, err error) {
	server, client, err := crowd.Owlat(keys)
	if err != nil {
		return r, err
	}
	s := reconcile.Sync{
		Name: "users", Source: crowd.Rows(people), Topics: []reconcile.Topic{{ID: server.AddTopic(topic, false)}},
		Guards: reconcile.Guards{Removals: reconcile.NoLimit, Updates: reconcile.NoLimit, Creates: reconcile.NoLimit, FirstRun: true},
	}
	engine := reconcile.New(client, memory.New(), reconcile.Options{})
	planned, err := engine.Plan(ctx, s, reconcile.PlanOptions{})
	if err != nil {
		return r, err
	}
	began, before := time.Now(), server.Stats().Total
	report, err := engine.Run(ctx, s, reconcile.RunOptions{})
	if err != nil {
		return r, err
	}
	if created := report.Outcomes[owlatsync.Created]; created != people {
		return r, fmt.Errorf("%d of %d people were created", created, people)
	}
	stats := server.Stats()
	r = outcome{Keys: keys, Took: time.Since(began), Requests: stats.Total - before, Refused: stats.RateLimited, Planned: planned.Duration, Least: stats.Total}
	for _, k := range stats.Keys {
		r.Least, r.Most = min(r.Least, k.Total), max(r.Most, k.Total)
	}
	return r, nil
}

// Measure makes the same first run with one key and with several, in fake time.
func Measure(ctx context.Context, log io.Writer) (findings.Section, error) {
	found := findings.Section{
		Title: "Several keys",
		Intro: fmt.Sprintf("The first run of %d people with a topic, on a deployment of one's own, with one API key and with several (`api_keys`). In fake time, with answers after "+
			"20 to 60 ms; requests are counted at the emulator, by key.", people),
		Tables: []findings.Table{{Columns: []string{"keys", "requests", "time", "the plan said", "beside one key", "requests a second", "fewest with a key", "most with a key", "429s"}}},
	}
	var one outcome
	for _, keys := range []int{1, 2, 3, most} {
		var r outcome
		err := bubble.Run(ctx, fmt.Sprint(keys, " keys"), func(ctx context.Context) (err error) {
			r, err = play(ctx, keys, people)
			return err
		})
		if err != nil {
			return findings.Section{}, err
		}
		if keys == 1 {
			one = r
		}
		times := r.times(one)
		_, _ = fmt.Fprintf(log, "keys: %d: %.1f s, %.2f ×\n", keys, r.Took.Seconds(), times)
		found.Tables[0].Rows = append(found.Tables[0].Rows, []string{
			fmt.Sprint(keys), fmt.Sprint(r.Requests), fmt.Sprintf("%.1f s", r.Took.Seconds()), fmt.Sprintf("%.1f s", r.Planned.Seconds()), fmt.Sprintf("%.2f ×", times),
			fmt.Sprintf("%.1f", float64(r.Requests)/r.Took.Seconds()), fmt.Sprint(r.Least), fmt.Sprint(r.Most), fmt.Sprint(r.Refused),
		})
		found.Goals = append(found.Goals, r.goals(one)...)
	}
	return found, nil
}
