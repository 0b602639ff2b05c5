package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"owlatsync"
	"owlatsync/internal/exitcode"
	"owlatsync/internal/testdb"
	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
)

// crashSlack is by how many more commits than a run without a kill a run may have: which of them share a transaction is
// chance.
const crashSlack = 12

// TestCrash kills the program by SIGKILL at every sixth request of a sync of 60 rows, half of the times with the unsubscribe secret, of a first run, of one that reads its source again and again, of one that learns to whom no mail may go, and at each request of one whose events depend on columns, before it takes effect
// or after it did but before its answer, and before or after every twelfth commit of its ledger ("make soak": both at each of all); and at some requests with a ledger in PostgreSQL. Each time a new process takes
// over, and then Owlat and the ledger must be what the rows say: nothing lost, nothing doubled, no event sent twice, and
// nothing left to do. What cannot be repeated, an event, must be reported where its answer was lost.
//
// One kill alone: go test ./cmd/owlat-sync -run 'TestCrash/changes_before_request_17$'
func TestCrash(t *testing.T) {
	program := os.Getenv(programVariable)
	if program == "" {
		t.Parallel()
		testApart(t)
		return
	}
	stations := make([]*station, 2*runtime.NumCPU())
	for i := range stations {
		stations[i] = newStation(t, program)
	}
	database := os.Getenv(testdb.PostgresVariable) != "" || os.Getenv("CI") == "true"
	all := os.Getenv(allVariable) != "" || strings.Contains(flag.Lookup("test.run").Value.String(), "/")
	var points []killPoint
	for _, scenario := range crashScenarios() {
		first := stations[0]
		first.furnish(scenario)
		requests, commits := first.measure()
		t.Logf("%s: %d requests, %d commits", scenario.name, requests, commits)
		for _, when := range []string{"before", "after"} {
			// What is recorded after one commit is what is before the next, and much the same is true of requests. Between two requests there
			// is a commit or two.
			one := func(n, of int) bool {
				if scenario.halved && !all && (n/(2*of)%2 == 1) != scenario.secret {
					return false
				}
				return all || scenario.each && of == 6 || when == "before" && n%(2*of) == 1 || when == "after" && n%(2*of) == 1+of
			}
			for n := 1; n <= requests; n++ {
				if one(n, 6) {
					points = append(points, killPoint{scenario, when, "request", n, false})
				}
				if database && n%crashShare == 1 && (scenario.secret == (n/crashShare%2 == 1) || !scenario.halved) {
					points = append(points, killPoint{scenario, when, "request", n, true})
				}
			}
			for n := 1; n <= commits+crashSlack; n++ {
				if one(n, 12) {
					points = append(points, killPoint{scenario, when, "commit", n, false})
				}
			}
		}
	}
	var next, missed, played, again atomic.Int64
	var working sync.WaitGroup
	for _, s := range stations {
		working.Go(func() {
			for {
				n := int(next.Add(1)) - 1
				if n >= len(points) {
					return
				}
				p := points[n]
				t.Run(p.String(), func(t *testing.T) {
					s.t = t
					s.furnish(p.scenario)
					killed, stretches := s.kill(p)
					if !killed {
						missed.Add(1)
					}
					played.Add(1)
					if p.scenario.stretches {
						again.Add(int64(stretches))
					} else if stretches > 0 {
						t.Errorf("the source was read again %d times", stretches)
					}
				})
			}
		})
	}
	working.Wait()
	t.Logf("%d points, %d of them after the end of the process", len(points), missed.Load())
	if int(played.Load()) == len(points) && again.Load() == 0 {
		t.Error("no process read its source again")
	}
	if n := missed.Load(); n > 12*crashSlack {
		t.Errorf("%d of %d processes came to their end before they could be killed", n, len(points))
	}
}

// killPoint is an instant of a run: before or after the n-th request took effect or the n-th commit was made.
type killPoint struct {
	scenario   crashScenario
	when, what string
	n          int
	inDatabase bool // the ledger is in PostgreSQL, not in a file
}

func (p killPoint) String() string {
	in := ""
	if p.inDatabase {
		in = "_in_postgres"
	}
	return fmt.Sprintf("%s_%s_%s_%d%s", p.scenario.name, p.when, p.what, p.n, in)
}

