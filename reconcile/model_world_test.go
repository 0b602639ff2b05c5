package reconcile_test

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/ledger/memory"
	"owlatsync/ledger/postgres"
	"owlatsync/ledger/sqlite"
	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
	"owlatsync/reconcile"
	"owlatsync/reconcile/progress"
)

// reaction is how long after a run nobody else acts in Owlat: within it an add or a create whose answer was lost may be
// sent again, or taken for ours.
const reaction = 11 * time.Minute

// clockSkew is how long after somebody else created a contact no run begins: Owlat's clock may be a minute behind ours, so
// that a contact made just before a create of unknown outcome is taken for that create's.
const clockSkew = 2 * time.Minute

// person is a row of the one table that all sources of a model query.
type person struct {
	id          int // the model's own; keys and addresses change
	key         string
	email       string // as it stands in the table, perhaps in capitals
	invalid     bool   // Owlat would refuse the address
	first, last owlatsync.Field
	consents    []bool  // by topic of the model
	in          []bool  // by sync
	never       string  // what the column says of "never mail"
	plan, ends  string  // what the columns say of which events depend
	before      *person // as it was before its latest change
	stamped
}

// modelSync is a sync with what the model remembers of it.
type modelSync struct {
	reconcile.Sync
	index    int
	topics   []int // the model's topics that are configured, in the order of Sync.Topics
	held     int64 // the run that is held, 0 if none
	heldPart owlatsync.Part
	setBack  bool // no run has come to its end since an older ledger came back
}

// runLog is a run and all that happened during it.
type runLog struct {
	noteMu
	sync     *modelSync
	config   reconcile.Sync // as it was
	topics   []int
	anew     int // how often the ledger had begun from nothing
	from, to time.Time
	// first and last bound the run's part of the emulator's history.
	first, last int
	did         []owlattest.Entry // that part, once the run has ended
	plannedAt   time.Time         // zero: it did not come so far
	visits      []*visit
	seen        struct{ requests, adds int } // by the visits
	rows        []owlatsync.Row
	people      []int  // by row
	given       []bool // by row: whether the source gave it
	changes     bool   // only rows that changed were read
	bound       map[string]string
	before      []*ledger.Entry
	part        owlatsync.Part
	full        bool // the part is all
	reads       bool // memberships can be read, and nothing goes wrong with that
	faulty      bool // requests go wrong
	setBack     bool // the ledger is older than what was done
	doubt       bool // an earlier run left something of unknown outcome, which this one had to look up
	happened    []any
	report      *owlatsync.Report
	err         error
	fuse        *fuse
	after       map[string]string // key → contact id, as the ledger had it afterwards

	former  *runLog                  // the stretch of the run before this one; nil: this is the first
	carried map[int]progress.RowDone // what former told, and holds still, by row
	failed  bool                     // a row has failed in this stretch or one before
	breaks  int                      // the source breaks off after so many rows; -1: never
	pace    time.Duration            // how long each request takes
}

// noteMu is around what happened during a run.
type noteMu struct{ mu sync.Mutex }

// request is a request of a run as the emulator saw it. The other happenings of a run are the engine's own events.
type request struct {
	owlattest.Request
	status  int
	contact string // the id of whom it concerned, where there is one
}

// wordLog is the source's consent going from no to yes.
type wordLog struct {
	at    time.Time
	sync  int
	topic int
	id    int
	key   string
	email string
}

