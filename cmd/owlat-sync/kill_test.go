package main

import (
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"owlatsync/internal/exitcode"
	"owlatsync/owlat/owlattest"
)

const (
	killRows  = 30
	killTimes = 3
	// killBurst and killPace are what the limiter lets through: so many requests at once, and so many a second.
	killBurst, killPace = 8, 10
)

// underWay returns how many requests a killed process can have had under way at the most: those that the limiter let through and that
// were not answered. On a busy machine an answer takes longer than the time between two requests, so they are more than one.
func underWay(lived time.Duration, answered int) int {
	return killBurst + int(math.Ceil(lived.Seconds()*killPace)) - answered
}

// TestKilledWhileRequestsWait kills the program three times in the middle of a first run at Owlat's pace, where several rows wait for
// their turn, and lets it run to its end. What waited was never sent and is not in doubt: everybody who consents is on the topic, and no
// event is unknown but those that were under way.
func TestKilledWhileRequestsWait(t *testing.T) {
	program := os.Getenv(programVariable)
	if program == "" {
		t.Parallel()
		testApart(t)
		return
	}
	for _, story := range []string{"adds", "events"} {
		t.Run(story, func(t *testing.T) {
			s := newStation(t, program)
			made, err := s.server.Setup(owlattest.Given{
				Keys:   map[string]owlattest.GivenKey{"all": {Scopes: owlattest.AllScopes()}},
				Topics: map[string]owlattest.GivenTopic{"news": {}},
			})
			if err != nil {
				t.Fatal(err)
			}
			s.crashStart = &crashStart{key: made.Keys["all"], news: made.Topics["news"]}
			what := fmt.Sprintf("topics: [{id: %s}]", s.news)
			if story == "events" {
				what = "events: [{name: user_created, on: created}]"
			}
			s.write("owlat-sync.yaml", fmt.Appendf(nil, `syncs:
  users:
    source: {dsn: "csv:users.csv"}
    key: id
    fields: {email: email}
    %s
`, what))
			var rows strings.Builder
			rows.WriteString("id,email\n")
			for n := range killRows {
				fmt.Fprintf(&rows, "%d,user%d@example.com\n", n, n)
			}
			s.write("users.csv", []byte(rows.String()))

			var effects []effect
			most, latest := 0, 0 // requests under way at all kills, and at the last one
			for n := range killTimes {
				begun := time.Now()
				victim := s.begin(gate{at: 14 + n}, nil, "run", "--yes")
				if !s.killed(victim) {
					t.Fatalf("the process ended as %v\n%s%s", victim.cmd.ProcessState, &victim.stdout, &victim.stderr)
				}
				passed, _ := s.passed()
				latest = underWay(time.Since(begun), len(passed))
				most += latest
				effects = append(effects, passed...)
			}
			if status, _ := s.run("status"); !strings.Contains(status.stdout.String(), "broke off") || strings.Contains(status.stdout.String(), "running") {
				t.Errorf("status says of a killed run\n%s%s", &status.stdout, &status.stderr)
			}
			last, code := s.run("run", "--yes", "--json")
			passed, _ := s.passed()
			effects = append(effects, passed...)
			unknown := s.unknown(last)
			if len(unknown) > latest || story == "adds" && len(unknown) > 0 {
				t.Errorf("%d rows are unknown, and %d requests were under way: %v", len(unknown), latest, unknown)
			}
			if len(unknown) > 0 {
				last, code = s.run("run", "--yes")
			}
			if code != int(exitcode.OK) {
				t.Errorf("the last run ended with code %d\n%s%s", code, &last.stdout, &last.stderr)
			}
			events := make(map[string]int)
			for _, e := range effects {
				if strings.HasSuffix(e.path, "/events") && e.status == 201 {
					events[e.body]++
				}
			}
			on := 0
			for _, c := range s.server.Contacts() {
				on += len(c.Topics)
			}
			switch story {
			case "adds":
				if on != killRows {
					t.Errorf("%d of %d are on the topic", on, killRows)
				}
			case "events":
				if len(events) < killRows-most {
					t.Errorf("%d of %d events arrived, and %d requests were under way at the kills", len(events), killRows, most)
				}
				for body, n := range events {
					if n > 1 {
						t.Errorf("%s arrived %d times", body, n)
					}
				}
			}
			s.checkHistory()
		})
	}
}