// allVariable has TestCrash kill at all points: "make soak" does.
const allVariable = "OWLATSYNC_SOAK"

// lastShare is of how many points one has a run after that of the process which took over, which must send nothing.
const lastShare = 3

// crashShare is of how many requests one is a point at which a process is killed whose ledger is in PostgreSQL.
const crashShare = 15

// furnish brings the station to the state in which the killed run of the scenario begins: the rows before are in step, and
// since then rows have changed, come and gone, and contacts came to be in Owlat by themselves.
func (s *station) furnish(scenario crashScenario) {
	s.t.Helper()
	if s.crashStart = s.starts[scenario.name]; s.crashStart != nil {
		return
	}
	secret := ""
	if scenario.secret {
		secret = fmt.Sprintf(", unsubscribe_secret: %q", crashSecret)
	}
	made, err := s.server.Setup(owlattest.Given{
		Keys:   map[string]owlattest.GivenKey{"all": {Scopes: owlattest.AllScopes()}},
		Topics: map[string]owlattest.GivenTopic{"news": {}, "all": {}}, UnsubscribeSecret: crashSecret,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.crashStart = &crashStart{people: scenario.after, key: made.Keys["all"], news: made.Topics["news"], all: made.Topics["all"]}
	s.starts[scenario.name] = s.crashStart
	s.clear()
	fresh := "off"
	if scenario.stretches {
		fresh = "1ms"
	}
	s.write("owlat-sync.yaml", fmt.Appendf(nil, crashConfig, secret, s.news, s.all, fresh))
	if len(scenario.before) > 0 {
		s.addToOwlat(func(p crashPerson) bool { return p.adopted && !p.isNew(scenario.before) })
		s.write("users.csv", crashCSV(scenario.before))
		if p, code := s.run("run"); code != int(exitcode.OK) {
			s.t.Fatalf("the first run ended with code %d\n%s%s", code, &p.stdout, &p.stderr)
		}
	}
	for _, p := range s.people {
		if p.corrected {
			if err := s.server.EditContact(p.email, owlat.UpdateContactRequest{FirstName: new(corrected)}); err != nil {
				s.t.Fatal(err)
			}
		}
	}
	s.addToOwlat(func(p crashPerson) bool { return p.adopted && p.isNew(scenario.before) })
	s.write("users.csv", crashCSV(scenario.after))
	s.keep()
}

// isNew reports whether the row was not there before.
func (p crashPerson) isNew(before []crashPerson) bool {
	return !slices.ContainsFunc(before, func(b crashPerson) bool { return b.key == p.key || b.key == p.oldKey })
}

func (s *station) addToOwlat(which func(crashPerson) bool) {
	s.t.Helper()
	for _, p := range s.people {
		if which(p) {
			if _, err := s.server.AddContact(owlattest.ContactState{Email: p.email, FirstName: somebody}); err != nil {
				s.t.Fatal(err)
			}
		}
	}
}

// measure returns how many requests and commits a run has that nobody kills.
func (s *station) measure() (requests, commits int) {
	s.t.Helper()
	s.reset()
	p := s.begin(gate{paced: true}, nil, "run", "--json")
	s.killed(p)
	code := p.cmd.ProcessState.ExitCode()
	if code != int(exitcode.OK) {
		s.t.Fatalf("a run that was not killed ended with code %d\n%s%s", code, &p.stdout, &p.stderr)
	}
	effects, requests := s.passed()
	s.checkOwlat(effects, nil)
	s.checkLedger()
	return requests, int(p.commits.Load())
}

// kill runs the program from the start, kills it at the point, lets another process run, at some points a third one, and checks. It reports
// whether there was a process to kill, and how often the first two read their source again.
func (s *station) kill(point killPoint) (killed bool, again int) {
	s.t.Helper()
	s.reset()
	if s.ledger = ""; point.inDatabase {
		s.moveLedger(readyDatabase.Postgres(s.t))
	}
	g := gate{paced: true}
	var env []string
	if point.what == "request" {
		g.at, g.after = point.n, point.when == "after"
	} else {
		env = []string{fmt.Sprintf("%s=%s %d", crashVariable, point.when, point.n)}
	}
	victim := s.begin(g, env, "run", "--json")
	killed = s.killed(victim)
	if !killed && victim.cmd.ProcessState.ExitCode() != int(exitcode.OK) {
		s.t.Fatalf("the process that was not killed ended as %v\n%s%s", victim.cmd.ProcessState, &victim.stdout, &victim.stderr)
	}
	effects, _ := s.passed()
	s.buryLedger()

	resumed, code := s.run("run", "--json")
	unknown := s.unknown(resumed)
	want := exitcode.OK
	if len(unknown) > 0 {
		want = exitcode.FailedRows
	}
	if code != int(want) {
		s.t.Errorf("the process that took over ended with code %d, want %d\n%s%s", code, want, &resumed.stdout, &resumed.stderr)
	}
	more, _ := s.passed()
	s.checkOwlat(append(effects, more...), unknown)
	s.checkLedger()

	if point.n%lastShare == 0 {
		last, code := s.run("run", "--json")
		if code != int(exitcode.OK) {
			s.t.Errorf("the run after that ended with code %d\n%s%s", code, &last.stdout, &last.stderr)
		}
		if effects, n := s.passed(); n > 0 {
			s.t.Errorf("the run after that still sent %d requests: %v", n, effects)
		}
	}
	if s.t.Failed() {
		s.t.Logf("killed; alone: go test ./cmd/owlat-sync -run 'TestCrash/%s$'\ntook effect before the kill: %v\nand after: %v\nthe killed process said:\n%s%s",
			point, effects, more, &victim.stdout, &victim.stderr)
	}
	for _, p := range []*process{victim, resumed} {
		again += bytes.Count(p.stdout.Bytes(), []byte(`"type":"stretch"`))
	}
	return killed, again
}

// unknown returns by key the rows of which the process said that nobody knows whether an event arrived. No other row may have failed.
func (s *station) unknown(p *process) map[string]string {
	s.t.Helper()
	keys := make(map[string]string)
	for lines := bufio.NewScanner(bytes.NewReader(p.stdout.Bytes())); lines.Scan(); {
		var row struct{ Type, Key, Outcome, Category, Reason string }
		if err := json.Unmarshal(lines.Bytes(), &row); err != nil {
			s.t.Errorf("%v in the line %s", err, lines.Text())
		}
		switch {
		case row.Type != "row" || row.Outcome != string(owlatsync.Failed):
		case row.Category != "event":
			s.t.Errorf("the process that took over could not do row %s: %s", row.Key, row.Reason)
		default:
			keys[row.Key] = row.Category
		}
	}
	return keys
}

// checkOwlat compares what Owlat holds with what the rows say, and looks in what took effect for anything done twice.
func (s *station) checkOwlat(effects []effect, unknown map[string]string) {
	s.t.Helper()
	left := make(map[string]owlattest.ContactState)
	for _, c := range s.server.Contacts() {
		if twin, twice := left[c.Email]; twice {
			s.t.Errorf("two contacts have one address: %+v and %+v", twin, c)
		}
		left[c.Email] = c
	}
	sent := make(map[string]int)
	for _, e := range effects {
		if strings.HasSuffix(e.path, "/events") && e.status == 201 {
			var event struct{ Email, EventName string }
			if err := json.Unmarshal([]byte(e.body), &event); err != nil {
				s.t.Fatal(err)
			}
			sent[event.EventName+" "+event.Email]++
		}
	}
	for _, p := range s.people {
		c, there := left[p.email]
		delete(left, p.email)
		if there != ((!p.gone || p.adopted) && !p.stranger()) {
			s.t.Errorf("row %s: there is a contact: %v", p.key, there)
		}
		want := s.topicsOf(p)
		if there && (!slices.Equal(slices.Sorted(slices.Values(c.Topics)), want) || !p.gone && c.FirstName != p.held()) {
			s.t.Errorf("row %s: Owlat holds %+v, want first name %q and topics %v", p.key, c, p.held(), want)
		}
		var due int
		if p.event != "" {
			due = 1
		}
		n := sent[p.event+" "+p.email]
		delete(sent, p.event+" "+p.email)
		if n > due || n < due && unknown[p.key] != "event" {
			s.t.Errorf("row %s: event %q was sent %d times (reported as unknown: %q)", p.key, p.event, n, unknown[p.key])
		}
	}
	for _, c := range left {
		s.t.Errorf("a contact of no row: %+v", c)
	}
	for event, n := range sent {
		s.t.Errorf("an event that was not due: %s, %d times", event, n)
	}
	s.checkHistory()
	s.checkOut(effects)
}

// checkOut wants that everybody to whom no mail may go is opted out of everything, nobody else is, and that this was asked for once, and once more where it was under way at the kill.
func (s *station) checkOut(effects []effect) {
	s.t.Helper()
	asked := make(map[string]int)
	for _, e := range effects {
		if _, token, found := strings.Cut(e.path, "/unsub/"); found {
			contact, _, _ := strings.Cut(token, ":")
			asked[contact]++
		}
	}
	for _, p := range s.people {
		c, there := s.server.Contact(p.email)
		if there && c.Unsubscribed != p.never {
			s.t.Errorf("row %s: opted out of everything: %v", p.key, c.Unsubscribed)
		}
		if n := asked[c.ID]; n > 2 || n > 0 != (there && p.never) {
			s.t.Errorf("row %s was opted out %d times", p.key, n)
		}
		delete(asked, c.ID)
	}
	if len(asked) > 0 {
		s.t.Errorf("%d people of no row were opted out", len(asked))
	}
}

// checkHistory wants that nobody was created or put on a topic twice.
func (s *station) checkHistory() {
	s.t.Helper()
	times := make(map[owlattest.Entry]int)
	for _, e := range s.server.History("") {
		switch e.Action {
		case owlattest.Created:
			times[owlattest.Entry{Email: e.Email, Action: e.Action}]++
		case owlattest.Added, owlattest.Removed:
			times[owlattest.Entry{ContactID: e.ContactID, TopicID: e.TopicID, Action: e.Action}]++
		}
	}
	for e, n := range times {
		if n > 1 {
			s.t.Errorf("%d times: %+v", n, e)
		}
	}
}

func (s *station) topicsOf(p crashPerson) []string {
	var ids []string
	if p.gone || p.never {
		return ids
	}
	if p.news && !p.adopted {
		ids = append(ids, s.news)
	}
	return slices.Sorted(slices.Values(append(ids, s.all)))
}

// checkLedger compares the ledger with the rows and with what Owlat holds.
func (s *station) checkLedger() {
	s.t.Helper()
	l, err := (&story{ledger: s.ledger}).open(filepath.Join(s.folder, "owlat-sync.db"))
	if err != nil {
		s.t.Fatal(err)
	}
	defer l.Close()
	rows := make(map[string]crashPerson)
	for _, p := range s.people {
		rows[p.key] = p
	}
	for e, err := range l.All(context.Background(), "users") {
		if err != nil {
			s.t.Fatal(err)
		}
		p, known := rows[e.Key]
		delete(rows, e.Key)
		if !known {
			s.t.Errorf("the ledger has an entry %s, and there is no such row", e.Key)
			continue
		}
		if e.Failure != nil || !e.Intent.Create.IsZero() || !p.gone && e.Fingerprint.IsZero() {
			s.t.Errorf("the ledger does not say that row %s is done: %+v", e.Key, e)
		}
		deleted := p.gone && !p.adopted
		if deleted {
			if e.ContactID != "" || e.Origin != ledger.OriginDeleted {
				s.t.Errorf("the contact of row %s was deleted, the ledger says %+v", e.Key, e)
			}
			continue
		}
		if p.stranger() {
			if e.ContactID != "" {
				s.t.Errorf("row %s: nobody is created to whom no mail may go: %+v", e.Key, e)
			}
			continue
		}
		c, there := s.server.Contact(e.ContactID)
		if !there || c.Email != e.Email || c.Email != p.email || c.FirstName != e.Fields[owlatsync.FirstName] {
			s.t.Errorf("row %s: the ledger says %+v, Owlat %+v", e.Key, e, c)
		}
		if want := map[bool]ledger.Origin{true: ledger.OriginAdopted, false: ledger.OriginCreated}[p.adopted]; e.Origin != want {
			s.t.Errorf("row %s: the contact is %s to the ledger, want %s", e.Key, e.Origin, want)
		}
		for _, m := range e.Memberships {
			if (m.State == ledger.MemberAdded) != slices.Contains(c.Topics, m.Topic) {
				s.t.Errorf("row %s: the ledger says %+v, Owlat %v", e.Key, m, c.Topics)
			}
		}
	}
	for key := range rows {
		s.t.Errorf("the ledger has no entry for row %s", key)
	}
}
