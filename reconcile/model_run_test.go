package reconcile_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/owlat/owlattest"
	"owlatsync/reconcile"
	"owlatsync/reconcile/progress"
)

var errSource = errors.New("the connection to the database is lost")

// runSpec is how a run goes.
type runSpec struct {
	faults []owlattest.Fault
	breaks int // the source breaks off after so many rows; -1: never
	fuse   fuse
	o      runOptions
	plan   bool // look at the plan only
	visits []*visit

	pace      time.Duration // how long each request takes
	fresh     time.Duration // how long the run acts on what it has read; 0: as the engine does
	turmoil   uint64        // seed of what happens in the source meanwhile
	breakScan int           // the scan in which the source breaks off; 0: the first
	gives     bool          // other syncs have their turn between its stretches
}

func (m *model) randomRun() {
	s := m.randomSync()
	spec := &runSpec{breaks: -1}
	list, _ := m.rowsOf(s)
	if m.r.IntN(2) == 0 {
		for range 1 + m.r.IntN(2) {
			spec.faults = append(spec.faults, m.randomFault())
		}
	}
	if m.r.IntN(12) == 0 {
		spec.breaks = m.r.IntN(len(list) + 1)
	}
	if m.r.IntN(5) < 2 {
		spec.fuse.kind = pick(m.r, killed, killed, killed, aborted, stopped, ledgerFull, ledgerOnce)
		spec.fuse.commit = spec.fuse.kind == ledgerFull || spec.fuse.kind == ledgerOnce || m.r.IntN(2) == 0
		spec.fuse.after = m.r.IntN(2) == 0
		spec.fuse.at = 1 + m.r.IntN(14)
	}
	m.planVisits(spec)
	what := m.r.IntN(20)
	if m.h.about == "parts" && m.r.IntN(2) == 0 {
		what = 0
	}
	switch what {
	case 0, 1:
		part := m.randomPart(s, list)
		spec.o.Only, spec.o.Limit = part.Only, part.Limit
	case 2:
		spec.o.Full = true
	case 3:
		spec.plan = true
	case 4, 5, 6:
		spec.o.Keys = m.someKeys(s, list)
	}
	if s.held != 0 && m.r.IntN(2) == 0 {
		spec.o = runOptions{Approve: s.held}
	}
	m.inStretches(spec)
	if yes := m.r.IntN(3); yes > 0 {
		spec.o.Confirm = func(owlatsync.Summary) (bool, error) { return yes == 1, nil }
	}
	m.run(s, spec)
}

// someKeys names rows of the source, and one that it does not have.
func (m *model) someKeys(s *modelSync, list []owlatsync.Row) []string {
	keys := []string{"nobody"}
	for _, row := range list {
		if key := keyOf(&s.Sync, row); key != "" && m.r.IntN(3) == 0 {
			keys = append(keys, key)
		}
	}
	return keys
}

func (m *model) randomFault() owlattest.Fault {
	f := owlattest.Fault{Kind: pick(m.r, owlattest.FaultKinds...)}
	where := pick(m.r, []string{"", ""}, []string{"POST", owlattest.RouteContacts}, []string{"GET", owlattest.RouteContacts},
		[]string{"", owlattest.RouteContact}, []string{"PUT", owlattest.RouteContact}, []string{"GET", owlattest.RouteContact},
		[]string{"DELETE", owlattest.RouteContact}, []string{"", owlattest.RouteTopicContacts}, []string{"", owlattest.RouteTopicContact},
		[]string{"", owlattest.RouteEvents})
	f.Method, f.Route = where[0], where[1]
	switch m.r.IntN(3) {
	case 0:
		f.At, f.Count = 1+m.r.IntN(6), 1+m.r.IntN(4)
	case 1:
		f.Rate = m.r.Float64()
	}
	switch f.Kind {
	case owlattest.StatusError:
		f.Status, f.HTML, f.After = pick(m.r, 500, 502, 503, 504), m.r.IntN(2) == 0, m.r.IntN(3) == 0
	case owlattest.Latency:
		f.Delay, f.After = pick(m.r, 50*time.Millisecond, 2*time.Second, 31*time.Second), m.r.IntN(2) == 0
	case owlattest.EndlessBody:
		f.Delay = 3 * time.Second
	case owlattest.SlowBody:
		f.Delay = pick(m.r, 100*time.Millisecond, 4*time.Second)
	case owlattest.RateLimited:
		if f.Rate == 0 && f.Count == 0 {
			f.Count = 30
		}
	}
	return f
}

