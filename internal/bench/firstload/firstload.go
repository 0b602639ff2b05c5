// Package firstload measures the ways to fill an empty deployment: a plain first run, one with several API keys, and an export for the importer of
// Owlat's dashboard with the run that adopts what it made.
package firstload

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
	"owlatsync/owlat/owlattest"
	"owlatsync/reconcile"
)

const (
	// several is how many API keys the second way has.
	several = 3
)

// sizes are how many people are loaded.
var sizes = []int{300, 3_000, 100_000}

// outcome is what one way took.
type outcome struct {
	Way      string
	People   int
	Requests int           // of owlat-sync
	Writes   int           // of them
	Created  int           // contacts that the API created: each sets off "contact created"
	Took     time.Duration // without the importer, which is not measured
	Refused  int
}

// goals are what it is to reach.
func (r outcome) goals() []findings.Goal {
	what := fmt.Sprintf("first load, %s, %d people", r.Way, r.People)
	goals := []findings.Goal{{What: what + ": 429s", Want: "no 429", Got: fmt.Sprintf("%d of %d", r.Refused, r.Requests), Missed: r.Refused > 0}}
	if r.Way == wayImport {
		most := 2 * (r.People/100 + 2)
		goals = append(goals,
			findings.Goal{What: what + ": requests", Want: fmt.Sprintf("at most %d: two listings", most), Got: fmt.Sprint(r.Requests), Missed: r.Requests > most},
			findings.Goal{What: what + ": writes", Want: "none", Got: fmt.Sprint(r.Writes), Missed: r.Writes > 0})
	}
	return goals
}

// The ways.
const (
	wayPlain   = "plain"
	waySeveral = "three keys"
	wayImport  = "import and adopt"
)

// play loads so many people in one way, and counts at the emulator.
func play(ctx context.Context, way string, people int) (r outcome, err error) {
	keys := 1
	if way == waySeveral {
		keys = several
	}
	server, client, err := crowd.Owlat(keys)
	if err != nil {
		return r, err
	}
	s := reconcile.Sync{Name: "users", Source: crowd.Rows(people), Topics: []reconcile.Topic{{ID: server.AddTopic("news", false)}}, Guards: reconcile.Guards{FirstRun: true}}
	l := memory.New()
	engine := reconcile.New(client, l, reconcile.Options{})
	r = outcome{Way: way, People: people}
	began := time.Now()
	if way == wayImport {
		done, err := engine.Export(ctx, s, reconcile.ExportOptions{Began: began, Write: func(p reconcile.Person) (bool, error) {
			_, err := server.AddContact(owlattest.ContactState{Email: p.Email})
			return err == nil, err
		}})
		if err != nil {
			return r, err
		}
		if done.People != people {
			return r, fmt.Errorf("%d of %d people were exported", done.People, people)
		}
	}
	report, err := engine.Run(ctx, s, reconcile.RunOptions{})
	if err != nil {
		return r, err
	}
	if there := report.Outcomes[owlatsync.Created] + report.Outcomes[owlatsync.Adopted]; there != people {
		return r, fmt.Errorf("%d of %d people are in step", there, people)
	}
	stats := server.Stats()
	r.Took, r.Requests, r.Writes, r.Refused, r.Created = time.Since(began), stats.Total, stats.Writes, stats.RateLimited, report.Outcomes[owlatsync.Created]
	return r, nil
}

// Measure loads people in each way, in fake time.
func Measure(ctx context.Context, log io.Writer) (findings.Section, error) {
	found := findings.Section{
		Title: "The first load",
		Intro: fmt.Sprintf("People with a topic who are to come into an empty deployment: by a plain first run, by one with %d API keys, and by `export --for-import`, Owlat's importer and the run "+
			"that adopts what it made. In fake time, with answers after 20 to 60 ms; requests are counted at the emulator. The importer works in a browser and was not measured: its time "+
			"comes on top. Created by API: each of these contacts sets off the automations of \"contact created\".", several),
		Tables: []findings.Table{{Columns: []string{"people", "way", "requests", "writes", "created by API", "time", "429s"}}},
	}
	for _, people := range sizes {
		for _, way := range []string{wayPlain, waySeveral, wayImport} {
			var r outcome
			err := bubble.Run(ctx, fmt.Sprint(people, " people, ", way), func(ctx context.Context) (err error) {
				r, err = play(ctx, way, people)
				return err
			})
			if err != nil {
				return findings.Section{}, err
			}
			_, _ = fmt.Fprintf(log, "first load: %d people, %s: %d requests, %v\n", people, way, r.Requests, r.Took.Round(time.Second))
			found.Tables[0].Rows = append(found.Tables[0].Rows, []string{fmt.Sprint(people), way, fmt.Sprint(r.Requests), fmt.Sprint(r.Writes), fmt.Sprint(r.Created), r.Took.Round(time.Second).String(), fmt.Sprint(r.Refused)})
			found.Goals = append(found.Goals, r.goals()...)
		}
	}
	return found, nil
}