// model is one history being played.
type model struct {
	mu     sync.Mutex // around written, told, post, sent, lefts and looks, which grow during runs
	t      *testing.T
	h      *history
	r      *rand.Rand // of the step
	w      *rand.Rand // of what columns say of which events depend
	server *owlattest.Server
	key    string // of the syncs
	other  string // of somebody else

	more      []string // further keys of the syncs; none: they have one
	processes int      // that used them
	limiter   bool

	book    ledger.Store
	db      *postgres.Database // of the book, if it is in PostgreSQL
	memory  *memory.Ledger
	path    string
	folder  string
	lost    int // how often the ledger was lost, or an older one came back
	anew    int // how often it began from nothing
	born    time.Time
	bornAt  int       // in the emulator's history
	bornRun int       // in runs
	older   []*runLog // runs before that, of which an older ledger knows
	backup  *backup   // nil: there is none

	table  []*person
	edited *person  // whose row was changed last
	topics []string // ids of all topics
	syncs  []*modelSync
	serial int

	running *runLog
	runs    []*runLog
	quiet   time.Time // end of the latest run
	words   []wordLog
	spoken  map[string]map[bool]bool // what the source said last, by sync, topic and person, key or address
	written map[string][]string      // values that a contact had, by id
	foreign map[string][]string      // values that somebody else gave it, by id and field
	heirs   map[string]string        // contacts that were merged away → those that they were merged into

	told       []optOut // what the engine was told since the ledger was lost
	post       []optOut // what it is yet to be told
	sent       []sentAdd
	doubtful   bool // adds of unknown outcome have not used a consent
	lefts      []departure
	looks      []look
	reads      []look // of memberships
	links      links
	linked     bool                 // the run under way has a secret that is not refused
	still      []owlattest.Entry    // the history, while nothing happens
	bars       map[string]time.Time // contacts that get no mail, as far as runs must know, since when
	outs       []barred             // opt-outs that were sent since the ledger was lost
	everMarked map[string]bool      // contacts and addresses whose rows have said that no mail may go to them
	addresses  map[string][]string  // that contacts had
	owners     owners
	ending     bool           // nothing goes wrong any more
	ticks      int            // orders told, sent, lefts and looks
	counts     map[string]int // what happened how often
	trace      []string
	failures   []string
}

func newModel(t *testing.T, h *history, folder string) *model {
	r := rand.New(rand.NewPCG(h.seed, 1))
	m := &model{
		t: t, h: h, r: r, folder: folder,
		spoken: make(map[string]map[bool]bool), written: make(map[string][]string), foreign: make(map[string][]string), heirs: make(map[string]string), addresses: make(map[string][]string),
		counts: make(map[string]int), limiter: r.IntN(10) == 0, links: linksOf(h.seed),
	}
	m.forgetBars()
	m.server = &owlattest.Server{NoLimit: !m.limiter, BasePath: "/base", RandomSeed: h.seed | 1}
	m.key, m.other = m.server.AddKey(), m.server.AddKey()
	if h.seed%2 == 0 {
		m.more = []string{m.server.AddKey(), m.server.AddKey()}
	}
	m.server.OnAnswer = m.answered
	m.openLedger()
	for i := range 1 + r.IntN(3) {
		m.topics = append(m.topics, m.server.AddTopic(fmt.Sprintf("topic %d", i), r.IntN(3) == 0 || h.about == "opt-in" && r.IntN(2) == 0))
	}
	names := []string{"users"}
	if r.IntN(10) < 3 {
		names = append(names, "orders")
	}
	for i, name := range names {
		m.syncs = append(m.syncs, m.newSync(i, name))
	}
	m.count(fmt.Sprintf("histories with %d syncs", len(m.syncs)))
	m.count("histories " + string(m.links))
	for _, s := range m.syncs {
		m.count(fmt.Sprintf("syncs with on_missing %s", s.OnMissing))
		m.count(fmt.Sprintf("syncs with events: %v", len(s.Events) > 0))
		m.count(fmt.Sprintf("syncs that read changes: %v", s.FullEvery > 0))
	}
	m.tell("%d syncs, %d topics, %d workers, limiter %v, %s", len(m.syncs), len(m.topics), h.workers, m.limiter, m.links)
	for _, s := range m.syncs {
		m.tell("sync %s: topics %v, missing %q, remote %q, nulls %q, overwrite %q, key is address %v, all rows every %v, guards %+v, %d events", s.Name,
			m.topicNames(&s.Sync), s.OnMissing, s.OnRemoteDelete, s.Nulls, s.Overwrite, s.KeyIsAddress, s.FullEvery, s.Guards, len(s.Events))
	}
	return m
}

