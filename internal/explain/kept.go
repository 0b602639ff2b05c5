package explain

import (
	"fmt"
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/reconcile/own"
)

// Kept is a value that stays as Owlat has it although the row says something else.
type Kept struct {
	Field string // "email" or the name of a field
	Owlat string // what Owlat held when it was last looked at
	Row   string // what the row said then; empty: an address that only the source tells
	Rule  owlatsync.Overwrite
	Why   string    // of the rule, in words
	Since time.Time // when a run first kept it
}

// Says says it in words, with the two values.
func (k Kept) Says() string {
	if k.Row == "" && k.Field == own.Email {
		return fmt.Sprintf("address is %q in Owlat and another in the row: %s (overwrite: %s)", k.Owlat, k.Why, k.Rule)
	}
	return fmt.Sprintf("%s is %q in Owlat and %q in the row: %s (overwrite: %s)", own.Label(k.Field), k.Owlat, k.Row, k.Why, k.Rule)
}

// Kept returns the values of the contact that stay as Owlat has them although the row says something else.
func (t *Tale) Kept() (all []Kept) {
	if t.Entry == nil || t.Entry.ContactID == "" || t.Entry.Origin == ledger.OriginGone {
		return nil
	}
	add := func(field, held string, row func(ledger.FieldMark) string) {
		if m := t.Entry.FieldMark(field); m.Keeps() {
			all = append(all, Kept{field, held, row(m), m.Why, own.Why(m.Why, m.Theirs), m.At})
		}
	}
	add(own.Email, t.Entry.Email, func(ledger.FieldMark) string { return t.rowAddress() })
	for _, f := range owlatsync.ContactFields {
		add(f.Name(), t.Entry.Fields[f], func(m ledger.FieldMark) string { return *m.Row })
	}
	return all
}

// rowAddress is the address that the row has in the source, empty if that was not asked for.
func (t *Tale) rowAddress() string {
	if t.Row == nil {
		return ""
	}
	address, _ := owlatsync.NormalizeAddress(t.Row.Email.Value)
	return address
}

// Keeps reports whether a value that somebody has put into a field in Owlat stays there, whatever the row says.
func (t *Tale) Keeps(field, held string) bool { return own.Stays(t.Sync.Overwrite.Of(field), held) }