func (l *runLog) note(what any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, planned := what.(progress.Planned); planned {
		l.plannedAt = time.Now()
	}
	l.happened = append(l.happened, what)
}

// run runs a sync and checks what it did.
func (m *model) run(s *modelSync, spec *runSpec) *runLog {
	time.Sleep(time.Second)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	f := &spec.fuse
	f.cancel, f.stop = cancel, make(chan struct{})
	spec.o.Stop = f.stop
	log := &runLog{
		sync: s, config: s.Sync, topics: s.topics, anew: m.anew, from: time.Now(), first: len(m.server.History("")), fuse: f,
		setBack: s.setBack, part: m.partOf(s, spec.o), full: m.partOf(s, spec.o).Whole(), bound: m.bindings(s), before: m.entries(s), visits: spec.visits,
		breaks: spec.breaksIn(1), pace: spec.pace,
	}
	for _, e := range log.before {
		log.doubt = log.doubt || !e.Intent.Create.IsZero() || e.Origin == ledger.OriginDeleting
	}
	src, people := m.sourceOf(s, log.breaks)
	log.rows, log.people, log.given = asTheyCount(&s.Sync, src.list), people, src.given
	config := s.Sync
	config.Fresh = spec.fresh
	source := &living{m: m, spec: spec, rows: src}
	config.Source = source.as(&config)
	if spec.gives {
		spec.o.Turn = source
	}
	m.must(m.server.InjectFaults(spec.faults...))
	e, client := m.engine(f)
	log.faulty = len(spec.faults) > 0
	log.reads = m.linked && len(spec.faults) == 0
	m.tell("  %s of %d rows, source breaks %d, %s at %d (commit %v, after %v), options %+v", s.Name, len(log.rows), spec.breaks,
		f.kind, f.at, f.commit, f.after, spec.o)
	if spec.fresh > 0 {
		m.tell("  reads again after %s, a request takes %s, breaks off in scan %d, gives its turn %v", spec.fresh, spec.pace, spec.breakScan, spec.gives)
	}
	if f.kind != unbroken {
		m.count(fmt.Sprintf("broken off: %s, commit %v, after %v", f.kind, f.commit, f.after))
	}
	for _, fault := range spec.faults {
		m.count("fault: " + string(fault.Kind))
		m.tell("  fault %+v", fault)
	}
	m.running = log
	m.owners.begin(m.server.Contacts())
	note := func(v progress.Value) { m.running.note(v) }
	var err error
	var report *owlatsync.Report
	var reading *owlatsync.Reading
	if spec.plan {
		var summary owlatsync.Summary
		summary, err = e.Plan(ctx, config, reconcile.PlanOptions{Observers: []progress.Observer{{Each: note, Complete: true}}})
		reading = summary.Reading
	} else if report, err = spec.o.start(ctx, e, config, note); report != nil {
		reading = report.Reading
	}
	log = m.running // the last stretch
	log.report, log.err = report, err
	log.changes = reading != nil && reading.Mode != owlatsync.ReadAll
	m.running = nil
	client.CloseIdleConnections()
	m.server.ClearFaults()
	log.to, m.quiet = time.Now(), time.Now()
	defer m.ends(log)()
	m.runs = append(m.runs, log)
	if f.dead() {
		m.openLedger()
	}
	m.sampleAll()
	log.after = m.bindings(s)
	log.carry()
	m.tellRun(log)
	s.held = 0
	if held, ok := errors.AsType[*reconcile.HeldError](log.err); ok {
		s.held, s.heldPart = held.Run, log.part
	}
	m.checkRun(log, spec)
	return log
}

