// Package cell holds one value of a source, in a form that is the same for all sources, and turns it into what a row needs.
package cell

import (
	"bytes"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
	"unsafe"
)

// Kind is what a value means to the mapping, whatever the database calls its type.
type Kind uint8

const (
	Text    Kind = iota
	Padded       // char(n): the database adds trailing blanks, which are not part of the value
	Integer      // decimal digits
	Number       // floating or decimal
	Boolean      // "true" or "false"
	Bits         // MySQL's BIT(n): bytes, the highest first
	Moment       // date and time
	Day          // date
	Binary       // cannot be mapped
	Nested       // a JSON object or array: cannot be mapped
)

// Cell is one value. Its text is canonical: integers decimal, moments RFC 3339 in UTC, booleans "true" and "false". A cell is
// passed for every value of every row, and is small enough to be passed in registers.
type Cell struct {
	Null bool
	Kind Kind
	Kept bool // the text is valid and part of a string
	Text []byte
}

// KeptText returns the text of a cell that is part of a string.
func (c Cell) KeptText() string { return unsafe.String(unsafe.SliceData(c.Text), len(c.Text)) }

// BytesOf returns the bytes of a string. Nobody may write to them.
func BytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

var (
	textTrue  = []byte("true")
	textFalse = []byte("false")
)

// Canonical makes a cell of a value's text in the form in which databases print it. It may overwrite scratch.
func Canonical(k Kind, raw []byte, scratch *[]byte) Cell {
	switch k {
	case Padded:
		return Cell{Kind: Text, Text: bytes.TrimRight(raw, " ")}
	case Boolean:
		return flag(raw)
	case Bits:
		if len(raw) > 8 {
			return Cell{Kind: Text, Text: raw}
		}
		var n uint64
		for _, b := range raw {
			n = n<<8 | uint64(b)
		}
		*scratch = strconv.AppendUint((*scratch)[:0], n, 10)
		return Cell{Kind: Integer, Text: *scratch}
	case Moment:
		if bytes.HasPrefix(raw, []byte("0000-00-00")) {
			return Cell{Null: true} // MySQL's way to write "no date" into a column without NULL
		}
		*scratch = AppendMoment((*scratch)[:0], raw)
		return Cell{Kind: Moment, Text: *scratch}
	case Day:
		if bytes.Equal(raw, []byte("0000-00-00")) {
			return Cell{Null: true}
		}
	}
	return Cell{Kind: k, Text: raw}
}

// flag makes a cell of a text or byte that means a boolean. Any other text stays as it is.
func flag(raw []byte) Cell {
	if yes, ok := yesOrNo(raw); ok {
		return Cell{Kind: Boolean, Text: Truth(yes)}
	}
	if _, ok := ParseDecimal(raw); ok {
		return Cell{Kind: Number, Text: raw}
	}
	return Cell{Kind: Text, Text: raw}
}

// Truth returns the canonical text of a boolean. Nobody may write to it.
func Truth(b bool) []byte {
	if b {
		return textTrue
	}
	return textFalse
}

// MomentForm is the length of a date and time with whole seconds.
const MomentForm = len("2006-01-02 15:04:05")

// AppendMoment appends a database's date and time as RFC 3339 in UTC. A text without a zone is taken as UTC. A text of another
// form, such as "infinity", stays as it is.
func AppendMoment(dst, raw []byte) []byte {
	if len(raw) < MomentForm || raw[4] != '-' || raw[7] != '-' || raw[10] != ' ' && raw[10] != 'T' || raw[13] != ':' || raw[16] != ':' {
		return append(dst, raw...)
	}
	fraction, zone := raw[MomentForm:], []byte(nil)
	if i := bytes.IndexAny(fraction, "Z+-"); i >= 0 {
		fraction, zone = fraction[:i], fraction[i:]
	}
	switch string(zone) {
	case "", "Z", "+00", "+00:00", "+0000":
	default:
		for _, form := range []string{"-07:00", "-07", "-0700", "-07:00:00"} {
			t, err := time.Parse("2006-01-02T15:04:05.999999999"+form, string(raw[:10])+"T"+string(raw[11:]))
			if err == nil {
				return t.UTC().AppendFormat(dst, time.RFC3339Nano)
			}
		}
		return append(dst, raw...)
	}
	if len(fraction) > 0 && (fraction[0] != '.' || len(bytes.Trim(fraction[1:], "0123456789")) > 0) {
		return append(dst, raw...) // such as "… BC"
	}
	dst = append(dst, raw[:10]...)
	dst = append(dst, 'T')
	dst = append(dst, raw[11:MomentForm]...)
	if digits := bytes.TrimRight(fraction, "0"); len(digits) > 1 {
		dst = append(dst, digits...)
	}
	return append(dst, 'Z')
}

// AppendFloat appends the shortest text that means f, without an exponent for sizes that people write without one.
func AppendFloat(dst []byte, f float64, bitSize int) []byte {
	form := byte('f')
	if a := math.Abs(f); a != 0 && (a < 1e-6 || a >= 1e21) {
		form = 'e'
	}
	return strconv.AppendFloat(dst, f, form, -1, bitSize)
}

// Property returns the value as an event property; why says why it cannot be one.
func (c Cell) Property() (value any, why string) {
	if c.Null {
		return nil, ""
	}
	switch c.Kind {
	case Boolean:
		return c.Text[0] == 't', ""
	case Integer:
		if n, err := strconv.ParseInt(string(c.Text), 10, 64); err == nil {
			return n, ""
		}
		fallthrough
	case Number:
		f, err := strconv.ParseFloat(string(c.Text), 64)
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			return nil, "holds a number that JSON cannot express"
		}
		if d, ok := ParseDecimal(c.Text); ok && !d.exact(math.Abs(f)) {
			return d.jsonNumber(c.Text), ""
		}
		return f, ""
	}
	return string(c.Text), ""
}

// Separator is between texts that are checked together. It is none of the bytes that the checks look for.
const Separator = '\n'

// IsText reports whether bytes are a text for a database, JSON and Owlat alike: UTF-8 without NUL.
func IsText(b []byte) bool { return bytes.IndexByte(b, 0) < 0 && utf8.Valid(b) }

// WrongText says why bytes are not a text.
func WrongText(b []byte) string {
	if !utf8.Valid(b) {
		return "is not valid UTF-8"
	}
	return "holds a NUL byte, which is part of no text"
}

// IsBlank reports whether a text is only white space; its first byte nearly always tells.
func IsBlank(text string) bool {
	return len(text) == 0 || (text[0] <= ' ' || text[0] >= utf8.RuneSelf) && len(strings.TrimSpace(text)) == 0
}
