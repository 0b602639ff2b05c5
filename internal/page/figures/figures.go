// Package figures makes plots of the records of runs: what the runs of a sync did, how they ended, and what they took of the budget, in
// the last 24 hours, 7 days or 90 days. It reads no ledger, so that whoever shows the plots decides what is read.
package figures

import (
	"fmt"
	"math"
	"slices"
	"time"

	"owlatsync"
	"owlatsync/internal/page/chart"
	"owlatsync/ledger"
)

// Options say what is plotted.
type Options struct {
	Window Window
	// Now is when the last slot is. Its location is the zone of the plots.
	Now time.Time
	// PerSecond is how many requests a second the budget has; 0: that is not known, and no share of it is plotted.
	PerSecond float64
}

// Most is of how many runs plots are to be made at most, the latest. It bounds what is read for them.
const Most = 10_000

// Plots are the plots of one sync.
type Plots struct {
	Changes  chart.Plot // the rows that runs changed something for, added up
	Left     chart.Plot // the rows that are left out or failing, of the run with the most of them in each slot
	Endings  chart.Plot // the runs by how they ended
	Requests chart.Plot
	Duration chart.Plot
	Budget   chart.Plot // the share of the budget that the sync used
}

// All lists the plots in the order in which they are shown.
func (p Plots) All() []chart.Plot {
	return []chart.Plot{p.Changes, p.Left, p.Endings, p.Requests, p.Duration, p.Budget}
}

// Of makes the plots of runs of one sync, which may come in any order, from their records in brief. It ignores runs that have not begun and those outside the window.
// What a run did counts when it ended, or now if it goes on; its requests and its use of the budget are spread evenly over its time.
func Of(runs []ledger.Brief, o Options) Plots {
	edges := o.Window.edges(o.Now)
	g := grid{edges: edges, runs: make([][]*record, len(edges)-1), all: make([]record, 0, len(runs))}
	for i := range runs {
		g.add(&runs[i], o.Now)
	}
	p := Plots{Changes: g.changes(), Left: g.left(), Endings: g.endings(), Duration: g.durations()}
	p.Requests, p.Budget = g.requests(o)
	slots, ticks := o.Window.slots(edges)
	for _, plot := range []*chart.Plot{&p.Changes, &p.Left, &p.Endings, &p.Requests, &p.Duration, &p.Budget} {
		plot.Slots, plot.Ticks, plot.When = slots, ticks, "from ("+zone(o.Now)+")"
		if plot.Gap == "" {
			plot.Gap = "no run"
		}
		plot.Note += fmt.Sprintf(" One step is %s.", o.Window.step())
		plot.Empty = fmt.Sprintf("No run in the last %s. %s", o.Window.Words(), plot.Empty)
	}
	if o.PerSecond <= 0 {
		p.Budget.Empty = "How many requests a second the budget has is known after Owlat's first answer. Then the share that this sync uses will stand here."
	}
	return p
}

// zone names the zone of a time.
func zone(t time.Time) string {
	if name := t.Location().String(); name != "Local" {
		return name
	}
	return t.Format("MST")
}

// begun reports whether a run has done something that can be plotted.
func begun(r *ledger.Brief) bool {
	return !r.Started.IsZero() && r.Status != ledger.StatusQueued && r.Status != ledger.StatusCancelled
}

// end is when a run ended, or how far its record tells of it.
func end(r *ledger.Brief, now time.Time) time.Time {
	at := r.Finished
	switch {
	case !at.IsZero():
	case r.Status == ledger.StatusRunning || r.Status == ledger.StatusWaiting:
		at = now
	default:
		at = r.Heartbeat // of a run that died, the last that was heard
	}
	if at.Before(r.Started) {
		at = r.Started
	}
	return at
}

// grid has the runs by the slots in which they ended.
type grid struct {
	edges []time.Time
	runs  [][]*record // of all, which has room for all from the beginning
	all   []record    // also those that ended after the last slot
}

// record is a run with the time that it took, and the slots that it touched: from the first, up to but not with the second one.
type record struct {
	*ledger.Brief
	from, to     time.Time
	first, after int
}

// add takes in a run that began and touches a slot.
func (g *grid) add(run *ledger.Brief, now time.Time) {
	if !begun(run) {
		return
	}
	r := record{Brief: run, from: run.Started, to: end(run, now)}
	if r.to.Before(g.edges[0]) || !r.from.Before(g.edges[len(g.edges)-1]) {
		return
	}
	last := g.at(r.to)
	r.first, r.after = max(g.at(r.from), 0), len(g.runs)
	if last >= 0 {
		r.after = last + 1
	}
	g.all = append(g.all, r)
	if last >= 0 {
		g.runs[last] = append(g.runs[last], &g.all[len(g.all)-1])
	}
}

// at returns the slot of a time, -1 if there is none.
func (g grid) at(t time.Time) int {
	i, found := slices.BinarySearchFunc(g.edges, t, time.Time.Compare)
	if !found {
		i--
	}
	if i < 0 || i >= len(g.runs) {
		return -1
	}
	return i
}

// changing and leaving are the outcomes that are plotted. Rows that were unchanged are not: there are so many that nothing else could be
// seen beside them.
var (
	changing = []shade[owlatsync.Outcome]{
		{owlatsync.Created, chart.Teal}, {owlatsync.Adopted, chart.Blue}, {owlatsync.Updated, chart.Violet}, {owlatsync.Renamed, chart.Amber},
		{owlatsync.Removed, chart.Grey},
	}
	leaving = []shade[owlatsync.Outcome]{
		{owlatsync.Failed, chart.Red}, {owlatsync.Invalid, chart.Amber}, {owlatsync.Duplicate, chart.Violet}, {owlatsync.Skipped, chart.Grey}, {waiting, chart.Blue},
	}
)