func (m *model) newSync(index int, name string) *modelSync {
	s := &modelSync{index: index}
	s.Name, s.Suppressed = name, m.h.hasColumn(index)
	s.Guards = unguarded
	if m.r.IntN(6) == 0 || m.h.about == "departures" && m.r.IntN(2) == 0 {
		s.Guards = reconcile.Guards{Removals: reconcile.Limit{Share: 0.3, Rows: 1}, Updates: reconcile.Limit{Share: 0.5, Rows: 1}}
	}
	s.OnMissing = pick(m.r, reconcile.MissingKeep, reconcile.MissingLeave, reconcile.MissingDelete)
	if m.h.about == "webhooks" && m.r.IntN(2) == 0 {
		s.OnMissing = reconcile.MissingLeave
	}
	s.OnRemoteDelete = pick(m.r, reconcile.RemoteDeleteKeep, reconcile.RemoteDeleteKeep, reconcile.RemoteDeleteRecreate)
	s.Nulls = pick(m.r, reconcile.NullsKeep, reconcile.NullsClear)
	s.KeyIsAddress = m.r.IntN(8) == 0
	if m.r.IntN(4) == 0 {
		s.Duplicates = reconcile.ConsentAny
	}
	if !s.KeyIsAddress && m.r.IntN(5) > 1 {
		s.FullEvery = pick(m.r, 2*time.Hour, 24*time.Hour, rarest)
	}
	if m.r.IntN(3) == 0 {
		for _, on := range []ledger.EventOn{ledger.OnCreated, ledger.OnUpdated, ledger.OnAppears} {
			s.Events = append(s.Events, reconcile.EventRule{Name: name + "_" + string(on), On: on, Properties: map[string]string{"plan": "plan"}})
		}
	}
	m.watches(s)
	for topic := range m.topics {
		if m.r.IntN(4) > 0 {
			m.configure(s, topic)
		}
	}
	if m.h.ruled() {
		s.rule(rand.New(rand.NewPCG(m.h.seed, uint64(9+index))))
	}
	return s
}

// configure adds a topic to a sync.
func (m *model) configure(s *modelSync, topic int) {
	s.topics = append(slices.Clone(s.topics), topic)
	s.Topics = append(slices.Clone(s.Topics), reconcile.Topic{
		ID: m.topics[topic], When: m.r.IntN(4) > 0,
		Existing: pick(m.r, reconcile.ExistingSkip, reconcile.ExistingSkip, reconcile.ExistingSkip, reconcile.ExistingAdd),
	})
}

func (m *model) topicNames(s *reconcile.Sync) []string {
	var names []string
	for _, t := range s.Topics {
		names = append(names, fmt.Sprintf("%d(when %v, existing %s)", slices.Index(m.topics, t.ID), t.When, t.Existing))
	}
	return names
}

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

// tell adds a line to the trace.
func (m *model) tell(format string, args ...any) {
	m.trace = append(m.trace, time.Now().Format("02 15:04:05 ")+fmt.Sprintf(format, args...))
}

// count counts something that happened.
func (m *model) count(what string) { m.counts[what]++ }

// history returns the emulator's consent history. While nothing happens it is read only once.
func (m *model) history() []owlattest.Entry {
	if m.still != nil {
		return m.still
	}
	return m.server.History("")
}

// ends notes what happened in the emulator during a run that has ended, or a stretch of it. Until something else happens, history is cheap.
func (m *model) ends(log *runLog) (moves func()) {
	m.still = m.server.History("")
	log.last = len(m.still)
	log.did = m.still[log.first:log.last]
	return func() { m.still = nil }
}

// fail notes that something is wrong.
func (m *model) fail(format string, args ...any) {
	m.failures = append(m.failures, fmt.Sprintf(format, args...))
}

// must ends the test on errors of the model's own.
func (m *model) must(err error) {
	if err != nil {
		m.t.Fatalf("%s=%d: the model itself failed: %v", seedVariable, m.h.seed, err)
	}
}

// modelPlays tells the ledgers of histories in one database apart.
var modelPlays atomic.Int64

func (m *model) openLedger() {
	switch {
	case m.h.in.inDatabase():
		if m.path == "" {
			m.path = fmt.Sprintf("%d.%d", modelPlays.Add(1), m.lost)
		}
		m.closeBook()
		db, err := postgres.Open(context.Background(), postgres.Options{DSN: string(m.h.in)})
		m.must(err)
		db.Clock().Follow(time.Now) // PostgreSQL's does not go as the time of histories does
		l, err := db.Ledger(context.Background(), m.path)
		m.must(err)
		m.book, m.db = l, db
	case m.h.in == bookInMemory && m.memory == nil:
		m.memory = m.newMemory()
		m.book = m.memory
	case m.h.in == bookInMemory:
		m.must(m.memory.Close())
		m.memory = m.memory.Reopen()
		m.book = m.memory
	default:
		if m.path == "" {
			m.path = filepath.Join(m.folder, fmt.Sprintf("ledger%d.db", m.lost))
		}
		m.closeBook()
		l, err := sqlite.Open(context.Background(), "sqlite", m.path)
		m.must(err)
		m.book = l
	}
}

