package cell

import (
	"bytes"
	"encoding/json"
	"strconv"
	"unicode/utf8"
)

// OfJSON makes a cell of a well-formed JSON value; an absent value is NULL. It may overwrite scratch.
func OfJSON(raw []byte, scratch *[]byte) Cell {
	if len(raw) == 0 {
		return Cell{Null: true}
	}
	switch raw[0] {
	case 'n':
		return Cell{Null: true}
	case 't', 'f':
		return Cell{Kind: Boolean, Text: raw}
	case '{', '[':
		return Cell{Kind: Nested}
	case '"':
		return stringCell(raw, scratch)
	}
	return numberCell(raw, scratch)
}

// notUTF8 replaces text that is not UTF-8.
var notUTF8 = []byte{0xFF}

// stringCell unquotes a string. Invalid UTF-8 and halves of surrogate pairs make the value invalid; encoding/json would silently
// replace them.
func stringCell(raw []byte, scratch *[]byte) Cell {
	var s string
	if !utf8.Valid(raw) || halfPair(raw) || json.Unmarshal(raw, &s) != nil {
		return Cell{Text: notUTF8}
	}
	*scratch = append((*scratch)[:0], s...)
	return Cell{Text: *scratch}
}

// halfPair reports whether a JSON string escapes one half of a surrogate pair without the other.
func halfPair(raw []byte) bool {
	high := false // the escape before was the first half
	for {
		at := bytes.IndexByte(raw, '\\')
		if at < 0 || at+1 >= len(raw) {
			return high
		}
		if high && at > 0 {
			return true
		}
		if raw[at+1] != 'u' || at+6 > len(raw) {
			if high {
				return true
			}
			raw = raw[at+2:]
			continue
		}
		unit, _ := strconv.ParseUint(string(raw[at+2:at+6]), 16, 16)
		low := unit >= 0xDC00 && unit < 0xE000
		if low != high {
			return true
		}
		high = unit >= 0xD800 && unit < 0xDC00
		raw = raw[at+6:]
	}
}

// numberCell writes whole numbers as digits, however the file writes them.
func numberCell(raw []byte, scratch *[]byte) Cell {
	if n, err := strconv.ParseInt(string(raw), 10, 64); err == nil {
		*scratch = strconv.AppendInt((*scratch)[:0], n, 10)
		return Cell{Kind: Integer, Text: *scratch}
	}
	if !bytes.ContainsAny(raw, ".eE") {
		return Cell{Kind: Integer, Text: raw}
	}
	d, ok := ParseDecimal(raw)
	if !ok {
		return Cell{Kind: Number, Text: raw}
	}
	*scratch = d.Append((*scratch)[:0])
	return Cell{Kind: Number, Text: *scratch}
}