// waiting is, in the plots, what became of the rows that a held run left: they are no more left alone on purpose than its plan is dismissed.
const waiting owlatsync.Outcome = "held for approval"

// shade gives what is plotted its colour.
type shade[T ~string] struct {
	of   T
	tone chart.Tone
}

// series returns an empty series for each shade: a value for each slot, none where there is no run.
func series[T ~string](g grid, shades []shade[T]) []chart.Series {
	all := make([]chart.Series, len(shades))
	for j, s := range shades {
		all[j] = chart.Series{Name: string(s.of), Tone: s.tone, Values: g.values()}
	}
	return all
}

// values returns a value for each slot: 0, or none where no run ended.
func (g grid) values() []float64 {
	values := make([]float64, len(g.runs))
	for i, runs := range g.runs {
		if len(runs) == 0 {
			values[i] = math.NaN()
		}
	}
	return values
}

func (g grid) changes() chart.Plot {
	p := chart.Plot{
		ID: "changes", Title: "What the runs did", Note: "Rows by what became of them, added up over the runs. Rows that were unchanged are not drawn.",
		Noun: "rows", Sums: true, Series: series(g, changing), Empty: "The rows that were created, adopted, updated, renamed and removed will stand here.",
	}
	counted := places(changing)
	for i, runs := range g.runs {
		for _, r := range runs {
			for j, place := range counted {
				p.Series[j].Values[i] += float64(outcome(r, place))
			}
		}
	}
	return p
}

func (g grid) left() chart.Plot {
	p := chart.Plot{
		ID: "left", Title: "Rows that are not up to date", Note: "Each run counts them again. So of several runs the one with the most of them is drawn.",
		Noun: "rows", Series: series(g, leaving), Empty: "The rows that failed, were invalid, duplicates, skipped or held for approval will stand here.",
	}
	counted := places(leaving)
	for i, runs := range g.runs {
		most := -1
		for _, r := range runs {
			sum := 0
			for j := range counted {
				sum += left(r, j, counted)
			}
			if sum <= most {
				continue
			}
			most = sum
			for j := range counted {
				p.Series[j].Values[i] = float64(left(r, j, counted))
			}
		}
	}
	return p
}

// left counts the rows of a run that stand in one of the series of what is left.
func left(r *record, series int, counted []int) int {
	switch held := endingOf(r.Status) == held; {
	case leaving[series].of == waiting && held:
		return outcome(r, counted[series-1])
	case leaving[series].of == waiting, leaving[series].of == owlatsync.Skipped && held:
		return 0
	}
	return outcome(r, counted[series])
}

// places are where runs count the outcomes. They are looked up once, and not for each of thousands of runs.
func places(shades []shade[owlatsync.Outcome]) []int {
	places := make([]int, len(shades))
	for j, s := range shades {
		places[j] = slices.Index(owlatsync.Outcomes, s.of)
	}
	return places
}

// outcome counts the rows of a run with the outcome at the place.
func outcome(r *record, place int) int { return max(r.Outcomes[place], 0) }

// ending is how a run ended, as it is plotted.
type ending string

const (
	endedWell  ending = "ended well"
	failedRows ending = "with failed rows"
	held       ending = "held for approval"
	brokeOff   ending = "broke off"
	stillGoes  ending = "goes on"
)

var endings = []shade[ending]{{endedWell, chart.Teal}, {failedRows, chart.Amber}, {held, chart.Violet}, {brokeOff, chart.Red}, {stillGoes, chart.Grey}}

// endingOf puts the statuses of runs in classes.
func endingOf(s ledger.Status) ending {
	switch s {
	case ledger.StatusOK:
		return endedWell
	case ledger.StatusFailedRows:
		return failedRows
	case ledger.StatusHeld, ledger.StatusApproved, ledger.StatusSuperseded, ledger.StatusDismissed:
		return held
	case ledger.StatusRunning, ledger.StatusWaiting:
		return stillGoes
	}
	return brokeOff
}

func (g grid) endings() chart.Plot {
	p := chart.Plot{
		ID: "endings", Title: "How the runs ended", Note: "Runs that broke off were stopped, interrupted, killed, or met an error.",
		Noun: "runs", Sums: true, Series: series(g, endings), Empty: "How the runs ended will stand here.",
	}
	for i, runs := range g.runs {
		for _, r := range runs {
			j := slices.IndexFunc(endings, func(s shade[ending]) bool { return s.of == endingOf(r.Status) })
			p.Series[j].Values[i]++
		}
	}
	return p
}

// durations has the longest run of each slot and the median. A run that waited for its turn counts from its beginning to its end.
func (g grid) durations() chart.Plot {
	longest := chart.Series{Name: "longest", Tone: chart.Blue, Values: g.values()}
	median := chart.Series{Name: "median", Tone: chart.Amber, Values: g.values()}
	for i, runs := range g.runs {
		if len(runs) == 0 {
			continue
		}
		took := make([]float64, len(runs))
		for j, r := range runs {
			took[j] = r.to.Sub(r.from).Seconds()
		}
		slices.Sort(took)
		longest.Values[i], median.Values[i] = took[len(took)-1], took[(len(took)-1)/2]
	}
	return chart.Plot{
		ID: "duration", Title: "How long the runs took", Note: "From beginning to end, with the time that a run let others go first.", Form: chart.Lines, Measure: chart.Seconds,
		Series: []chart.Series{longest, median}, Empty: "How long the runs took will stand here.",
	}
}
