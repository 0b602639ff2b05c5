// Package own decides who owns a field of a contact: whether a run may replace what Owlat holds by what a row says, and what an answer of Owlat
// shows of that. It is pure.
package own

import (
	"fmt"
	"time"

	"owlatsync"
	"owlatsync/ledger"
)

// Email is the name of the address among the fields.
const Email = "email"

// Wanted is what a row says of a contact.
type Wanted struct {
	Email  string                              // the address
	Fields [owlatsync.NumContactFields]*string // nil says nothing of the field
}

// Verdict is what becomes of the fields of a contact that is in Owlat.
type Verdict struct {
	Write   Wanted             // what is to be written: fields that differ and may be overwritten; nil and "": nothing
	Changes []owlatsync.Change // the rename, the fields to be set, and those that are kept for the first time
	Marks   []ledger.FieldMark // of the entry from now on, as long as nothing is written
	// Guarded says that Write has a field that may not be overwritten in any case: Owlat may hold another value by now.
	Guarded bool
}

// Judge compares what a row says with what Owlat is known to hold.
func Judge(o owlatsync.Overwrites, e *ledger.Entry, w Wanted, now time.Time) (v Verdict) {
	after := ledger.Entry{FieldMarks: e.FieldMarks}
	v.field(o.Email, &after, Email, e.Email, &w.Email, now, func() { v.Write.Email = w.Email })
	for _, f := range owlatsync.ContactFields {
		v.field(o.Fields[f], &after, f.Name(), e.Fields[f], w.Fields[f], now, func() { v.Write.Fields[f] = w.Fields[f] })
	}
	v.Marks = after.FieldMarks
	return v
}

// field judges one field, whose value in Owlat is held.
func (v *Verdict) field(rule owlatsync.Overwrite, e *ledger.Entry, name, held string, wanted *string, now time.Time, write func()) {
	m := e.FieldMark(name)
	switch {
	case wanted == nil && !rule.Always():
		e.MarkField(ledger.FieldMark{Field: name, Theirs: m.Theirs, Sent: m.Sent})
	case wanted == nil, *wanted == held: // of values that are equal nobody knows whose they are, nor need they
		e.MarkField(ledger.FieldMark{Field: name})
	case Keeps(rule, m, held):
		if row := memo(name, *wanted); m.Row == nil || *m.Row != row || m.Why != rule {
			v.Changes = append(v.Changes, owlatsync.Change{Kind: owlatsync.KeepField, Field: name, From: held, To: *wanted})
			m.Row, m.Why, m.At = &row, rule, now
		}
		e.MarkField(m)
	default:
		kind := owlatsync.SetField
		if name == Email {
			kind = owlatsync.RenameContact
		}
		v.Changes = append(v.Changes, owlatsync.Change{Kind: kind, Field: name, From: held, To: *wanted})
		v.Guarded = v.Guarded || !rule.Always()
		if m.Row, m.Why, m.At = nil, "", (time.Time{}); rule.Always() {
			m.Theirs = false
		}
		e.MarkField(m)
		write()
	}
}

// memo is what a mark remembers of a value. Of an address that is a hash: who is forgotten is found by the addresses of contacts.
func memo(field, value string) string {
	if field == Email {
		return fmt.Sprintf("%016x", ledger.HashText(value))
	}
	return value
}

// Keeps reports whether a value that Owlat holds stays although the row says something else.
func Keeps(rule owlatsync.Overwrite, m ledger.FieldMark, held string) bool {
	switch rule {
	case owlatsync.OverwriteNever:
		return true
	case owlatsync.OverwriteIfEmpty:
		return held != ""
	case owlatsync.OverwriteIfOurs:
		return m.Theirs
	}
	return false
}

// Stays reports whether a value that somebody else has put into Owlat is kept, whatever a row says.
func Stays(rule owlatsync.Overwrite, held string) bool {
	return Keeps(rule, ledger.FieldMark{Theirs: true}, held)
}

// Address returns the address that a row's contact is to have: that of the row, or the one that it has and keeps.
func Address(o owlatsync.Overwrites, e *ledger.Entry, wanted string) string {
	if e.Email != wanted && Keeps(o.Email, e.FieldMark(Email), e.Email) {
		return e.Email
	}
	return wanted
}

// Reason says for people which values were kept, and why; empty: none were. It holds none of them.
func Reason(o owlatsync.Overwrites, e *ledger.Entry, changes []owlatsync.Change) (reason string) {
	for _, c := range changes {
		if c.Kind != owlatsync.KeepField {
			continue
		}
		if reason != "" {
			reason += "; "
		}
		rule := o.Of(c.Field)
		reason += "Owlat's " + Label(c.Field) + " is kept: " + Why(rule, e.FieldMark(c.Field).Theirs) + " (overwrite: " + string(rule) + ")"
	}
	return reason
}

// Why says why a value is kept under a rule. Theirs says that the sync did not write it.
func Why(rule owlatsync.Overwrite, theirs bool) string {
	switch {
	case rule == owlatsync.OverwriteIfEmpty:
		return "it is not empty"
	case rule == owlatsync.OverwriteNever:
		return "existing contacts are not changed"
	case theirs:
		return "it is not what this sync wrote"
	}
	return "it may not be overwritten"
}

// Label is the name of a field for people.
func Label(field string) string {
	for _, f := range owlatsync.ContactFields {
		if f.Name() == field {
			return f.Label()
		}
	}
	return "address"
}