// newMemory returns a ledger whose clock may be ten minutes off that of this machine, as that of a server may be.
func (m *model) newMemory() *memory.Ledger {
	l := memory.New()
	l.SetClock(time.Duration(m.h.seed%3)*10*time.Minute - 10*time.Minute)
	return l
}

func (m *model) closeBook() {
	switch l := m.book.(type) {
	case *sqlite.Ledger:
		m.must(l.Close())
	case *postgres.Ledger:
		m.must(l.Close())
		m.db.Close()
	}
}

// loseLedger begins with an empty one.
func (m *model) loseLedger() {
	m.lost++
	m.anew++
	m.told, m.post, m.older = nil, nil, nil
	m.memory, m.path = nil, ""
	m.openLedger()
	m.reborn()
}

// reborn lets the ledger know nothing of what has happened so far but what m.older says.
func (m *model) reborn() {
	m.forgetBars()
	m.born, m.bornAt, m.bornRun = time.Now(), len(m.server.History("")), len(m.runs)
	for _, s := range m.syncs {
		s.held, s.setBack = 0, false
	}
	time.Sleep(clockSkew) // else what was created before could be taken for what is now
}

// remembered returns the runs that the ledger knows of.
func (m *model) remembered() []*runLog { return append(slices.Clone(m.older), m.runs[m.bornRun:]...) }

func (m *model) close() {
	m.closeBook()
	if m.folder != "" {
		_ = os.RemoveAll(m.folder) // a soak would fill the disk before the test's end tidies up
	}
}

// engine returns an engine that the fuse can break off.
func (m *model) engine(f *fuse) (*reconcile.Engine, *owlat.Client) {
	options := []owlat.Option{owlat.WithTransport(fusedTransport{f, visitedTransport{m, m.server.Transport()}})}
	if !m.limiter {
		options = append(options, owlat.WithoutLimiter())
	}
	if options = append(options, m.linking()...); len(m.more) > 0 { // each process has another number of keys
		options = append(options, owlat.WithMoreKeys(m.more[:m.processes%3]...))
		m.processes++
	}
	client, err := owlat.NewClient("https://owlat.example/base", m.key, options...)
	m.must(err)
	memory := 0 // the whole plan fits in
	switch m.h.seed % 3 {
	case 0:
		memory = -1
	case 1:
		memory = 2000
	}
	return reconcile.New(client, fusedLedger{f, m.book}, reconcile.Options{Workers: m.h.workers, Memory: memory}), client
}

// rowsOf queries the sync's source: its rows, and whose they are.
func (m *model) rowsOf(s *modelSync) (list []owlatsync.Row, people []int) {
	for _, p := range m.table {
		if !p.in[s.index] {
			continue
		}
		row := owlatsync.Row{
			Key: p.key, Email: owlatsync.Some(p.email), Fields: owlatsync.Fields{owlatsync.FirstName: p.first, owlatsync.LastName: p.last},
			Properties: []owlatsync.Property{{Name: "plan", Value: cmp.Or(p.plan, "free")}, {Name: "ends", Value: cmp.Or(p.ends, "no")}},
		}
		if s.KeyIsAddress {
			row.Key = ""
		}
		for i := range s.Topics {
			row.Consents = append(row.Consents, owlatsync.ConsentOf(m.word(s, i, p)))
		}
		s.muddle(p, &row)
		list, people = append(list, row), append(people, p.id)
	}
	return list, people
}

