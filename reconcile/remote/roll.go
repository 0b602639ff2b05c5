package remote

import (
	"encoding/binary"

	"owlatsync"
	"owlatsync/owlat"
)

// Roll keeps the ids, addresses and names of contacts. Their texts lie together, page by page, because there may be very many.
type Roll struct{ pages []string }

// Spot is where a contact stands in its roll: its texts, each after its length.
type Spot struct{ page, start uint32 }

// Add keeps contacts and returns where each stands.
func (r *Roll) Add(contacts []owlat.Contact) []Spot {
	spots := make([]Spot, len(contacts))
	var texts []byte
	for i, c := range contacts {
		spots[i] = Spot{uint32(len(r.pages)), uint32(len(texts))}
		for _, text := range Texts(&c) {
			texts = append(binary.AppendUvarint(texts, uint64(len(*text))), *text...)
		}
	}
	r.pages = append(r.pages, string(texts))
	return spots
}

// Contact returns what the roll has of a contact. Its texts are parts of the roll's.
func (r *Roll) Contact(s Spot) (c owlat.Contact) {
	rest := r.pages[s.page][s.start:]
	for _, text := range Texts(&c) {
		n, width := binary.Uvarint([]byte(rest[:min(len(rest), binary.MaxVarintLen64)]))
		*text, rest = rest[width:width+int(n)], rest[width+int(n):]
	}
	return c
}

// Texts returns where a contact has what is kept of it: its id, its address and its fields.
func Texts(c *owlat.Contact) (texts [2 + owlatsync.NumContactFields]*string) {
	texts[0], texts[1] = &c.ID, &c.Email
	for i, f := range owlatsync.ContactFields {
		texts[2+i] = field(c, f)
	}
	return texts
}
