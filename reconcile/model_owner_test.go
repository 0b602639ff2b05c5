package reconcile_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"

	"owlatsync"
	"owlatsync/owlat/owlattest"
)

// ruled reports whether syncs of the history may not overwrite all fields.
func (h *history) ruled() bool { return rand.New(rand.NewPCG(h.seed, 7)).IntN(3) == 0 }

// withCorrections adds steps in which somebody changes fields in Owlat, and a sync its rules.
func (h *history) withCorrections() {
	if !h.ruled() {
		return
	}
	r := rand.New(rand.NewPCG(h.seed, 8))
	for i := len(h.steps); i > 0; i-- {
		if r.IntN(3) == 0 {
			h.steps = slices.Insert(h.steps, i, step{kind: pick(r, "correction", "correction", "correction", "name", "rule"), seed: r.Uint64()})
		}
	}
}

// rule gives each field of a sync a rule of its own.
func (s *modelSync) rule(r *rand.Rand) {
	s.Overwrite.Email = pick(r, "", "", owlatsync.OverwriteIfOurs, owlatsync.OverwriteNever)
	for f := range s.Overwrite.Fields {
		s.Overwrite.Fields[f] = pick(r, "", owlatsync.OverwriteIfOurs, owlatsync.OverwriteIfOurs, owlatsync.OverwriteIfEmpty, owlatsync.OverwriteNever)
	}
}

// changeRule changes the rules of a sync. What Owlat holds under no rule counts as the sync's.
func (m *model) changeRule() {
	s := m.randomSync()
	was := s.Overwrite
	s.rule(m.r)
	m.tell("  sync %s: overwrite %q", s.Name, s.Overwrite)
	for _, f := range ownedFields {
		if !was.Of(f).Always() {
			continue
		}
		for _, c := range m.server.Contacts() {
			m.owners.count(s, c.ID, f, fieldOf(c, f))
		}
	}
}

// correct changes a field in Owlat, as in the dashboard.
func (m *model) correct() {
	c, ok := m.contact()
	if !ok {
		return
	}
	f, value := pick(m.r, ownedFields...), pick(m.r, "Corrected", "Corrected", "Ada", "")
	if f == "email" {
		value = normal(m.freshAddress())
	}
	if status, _ := m.asOther(http.MethodPut, "/contacts/"+c.ID, fmt.Sprintf(`{%q:%q}`, f, value)); status == http.StatusOK {
		m.foreign[c.ID+heldAs[f]] = append(m.foreign[c.ID+heldAs[f]], value)
	}
}

// ownedFields are the fields of contacts, as Owlat calls them.
var ownedFields = []string{"email", owlatsync.FirstName.Name(), owlatsync.LastName.Name()}

// heldAs are the names by which the model knows them.
var heldAs = map[string]string{"email": "email", owlatsync.FirstName.Name(): "first", owlatsync.LastName.Name(): "last"}

func fieldOf(c owlattest.ContactState, f string) string {
	switch f {
	case "email":
		return c.Email
	case owlatsync.FirstName.Name():
		return c.FirstName
	}
	return c.LastName
}

// said is what Owlat should hold in a field by what the row says, false if it says nothing.
func said(log *runLog, row owlatsync.Row, f string) (value string, has bool) {
	if f == "email" {
		return normal(row.Email.Value), true
	}
	for _, field := range owlatsync.ContactFields {
		if field.Name() == f {
			return wanted(log, row.Fields[field])
		}
	}
	return "", false
}

// owners is what the model remembers of who wrote the fields of contacts.
type owners struct {
	ours map[ownedField][]string // what a sync wrote, or agreed to, in its order
	free map[ownedField]string   // what was there while no rule held: it may count as the sync's
	held map[ownedField]string   // what Owlat holds, of no sync; only while a run goes on
	lost map[ownedField]bool     // of held: a request of unknown outcome was sent since
	ever map[ownedField]bool     // of no sync: such a request was ever sent
}

// ownedField is a field of a contact, and whose.
type ownedField struct {
	sync    string
	contact string
	field   string
}

func (o *owners) wrote(s *modelSync, contact string, f string, value string) {
	if o.ours == nil {
		o.ours = make(map[ownedField][]string)
	}
	at := ownedField{s.Name, contact, f}
	o.ours[at] = append(o.ours[at], value)
}

func (o *owners) count(s *modelSync, contact string, f string, value string) {
	if o.free == nil {
		o.free = make(map[ownedField]string)
	}
	o.free[ownedField{s.Name, contact, f}] = value
}

