package step

import (
	"encoding/json"
	"slices"
	"strings"

	"owlatsync"
	"owlatsync/ledger"
)

// Row is what Owlat should hold for a row of the source: normalised, valid, and with the NULL policy applied.
type Row struct {
	Key         string                     `json:"key"`
	Position    owlatsync.Position         `json:"pos,omitzero"`
	Email       string                     `json:"email"`
	Fields      Wanted                     `json:"fields,omitzero"`
	Consents    []bool                     `json:"consents,omitempty"`
	Properties  map[string]json.RawMessage `json:"props,omitempty"` // of events; no part of the fingerprint
	Fingerprint ledger.Fingerprint         `json:"fp"`
	// Own says that the row outlives the next one that its reader reads.
	Own bool `json:"-"`
}

// Wanted is what Owlat should hold in each field of a contact; nil leaves what it holds.
type Wanted [owlatsync.NumContactFields]*string

// Size is about how many bytes of memory the row's texts take.
func (r *Row) Size() int {
	n := len(r.Key) + len(r.Email) + len(r.Consents)
	for _, text := range r.Fields {
		if text != nil {
			n += len(*text)
		}
	}
	for name, value := range r.Properties {
		n += len(name) + len(value)
	}
	return n
}

// Clone returns a copy that outlives the reader's next row. Its texts are its own: those of a source are parts of large ones.
func (r *Row) Clone() *Row {
	if r == nil {
		return nil
	}
	c := *r
	c.Own = true
	var b strings.Builder
	b.Grow(r.Size())
	own := func(s string) string {
		start := b.Len()
		b.WriteString(s)
		return b.String()[start:]
	}
	c.Key, c.Email = own(r.Key), own(r.Email)
	for f, text := range r.Fields {
		if text != nil {
			c.Fields[f] = new(own(*text))
		}
	}
	c.Consents = slices.Clone(r.Consents)
	return &c
}

// FieldsToSet returns the changes that bring the contact of an entry to the fields that the row asks for.
func FieldsToSet(r *Row, e *ledger.Entry) (changes []owlatsync.Change) {
	for _, f := range owlatsync.ContactFields {
		if wanted := r.Fields[f]; wanted != nil && *wanted != e.Fields[f] {
			changes = append(changes, owlatsync.Change{Kind: owlatsync.SetField, Field: f.Name(), From: e.Fields[f], To: *wanted})
		}
	}
	return changes
}
