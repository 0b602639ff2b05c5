package memory

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"time"

	"owlatsync"
	"owlatsync/ledger"
)

// sync returns the state of the named sync, and creates it if it is new.
func (s *store) sync(name string) (*syncState, error) {
	if name == "" {
		return nil, errors.New("the sync has no name")
	}
	if s.syncs[name] == nil {
		s.syncs[name] = &syncState{
			name: name, setBack: s.setBack, entries: make(map[string]*ledger.Entry), first: make(map[string]int64), history: make(map[string][]ledger.HistoryLine),
		}
	}
	return s.syncs[name], nil
}

// run returns the run with that number.
func (s *store) run(id int64) (*runState, error) {
	i, found := slices.BinarySearchFunc(s.runs, id, func(r *runState, id int64) int { return cmp.Compare(r.ID, id) })
	if !found {
		return nil, &ledger.NoRunError{Run: id}
	}
	return s.runs[i], nil
}

// put stores a copy of the entry.
func (s *store) put(state *syncState, e *ledger.Entry) {
	if state.first[e.Key] == 0 {
		s.lastEntry++
		state.first[e.Key] = s.lastEntry
	}
	state.entries[e.Key] = copyOf(e)
}

// note adds a line to the history of a row.
func (s *store) note(state *syncState, line ledger.HistoryLine) {
	s.lastLine++
	line.Number, line.Sync = s.lastLine, state.name
	state.history[line.Key] = append(state.history[line.Key], line)
}

// lines returns all history, oldest first.
func (s *store) lines() (all []ledger.HistoryLine) {
	for _, state := range s.syncs {
		for _, lines := range state.history {
			all = append(all, lines...)
		}
	}
	slices.SortFunc(all, func(a, b ledger.HistoryLine) int { return cmp.Compare(a.Number, b.Number) })
	return all
}

// sorted returns the entries in the order of their keys, without copying them.
func (s *syncState) sorted() []*ledger.Entry {
	if s == nil {
		return nil
	}
	all := make([]*ledger.Entry, 0, len(s.entries))
	for _, key := range slices.Sorted(maps.Keys(s.entries)) {
		all = append(all, s.entries[key])
	}
	return all
}

func (s *syncState) remove(key string) {
	delete(s.entries, key)
	delete(s.first, key)
}

// copyOf returns a copy that shares nothing with e, in the form in which a ledger gives it back.
func copyOf(e *ledger.Entry) *ledger.Entry {
	c := *e
	if c.Departed != "" {
		c.Depart(c.Departed)
	}
	if c.Doubt {
		c.Fingerprint = ledger.Fingerprint{}
	}
	c.Intent.Create, c.FirstSeen, c.ChangedAt, c.Witness = moment(e.Intent.Create), moment(e.FirstSeen), moment(e.ChangedAt), moment(e.Witness)
	c.Memberships, c.Events, c.FieldMarks = nil, nil, nil
	for _, membership := range e.Memberships {
		membership.At, membership.Renewed, membership.Sent = moment(membership.At), moment(membership.Renewed), moment(membership.Sent)
		membership.Pending = moment(membership.Pending)
		c.Memberships = append(c.Memberships, membership)
	}
	for _, mark := range e.Events {
		mark.At = moment(mark.At)
		c.Events = append(c.Events, mark)
	}
	for _, mark := range e.FieldMarks {
		mark.At, mark.Row, mark.Sent = moment(mark.At), copyOfText(mark.Row), copyOfText(mark.Sent)
		c.FieldMarks = append(c.FieldMarks, mark)
	}
	if c.Failure != nil {
		f := *c.Failure
		f.First, f.Last, f.NextTry = moment(f.First), moment(f.Last), moment(f.NextTry)
		c.Failure = &f
	}
	return &c
}

func copyOfText(text *string) *string {
	if text == nil {
		return nil
	}
	return new(*text)
}

// copyOfRun returns a copy that shares nothing with r, in the form in which a ledger gives it back.
func copyOfRun(r ledger.Run) ledger.Run {
	r.Started, r.Heartbeat, r.Finished = moment(r.Started), moment(r.Heartbeat), moment(r.Finished)
	if r.Status == "" {
		r.Status = ledger.StatusRunning
	}
	r.Part.Only, r.Guards = cloneFilled(r.Part.Only), cloneFilled(r.Guards)
	r.Report, r.Summary = copyOfReport(r.Report), copyOfSummary(r.Summary)
	return r
}

// cloneFilled clones a slice; an empty one becomes nil, as a ledger gives it back.
func cloneFilled[T any](s []T) []T {
	if len(s) == 0 {
		return nil
	}
	return slices.Clone(s)
}

func copyOfReport(r *owlatsync.Report) *owlatsync.Report {
	if r == nil {
		return nil
	}
	c := *r
	c.Outcomes, c.Reading = maps.Clone(r.Outcomes), copyOfReading(r.Reading)
	return &c
}

func copyOfSummary(s *owlatsync.Summary) *owlatsync.Summary {
	if s == nil {
		return nil
	}
	c := *s
	c.Outcomes, c.Reading = maps.Clone(s.Outcomes), copyOfReading(s.Reading)
	return &c
}

func copyOfReading(r *owlatsync.Reading) *owlatsync.Reading {
	if r == nil {
		return nil
	}
	c := *r
	c.NextFull = c.NextFull.UTC()
	return &c
}

// moment returns a time as a ledger gives it back: in UTC and with microseconds. A zero time stays zero.
func moment(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC().Truncate(time.Microsecond)
}