func (m *model) tellRun(log *runLog) {
	m.tell("  ended: %v", log.err)
	if log.report != nil {
		var counts []string
		for _, o := range owlatsync.Outcomes {
			if n := log.report.Outcomes[o]; n > 0 {
				counts = append(counts, fmt.Sprintf("%s %d", o, n))
			}
		}
		m.tell("  report: %d rows, %d missing, %s; read %+v", log.report.Rows, log.report.Missing, strings.Join(counts, ", "), log.report.Reading)
	}
	for _, what := range log.happened {
		switch what := what.(type) {
		case request:
			m.trace = append(m.trace, fmt.Sprintf("    %s %s %s %s -> %d", what.Time.Format("15:04:05.000"), what.Method, what.Path, strings.TrimSpace(string(what.Body)), what.status))
		case progress.RowDone:
			m.trace = append(m.trace, fmt.Sprintf("    %s %s: %s %s %s %v", what.Position, what.Key, what.Outcome, what.Category, what.Reason, what.Changes))
		case linkRead:
			m.trace = append(m.trace, fmt.Sprintf("    memberships of %.6s are read -> %d", what.contact, what.status))
		case barred:
			m.trace = append(m.trace, fmt.Sprintf("    %.6s is opted out of everything -> %d", what.contact, what.status))
		case string:
			m.trace = append(m.trace, "    "+what)
		case progress.Planned:
			m.trace = append(m.trace, fmt.Sprintf("    planned: %d requests, %d removals, %s", what.Summary.Requests, what.Summary.Removals, what.Summary.Adoption.Mode))
		}
	}
	for _, e := range log.did {
		m.trace = append(m.trace, fmt.Sprintf("    %s %s %s topic %d", e.Action, e.Email, e.ContactID[:6], slices.Index(m.topics, e.TopicID)))
	}
	for _, e := range m.entries(log.sync) {
		m.trace = append(m.trace, fmt.Sprintf("    ledger: %s -> %s %.6s %s/%q/%q marks %+v intent %v members %v events %v failure %v", e.Key, e.Origin,
			e.ContactID, e.Email, e.Fields[owlatsync.FirstName], e.Fields[owlatsync.LastName], e.FieldMarks, !e.Intent.Create.IsZero(), m.memberships(e), e.Events, e.Failure != nil))
	}
}

func (m *model) memberships(e *ledger.Entry) []string {
	var all []string
	for _, x := range e.Memberships {
		all = append(all, fmt.Sprintf("%d:%v:%s", slices.Index(m.topics, x.Topic), x.Consent, x.State))
	}
	return all
}

// entries returns the ledger's entries of a sync in the order of their keys.
func (m *model) entries(s *modelSync) []*ledger.Entry {
	var all []*ledger.Entry
	for e, err := range m.book.All(context.Background(), s.Name) {
		m.must(err)
		all = append(all, e)
	}
	return all
}

// bindings returns the contacts that the ledger knows for the keys of a sync, "" for a key without one.
func (m *model) bindings(s *modelSync) map[string]string {
	bound := make(map[string]string)
	for _, e := range m.entries(s) {
		bound[e.Key] = e.ContactID
	}
	return bound
}

// sample notes what the contact with that id or address is like now, and returns its id, or what was given if it has none.
func (m *model) sample(ref string) string {
	c, ok := m.server.Contact(ref)
	if !ok {
		return ref
	}
	m.sampled(c)
	return c.ID
}

