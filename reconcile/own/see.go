package own

import (
	"owlatsync"
	"owlatsync/ledger"
)

// Held is what Owlat holds of a contact.
type Held struct {
	Email  string
	Fields owlatsync.Texts
}

// How says where an answer comes from.
type How int

const (
	Read     How = iota // somebody looked at the contact
	Answered            // it answers the request whose values the marks have as sent
	Another             // it is of another contact than the entry had, or of the first one
)

// See takes in what Owlat holds of the contact of an entry. A value that is neither what the entry has nor what was sent is somebody else's,
// and so is one that another contact held before.
func See(o owlatsync.Overwrites, e *ledger.Entry, h Held, how How) {
	see(o.Email, e, Email, e.Email, h.Email, how)
	for _, f := range owlatsync.ContactFields {
		see(o.Fields[f], e, f.Name(), e.Fields[f], h.Fields[f], how)
	}
	e.Email, e.Fields = h.Email, h.Fields
}

func see(rule owlatsync.Overwrite, e *ledger.Entry, name, known, held string, how How) {
	m := e.FieldMark(name)
	sent := m.Sent
	m.Sent = nil
	switch {
	case rule.Always(), sent != nil && (how == Answered || memo(name, held) == *sent):
		m = ledger.FieldMark{Field: name}
	case how == Another && held == "" && (sent == nil || known != ""):
		m = ledger.FieldMark{Field: name} // nobody has written there
	case held != known, how == Another && sent != nil: // a create that is found has worked
		m = ledger.FieldMark{Field: name, Theirs: true}
	}
	e.MarkField(m)
}

// Settle takes in what the contact of an entry holds after an update of unknown outcome: See alone does not tell who has put back the value from before.
// An update works as a whole. Moved says that the contact was changed since it was about to be sent: if nothing shows that the update did that, somebody
// else may have undone it. It reports whether the update took effect, as far as can be told.
func Settle(o owlatsync.Overwrites, e *ledger.Entry, h Held, moved bool) (took bool) {
	took = Took(o, e, h)
	for _, m := range e.FieldMarks {
		if m.Sent != nil && *m.Sent != memo(m.Field, h.of(m.Field)) && (took || moved) {
			e.MarkField(ledger.FieldMark{Field: m.Field, Theirs: true})
		}
	}
	See(o, e, h, Read)
	return took
}

// of returns the value of a field.
func (h Held) of(field string) string {
	for _, f := range owlatsync.ContactFields {
		if f.Name() == field {
			return h.Fields[f]
		}
	}
	return h.Email
}

// Took reports whether a request of unknown outcome has changed a field, as far as what Owlat holds tells.
func Took(o owlatsync.Overwrites, e *ledger.Entry, h Held) bool {
	took := func(rule owlatsync.Overwrite, name, known, held string) bool {
		sent := e.FieldMark(name).Sent
		return known != held && (rule.Always() || sent != nil && *sent == memo(name, held))
	}
	for _, f := range owlatsync.ContactFields {
		if took(o.Fields[f], f.Name(), e.Fields[f], h.Fields[f]) {
			return true
		}
	}
	return took(o.Email, Email, e.Email, h.Email)
}

// Send notes what a request is about to write in fields that may not be overwritten in any case, so that its effect is told from what others
// do if its answer is lost.
func Send(o owlatsync.Overwrites, e *ledger.Entry, w Wanted) {
	note := func(rule owlatsync.Overwrite, name string, value *string) {
		if value != nil && !rule.Always() {
			m := e.FieldMark(name)
			m.Sent = new(memo(name, *value))
			e.MarkField(m)
		}
	}
	if w.Email != "" {
		note(o.Email, Email, &w.Email)
	}
	for _, f := range owlatsync.ContactFields {
		note(o.Fields[f], f.Name(), w.Fields[f])
	}
}

// Unsent takes back Send: the request was not sent, or refused.
func Unsent(e *ledger.Entry) {
	for _, m := range e.FieldMarks {
		if m.Sent != nil {
			m.Sent = nil
			e.MarkField(m)
		}
	}
}
