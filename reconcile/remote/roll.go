package remote

import (
	"encoding/binary"
	"time"

	"owlatsync"
	"owlatsync/owlat"
)

// Roll keeps the ids, addresses and fields of contacts, and when they last changed. They lie together, page by page, because there may
// be very many.
type Roll struct{ pages []string }

// Spot is the place of a contact in its roll: when it changed, in milliseconds, and its texts, each after its length.
type Spot struct{ page, start uint32 }

// Add keeps contacts and returns the place of each.
func (r *Roll) Add(contacts []owlat.Contact) []Spot {
	spots := make([]Spot, len(contacts))
	var texts []byte
	for i, c := range contacts {
		spots[i] = Spot{uint32(len(r.pages)), uint32(len(texts))}
		changed := int64(0)
		if !c.UpdatedAt.IsZero() {
			changed = c.UpdatedAt.UnixMilli()
		}
		texts = binary.AppendVarint(texts, changed)
		for _, text := range Texts(&c) {
			texts = append(binary.AppendUvarint(texts, uint64(len(*text))), *text...)
		}
	}
	r.pages = append(r.pages, string(texts))
	return spots
}

// Contact returns a kept contact. Its texts share the memory of the roll.
func (r *Roll) Contact(s Spot) (c owlat.Contact) {
	rest := r.pages[s.page][s.start:]
	changed, width := binary.Varint([]byte(rest[:min(len(rest), binary.MaxVarintLen64)]))
	if rest = rest[width:]; changed != 0 {
		c.UpdatedAt = time.UnixMilli(changed).UTC()
	}
	for _, text := range Texts(&c) {
		n, width := binary.Uvarint([]byte(rest[:min(len(rest), binary.MaxVarintLen64)]))
		*text, rest = rest[width:width+int(n)], rest[width+int(n):]
	}
	return c
}

// Texts returns pointers to what is kept of a contact: its id, its address and its fields.
func Texts(c *owlat.Contact) (texts [2 + owlatsync.NumContactFields]*string) {
	texts[0], texts[1] = &c.ID, &c.Email
	for i, f := range owlatsync.ContactFields {
		texts[2+i] = field(c, f)
	}
	return texts
}
