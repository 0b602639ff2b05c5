package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"owlatsync/internal/exitcode"
	"owlatsync/owlat/owlattest"
)

// TestKilledOnAList kills the program in the middle of a list, before and after a request takes effect, and lets the same command go
// on. Nobody is put on the topic twice, because they may have left meanwhile, and everybody else is on it.
func TestKilledOnAList(t *testing.T) {
	program := os.Getenv(programVariable)
	if program == "" {
		t.Parallel()
		testApart(t)
		return
	}
	const people, at = 30, 20
	for _, after := range []bool{false, true} {
		for _, command := range []string{"add", "remove", "optout"} {
			t.Run(fmt.Sprint(command, " after ", after), func(t *testing.T) {
				s := newStation(t, program)
				var list strings.Builder
				list.WriteString("email\n")
				for n := range people {
					fmt.Fprintf(&list, "user%d@example.com\n", n)
				}
				made, err := s.server.Setup(owlattest.Given{
					Keys:   map[string]owlattest.GivenKey{"all": {Scopes: owlattest.AllScopes()}},
					Topics: map[string]owlattest.GivenTopic{"news": {}}, UnsubscribeSecret: crashSecret,
				})
				if err != nil {
					t.Fatal(err)
				}
				s.crashStart = &crashStart{key: made.Keys["all"], news: made.Topics["news"]}
				links := ""
				if command == "optout" {
					links = fmt.Sprintf(", unsubscribe_secret: %q", crashSecret)
				}
				s.write("owlat-sync.yaml", []byte("owlat: {requests_per_second: 20"+links+"}\nsyncs:\n  users:\n    source: {dsn: \"csv:people.csv\"}\n    fields: {email: email}\n"))
				s.write("people.csv", []byte(list.String()))
				for _, before := range [][]string{{"upsert"}, {"topic", "add", s.news}} {
					if before[0] == "upsert" || command != "add" {
						if p, code := s.run(append(before, "--from", "people.csv", "--yes")...); code != int(exitcode.OK) {
							t.Fatalf("%v: code %d\n%s%s", before, code, &p.stdout, &p.stderr)
						}
					}
				}
				args := []string{"topic", command, s.news, "--from", "people.csv", "--yes"}
				if command == "optout" {
					args = []string{"optout", "--from", "people.csv", "--yes"}
				}

				victim := s.begin(gate{at: at, after: after}, nil, args...)
				if !s.killed(victim) {
					t.Fatalf("the process ended as %v\n%s%s", victim.cmd.ProcessState, &victim.stdout, &victim.stderr)
				}
				effects, _ := s.passed()
				last, code := s.run(args...)
				more, _ := s.passed()
				effects = append(effects, more...)
				sent := make(map[string]int)
				for _, e := range effects {
					whom, _, _ := strings.Cut(e.path, ":") // a token has the time
					sent[e.method+" "+whom+" "+e.body]++
				}
				on := 0
				for _, c := range s.server.Contacts() {
					on += len(c.Topics)
				}
				lost := 0 // adds that were sent and whose effect nobody knows
				switch command {
				case "remove":
					if on != 0 || code != int(exitcode.OK) {
						t.Errorf("%d are on the topic, code %d\n%s%s", on, code, &last.stdout, &last.stderr)
					}
				case "optout":
					for _, c := range s.server.Contacts() {
						if !c.Unsubscribed || len(c.Topics) > 0 || code != int(exitcode.OK) {
							t.Errorf("%+v, code %d\n%s%s", c, code, &last.stdout, &last.stderr)
						}
					}
					again := 0
					for what, n := range sent {
						if strings.Contains(what, "/unsub/") {
							again += n - 1
						}
					}
					if again > 1 {
						t.Errorf("%d opt-outs too many: %v", again, sent)
					}
				case "add":
					lost = strings.Count(last.stdout.String(), "\nfailed ")
					if wantCode := exitcode.FailedRows; lost == 0 || code != int(wantCode) {
						t.Errorf("%d are unsure, code %d\n%s%s", lost, code, &last.stdout, &last.stderr)
					}
					if on < people-lost {
						t.Errorf("%d of %d are on the topic, %d are unsure", on, people, lost)
					}
					for what, n := range sent {
						if n > 1 {
							t.Errorf("%s was sent %d times", what, n)
						}
					}
				}
				if total := len(effects); command != "optout" && total > people+8 { // what was in flight may be sent again
					t.Errorf("%d requests for %d people", total, people)
				}
			})
		}
	}
}
