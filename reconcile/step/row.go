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
	FirstName   *string                    `json:"first,omitempty"` // nil: leave what Owlat holds
	LastName    *string                    `json:"last,omitempty"`
	Consents    []bool                     `json:"consents,omitempty"`
	Properties  map[string]json.RawMessage `json:"props,omitempty"` // of events; no part of the fingerprint
	Fingerprint ledger.Fingerprint         `json:"fp"`
	// Own says that the row outlives the next one that its reader reads.
	Own bool `json:"-"`
}

// Size is about how many bytes of memory the row's texts take.
func (r *Row) Size() int {
	n := len(r.Key) + len(r.Email) + len(r.Consents)
	for _, name := range []*string{r.FirstName, r.LastName} {
		if name != nil {
			n += len(*name)
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
	if r.FirstName != nil {
		c.FirstName = new(own(*r.FirstName))
	}
	if r.LastName != nil {
		c.LastName = new(own(*r.LastName))
	}
	c.Consents = slices.Clone(r.Consents)
	return &c
}

// FieldsToSet returns the changes that bring the contact of an entry to the names that the row asks for.
func FieldsToSet(r *Row, e *ledger.Entry) (changes []owlatsync.Change) {
	if r.FirstName != nil && *r.FirstName != e.FirstName {
		changes = append(changes, owlatsync.Change{Kind: owlatsync.SetField, Field: "firstName", From: e.FirstName, To: *r.FirstName})
	}
	if r.LastName != nil && *r.LastName != e.LastName {
		changes = append(changes, owlatsync.Change{Kind: owlatsync.SetField, Field: "lastName", From: e.LastName, To: *r.LastName})
	}
	return changes
}
