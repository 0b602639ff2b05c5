package scan

import (
	"encoding/binary"
	"encoding/json"
	"fmt"

	"github.com/zeebo/xxh3"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/reconcile/policy"
	"owlatsync/reconcile/step"
)

// FingerprintVersion changes whenever the same row would get another fingerprint.
const FingerprintVersion = 1

// Reader turns the rows of one sync into what they ask for. It reuses its buffers and is not safe for concurrent use.
type Reader struct {
	keyIsAddress bool
	clearNulls   bool
	events       bool
	watched      watched
	seed         uint64 // hash of the settings that change what a row asks for
	buf          []byte
	out          step.Row
	texts        owlatsync.Texts
}

// NewReader returns a reader of the rows of a sync.
func NewReader(p *policy.Policies) *Reader {
	r := &Reader{keyIsAddress: p.KeyIsAddress, clearNulls: p.Nulls == policy.NullsClear, events: len(p.Events) > 0 || p.Properties}
	h := xxh3.New()
	for _, t := range p.Topics {
		h.WriteString(t.ID)
		if t.Existing == policy.ExistingAdd {
			h.WriteString("\x01")
		}
		h.WriteString("\x00")
	}
	if !p.Overwrite.Always() { // a row whose value was kept must be looked at again under another word
		for _, rule := range append(p.Overwrite.Fields[:], p.Overwrite.Email) {
			if !rule.Always() {
				h.WriteString(string(rule))
			}
			h.WriteString("\x00")
		}
	}
	r.watched = watchedBy(p, h)
	r.seed = h.Sum64()
	return r
}

// Read returns what the row asks for, valid until the next call, or says why the row is invalid. It returns the key in either case
// if the row has one.
func (r *Reader) Read(row *owlatsync.Row) (d *step.Row, key, invalid string) {
	email, err := owlatsync.NormalizeAddress(row.Email.Value)
	if row.Email.State != owlatsync.Set {
		err = owlatsync.ErrAddressEmpty
	}
	key = row.Key
	if r.keyIsAddress && err == nil {
		key = email
	}
	if row.Defect != "" {
		return nil, key, row.Defect
	}
	if err != nil {
		return nil, key, err.Error()
	}
	d = &r.out
	// One field at a time: making a new row and copying it takes several times as long.
	d.Key, d.Position, d.Email, d.Consents = key, row.Position, email, row.Consents
	d.Properties, d.Says, d.Old, d.Twin, d.Never = nil, nil, false, false, row.Suppressed
	if d.Key == "" {
		return nil, "", ReasonNoKey
	}
	for _, f := range owlatsync.ContactFields {
		if d.Fields[f] = r.text(row.Fields[f], &r.texts[f]); tooLong(d.Fields[f]) {
			return nil, d.Key, ReasonTooLong(f)
		}
	}
	if r.events {
		if d.Properties, err = properties(row); err != nil {
			return nil, d.Key, err.Error()
		}
		if d.Says, d.Old, err = r.watched.says(row, d.Properties); err != nil {
			return nil, d.Key, err.Error()
		}
	}
	d.Fingerprint = r.fingerprint(d)
	return d, d.Key, ""
}

func (r *Reader) text(f owlatsync.Field, into *string) *string {
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

func (r *Reader) fingerprint(d *step.Row) ledger.Fingerprint {
	b := append(r.buf[:0], FingerprintVersion)
	b = binary.LittleEndian.AppendUint64(b, r.seed)
	b = appendText(b, &d.Key)
	b = appendText(b, &d.Email)
	for _, text := range d.Fields {
		b = appendText(b, text)
	}
	b = appendConsents(b, d.Consents)
	if d.Never {
		b = append(b, never)
	}
	for i := range d.Says {
		b = appendText(b, &d.Says[i])
	}
	r.buf = b
	sum := xxh3.Hash128(b)
	return printed(sum.Hi, sum.Lo)
}

// appendText writes the length first, so that different sequences of texts give different bytes.
func appendText(b []byte, s *string) []byte {
	if s == nil {
		return binary.AppendUvarint(b, 0)
	}
	b = binary.AppendUvarint(b, uint64(len(*s))+1)
	return append(b, *s...)
}

// properties returns the row's properties as the JSON that will be sent.
func properties(row *owlatsync.Row) (map[string]json.RawMessage, error) {
	if len(row.Properties) == 0 {
		return nil, nil
	}
	out := make(map[string]json.RawMessage, len(row.Properties))
	for _, p := range row.Properties {
		value, err := json.Marshal(p.Value)
		if err != nil {
			return nil, fmt.Errorf("the property %s cannot be sent: %w", p.Name, err)
		}
		out[p.Name] = value
	}
	return out, nil
}

// never is what a row adds to its fingerprint if no mail may go to the person.
const never = 0xff

// Blend returns the fingerprint of a row that counts with other consents than its own, or as one to whose person no mail may go, because
// other rows have its key or address.
func Blend(f ledger.Fingerprint, consents []owlatsync.Consent, suppressed bool) ledger.Fingerprint {
	b := binary.LittleEndian.AppendUint64(nil, f.Hi)
	b = binary.LittleEndian.AppendUint64(b, f.Lo)
	b = appendConsents(b, consents)
	if suppressed {
		b = append(b, never)
	}
	sum := xxh3.Hash128(b)
	return printed(sum.Hi, sum.Lo)
}

func appendConsents(b []byte, consents []owlatsync.Consent) []byte {
	for _, c := range consents {
		b = append(b, byte(c))
	}
	return b
}

// printed returns a fingerprint. 0 stands for rows that are not applied.
func printed(hi, lo uint64) ledger.Fingerprint { return ledger.Fingerprint{Hi: hi, Lo: max(lo, 1)} }
