package main

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"strconv"
	"strings"
)

// crashPerson is a row of the table that is synced while the program is killed, and what must become of it.
type crashPerson struct {
	key, email, first string
	news              bool
	plan              string
	trial             bool // the trial ends soon

	oldKey string // what the row was called before; empty: the same
	// adopted says that the contact was in Owlat before the row: it is on no topic but the one for everybody, which takes
	// those that were there too.
	adopted bool
	// corrected says that somebody has changed the first name in Owlat since the row was in step: it stays, whatever the row says.
	corrected bool

	event string // that the change makes due; empty: none
	never bool   // no mail may go to the person
	gone  bool   // the row has left the source, and its contact with it unless it was adopted
}

// crashScenario is what the killed run has to do: the rows that were in step before, and those that are to be.
type crashScenario struct {
	name          string
	before, after []crashPerson
	stretches     bool // the run reads its source again after every few requests
	secret        bool // it reads memberships with the unsubscribe secret
	each          bool // it is killed at each request
	halved        bool // another scenario has the other half of the points at which the program is killed
}

func crashScenarios() []crashScenario {
	before, after := crashChanges()
	first := crashScenario{name: "first_run"}
	for n := 1; n <= 6; n++ { // two of whom are in Owlat already
		p := newPerson("first", n)
		if p.adopted = n <= 2; !p.adopted {
			p.event = eventCreated
		}
		first.after = append(first.after, p)
	}
	stretches := first
	stretches.name, stretches.stretches = "stretches", true
	changes := crashScenario{name: "changes", before: before, after: after, halved: true}
	read := changes
	read.name, read.secret = "changes_with_the_secret", true
	return []crashScenario{changes, read, first, stretches, crashNever(), crashColumns()}
}

// crashNever marks people to whom no mail may go: some whose rows were in step, with a change and without, one who has another address now, one who was in Owlat before, one
// whom a new row finds there, and one who is not there and stays so.
func crashNever() crashScenario {
	s := crashScenario{name: "never_mail", secret: true}
	for n := 1; n <= 8; n++ {
		was := newPerson("never", n)
		was.adopted = n == 1
		is := was
		switch is.never = n <= 6; n {
		case 2:
			is.first = "Changed " + is.key
		case 3:
			is.email = "new-" + is.email
		case 8:
			is.first, is.event = "Changed "+is.key, eventUpdated
		}
		s.before, s.after = append(s.before, was), append(s.after, is)
	}
	for n := 1; n <= 3; n++ {
		p := newPerson("unknown", n)
		if p.never = n <= 2; !p.never {
			p.event = eventCreated
		}
		p.adopted = n == 1
		s.after = append(s.after, p)
	}
	return s
}

// crashColumns changes what columns say of which events depend: a plan, whether a trial ends soon, or a no that arms it again.
func crashColumns() crashScenario {
	s := crashScenario{name: "columns", each: true}
	for n := 1; n <= 6; n++ {
		was := newPerson("columns", n)
		was.trial = n == 5
		is := was
		switch n {
		case 1, 2:
			is.plan, is.event = "another plan", eventPlan
		case 3, 4:
			is.trial, is.event = true, eventTrial
		case 5:
			is.trial = false
		}
		s.before, s.after = append(s.before, was), append(s.after, is)
	}
	return s
}

// somebody is the first name that contacts have which were in Owlat before, and corrected is what somebody has made of one since.
const somebody, corrected = "Somebody", "Corrected"

// held is the first name that Owlat is to hold: a sync may not overwrite what it did not write.
func (p crashPerson) held() string {
	switch {
	case p.corrected:
		return corrected
	case p.adopted:
		return somebody
	}
	return p.first
}

// stranger reports whether the person is not in Owlat, and stays so because no mail may go to them.
func (p crashPerson) stranger() bool {
	return p.never && !p.adopted && strings.HasPrefix(p.key, "unknown")
}

