package source

import (
	"bytes"
	"math"
	"strconv"
	"time"
	"unsafe"
)

// kind is what a value is to the mapping, whatever the database calls its type.
type kind uint8

const (
	text    kind = iota
	padded       // char(n): trailing blanks are the database's, not the value's
	integer      // decimal digits
	number       // floating or decimal
	boolean      // "true" or "false"
	bits         // MySQL's BIT(n): bytes, the highest first
	moment       // date and time
	day          // date
	binary       // cannot be mapped
	nested       // a JSON object or array: cannot be mapped
)

// cell is one value. Its text is canonical: integers decimal, moments RFC 3339 in UTC, booleans "true" and "false". It is
// small enough to be passed in registers, which every value of every row is.
type cell struct {
	null bool
	kind kind
	kept bool // the text is right and part of a string
	text []byte
}

// keptText returns the text of a cell that is part of a string.
func (c cell) keptText() string { return unsafe.String(unsafe.SliceData(c.text), len(c.text)) }

// bytesOf returns the bytes of a string, to which nobody may write.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

var (
	textTrue  = []byte("true")
	textFalse = []byte("false")
)

// canonical makes a cell of a value's text in the form in which databases print it. scratch is overwritten where needed.
func canonical(k kind, raw []byte, scratch *[]byte) cell {
	switch k {
	case padded:
		return cell{kind: text, text: bytes.TrimRight(raw, " ")}
	case boolean:
		return flag(raw)
	case bits:
		if len(raw) > 8 {
			return cell{kind: text, text: raw}
		}
		var n uint64
		for _, b := range raw {
			n = n<<8 | uint64(b)
		}
		*scratch = strconv.AppendUint((*scratch)[:0], n, 10)
		return cell{kind: integer, text: *scratch}
	case moment:
		if bytes.HasPrefix(raw, []byte("0000-00-00")) {
			return cell{null: true} // MySQL's way to write "no date" into a column without NULL
		}
		*scratch = appendMoment((*scratch)[:0], raw)
		return cell{kind: moment, text: *scratch}
	case day:
		if bytes.Equal(raw, []byte("0000-00-00")) {
			return cell{null: true}
		}
	}
	return cell{kind: k, text: raw}
}

// flag makes a cell of the text or the byte that stands for a boolean. What is neither yes nor no stays what it is.
func flag(raw []byte) cell {
	if yes, ok := yesOrNo(raw); ok {
		return cell{kind: boolean, text: truth(yes)}
	}
	if _, ok := parseDecimal(raw); ok {
		return cell{kind: number, text: raw}
	}
	return cell{kind: text, text: raw}
}

// yesOrNo reads one of the texts that mean yes or no, or the one byte of a bit.
func yesOrNo(t []byte) (yes, ok bool) {
	var low [len("false")]byte
	t = bytes.TrimSpace(t)
	if len(t) > len(low) {
		return false, false
	}
	for i, c := range t {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		low[i] = c
	}
	switch string(low[:len(t)]) {
	case "t", "true", "y", "yes", "on", "1", "\x01":
		return true, true
	case "f", "false", "n", "no", "off", "0", "\x00":
		return false, true
	}
	return false, false
}

func truth(b bool) []byte {
	if b {
		return textTrue
	}
	return textFalse
}

// momentForm is where the parts of "2006-01-02 15:04:05" stand.
const momentForm = len("2006-01-02 15:04:05")

// appendMoment appends a database's date and time as RFC 3339 in UTC; a text without a zone is taken for UTC, and one of
// another form, such as "infinity", stays as it is.
func appendMoment(dst, raw []byte) []byte {
	if len(raw) < momentForm || raw[4] != '-' || raw[7] != '-' || raw[10] != ' ' && raw[10] != 'T' || raw[13] != ':' || raw[16] != ':' {
		return append(dst, raw...)
	}
	fraction, zone := raw[momentForm:], []byte(nil)
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
	dst = append(dst, raw[11:momentForm]...)
	if digits := bytes.TrimRight(fraction, "0"); len(digits) > 1 {
		dst = append(dst, digits...)
	}
	return append(dst, 'Z')
}

// appendFloat appends the shortest text that means f, without an exponent for the sizes that people write without one.
func appendFloat(dst []byte, f float64, bitSize int) []byte {
	form := byte('f')
	if a := math.Abs(f); a != 0 && (a < 1e-6 || a >= 1e21) {
		form = 'e'
	}
	return strconv.AppendFloat(dst, f, form, -1, bitSize)
}

// consent reads a yes or a no; ok is false where the value is neither.
func (c cell) consent() (yes, ok bool) {
	if c.null {
		return false, true
	}
	switch c.kind {
	case boolean:
		return c.text[0] == 't', true
	case integer, number:
		if d, ok := parseDecimal(c.text); ok {
			return d.count > 0, true
		}
		f, err := strconv.ParseFloat(string(c.text), 64)
		return f != 0, err == nil && !math.IsNaN(f)
	case text:
	default:
		return false, false
	}
	if len(bytes.TrimSpace(c.text)) == 0 {
		return false, true
	}
	return yesOrNo(c.text)
}

// property returns the value as an event property; why is set where it cannot be one.
func (c cell) property() (value any, why string) {
	if c.null {
		return nil, ""
	}
	switch c.kind {
	case boolean:
		return c.text[0] == 't', ""
	case integer:
		if n, err := strconv.ParseInt(string(c.text), 10, 64); err == nil {
			return n, ""
		}
		fallthrough
	case number:
		f, err := strconv.ParseFloat(string(c.text), 64)
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			return nil, "holds a number that JSON cannot express"
		}
		if d, ok := parseDecimal(c.text); ok && !d.exact(math.Abs(f)) {
			return d.jsonNumber(c.text), ""
		}
		return f, ""
	}
	return string(c.text), ""
}
