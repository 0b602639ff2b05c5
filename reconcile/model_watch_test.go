package reconcile_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/owlat/owlattest"
	"owlatsync/reconcile"
)

// The suffixes of the names of events that depend on what columns say.
const (
	suffixWhen    = "_when"
	suffixChanges = "_changes"
)

// watches adds to some syncs events that depend on columns. What the columns say has a source of chance of its own, so that histories without
// such events are what they were.
func (m *model) watches(s *modelSync) {
	if m.w = rand.New(rand.NewPCG(m.h.seed, uint64(3+s.index))); m.w.IntN(3) == 0 {
		s.Events = append(s.Events,
			reconcile.EventRule{Name: s.Name + suffixWhen, On: ledger.OnWhen, Column: "ends", Existing: m.w.IntN(4) == 0, Properties: map[string]string{"plan": "plan"}},
			reconcile.EventRule{Name: s.Name + suffixChanges, On: ledger.OnChanges, Column: "plan"})
	}
}

// say changes what the columns of some people say.
func (m *model) say(seed uint64) {
	m.w = rand.New(rand.NewPCG(seed, 2))
	if !slices.ContainsFunc(m.syncs, watching) {
		return
	}
	for _, p := range m.table {
		if m.w.IntN(4) == 0 {
			p.plan = pick(m.w, "free", "pro", "team")
		}
		if m.w.IntN(3) == 0 {
			p.ends = pick(m.w, "no", "yes", "yes", "perhaps")
		}
	}
}

func watching(s *modelSync) bool {
	return slices.ContainsFunc(s.Events, func(r reconcile.EventRule) bool { return r.On.Watches() })
}

// alone reports whether the person's row was the only one that ever had its key and its addresses, and had no other key. Of others the ledger may
// take one for another.
func (m *model) alone(s *modelSync, id int) bool {
	keys, others := make(map[string]bool), make(map[string]bool)
	addresses := make(map[string]bool)
	for _, log := range m.runs {
		for i, row := range log.rows {
			switch key, address := keyOf(&log.config, row), normal(row.Email.Value); {
			case log.sync != s:
			case log.people[i] == id:
				keys[key], addresses[address] = true, true
			default:
				others["key "+key], others[address] = true, true
			}
		}
	}
	for key := range keys {
		if others["key "+key] || key == "" {
			return false
		}
	}
	for address := range addresses {
		if address != "" && others[address] {
			return false
		}
	}
	return len(keys) == 1 && m.anew == 0 && m.lost == 0
}

// turns counts how often what a person's column said may have made the event of a rule due.
func (m *model) turns(s *modelSync, name string, id int) (n int) {
	alone, before := m.alone(s, id), ""
	for _, log := range m.runs {
		at := slices.Index(log.people, id)
		if log.sync != s || at < 0 || !log.read(id) {
			continue
		}
		says := log.rows[at].Properties[0].Value.(string)
		if strings.HasSuffix(name, suffixWhen) {
			if says = log.rows[at].Properties[1].Value.(string); says == "perhaps" {
				continue
			}
		}
		switch {
		case !alone:
			n++
		case strings.HasSuffix(name, suffixWhen):
			if says == "yes" && before != "yes" {
				n++
			}
		case before != "" && says != before:
			n++
		}
		before = says
	}
	return n
}

// checkTurns: an event that depends on a column is sent at most once for each turn of the column.
func (m *model) checkTurns(log *runLog) {
	if !watching(log.sync) {
		return
	}
	type event struct{ name, address string }
	sent := make(map[event]int) // possibly delivered
	for _, past := range m.runs {
		for _, r := range past.requests() {
			name := jsonField(r.Body, "eventName")
			if past.sync == log.sync && r.Route == owlattest.RouteEvents && r.unknown() && (strings.HasSuffix(name, suffixWhen) || strings.HasSuffix(name, suffixChanges)) {
				sent[event{name, jsonField(r.Body, "email")}]++
			}
		}
	}
	for e, n := range sent {
		people := make(map[int]bool)
		for _, past := range m.runs {
			for i, row := range past.rows {
				if past.sync == log.sync && normal(row.Email.Value) == e.address {
					people[past.people[i]] = true
				}
			}
		}
		due := 0
		for id := range people {
			due += m.turns(log.sync, e.name, id)
		}
		if n > due && len(people) > 0 {
			m.fail("the event %s was sent %d times to %s, and was due at most %d times", e.name, n, e.address, due)
		}
	}
}

// lastTurn changes what every row says, and checks that each person in step gets one event for it, with what it said before.
func (m *model) lastTurn() {
	for _, s := range m.syncs {
		if !watching(s) || len(m.failures) > 0 {
			continue
		}
		before := make(map[string]*ledger.Entry)
		for _, e := range m.entries(s) {
			if !e.Fingerprint.IsZero() && e.Departed == "" {
				before[e.Key] = e
			}
		}
		time.Sleep(time.Minute)
		for _, p := range m.table {
			p.plan, p.ends = "last", "no"
		}
		for _, p := range m.table {
			p.null, p.stamp = false, time.Now()
		}
		m.tell("EVERY PLAN CHANGES")
		log := m.run(s, &runSpec{breaks: -1})
		heard := make(map[string][]string)
		for _, r := range log.requests() {
			if r.Route == owlattest.RouteEvents && strings.HasSuffix(jsonField(r.Body, "eventName"), suffixChanges) {
				var body struct{ EventProperties map[string]any }
				_ = json.Unmarshal(r.Body, &body)
				email := jsonField(r.Body, "email")
				heard[email] = append(heard[email], fmt.Sprint(body.EventProperties["old"], " to ", body.EventProperties["new"]))
			}
		}
		for _, e := range m.entries(s) {
			was, at := before[e.Key], slices.IndexFunc(log.rows, func(r owlatsync.Row) bool { return keyOf(&log.config, r) == e.Key })
			if was == nil || at < 0 || !slices.Contains([]owlatsync.Outcome{owlatsync.Updated, owlatsync.Unchanged}, m.outcome(log, at)) {
				continue
			}
			m.count("last turns")
			seen := slices.IndexFunc(e.Events, func(x ledger.EventMark) bool { return x.State == ledger.EventSeen && x.On == ledger.OnChanges })
			if seen < 0 || e.Events[seen].Value != `"last"` {
				m.fail("the ledger does not know what row %s says: %v", e.Key, e.Events)
				continue
			}
			old := ""
			for _, x := range was.Events {
				if x.State == ledger.EventSeen && x.On == ledger.OnChanges {
					_ = json.Unmarshal([]byte(x.Value), &old)
				}
			}
			want := []string{old + " to last"}
			silenced, err := m.book.Suppressions(context.Background(), []string{e.ContactID, e.Email})
			m.must(err)
			if old == "" || len(silenced) > 0 {
				continue // nobody knew, or nothing is sent
			}
			if got := heard[e.Email]; !slices.Equal(got, want) {
				m.fail("%s got the events %q, want %q", e.Email, got, want)
			}
		}
	}
}