func newPerson(kind string, n int) crashPerson {
	key := fmt.Sprintf("%s%02d", kind, n)
	return crashPerson{key: key, email: key + "@example.com", first: "First " + key, plan: "plan of " + key, news: n%2 == 0}
}

// crashChanges returns 60 rows before and after changes, among which is every kind of step that the program knows.
func crashChanges() (before, after []crashPerson) {
	row := func(was crashPerson, change func(p *crashPerson)) {
		is := was
		change(&is)
		if is.oldKey != "" {
			was.key = is.oldKey
		}
		before = append(before, was)
		after = append(after, is)
	}
	for n := 1; n <= 16; n++ { // two of whom are in Owlat already
		row(newPerson("same", n), func(p *crashPerson) { p.adopted = n <= 2 })
	}
	for n := 1; n <= 10; n++ {
		row(newPerson("update", n), func(p *crashPerson) {
			p.first, p.event = "Changed "+p.key, eventUpdated
			if p.news = p.news || n == 9; n == 10 {
				p.corrected, p.event = true, ""
			}
		})
	}
	for n := 1; n <= 8; n++ { // the first three take each other's address
		row(newPerson("rename", n), func(p *crashPerson) {
			p.email, p.event = "new-"+p.email, eventUpdated
			switch n {
			case 1, 2:
				p.email = newPerson("rename", n+1).email
			case 4:
				p.news = false
			case 5:
				p.news, p.first = true, "Changed "+p.key
			}
		})
	}
	for n := 1; n <= 5; n++ {
		row(newPerson("agree", 2*n-1), func(p *crashPerson) { p.news = true })
	}
	for n := 1; n <= 5; n++ {
		row(newPerson("withdraw", 2*n), func(p *crashPerson) {
			p.news = false
			if n == 5 {
				p.first, p.event = "Changed "+p.key, eventUpdated
			}
		})
	}
	for n := 1; n <= 2; n++ {
		row(newPerson("rekey", n), func(p *crashPerson) {
			p.oldKey, p.key = p.key, "other-"+p.key
			if n == 2 {
				p.first, p.event = "Changed "+p.oldKey, eventUpdated
			}
		})
	}
	for n := 1; n <= 6; n++ { // two of whom were in Owlat before
		p := newPerson("gone", n)
		before = append(before, p)
		p.gone, p.adopted = true, n <= 2
		after = append(after, p)
	}
	for n := 1; n <= 14; n++ { // two of whom came to be in Owlat meanwhile
		p := newPerson("new", n)
		if p.adopted = n <= 2; !p.adopted {
			p.event = eventCreated
		}
		after = append(after, p)
	}
	return before, after
}

// crashCSV returns the rows that are in the source, as CSV.
func crashCSV(people []crashPerson) []byte {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	_ = w.Write([]string{"id", "email", "first_name", "newsletter", "plan", "never", "trial"})
	for _, p := range people {
		if !p.gone {
			_ = w.Write([]string{p.key, p.email, p.first, strconv.FormatBool(p.news), p.plan, strconv.FormatBool(p.never), strconv.FormatBool(p.trial)})
		}
	}
	w.Flush()
	return b.Bytes()
}

const eventCreated, eventUpdated, eventPlan, eventTrial = "user_created", "user_updated", "plan_changed", "trial_expiring"

const crashSecret = "the secret of the links"

const crashConfig = `owlat: {requests_per_second: 100000, preferences_per_second: 100000%s}
syncs:
  users:
    source: {dsn: "csv:users.csv"}
    key: id
    fields: {email: email, firstName: {column: first_name, overwrite: if_ours}}
    topics:
      - {id: %s, when: newsletter}
      - {id: %s, existing: add}
    on_missing: delete
    guards: {first_run: allow, opt_outs: allow}
    suppressed: never
    events:
      - {name: user_created, on: created, properties: {plan: plan}}
      - {name: user_updated, on: updated}
      - {name: plan_changed, changes: plan}
      - {name: trial_expiring, when: trial}
    fresh: %s
`
