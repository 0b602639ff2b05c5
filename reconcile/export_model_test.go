package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"owlatsync"
	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
	"owlatsync/reconcile"
)

// importing is a random history of a source, exports and imports, people who leave, and runs, some of them killed.
type importing struct {
	*world
	r      *rand.Rand
	list   []owlatsync.Row
	pool   []reconcile.Person   // who is in published files
	broken time.Time            // when an export began that broke off; zero: none did
	yes    map[string]time.Time // when the source's consent last went from no to yes, by the number of the person
	ran    time.Time            // when the latest run read the source
	wrote  map[string]bool      // addresses that an export has handed out
}

// person returns the number of a row of the source, and its place.
func (m *importing) person() (int, string) {
	i := m.r.IntN(len(m.list))
	return i, m.list[i].Key
}

func (m *importing) joins() {
	n := fmt.Sprint(len(m.yes))
	yes := m.r.IntN(3) > 0
	m.yes[n] = time.Time{}
	m.list = append(m.list, user(n, "user"+n+"@example.com", "A", yes))
}

func (m *importing) edits() {
	i, key := m.person()
	switch row := &m.list[i]; m.r.IntN(5) {
	case 0:
		row.Fields[owlatsync.FirstName] = owlatsync.Some(fmt.Sprint("N", m.r.IntN(100)))
	case 1, 2:
		was := row.Consents[0]
		if row.Consents = []owlatsync.Consent{owlatsync.ConsentOf(was != owlatsync.Yes)}; was != owlatsync.Yes {
			m.yes[key] = time.Now()
		}
	case 3:
		row.Email = owlatsync.Some(fmt.Sprintf("user%s.%d@example.com", key, m.r.IntN(1000)))
	case 4:
		m.r.Shuffle(len(m.list), func(a, b int) { m.list[a], m.list[b] = m.list[b], m.list[a] })
	}
}

func (m *importing) exports() {
	began, broken := m.broken, errors.New("no room")
	if began.IsZero() {
		began = time.Now().Truncate(time.Microsecond)
	}
	fails := m.r.IntN(4) == 0
	people, _, err := m.export(began, func() error {
		if fails {
			return broken
		}
		return nil
	}, m.list...)
	if fails {
		if m.broken = began; !errors.Is(err, broken) {
			m.t.Fatalf("the export ends with %v", err)
		}
		return
	}
	if err != nil {
		m.t.Fatal(err)
	}
	m.broken = time.Time{}
	for _, p := range people {
		if m.wrote[p.Email] {
			m.t.Errorf("%s was exported twice", p.Email)
		}
		if _, there := m.server.Contact(p.Email); there {
			m.t.Errorf("%s was exported, and is in Owlat", p.Email)
		}
		m.wrote[p.Email] = true
	}
	m.pool = append(m.pool, people...)
}

// someImport imports a part of what was exported. Who left since an earlier import is left out: the importer would put them back.
func (m *importing) someImport(share int) {
	for _, p := range m.pool {
		if c, there := m.server.Contact(p.Email); m.r.IntN(100) < share && (!there || len(c.Topics) > 0) && !m.gone(p.Email) {
			m.imports(p)
		}
	}
}

// gone reports whether a contact with the address was ever made and is not there any more.
func (m *importing) gone(address string) bool {
	_, there := m.server.Contact(address)
	return !there && slices.ContainsFunc(m.server.History(""), func(e owlattest.Entry) bool { return e.Email == address })
}

func (m *importing) leaves() {
	all := m.server.Contacts()
	if len(all) == 0 {
		return
	}
	switch c := all[m.r.IntN(len(all))]; m.r.IntN(4) {
	case 0:
		if err := m.server.SoftDelete(c.ID); err != nil {
			m.t.Fatal(err)
		}
	default:
		_ = m.server.Unsubscribe(c.ID, "") // who is on none leaves none
	}
}

// breaksOff makes a run in a process that is killed at one of its first requests, if it has so many.
func (m *importing) breaksOff(missing bool) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	f := &fuse{kind: killed, at: 1 + m.r.IntN(8), after: m.r.IntN(2) == 0, cancel: cancel, stop: make(chan struct{})}
	client, err := owlat.NewClient("https://owlat.example/base", m.key, append(m.options, owlat.WithTransport(fusedTransport{f, m.server.Transport()}))...)
	if err != nil {
		m.t.Fatal(err)
	}
	defer client.CloseIdleConnections()
	s := m.sync
	s.Source = rows{list: m.list}
	_, err = reconcile.New(client, fusedLedger{f, m.world.ledger}, reconcile.Options{}).Run(ctx, s, reconcile.RunOptions{CreateMissing: missing})
	if f.blown != (err != nil) {
		m.t.Fatalf("the run ends with %v", err)
	}
	if err := m.world.ledger.Close(); err != nil {
		m.t.Fatal(err)
	}
	m.open()
}

