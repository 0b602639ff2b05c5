package kept

import (
	"cmp"
	"encoding/binary"
	"slices"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/reconcile/step"
)

// kinds are the kinds of changes by their numbers in what is kept.
var kinds = []owlatsync.ChangeKind{
	owlatsync.CreateContact, owlatsync.AdoptContact, owlatsync.RenameContact, owlatsync.SetField, owlatsync.AddTopic, owlatsync.RemoveTopic, owlatsync.DeleteContact, owlatsync.OptOut, owlatsync.KeepField,
}

// encode appends what a step does, and the address of its row or contact: a plan may have a million of them, so it is as short as it can easily be.
func encode(b []byte, d step.Decision, address string) []byte {
	b = append(b, byte(slices.Index(owlatsync.Outcomes, d.Outcome)))
	b = appendText(b, d.Reason)
	if address == newAddress(d.Changes) {
		address = ""
	}
	b = appendText(b, address)
	b = binary.AppendUvarint(b, uint64(len(d.Changes)))
	for _, c := range d.Changes {
		b = append(b, byte(slices.Index(kinds, c.Kind)))
		for _, text := range []string{c.Field, c.From, c.To, c.Topic} {
			b = appendText(b, text)
		}
	}
	b = binary.AppendUvarint(b, uint64(len(d.Events)))
	for _, name := range d.Events {
		b = appendText(b, name)
	}
	return b
}

// newAddress returns the address that changes give a contact, empty if they give none.
func newAddress(changes []owlatsync.Change) string {
	for _, c := range changes {
		if c.Kind == owlatsync.CreateContact || c.Kind == owlatsync.RenameContact {
			return c.To
		}
	}
	return ""
}

func appendText(b []byte, text string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

// decode returns what the step of an item does, or ledger.ErrCorrupt.
func decode(item ledger.PlanItem) (d step.Decision, err error) {
	if len(item.Body) < 8 {
		return d, ledger.ErrCorrupt
	}
	r := reader{rest: item.Body[8:]}
	outcome, reason, address := oneOf(&r, owlatsync.Outcomes), r.text(), r.text()
	for range r.count() {
		d.Changes = append(d.Changes, owlatsync.Change{Kind: oneOf(&r, kinds), Field: r.text(), From: r.text(), To: r.text(), Topic: r.text()})
	}
	for range r.count() {
		d.Events = append(d.Events, r.text())
	}
	if r.bad || len(r.rest) > 0 {
		return step.Decision{}, ledger.ErrCorrupt
	}
	whole := step.NewDecision(item.Key, owlatsync.Position{}, cmp.Or(address, newAddress(d.Changes)), outcome, reason)
	whole.Position, whole.Changes, whole.Events = "", d.Changes, d.Events
	return whole, nil
}

// reader reads what encode has written. What is not there is empty, and makes it bad.
type reader struct {
	rest []byte
	bad  bool
}

func (r *reader) number() uint64 {
	n, size := binary.Uvarint(r.rest)
	if size <= 0 {
		r.bad, r.rest = true, nil
		return 0
	}
	r.rest = r.rest[size:]
	return n
}

// count reads how many of something come, of which each takes a byte at least.
func (r *reader) count() int {
	n := r.number()
	if n > uint64(len(r.rest)) {
		r.bad, r.rest = true, nil
		return 0
	}
	return int(n)
}

func (r *reader) text() string {
	n := r.count()
	text := string(r.rest[:n])
	r.rest = r.rest[n:]
	return text
}

// oneOf reads a word of a list.
func oneOf[T ~string](r *reader, words []T) (word T) {
	n := r.number()
	if n >= uint64(len(words)) {
		r.bad, r.rest = true, nil
		return word
	}
	return words[n]
}
