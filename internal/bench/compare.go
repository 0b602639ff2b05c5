package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"time"

	"owlatsync/internal/bench/bubble"
	"owlatsync/internal/bench/findings"

	"golang.org/x/sync/errgroup"
)

// The numbers of users of the comparison. In real time the script would need an hour for ten times the first.
const realUsers = 300

var fakeUsers = []int{realUsers, 3_000, 100_000}

const compareIntro = `Owlat's documentation shows a script: for every user create the contact, on a conflict update it, five at a time; then add
everybody to a topic at once. Here it is, rewritten in Go over the same SDK ([internal/baseline](../../internal/baseline)), beside
a run of owlat-sync's engine with its ledger in a file. Each has an emulator of its own with Owlat's real limits (10 requests a second,
bursts of 15) and %v latency. Between the first and the second run the first %d people opted out of everything; the third run
follows a change of name of every hundredth.

%d users were synced in real time, over sockets, both sides at once. That is not possible with many more: at 10 requests a second
a run of the script for %s users takes ten minutes, and three for %s take a day. Those ran against the same emulator in fake
time ([testing/synctest](https://pkg.go.dev/testing/synctest)): its clock jumps to the next moment at which somebody wants something, so that every wait is exact and none
is waited for. The second table has the %[3]d users in both, to show how far fake time tells the truth. A machine that is
busy with other work delays both sides in real time, and never in fake time. The third table has what owlat-sync's plans said that
their writes would take.`

// compared is the story of both sides with so many users.
type compared struct {
	users          int
	script, synced []figures
}

// compare tells the story of both sides at the same time, each against an emulator of its own, in real or in fake time.
func compare(ctx context.Context, n int, fake bool) (c compared, err error) {
	c.users = n
	tell := func(ctx context.Context, name string, runs *[]figures, begin beginning) (err error) {
		if !fake {
			*runs, err = story(ctx, n, liveWorld(), begin)
			return err
		}
		return bubble.Run(ctx, name, func(ctx context.Context) (err error) {
			*runs, err = story(ctx, n, fakeWorld(), begin)
			return err
		})
	}
	both, ctx := errgroup.WithContext(ctx)
	both.Go(func() error { return tell(ctx, "documented script", &c.script, newScript) })
	both.Go(func() error { return tell(ctx, findings.Ours, &c.synced, newSynced) })
	err = both.Wait() // before c is read
	return c, err
}

func measureCompare(ctx context.Context, log io.Writer) (findings.Section, error) {
	// First what runs in real time, alone: what runs in fake time takes all of the machine, and does not notice how fast it is.
	live, err := compare(ctx, realUsers, false)
	if err != nil {
		return findings.Section{}, err
	}
	faked := make([]compared, len(fakeUsers))
	for i, n := range fakeUsers {
		start := time.Now()
		if faked[i], err = compare(ctx, n, true); err != nil {
			return findings.Section{}, err
		}
		fmt.Fprintf(log, "compared %s users in fake time in %.0f s\n", findings.Count(n), time.Since(start).Seconds())
	}
	shown := append([]compared{live}, faked[1:]...)
	return findings.Section{
		Title:  "Beside the documented script",
		Intro:  fmt.Sprintf(compareIntro, latency, optOuts, realUsers, findings.Count(fakeUsers[1]), findings.Count(fakeUsers[2])),
		Tables: []findings.Table{comparison(shown), realBesideFake(live, faked[0]), estimates(shown)},
		Charts: []findings.Chart{
			compareChart("requests.svg", "Requests that reached Owlat", "", shown, func(f figures, _ int) float64 { return float64(f.Requests) }),
			compareChart("topic.svg", "People who consented and are not on the topic", "%", shown, func(f figures, users int) float64 {
				return 100 * float64(f.Off) / float64(users)
			}),
		},
		Goals: compareGoals(shown, live, faked[0]),
	}, nil
}

// comparison is the table that other documents show too.
func comparison(shown []compared) findings.Table {
	t := findings.Table{Columns: []string{"users", "run", "", "requests", "of them refused (429)", "time", "contacts wrong", "not on the topic", "opted out and put back"}}
	for _, c := range shown {
		for i, run := range runNames {
			c.sides(i, func(name string, f figures) {
				t.Rows = append(t.Rows, []string{findings.Count(c.users), run, name, findings.Count(f.Requests), findings.Count(f.Refused), findings.Span(f.Elapsed),
					findings.Count(f.Wrong), findings.Count(f.Off), findings.Count(f.PutBack)})
			})
		}
	}
	return t
}

