package js

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// Kind is the type of a JavaScript value as JSON.parse makes them, or undefined for a key that is not there.
type Kind uint8

const (
	Undefined Kind = iota
	Null
	Boolean
	Number
	Text
	Array
	Object
)

// Value is a JavaScript value. A text may hold a lone surrogate, in the three bytes that UTF-8 would give it; such a
// text is not valid UTF-8.
type Value struct {
	Kind   Kind
	Truth  bool
	Num    float64
	Str    string
	List   []Value
	Fields map[string]Value
}

// Get returns the property of an object; other values have none of the names the API asks for.
func (v Value) Get(name string) Value { return v.Fields[name] }

// Truthy is JavaScript's Boolean(v).
func (v Value) Truthy() bool {
	switch v.Kind {
	case Boolean:
		return v.Truth
	case Number:
		return v.Num != 0 && !math.IsNaN(v.Num)
	case Text:
		return v.Str != ""
	case Array, Object:
		return true
	default:
		return false
	}
}

// String is JavaScript's String(v).
func (v Value) String() string {
	switch v.Kind {
	case Undefined:
		return "undefined"
	case Null:
		return "null"
	case Boolean:
		return strconv.FormatBool(v.Truth)
	case Number:
		return FormatNumber(v.Num)
	case Text:
		return v.Str
	case Array:
		parts := make([]string, len(v.List))
		for i, item := range v.List {
			if item.Kind != Null {
				parts[i] = item.String()
			}
		}
		return strings.Join(parts, ",")
	default:
		return "[object Object]"
	}
}

// FormatNumber writes f as JavaScript does.
func FormatNumber(f float64) string {
	switch abs := math.Abs(f); {
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	case f == 0:
		return "0"
	case abs >= 1e-6 && abs < 1e21:
		return strconv.FormatFloat(f, 'f', -1, 64)
	default:
		mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(f, 'e', -1, 64), "e")
		return mantissa + "e" + exponent[:1] + strings.TrimLeft(exponent[1:], "0")
	}
}

// AppendText appends s as JSON.stringify writes it.
func AppendText(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c >= ' ':
			b = append(b, c)
		default:
			if at := strings.IndexByte("\b\f\n\r\t", c); at >= 0 {
				b = append(b, '\\', "bfnrt"[at])
			} else {
				b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			}
		}
		i++
	}
	return append(b, '"')
}

const isoMillis = "2006-01-02T15:04:05.000Z"

// AppendTime appends t as JSON.stringify writes a date: in UTC, with milliseconds.
func AppendTime(b []byte, t time.Time) []byte {
	b = append(b, '"')
	b = t.UTC().AppendFormat(b, isoMillis)
	return append(b, '"')
}
