package reconcile

import (
	"encoding/binary"
	"encoding/json"
	"errors"

	"github.com/zeebo/xxh3"

	"owlatsync"
	"owlatsync/ledger"
)

// fingerprintVersion changes whenever the same row would give another fingerprint.
const fingerprintVersion = 1

// desired is what Owlat should hold for a row: normalised, valid, and with the NULL policy applied.
type desired struct {
	Key         string                     `json:"key"`
	Position    owlatsync.Position         `json:"pos,omitzero"`
	Email       string                     `json:"email"`
	FirstName   *string                    `json:"first,omitempty"` // nil: leave what Owlat holds
	LastName    *string                    `json:"last,omitempty"`
	Consents    []bool                     `json:"consents,omitempty"`
	Properties  map[string]json.RawMessage `json:"props,omitempty"`     // of events; no part of the fingerprint
	Forgotten   bool                       `json:"forgotten,omitempty"` // the ledger forgot the person: what they consented to before is not known
	Fingerprint ledger.Fingerprint         `json:"fp"`
	Own         bool                       `json:"-"` // it outlives the reader's next row
}

// reader turns the rows of one sync into what they ask for. It is not safe for concurrent use: its buffers are reused.
type reader struct {
	keyIsAddress bool
	clearNulls   bool
	events       bool
	seed         uint64 // of the settings that change what a row asks for
	buf          []byte
	out          desired
	first, last  string
}

func newReader(s *Sync) *reader {
	r := &reader{keyIsAddress: s.KeyIsAddress, clearNulls: s.Nulls == NullsClear, events: len(s.Events) > 0}
	h := xxh3.New()
	for _, t := range s.Topics {
		h.WriteString(t.ID)
		if t.Existing == ExistingAdd {
			h.WriteString("\x01")
		}
		h.WriteString("\x00")
	}
	r.seed = h.Sum64()
	return r
}

// read returns what the row asks for, valid until the next call, or why it is invalid. The key is returned in either case,
// where the row has one.
func (r *reader) read(row *owlatsync.Row) (d *desired, key, invalid string) {
	if row.Defect != "" {
		return nil, row.Key, row.Defect
	}
	email, err := owlatsync.NormalizeAddress(row.Email.Value)
	if row.Email.State != owlatsync.Set {
		err = owlatsync.ErrAddressEmpty
	}
	if err != nil {
		return nil, row.Key, err.Error()
	}
	d = &r.out
	// One after the other: making a new one and copying it takes several times as long.
	d.Key, d.Position, d.Email, d.Consents = row.Key, row.Position, email, row.Consents
	d.Properties, d.Forgotten = nil, false
	if r.keyIsAddress {
		d.Key = email
	}
	if d.Key == "" {
		return nil, "", "the row has no key"
	}
	if d.FirstName = r.name(row.FirstName, &r.first); tooLong(d.FirstName) {
		return nil, d.Key, "the first name is longer than Owlat's 200 characters"
	}
	if d.LastName = r.name(row.LastName, &r.last); tooLong(d.LastName) {
		return nil, d.Key, "the last name is longer than Owlat's 200 characters"
	}
	if r.events {
		if d.Properties, err = properties(row); err != nil {
			return nil, d.Key, err.Error()
		}
	}
	d.Fingerprint = r.fingerprint(d)
	return d, d.Key, ""
}

// Fingerprint returns the fingerprint that an entry has when the row is applied completely. The error says why the row is
// invalid.
func (s *Sync) Fingerprint(row *owlatsync.Row) (ledger.Fingerprint, error) {
	d, _, invalid := newReader(s).read(row)
	if invalid != "" {
		return ledger.Fingerprint{}, errors.New(invalid)
	}
	return d.Fingerprint, nil
}

func (r *reader) name(f owlatsync.Field, into *string) *string {
	switch {
	case f.State == owlatsync.Set:
		*into = owlatsync.Trim(f.Value)
		return into
	case f.State == owlatsync.Null && r.clearNulls:
		*into = ""
		return into
	}
	return nil
}

func tooLong(name *string) bool {
	return name != nil && len(*name) > owlatsync.MaxName && owlatsync.UTF16Len(*name) > owlatsync.MaxName
}

func (r *reader) fingerprint(d *desired) ledger.Fingerprint {
	b := append(r.buf[:0], fingerprintVersion)
	b = binary.LittleEndian.AppendUint64(b, r.seed)
	b = appendText(b, &d.Key)
	b = appendText(b, &d.Email)
	b = appendText(b, d.FirstName)
	b = appendText(b, d.LastName)
	for _, c := range d.Consents {
		if c {
			b = append(b, 1)
		} else {
			b = append(b, 0)
		}
	}
	r.buf = b
	sum := xxh3.Hash128(b)
	f := ledger.Fingerprint{Hi: sum.Hi, Lo: sum.Lo}
	if f.Lo == 0 { // which stands for rows that are not applied
		f.Lo = 1
	}
	return f
}

// appendText writes the length first, so that no two sequences of texts look alike.
func appendText(b []byte, s *string) []byte {
	if s == nil {
		return binary.AppendUvarint(b, 0)
	}
	b = binary.AppendUvarint(b, uint64(len(*s))+1)
	return append(b, *s...)
}