func (m *model) sampled(c owlattest.ContactState) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if values := valuesOf(c.Email, c.FirstName, c.LastName); !slices.Contains(m.written[c.ID], values) {
		m.written[c.ID] = append(m.written[c.ID], values)
		m.addresses[c.ID] = append(m.addresses[c.ID], c.Email)
	}
}

func (m *model) sampleAll() {
	for _, c := range m.server.Contacts() {
		m.sampled(c)
	}
}

func valuesOf(email, first, last string) string { return fmt.Sprintf("%s %q %q", email, first, last) }

func jsonField(body []byte, name string) string {
	var fields map[string]any
	if json.Unmarshal(body, &fields) != nil {
		return ""
	}
	text, _ := fields[name].(string)
	return text
}

// unknown reports whether the request took effect, or may have.
func (r request) unknown() bool {
	return r.status == 0 || r.status >= 500 || r.status < 300
}

// settled reports whether the run has brought the person's row in step.
func (l *runLog) settled(id int) bool {
	at := slices.Index(l.people, id)
	if at < 0 {
		return false
	}
	done, told := l.done()[at]
	if !told { // a row that fails again is not told again
		return l.err == nil && l.report != nil && l.read(id) && !l.failedBefore(id)
	}
	return slices.Contains([]owlatsync.Outcome{owlatsync.Created, owlatsync.Updated, owlatsync.Renamed, owlatsync.Adopted, owlatsync.Unchanged}, done.Outcome)
}

// failedBefore reports whether an earlier stretch told of the person's row that it failed.
func (l *runLog) failedBefore(id int) bool {
	for l = l.former; l != nil; l = l.former {
		if at := slices.Index(l.people, id); at >= 0 && l.done()[at].Outcome == owlatsync.Failed {
			return true
		}
	}
	return false
}

// done returns what was told of rows, by where they stand in the source.
func (l *runLog) done() map[int]progress.RowDone {
	told := make(map[int]progress.RowDone)
	for _, what := range l.happened {
		d, ok := what.(progress.RowDone)
		if !ok {
			continue
		}
		var n int
		if _, err := fmt.Sscanf(d.Position, "row %d", &n); err == nil {
			told[n-1] = d
		} else if at := slices.IndexFunc(l.rows, func(r owlatsync.Row) bool { return keyOf(&l.config, r) == d.Key }); at >= 0 && d.Key != "" {
			told[at] = d // it was in step, and a duplicate has changed what it says
		}
	}
	for at, d := range l.carried {
		told[at] = d
	}
	return told
}

// requests returns the run's requests in the order of their answers.
func (l *runLog) requests() (all []request) {
	for _, what := range l.happened {
		if r, ok := what.(request); ok {
			all = append(all, r)
		}
	}
	return all
}

// writes counts the requests that were no GETs, and those of them that were granted.
func (l *runLog) writes() (sent, granted int) {
	for _, r := range l.requests() {
		if r.Method == http.MethodGet {
			continue
		}
		sent++
		if r.status >= 200 && r.status < 300 {
			granted++
		}
	}
	return sent, granted
}

// planned returns the plan's summary, false if the run did not come so far.
func (l *runLog) planned() (owlatsync.Summary, bool) {
	for _, what := range l.happened {
		if p, ok := what.(progress.Planned); ok {
			return p.Summary, true
		}
	}
	return owlatsync.Summary{}, false
}

// everBound returns the contacts that the ledger had for the key of the sync since it first met it, or met it again after
// the row's entry went on under another key.
func (m *model) everBound(s *modelSync, key string) map[string]bool {
	ever := make(map[string]bool)
	for _, log := range m.remembered() {
		if log.sync != s {
			continue
		}
		for _, bound := range []map[string]string{log.bound, log.after} {
			id, known := bound[key]
			if !known {
				clear(ever)
			}
			for other, theirs := range bound {
				if other != key && id != theirs {
					delete(ever, theirs)
				}
			}
			if id != "" {
				ever[id] = true
			}
		}
	}
	return ever
}