// asTheyCount returns the rows of a sync as they count: with a yes of any row with the same key or address, and of any with the key of a row that has the address, if that is
// configured.
func asTheyCount(s *reconcile.Sync, list []owlatsync.Row) []owlatsync.Row {
	if s.Duplicates != reconcile.ConsentAny {
		return list
	}
	first := make(map[string]bool) // key and address of each row that is the first valid one with its key
	keys := make(map[string]bool)
	for _, row := range list {
		if address := normal(row.Email.Value); address != "" && !keys[keyOf(s, row)] {
			keys[keyOf(s, row)], first[keyOf(s, row)+" "+address] = true, true
		}
	}
	counting := slices.Clone(list)
	for i, row := range list {
		counting[i].Consents = slices.Clone(row.Consents)
		for _, other := range list {
			address := normal(row.Email.Value)
			if address == "" || normal(other.Email.Value) == "" ||
				address != normal(other.Email.Value) && keyOf(s, row) != keyOf(s, other) && !first[keyOf(s, other)+" "+address] {
				continue
			}
			for topic, says := range other.Consents {
				if says == owlatsync.Yes {
					counting[i].Consents[topic] = says
				}
			}
		}
	}
	return counting
}

// word is what the source of the sync says of a person and the i-th topic of the sync.
func (m *model) word(s *modelSync, i int, p *person) bool {
	return !s.Topics[i].When || p.consents[s.topics[i]]
}

// normal is the address as Owlat keeps it, "" for none.
func normal(raw string) string {
	address, err := owlatsync.NormalizeAddress(raw)
	if err != nil {
		return ""
	}
	return address
}

// keyOf is the key by which the ledger knows the row of a sync, "" for none.
func keyOf(s *reconcile.Sync, row owlatsync.Row) string {
	if s.KeyIsAddress {
		return normal(row.Email.Value)
	}
	return row.Key
}

// sourceChanged notes when rows changed, and every consent that went from no to yes: of a person, of a row's key, or of an
// address, whoever's it is.
func (m *model) sourceChanged() {
	m.stampChanges()
	for _, s := range m.syncs {
		for i, topic := range s.topics {
			if !s.Topics[i].When {
				continue
			}
			now := make(map[string]map[bool]bool)
			says := make(map[*person]bool) // as it counts beside other rows
			list, people := m.rowsOf(s)
			for j, row := range asTheyCount(&s.Sync, list) {
				says[m.person(people[j])] = row.Consents[i] == owlatsync.Yes
			}
			first := make(map[string]*person) // of several rows with one key the first counts
			key := func(p *person) string {
				return keyOf(&s.Sync, owlatsync.Row{Key: p.key, Email: owlatsync.Some(p.email)})
			}
			for _, p := range slices.Backward(m.table) {
				if p.in[s.index] {
					first[key(p)] = p
				}
			}
			names := func(p *person) []string {
				names := []string{fmt.Sprint("person ", p.id), "address " + normal(p.email)}
				if first[key(p)] == p {
					names = append(names, "key "+key(p))
				}
				for j := range names {
					names[j] = fmt.Sprintf("%d %d %s", s.index, topic, names[j])
				}
				return names
			}
			for _, p := range m.table {
				if !p.in[s.index] {
					continue
				}
				for _, name := range names(p) {
					if now[name] == nil {
						now[name] = make(map[bool]bool)
					}
					now[name][says[p]] = true
				}
			}
			for _, p := range m.table {
				if !says[p] {
					continue
				}
				for _, name := range names(p) {
					if was := m.spoken[name]; was[false] && (!was[true] || !now[name][false]) {
						m.words = append(m.words, wordLog{time.Now(), s.index, topic, p.id, p.key, normal(p.email)})
						break
					}
				}
			}
			for name, words := range now {
				m.spoken[name] = words
			}
		}
	}
}

// answered notes a request of the run under way, and what the contact it concerned is like now.
func (m *model) answered(r owlattest.Request, status int) {
	run := m.running
	if run == nil {
		return
	}
	if about := readBy(r.Method, r.Path); about != "" {
		run.note(linkRead{about, status})
		return
	}
	if about := barredBy(r.Method, r.Path); about != "" {
		run.note(barred{contact: about, status: status, at: time.Now()})
		return
	}
	contact := ""
	switch {
	case r.Route == owlattest.RouteContact, r.Route == owlattest.RouteTopicContact:
		contact = m.sample(r.Path[strings.LastIndex(r.Path, "/")+1:])
	case r.Route == owlattest.RouteTopicContacts:
		contact = jsonField(r.Body, "contactId")
	case r.Method == http.MethodPost:
		contact = m.sample(jsonField(r.Body, "email"))
	}
	run.note(request{r, status, contact})
}
