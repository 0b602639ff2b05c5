package text

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// Encoding is how a file writes its characters. The zero value is UTF-8.
type Encoding struct {
	name string
	new  func() decoder
}

// String returns the name by which [Lookup] finds the encoding.
func (e Encoding) String() string {
	if e.name == "" {
		return UTF8
	}
	return e.name
}

// Names of encodings.
const (
	UTF8        = "utf-8"
	UTF16LE     = "utf-16le"
	UTF16BE     = "utf-16be"
	Windows1252 = "windows-1252"
	Latin9      = "iso-8859-15"
	Macintosh   = "macintosh"
	DOS         = "cp850"
)

var errEncoding = errors.New("there is no such encoding; there are utf-8, utf-16le, utf-16be, windows-1252 and the other code pages of Windows, " +
	"iso-8859-1, iso-8859-15 and the others of ISO 8859, macintosh, koi8-r, koi8-u, cp437, cp850, cp852, cp858 and cp866")

// Lookup finds an encoding by one of its names, in any letter case, with or without hyphens. Its error does not repeat the name.
func Lookup(name string) (Encoding, error) {
	key := squash(name)
	switch key {
	case "", "utf8":
		return Encoding{}, nil
	case "utf16le", "utf16", "ucs2", "ucs2le": // without a mark, Windows means the low byte first
		return Encoding{UTF16LE, func() decoder { return wide{binary.LittleEndian} }}, nil
	case "utf16be", "ucs2be":
		return Encoding{UTF16BE, func() decoder { return wide{binary.BigEndian} }}, nil
	}
	for name, page := range pages() {
		for _, alias := range strings.Fields(page.names) {
			if key == squash(alias) {
				return Encoding{name, func() decoder { return singleByte{tableOf(page.charmap)} }}, nil
			}
		}
	}
	return Encoding{}, errEncoding
}

func squash(name string) string {
	return strings.NewReplacer("-", "", "_", "", " ", "").Replace(strings.ToLower(name))
}

// page is a single-byte encoding with the names by which it goes.
type page struct {
	names   string
	charmap *charmap.Charmap
}

func pages() map[string]page {
	return map[string]page{
		Windows1252:    {"windows-1252 cp1252 win1252 ansi", charmap.Windows1252},
		"windows-1250": {"windows-1250 cp1250", charmap.Windows1250},
		"windows-1251": {"windows-1251 cp1251", charmap.Windows1251},
		"windows-1253": {"windows-1253 cp1253", charmap.Windows1253},
		"windows-1254": {"windows-1254 cp1254", charmap.Windows1254},
		"windows-1255": {"windows-1255 cp1255", charmap.Windows1255},
		"windows-1256": {"windows-1256 cp1256", charmap.Windows1256},
		"windows-1257": {"windows-1257 cp1257", charmap.Windows1257},
		"windows-1258": {"windows-1258 cp1258", charmap.Windows1258},
		"iso-8859-1":   {"iso-8859-1 latin1 l1", charmap.ISO8859_1},
		"iso-8859-2":   {"iso-8859-2 latin2", charmap.ISO8859_2},
		"iso-8859-5":   {"iso-8859-5", charmap.ISO8859_5},
		"iso-8859-7":   {"iso-8859-7", charmap.ISO8859_7},
		"iso-8859-9":   {"iso-8859-9 latin5", charmap.ISO8859_9},
		Latin9:         {"iso-8859-15 latin9", charmap.ISO8859_15},
		"iso-8859-16":  {"iso-8859-16 latin10", charmap.ISO8859_16},
		Macintosh:      {"macintosh macroman mac-roman mac", charmap.Macintosh},
		"koi8-r":       {"koi8-r", charmap.KOI8R},
		"koi8-u":       {"koi8-u", charmap.KOI8U},
		"cp437":        {"cp437 ibm437", charmap.CodePage437},
		DOS:            {"cp850 ibm850", charmap.CodePage850},
		"cp852":        {"cp852 ibm852", charmap.CodePage852},
		"cp858":        {"cp858 ibm858", charmap.CodePage858},
		"cp866":        {"cp866 ibm866", charmap.CodePage866},
	}
}

// tableOf lists the characters of an encoding. A byte without one stays as it is: alone it is no UTF-8.
func tableOf(c *charmap.Charmap) *[256]glyph {
	var t [256]glyph
	for b := range 256 {
		r := c.DecodeByte(byte(b))
		if r == utf8.RuneError {
			t[b] = glyph{[3]byte{invalid}, 1}
			continue
		}
		t[b].size = uint8(utf8.EncodeRune(t[b].bytes[:], r))
	}
	return &t
}

// markOf returns the encoding of a byte order mark and the mark's size, 0 if there is none.
func markOf(head []byte) (e Encoding, size int) {
	switch {
	case bytes.HasPrefix(head, []byte{0xFF, 0xFE, 0, 0}), bytes.HasPrefix(head, []byte{0, 0, 0xFE, 0xFF}):
		return Encoding{}, 0 // UTF-32, which foreign names
	case bytes.HasPrefix(head, []byte{0xFF, 0xFE}):
		e, _ = Lookup(UTF16LE)
		return e, 2
	case bytes.HasPrefix(head, []byte{0xFE, 0xFF}):
		e, _ = Lookup(UTF16BE)
		return e, 2
	case bytes.HasPrefix(head, []byte{0xEF, 0xBB, 0xBF}):
		return Encoding{}, 3
	}
	return Encoding{}, 0
}