// sides calls do for both sides of one run.
func (c compared) sides(run int, do func(name string, f figures)) {
	do("documented script", c.script[run])
	do(findings.Ours, c.synced[run])
}

func realBesideFake(live, faked compared) findings.Table {
	t := findings.Table{Columns: []string{"run", "", "requests, real time", "fake time", "seconds, real time", "fake time"}}
	for i, run := range runNames {
		var fakes []figures
		faked.sides(i, func(_ string, f figures) { fakes = append(fakes, f) })
		live.sides(i, func(name string, f figures) {
			t.Rows = append(t.Rows, []string{run, name, findings.Count(f.Requests), findings.Count(fakes[0].Requests), findings.Seconds(f.Elapsed), findings.Seconds(fakes[0].Elapsed)})
			fakes = fakes[1:]
		})
	}
	return t
}

// estimates compares what the plans said with what the writes took.
func estimates(shown []compared) findings.Table {
	t := findings.Table{Columns: []string{"users", "run", "seconds, as planned", "in truth"}}
	for _, c := range shown {
		for i, run := range runNames {
			f := c.synced[i]
			t.Rows = append(t.Rows, []string{findings.Count(c.users), run, findings.Seconds(f.Estimated), findings.Seconds(f.Sending)})
		}
	}
	return t
}

// astray is by what share a plan's estimate was wrong, at most, where the writes took longer than a second: what is shorter is
// called "under 1s".
func astray(shown []compared) float64 {
	most := 0.0
	for _, c := range shown {
		for _, f := range c.synced {
			if d := (f.Estimated - f.Sending).Abs(); f.Sending > time.Second {
				most = max(most, d.Seconds()/f.Sending.Seconds())
			}
		}
	}
	return most
}

func compareChart(file, title, unit string, shown []compared, value func(f figures, users int) float64) findings.Chart {
	c := findings.Chart{File: file, Title: title, Unit: unit, Series: []string{"documented script", findings.Ours}}
	for _, s := range shown {
		for i, run := range runNames {
			c.Labels = append(c.Labels, findings.Count(s.users)+" users, "+run)
			c.Values = append(c.Values, []float64{value(s.script[i], s.users), value(s.synced[i], s.users)})
		}
	}
	return c
}

func compareGoals(shown []compared, live, faked compared) []findings.Goal {
	var refused, lost, idle int
	apart := 0.0
	for _, c := range shown {
		for i, f := range c.synced {
			refused += f.Refused
			lost += f.Wrong + f.Off + f.PutBack
			if i == 1 {
				idle += f.Requests
			}
		}
	}
	for i := range runNames {
		apart = max(apart, distance(live.synced[i], faked.synced[i]), distance(live.script[i], faked.script[i]))
	}
	none := func(what string, n int) findings.Goal {
		return findings.Goal{What: what, Want: "0", Got: findings.Count(n), Missed: n > 0}
	}
	return []findings.Goal{
		none("Requests of the runs in which nothing had changed", idle),
		none("Requests refused (429)", refused),
		none("People lost, put back, or with a wrong contact", lost),
		{What: "The plan's estimate of the time beside the truth, at worst", Want: "at most 10 %", Got: fmt.Sprintf("%.1f %%", 100*astray(shown)), Missed: astray(shown) > 0.1},
		{What: "Fake time beside real time: the largest difference in requests or seconds", Want: "at most 5 %",
			Got: fmt.Sprintf("%.1f %%", 100*apart), Missed: apart > 0.05},
	}
}

// distance is by what share two runs differ in requests or in time. Less than a second is no difference: the runs in which
// little happens last no longer.
func distance(a, b figures) float64 {
	apart := math.Abs(float64(a.Requests-b.Requests)) / max(1, float64(b.Requests))
	if d := (a.Elapsed - b.Elapsed).Abs(); d > time.Second {
		apart = max(apart, d.Seconds()/max(1, b.Elapsed.Seconds()))
	}
	return apart
}
