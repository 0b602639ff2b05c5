package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"owlatsync/internal/exitcode"
	"owlatsync/internal/testdb"
	"owlatsync/ledger"
	"owlatsync/owlat/owlattest"
)

// TestKilledInARound kills the program at every second request and commit of a round that looks for people who have left ("make soak": at all), of both
// kinds, and at some with a ledger in PostgreSQL. The next run makes the round first and goes on: everybody who has left is found, write-backs are told
// once of each topic, nobody is put back, and a further round finds nobody.
func TestKilledInARound(t *testing.T) {
	program := os.Getenv(programVariable)
	if program == "" {
		t.Parallel()
		testApart(t)
		return
	}
	database := os.Getenv(testdb.PostgresVariable) != "" || os.Getenv("CI") == "true"
	for _, read := range []string{"moved", "all"} {
		s := newStation(t, program)
		want := s.leavers(read)
		whole := s.begin(gate{}, nil, "feedback", "poll")
		s.killed(whole)
		_, requests := s.passed()
		commits := int(whole.commits.Load())
		s.wantTold(want)
		if requests < 5 || commits < 3 {
			t.Errorf("%s: only %d requests and %d commits", read, requests, commits)
		}
		points := func(what string, most int) {
			for n := 1; n <= most; n++ {
				for i, when := range []string{"before", "after"} {
					if os.Getenv(allVariable) == "" && n%4 != 1+2*i {
						continue
					}
					for _, inDatabase := range []bool{false, true} {
						if p := (killPoint{crashScenario{name: "round_" + read}, when, what, n, inDatabase}); !inDatabase || database && what == "request" && n == 5 {
							t.Run(p.String(), func(t *testing.T) { s.t = t; s.killRound(p, want) })
						}
					}
				}
			}
		}
		points("request", requests)
		points("commit", commits)
	}
}

const roundConfig = `owlat: {requests_per_second: 100000, preferences_per_second: 100000, unsubscribe_secret: %q}
feedback: {poll: every 24h, read: %s}
write_back: [{name: told, on: [topic.unsubscribed], file: told.ndjson}]
syncs:
  users:
    source: {dsn: "csv:users.csv"}
    key: id
    fields: {email: email, firstName: first_name}
    topics: [{id: %s, when: newsletter}, {id: %s}]
    guards: {first_run: allow}
`

// leavers makes the state in which the round begins: ten people on two topics, of whom four have left one or both. It returns what is to be told, as contact
// and topic.
func (s *station) leavers(read string) (want []string) {
	s.t.Helper()
	made, err := s.server.Setup(owlattest.Given{
		Keys:   map[string]owlattest.GivenKey{"all": {Scopes: owlattest.AllScopes()}},
		Topics: map[string]owlattest.GivenTopic{"news": {}, "all": {}}, UnsubscribeSecret: crashSecret,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.crashStart = &crashStart{key: made.Keys["all"], news: made.Topics["news"], all: made.Topics["all"]}
	for n := 1; n <= 10; n++ {
		p := newPerson("round", n)
		p.news = true
		s.people = append(s.people, p)
	}
	s.write("users.csv", crashCSV(s.people))
	config := fmt.Sprintf(roundConfig, crashSecret, read, s.news, s.all)
	s.write("owlat-sync.yaml", []byte(strings.Replace(config, "feedback:", "# feedback:", 1)))
	if p, code := s.run("run"); code != int(exitcode.OK) {
		s.t.Fatalf("the first run ended with code %d\n%s%s", code, &p.stdout, &p.stderr)
	}
	s.write("owlat-sync.yaml", []byte(config))
	for n, topic := range map[int]string{2: s.news, 5: "", 6: s.all, 9: s.news} {
		email := s.people[n-1].email
		if err := s.server.Unsubscribe(email, topic); err != nil {
			s.t.Fatal(err)
		}
		c, _ := s.server.Contact(email)
		for _, left := range []string{s.news, s.all} {
			if topic == "" || topic == left {
				want = append(want, c.ID+" "+left)
			}
		}
	}
	slices.Sort(want)
	s.keep()
	return want
}

// killRound kills a round at the point, and lets a run and another round follow.
func (s *station) killRound(point killPoint, want []string) {
	s.t.Helper()
	s.reset()
	if s.ledger = ""; point.inDatabase {
		s.moveLedger(readyDatabase.Postgres(s.t))
	}
	defer func() { s.ledger = "" }()
	var g gate
	var env []string
	if point.what == "request" {
		g = gate{at: point.n, after: point.when == "after"}
	} else {
		env = []string{fmt.Sprintf("%s=%s %d", crashVariable, point.when, point.n)}
	}
	if victim := s.begin(g, env, "feedback", "poll"); !s.killed(victim) && point.what == "request" {
		s.t.Fatalf("the process ended as %v\n%s%s", victim.cmd.ProcessState, &victim.stdout, &victim.stderr)
	}
	s.buryLedger()
	for _, args := range [][]string{{"run", "--json"}, {"feedback", "poll"}} {
		p, code := s.run(args...)
		if code != int(exitcode.OK) {
			s.t.Errorf("%v ended with code %d\n%s%s", args, code, &p.stdout, &p.stderr)
		}
		if args[0] == "feedback" && !strings.Contains(p.stdout.String(), "nobody had left unnoticed") {
			s.t.Errorf("a further round says %s", &p.stdout)
		}
		s.wantTold(want)
	}
	for _, c := range s.server.Contacts() {
		for _, topic := range c.Topics {
			if slices.Contains(want, c.ID+" "+topic) {
				s.t.Errorf("%s was put back on %s", c.Email, topic)
			}
		}
	}
}

// wantTold wants that write-backs are to be told just that, once each, and that all of it is known as opt-outs.
func (s *station) wantTold(want []string) {
	s.t.Helper()
	l, err := (&story{ledger: s.ledger}).open(filepath.Join(s.folder, "owlat-sync.db"))
	if err != nil {
		s.t.Fatal(err)
	}
	defer l.Close()
	found, err := l.Deliveries(context.Background(), ledger.DeliveryWaiting, 0)
	if err != nil {
		s.t.Fatal(err)
	}
	var told []string
	for _, d := range found {
		told = append(told, d.Feedback.ContactID+" "+d.Topic)
		if known, err := l.OptOuts(context.Background(), []string{d.Feedback.ContactID}); err != nil || !slices.ContainsFunc(known, func(o ledger.OptOut) bool { return o.Topic == d.Topic }) {
			s.t.Errorf("an opt-out is told and not kept: %+v, %v", known, err)
		}
	}
	if slices.Sort(told); !slices.Equal(told, want) {
		s.t.Errorf("told are %q, want %q", told, want)
	}
}
