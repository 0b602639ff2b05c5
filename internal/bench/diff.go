package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"owlatsync/internal/bench/findings"
)

// How many rows the comparisons have, and the size that shows how the time grows.
const (
	diffRows     = 1_000_000
	diffManyRows = 5_000_000
)

// diffQuery is the query of every database; each has its people in a table of that name.
const diffQuery = "SELECT id, email, first_name, last_name FROM %s"

// race is one measurement: a run of the program that finds nothing to do, and what merely reads the same rows.
type race struct {
	name string
	rows int
	run  diffRun
	// yardstick reads the same rows and does nothing with them; nil where there is none.
	yardstick     func(context.Context) (rows int, err error)
	yardstickName string
	repetitions   int
	want          float64 // times the yardstick; 0: there is no goal
	// smaller is run in turns with this race, to show how the time grows; nil: nothing is.
	smaller *race

	ours, theirs []time.Duration
	growth       []float64       // times as long as the run of smaller before
	cpu          []time.Duration // of the run's process
}

// measureDiff measures a run in which nothing changed beside what merely reads the same rows. Every run is the real program,
// from its start to its end, with a ledger that knows every row; that it found all of them unchanged and sent nothing is
// checked each time.
func measureDiff(ctx context.Context, log io.Writer) (s findings.Section, err error) {
	folder, err := os.MkdirTemp("", "owlat-sync-diff-")
	if err != nil {
		return findings.Section{}, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	b := &diffBench{diffData: diffData{folder: folder, log: log}}
	defer func() { err = errors.Join(err, b.close()) }()
	races, err := b.prepare(ctx)
	if err != nil {
		return findings.Section{}, fmt.Errorf("prepare the diff: %w", err)
	}
	for _, r := range races {
		if err := b.measure(ctx, r); err != nil {
			return findings.Section{}, fmt.Errorf("%s: %w", r.name, err)
		}
	}
	b.say("measuring memory")
	memory := make(map[*race]int64)
	for _, r := range races {
		if r.run.memory {
			if memory[r], err = b.peakMemory(ctx, r); err != nil {
				return findings.Section{}, fmt.Errorf("%s: %w", r.name, err)
			}
		}
	}
	return diffSection(races, memory), nil
}

// measure takes turns, so that what else the machine does meets both sides.
func (b *diffBench) measure(ctx context.Context, r *race) error {
	for range r.repetitions {
		if r.yardstick != nil {
			start := time.Now()
			n, err := r.yardstick(ctx)
			if err != nil {
				return fmt.Errorf("%s: %w", r.yardstickName, err)
			}
			if n != r.rows {
				return fmt.Errorf("%s read %d rows, not %d", r.yardstickName, n, r.rows)
			}
			r.theirs = append(r.theirs, time.Since(start))
		}
		small := time.Duration(0)
		if r.smaller != nil {
			var err error
			if small, _, err = b.runOnce(ctx, r.smaller, nil); err != nil {
				return err
			}
		}
		took, cpu, err := b.runOnce(ctx, r, nil)
		if err != nil {
			return err
		}
		if small > 0 {
			r.growth = append(r.growth, took.Seconds()/small.Seconds())
		}
		r.ours, r.cpu = append(r.ours, took), append(r.cpu, cpu)
	}
	b.say("%s: %s", r.name, r.words())
	return nil
}

func (r *race) words() string {
	if r.yardstick == nil {
		return fmt.Sprintf("%.2f s (%.2f s of CPU)", best(r.ours), best(r.cpu))
	}
	return fmt.Sprintf("%.2f s (%.2f s of CPU), %s %.2f s: %.2f times", best(r.ours), best(r.cpu), r.yardstickName, best(r.theirs), r.ratio())
}

// ratio compares the best of each side: whatever disturbs a measurement only makes it longer.
func (r *race) ratio() float64 { return best(r.ours) / best(r.theirs) }

func best(times []time.Duration) float64 { return slices.Min(times).Seconds() }

func median(times []time.Duration) float64 {
	sorted := slices.Sorted(slices.Values(times))
	return sorted[len(sorted)/2].Seconds()
}

const (
	memoryLimit = 150 // MB, of a run over diffRows
	growthLimit = 5.5 // times the time of diffRows, for diffManyRows
)

func diffSection(races []*race, memory map[*race]int64) findings.Section {
	s := findings.Section{
		Title: "The diff: a run in which nothing changed",
		Intro: `A run of the program, from its start to its end, over rows of a key, an address and two names that its ledger knows and that
have not changed: it reads all of them, finds every one unchanged, sends no request and writes nothing but the record of the run.
Beside it is what merely reads the same rows: psql's ` + "`\\copy`" + ` of the same query to /dev/null, or the bare driver or reader, whose
values nobody looks at. The sides take turns; the best time of each counts. How the time grows with the table is the median of the turns
in which a run over the larger one followed a run over the smaller.`,
	}
	t := findings.Table{Columns: []string{"source", "rows", "run, best (median)", "CPU", "read only", "best (median)", "times as long", "peak memory"}}
	c := findings.Chart{File: "diff.svg", Title: "A run in which nothing changed, beside reading the same rows", Unit: "s", Series: []string{"owlat-sync run", "reading only"}}
	for _, r := range races {
		theirs, times, peak := "", "", ""
		values := []float64{best(r.ours), -1}
		if r.yardstick != nil {
			theirs, times = fmt.Sprintf("%.2f s (%.2f s)", best(r.theirs), median(r.theirs)), fmt.Sprintf("%.2f", r.ratio())
			values[1] = best(r.theirs)
		}
		if r.want > 0 {
			s.Goals = append(s.Goals, findings.Goal{
				What: fmt.Sprintf("%s, %d rows: time beside %s", r.name, r.rows, r.yardstickName),
				Want: fmt.Sprintf("at most %.1f times", r.want), Got: fmt.Sprintf("%.2f times", r.ratio()), Missed: r.ratio() > r.want,
			})
		}
		if kb, known := memory[r]; known {
			peak = fmt.Sprintf("%d MB", kb>>10)
			if r.rows == diffRows {
				s.Goals = append(s.Goals, findings.Goal{
					What: fmt.Sprintf("%s, %d rows: peak memory", r.name, r.rows),
					Want: fmt.Sprintf("at most %d MB", memoryLimit), Got: peak, Missed: kb > memoryLimit<<10,
				})
			}
		}
		t.Rows = append(t.Rows, []string{
			r.name, fmt.Sprint(r.rows), fmt.Sprintf("%.2f s (%.2f s)", best(r.ours), median(r.ours)), fmt.Sprintf("%.2f s", best(r.cpu)),
			r.yardstickName, theirs, times, peak,
		})
		c.Labels, c.Values = append(c.Labels, r.label()), append(c.Values, values)
		if r.smaller != nil {
			growth := medianOfSeconds(r.growth) // a run of the larger table is too long for the best of few
			s.Goals = append(s.Goals, findings.Goal{
				What: fmt.Sprintf("%s, %d rows: time beside %d rows", r.name, r.rows, r.smaller.rows),
				Want: fmt.Sprintf("at most %.1f times", growthLimit), Got: fmt.Sprintf("%.2f times", growth), Missed: growth > growthLimit,
			})
		}
	}
	s.Tables, s.Charts = []findings.Table{t}, []findings.Chart{c}
	return s
}

func (r *race) label() string {
	return fmt.Sprintf("%s, %d million rows", r.name, r.rows/1_000_000)
}
