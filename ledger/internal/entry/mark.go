package entry

import (
	"encoding/binary"

	"owlatsync/ledger"
)

// MarkSize is the length of a mark.
const MarkSize = 17

// The first byte of a mark.
const (
	markNone = iota
	markEntry
	markBlank // an entry without a confirmed address
)

// NoMark is the mark of an id that has no entry, or one that has departed.
var NoMark [MarkSize]byte

// IsNone reports whether m is NoMark.
func IsNone(m []byte) bool { return m[0] == markNone }

// MarkOf returns the mark of an entry. A departed entry has none, like an id without an entry.
func MarkOf(e *ledger.Entry) [MarkSize]byte {
	var m [MarkSize]byte
	if e.Departed != "" {
		return NoMark
	}
	m[0] = markEntry
	if e.Email == "" {
		m[0] = markBlank
	}
	binary.LittleEndian.PutUint64(m[1:], ledger.HashText(e.Key))
	if !e.Doubt {
		binary.LittleEndian.PutUint64(m[9:], e.Fingerprint.Lo)
	}
	return m
}

// Marked returns what a mark says.
func Marked(m []byte) ledger.IndexEntry {
	return ledger.IndexEntry{
		KeyHash: binary.LittleEndian.Uint64(m[1:]), Print: binary.LittleEndian.Uint64(m[9:]), Blank: m[0] == markBlank,
	}
}