// runs makes a run, and wants that it puts nobody on the topic who has left since the source last said yes anew.
func (m *importing) runs(missing bool) *owlatsync.Report {
	first, began := len(m.server.History("")), time.Now()
	if m.r.IntN(4) == 0 {
		m.breaksOff(missing)
		time.Sleep(3 * time.Minute)
	}
	report, err := m.try(context.Background(), runOptions{CreateMissing: missing}, rows{list: m.list})
	if err != nil {
		m.t.Fatal(err)
	}
	history := m.server.History("")
	for i, e := range history[first:] {
		if e.Action != owlattest.Added {
			continue
		}
		for _, before := range history[:first+i] {
			left := before.Action == owlattest.Unsubscribed || before.Action == owlattest.OptedOut
			if left && before.ContactID == e.ContactID && !m.anewSince(e.ContactID, before.Time) {
				m.t.Errorf("%s was put back, who had left", e.Email)
			}
		}
	}
	m.ran = began
	return report
}

// anewSince reports whether the source has said yes anew since then for the contact's row, or since the run before this one: what it says then, no run has
// acted on yet, and that somebody left in between is not known.
func (m *importing) anewSince(contact string, then time.Time) bool {
	for _, e := range m.entries() {
		if anew := m.yes[e.Key]; e.ContactID == contact && (anew.After(then) || anew.After(m.ran)) {
			return true
		}
	}
	return false
}

// TestImportsInRandomHistories: however exports, imports and edits follow each other, nobody is exported twice or put back, and at the end Owlat has
// everybody whom it is to have.
func TestImportsInRandomHistories(t *testing.T) {
	t.Parallel()
	histories := 60
	if testing.Short() {
		histories = 10
	}
	for seed := range histories {
		synctest.Test(t, func(t *testing.T) {
			existing := []reconcile.Existing{reconcile.ExistingSkip, reconcile.ExistingAdd}[seed%2]
			m := &importing{world: newWorld(t, reconcile.Topic{ID: "news", When: true, Existing: existing}), r: rand.New(rand.NewPCG(uint64(seed), 7)),
				yes: make(map[string]time.Time), wrote: make(map[string]bool)}
			for range 8 + m.r.IntN(10) {
				m.joins()
			}
			first := []int{3, 4, 6, 6, 2} // most histories begin with an export
			if seed%4 == 0 {
				first = nil
			}
			for range 25 {
				time.Sleep(time.Duration(1+m.r.IntN(200)) * time.Second)
				what := m.r.IntN(9)
				if len(first) > 0 {
					what, first = first[0], first[1:]
				}
				switch what {
				case 0:
					m.joins()
				case 1, 2:
					m.edits()
				case 3:
					m.exports()
				case 4, 5:
					m.someImport(60)
				case 6:
					m.leaves()
				case 7:
					m.runs(false)
				case 8:
					m.runs(m.r.IntN(3) == 0)
				}
				if t.Failed() {
					t.Fatalf("seed %d", seed)
				}
			}
			// At the end all is imported, and whoever is missing is created.
			m.broken = time.Time{}
			m.someImport(100)
			time.Sleep(time.Hour)
			for range 2 {
				if report := m.runs(true); report.NotImported > 0 {
					t.Errorf("seed %d: %d people are not imported at the end", seed, report.NotImported)
				}
				time.Sleep(5 * time.Hour)
			}
			if last := m.runs(false); last.Requests.Writes > 0 {
				t.Errorf("seed %d: the last run writes: %+v", seed, last)
			}
			for _, row := range m.list {
				c, there := m.server.Contact(row.Email.Value)
				if !there && m.entryOf(row.Key).ContactID == "" { // who was erased since is not made again
					t.Errorf("seed %d: row %s has no contact: %+v", seed, row.Key, m.entryOf(row.Key))
				}
				if there && c.FirstName != row.Fields[owlatsync.FirstName].Value {
					t.Errorf("seed %d: row %s has another name", seed, row.Key)
				}
				if there && row.Consents[0] == owlatsync.No && len(c.Topics) > 0 {
					t.Errorf("seed %d: row %s is on the topic and says no: %+v", seed, row.Key, m.entryOf(row.Key))
				}
			}
			if t.Failed() {
				t.Fatalf("seed %d", seed)
			}
		})
	}
}
