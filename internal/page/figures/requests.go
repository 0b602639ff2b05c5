package figures

import (
	"math"
	"time"

	"owlatsync"
	"owlatsync/internal/page/chart"
)

// requests plots what runs sent, and which share of the budget that is.
func (g grid) requests(o Options) (requests, budget chart.Plot) {
	kinds := []struct {
		name string
		tone chart.Tone
		of   func(owlatsync.RequestCounts) int
	}{
		{"all", chart.Blue, func(c owlatsync.RequestCounts) int { return c.Total }},
		{"writes", chart.Teal, func(c owlatsync.RequestCounts) int { return c.Writes }},
		{"refused for their rate", chart.Red, func(c owlatsync.RequestCounts) int { return c.RateLimited }},
	}
	requests = chart.Plot{
		ID: "requests", Title: "Requests to Owlat", Note: "Spread evenly over the time of each run, with repeated ones.", Noun: "requests", Form: chart.Area, Sums: true,
		Empty: "The requests that the runs sent will stand here.",
	}
	gone := g.gone()
	for _, kind := range kinds {
		s := chart.Series{Name: kind.name, Tone: kind.tone, Values: gone()}
		for i := range g.all {
			g.spread(s.Values, &g.all[i], kind.of(g.all[i].Requests))
		}
		requests.Series = append(requests.Series, s)
	}
	budget = chart.Plot{
		ID: "budget", Title: "Share of the requests that Owlat allows", Note: "Of those that it allows in that time, those that this sync sent.", Form: chart.Area, Measure: chart.Percent,
		Empty: "The share of the budget that the runs used will stand here.",
	}
	if o.PerSecond <= 0 {
		return requests, budget
	}
	share := chart.Series{Name: "used by this sync", Tone: chart.Blue, Values: gone()}
	for i := range share.Values {
		share.Values[i] = 100 * requests.Series[0].Values[i] / (o.PerSecond * g.past(i, o.Now).Seconds())
	}
	budget.Series = []chart.Series{share}
	return requests, budget
}

// past is how much of a slot is over: of the last one only a part is.
func (g grid) past(i int, now time.Time) time.Duration {
	to := g.edges[i+1]
	if now.Before(to) {
		to = now
	}
	return max(to.Sub(g.edges[i]), time.Second)
}

// gone returns what makes values for each slot: 0, or none where no run was under way.
func (g grid) gone() func() []float64 {
	under := make([]bool, len(g.runs))
	for i := range g.all {
		for slot := g.all[i].first; slot < g.all[i].after; slot++ {
			under[slot] = true
		}
	}
	return func() []float64 {
		values := make([]float64, len(under))
		for i := range values {
			if !under[i] {
				values[i] = math.NaN()
			}
		}
		return values
	}
}

// spread adds n requests of a run, as whole numbers, to the slots that it touched by their length. What lies outside the slots is left out.
func (g grid) spread(values []float64, r *record, n int) {
	if r.after == r.first+1 && !r.from.Before(g.edges[r.first]) && r.to.Before(g.edges[r.after]) {
		values[r.first] += float64(n)
		return
	}
	span := r.to.Sub(r.from).Seconds()
	until := func(t time.Time) float64 { // how many came before t
		return math.Floor(float64(n) * min(max(t.Sub(r.from).Seconds()/span, 0), 1))
	}
	for i := r.first; i < r.after; i++ {
		values[i] += until(g.edges[i+1]) - until(g.edges[i])
	}
}
