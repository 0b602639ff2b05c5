package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"owlatsync/internal/exitcode"
	"owlatsync/owlat/owlattest"
)

const (
	killRows  = 30
	killTimes = 3
)

// TestKilledWhileRequestsWait kills the program three times in the middle of a first run at Owlat's pace, where several rows wait for
// their turn, and lets it run to its end. What waited was never sent and is not in doubt: everybody who consents is on the topic, and no
// event is unknown but one that was under way.
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
			for n := range killTimes {
				victim := s.begin(gate{at: 14 + n}, nil, "run", "--yes")
				if !s.killed(victim) {
					t.Fatalf("the process ended as %v\n%s%s", victim.cmd.ProcessState, &victim.stdout, &victim.stderr)
				}
				passed, _ := s.passed()
				effects = append(effects, passed...)
			}
			last, code := s.run("run", "--yes", "--json")
			passed, _ := s.passed()
			effects = append(effects, passed...)
			unknown := s.unknown(last)
			if len(unknown) > killTimes || story == "adds" && len(unknown) > 0 {
				t.Errorf("%d rows are unknown after %d kills: %v", len(unknown), killTimes, unknown)
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
				if len(events) < killRows-killTimes { // of each kill one request was under way
					t.Errorf("%d of %d events arrived", len(events), killRows)
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