func (o *owners) wasFree(s *modelSync, contact string, f string, value string) bool {
	was, known := o.free[ownedField{s.Name, contact, f}]
	return known && was == value
}

func (o *owners) doubt(at ownedField) {
	if o.ever == nil {
		o.ever = make(map[ownedField]bool)
	}
	o.ever[at] = true
}

// begin notes what Owlat holds before a run.
func (o *owners) begin(contacts []owlattest.ContactState) {
	o.held, o.lost = make(map[ownedField]string), make(map[ownedField]bool)
	for _, c := range contacts {
		for _, f := range ownedFields {
			o.held[ownedField{"", c.ID, f}] = fieldOf(c, f)
		}
	}
}

// ours reports whether a sync may take a value for its own: it was the last to write it there, or in a contact that was merged into this one. An
// older ledger knows of earlier values. A field in which it wrote nothing is free.
func (m *model) ours(s *modelSync, contact string, f string, value string) bool {
	all := m.owners.ours[ownedField{s.Name, contact, f}]
	for was, heir := range m.heirs {
		if heir == contact && m.ours(s, was, f, value) {
			return true
		}
	}
	switch {
	case len(all) == 0:
		return value == ""
	case m.lost > 0 && slices.Contains(all, value):
		return true
	}
	return all[len(all)-1] == value
}

// checkOwners: no run overwrites what it may not.
func (m *model) checkOwners(log *runLog) {
	for _, r := range log.requests() {
		creates := r.Method == http.MethodPost && r.Route == owlattest.RouteContacts
		if !creates && (r.Method != http.MethodPut || r.Route != owlattest.RouteContact) || !r.unknown() {
			continue
		}
		var body map[string]string
		m.must(json.Unmarshal(r.Body, &body))
		granted := r.status >= 200 && r.status < 300
		for _, f := range ownedFields {
			value, sent := body[f]
			at := ownedField{"", r.contact, f}
			if !sent && !(creates && granted) {
				continue
			}
			if !creates && !m.owners.lost[at] {
				m.mayWrite(log, r, f, m.owners.held[at], value)
			}
			if m.owners.held[at], m.owners.lost[at] = value, !granted; !granted {
				m.owners.doubt(at)
			}
			m.owners.wrote(log.sync, r.contact, f, value)
		}
	}
	m.agree(log)
}

// mayWrite checks one field that a run has written, or tried to.
func (m *model) mayWrite(log *runLog, r request, f string, held, value string) {
	rule := log.config.Overwrite.Of(f)
	may := rule.Always() || rule == owlatsync.OverwriteIfEmpty && held == "" ||
		rule == owlatsync.OverwriteIfOurs && (m.ours(log.sync, r.contact, f, held) || m.excused(ruleless, m.owners.wasFree(log.sync, r.contact, f, held)))
	if !may {
		m.fail("%s of contact %s was %q, not written by the sync (%q), and a run wrote %q although overwrite is %s", f, r.contact, held,
			m.owners.ours[ownedField{log.sync.Name, r.contact, f}], value, rule)
	}
	m.count("written under " + string(rule))
}

// agree notes values that a row and Owlat agree upon, as far as the run knows.
func (m *model) agree(log *runLog) {
	for _, e := range m.entries(log.sync) {
		c, ok := m.server.Contact(e.ContactID)
		if !ok {
			continue
		}
		for _, i := range log.rowsFor(e.ContactID, "") {
			for _, f := range ownedFields {
				known := fieldOf(owlattest.ContactState{Email: e.Email, FirstName: e.Fields[owlatsync.FirstName], LastName: e.Fields[owlatsync.LastName]}, f)
				if want, has := said(log, log.rows[i], f); has && want == known && want == fieldOf(c, f) && !e.FieldMark(f).Theirs && keyOf(&log.config, log.rows[i]) == e.Key {
					m.owners.wrote(log.sync, c.ID, f, want)
				}
			}
		}
	}
}

// mayStay reports whether a field may differ from what the row says, once nothing is left to do.
func (m *model) mayStay(log *runLog, contact string, f string, held string) bool {
	switch log.config.Overwrite.Of(f) {
	case owlatsync.OverwriteNever:
		return true
	case owlatsync.OverwriteIfEmpty:
		return held != ""
	case owlatsync.OverwriteIfOurs:
		merged := false
		for _, heir := range m.heirs {
			merged = merged || heir == contact
		}
		return !m.ours(log.sync, contact, f, held) || len(m.foreign[contact+heldAs[f]]) > 0 || m.lost > 0 || merged ||
			m.owners.ever[ownedField{"", contact, f}]
	}
	return false
}
