package entry

import (
	"encoding/binary"

	"owlatsync"
	"owlatsync/ledger"
)

// Part is the part of a run, as stored.
type Part struct {
	Only  []ledger.Text `json:"only,omitempty"`
	Limit int           `json:"limit,omitempty"`
}

// EncodePart returns a part as it is stored.
func EncodePart(part owlatsync.Part) Part {
	p := Part{Limit: part.Limit}
	for _, key := range part.Only {
		p.Only = append(p.Only, ledger.Text(key))
	}
	return p
}

// Decode returns the part as it was given.
func (p Part) Decode() (part owlatsync.Part) {
	part.Limit = p.Limit
	for _, key := range p.Only {
		part.Only = append(part.Only, string(key))
	}
	return part
}

// EncodeHashes returns hashes as they are stored.
func EncodeHashes(hashes []uint64) any {
	if len(hashes) == 0 {
		return nil
	}
	b := make([]byte, 0, 8*len(hashes))
	for _, h := range hashes {
		b = binary.LittleEndian.AppendUint64(b, h)
	}
	return b
}

// HashOrNull is a hash as EncodeHashes has it, to be looked for among others; NULL for 0.
func HashOrNull(hash uint64) any {
	if hash == 0 {
		return nil
	}
	return EncodeHashes([]uint64{hash})
}

// DecodeHashes returns hashes as they were given.
func DecodeHashes(b []byte) (hashes []uint64) {
	for ; len(b) >= 8; b = b[8:] {
		hashes = append(hashes, binary.LittleEndian.Uint64(b))
	}
	return hashes
}
