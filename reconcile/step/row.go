package step

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	"owlatsync"
	"owlatsync/ledger"
)

// Row is what Owlat should hold for a row of the source: normalised, valid, and with the NULL policy applied.
type Row struct {
	Key        string                     `json:"key"`
	Position   owlatsync.Position         `json:"pos,omitzero"`
	Email      string                     `json:"email"`
	Fields     Wanted                     `json:"fields,omitzero"`
	Consents   []owlatsync.Consent        `json:"consents,omitempty"`
	Properties map[string]json.RawMessage `json:"props,omitempty"` // for events; not part of the fingerprint
	// Says is the JSON of what each column says of which an event depends, in the order of the rules; empty: neither yes nor no.
	Says        []string           `json:"says,omitempty"`
	Fingerprint ledger.Fingerprint `json:"fp"`
	// Old says that the row tells of something that happened before facts count.
	Old bool `json:"old,omitempty"`
	// Gives is the address that the row gives, if its contact keeps another one, which Email is then; empty: Email is the row's own.
	Gives string `json:"gives,omitempty"`
	// Invalid says why the row cannot be applied; empty: it can. Only its Key and Consents count then, and Email is as the source
	// gives it.
	Invalid string `json:"invalid,omitempty"`
	// Twin says that an earlier row of the source has the key.
	Twin bool `json:"twin,omitempty"`
	// Never says that no mail may ever go to the person.
	Never bool `json:"never,omitempty"`
	// Own says that the row stays valid when its reader reads the next one.
	Own bool `json:"-"`
}

// Wanted is what Owlat should hold in each field of a contact; nil leaves the field as it is.
type Wanted [owlatsync.NumContactFields]*string

// Said returns what the column says of which the event of the i-th such rule depends; empty: that is not known.
func (r *Row) Said(i int) string {
	if i < len(r.Says) {
		return r.Says[i]
	}
	return ""
}

// Size returns about how many bytes of memory the row's texts take.
func (r *Row) Size() int {
	n := len(r.Key) + len(r.Email) + len(r.Gives) + len(r.Invalid) + len(r.Consents)
	for _, text := range r.Fields {
		if text != nil {
			n += len(*text)
		}
	}
	for name, value := range r.Properties {
		n += len(name) + len(value)
	}
	for _, says := range r.Says {
		n += len(says) + 16
	}
	return n
}

// Keeping returns the row as one whose contact is to have that address, whatever the row says.
func (r *Row) Keeping(address string) *Row {
	if r.Email == address {
		return r
	}
	c := *r
	c.Email, c.Gives = address, r.Address()
	if c.Gives == address {
		c.Gives = ""
	}
	return &c
}

// Address returns the address that the row gives.
func (r *Row) Address() string { return cmp.Or(r.Gives, r.Email) }

// Clone returns a copy that stays valid when the reader reads the next row. The copy has its own texts: those of a source are parts
// of larger texts.
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
	c.Key, c.Email, c.Gives, c.Invalid = own(r.Key), own(r.Email), own(r.Gives), own(r.Invalid)
	for f, text := range r.Fields {
		if text != nil {
			c.Fields[f] = new(own(*text))
		}
	}
	c.Consents, c.Says = slices.Clone(r.Consents), slices.Clone(r.Says)
	return &c
}

// FieldsToSet returns the changes that bring the contact's fields from the entry to what the row asks for.
func FieldsToSet(r *Row, e *ledger.Entry) (changes []owlatsync.Change) {
	for _, f := range owlatsync.ContactFields {
		if wanted := r.Fields[f]; wanted != nil && *wanted != e.Fields[f] {
			changes = append(changes, owlatsync.Change{Kind: owlatsync.SetField, Field: f.Name(), From: e.Fields[f], To: *wanted})
		}
	}
	return changes
}
