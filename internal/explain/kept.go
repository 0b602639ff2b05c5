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
	Row   string // what the row said then
	Rule  owlatsync.Overwrite
	Why   string    // of the rule, in words
	Since time.Time // when a run first kept it
}

// Says says it in words, with the two values.
func (k Kept) Says() string {
	return fmt.Sprintf("%s is %q in Owlat and %q in the row: %s (overwrite: %s)", own.Label(k.Field), k.Owlat, k.Row, k.Why, k.Rule)
}

// Kept returns the values of the contact that stay as Owlat has them although the row says something else.
func (t *Tale) Kept() (all []Kept) {
	if t.Entry == nil || t.Entry.ContactID == "" || t.Entry.Origin == ledger.OriginGone {
		return nil
	}
	add := func(field, held string) {
		if m := t.Entry.FieldMark(field); m.Keeps() {
			all = append(all, Kept{field, held, *m.Row, m.Why, own.Why(m.Why, m.Theirs), m.At})
		}
	}
	add(own.Email, t.Entry.Email)
	for _, f := range owlatsync.ContactFields {
		add(f.Name(), t.Entry.Fields[f])
	}
	return all
}

// Keeps reports whether a value that somebody has put into a field in Owlat stays there, whatever the row says.
func (t *Tale) Keeps(field, held string) bool { return own.Stays(t.Sync.Overwrite.Of(field), held) }
