package owlattest

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// kind is the type of a JavaScript value as JSON.parse makes them, or undefined for a key that is not there.
type kind uint8

const (
	undefined kind = iota
	null
	boolean
	number
	text
	array
	object
)

// value is a JavaScript value. A text may hold a lone surrogate, in the three bytes that UTF-8 would give it; such a
// text is not valid UTF-8.
type value struct {
	kind   kind
	truth  bool
	num    float64
	str    string
	list   []value
	fields map[string]value
}

// get returns the property of an object; other values have none of the names the API asks for.
func (v value) get(name string) value { return v.fields[name] }

// truthy is JavaScript's Boolean(v).
func (v value) truthy() bool {
	switch v.kind {
	case boolean:
		return v.truth
	case number:
		return v.num != 0 && !math.IsNaN(v.num)
	case text:
		return v.str != ""
	case array, object:
		return true
	default:
		return false
	}
}

// String is JavaScript's String(v).
func (v value) String() string {
	switch v.kind {
	case undefined:
		return "undefined"
	case null:
		return "null"
	case boolean:
		return strconv.FormatBool(v.truth)
	case number:
		return formatNumber(v.num)
	case text:
		return v.str
	case array:
		parts := make([]string, len(v.list))
		for i, item := range v.list {
			if item.kind != null {
				parts[i] = item.String()
			}
		}
		return strings.Join(parts, ",")
	default:
		return "[object Object]"
	}
}

// formatNumber writes f as JavaScript does.
func formatNumber(f float64) string {
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

var errNotJSON = errors.New("the text is not JSON")

// parseJSON reads body as fetch's Request.json does: as UTF-8 with replacement and without a byte order mark, then by
// JSON.parse, of two equal keys the last one counting.
func parseJSON(body []byte) (value, error) {
	s := strings.TrimPrefix(string(body), "\uFEFF")
	if !utf8.ValidString(s) {
		s = string([]rune(s))
	}
	p := parser{rest: s}
	v, err := p.value(0)
	if err != nil {
		return value{}, err
	}
	if p.space(); p.rest != "" {
		return value{}, errNotJSON
	}
	return v, nil
}

// maxDepth keeps a hostile body from exhausting the stack; JavaScript has a limit of the same kind.
const maxDepth = 5000

type parser struct{ rest string }

func (p *parser) space() { p.rest = strings.TrimLeft(p.rest, " \t\r\n") }

func (p *parser) take(token string) bool {
	rest, found := strings.CutPrefix(p.rest, token)
	p.rest = rest
	return found
}

func (p *parser) value(depth int) (value, error) {
	p.space()
	switch {
	case depth > maxDepth || p.rest == "":
		return value{}, errNotJSON
	case p.rest[0] == '"':
		s, err := p.text()
		return value{kind: text, str: s}, err
	case p.take("{"):
		return p.object(depth)
	case p.take("["):
		return p.array(depth)
	case p.take("true"):
		return value{kind: boolean, truth: true}, nil
	case p.take("false"):
		return value{kind: boolean}, nil
	case p.take("null"):
		return value{kind: null}, nil
	default:
		return p.number()
	}
}

func (p *parser) object(depth int) (value, error) {
	v := value{kind: object, fields: map[string]value{}}
	if p.space(); p.take("}") {
		return v, nil
	}
	for {
		p.space()
		if !strings.HasPrefix(p.rest, `"`) {
			return value{}, errNotJSON
		}
		name, err := p.text()
		if err != nil {
			return value{}, err
		}
		if p.space(); !p.take(":") {
			return value{}, errNotJSON
		}
		field, err := p.value(depth + 1)
		if err != nil {
			return value{}, err
		}
		v.fields[name] = field
		p.space()
		if p.take("}") {
			return v, nil
		}
		if !p.take(",") {
			return value{}, errNotJSON
		}
	}
}

func (p *parser) array(depth int) (value, error) {
	v := value{kind: array}
	if p.space(); p.take("]") {
		return v, nil
	}
	for {
		item, err := p.value(depth + 1)
		if err != nil {
			return value{}, err
		}
		v.list = append(v.list, item)
		p.space()
		if p.take("]") {
			return v, nil
		}
		if !p.take(",") {
			return value{}, errNotJSON
		}
	}
}

func (p *parser) number() (value, error) {
	n := numberLen(p.rest)
	if n == 0 {
		return value{}, errNotJSON
	}
	// Out of range is no error: JavaScript reads such a number as infinite or as zero, and so does ParseFloat.
	f, _ := strconv.ParseFloat(p.rest[:n], 64)
	p.rest = p.rest[n:]
	return value{kind: number, num: f}, nil
}

// numberLen returns the length of the JSON number at the start of s, or 0.
func numberLen(s string) int {
	digits := func(i int) int {
		for i < len(s) && s[i] >= '0' && s[i] <= '9' {
			i++
		}
		return i
	}
	i := 0
	if strings.HasPrefix(s, "-") {
		i = 1
	}
	whole := digits(i)
	if whole == i || s[i] == '0' && whole > i+1 {
		return 0
	}
	end := whole
	if end < len(s) && s[end] == '.' {
		fraction := digits(end + 1)
		if fraction == end+1 {
			return 0
		}
		end = fraction
	}
	if end < len(s) && (s[end] == 'e' || s[end] == 'E') {
		start := end + 1
		if start < len(s) && (s[start] == '+' || s[start] == '-') {
			start++
		}
		exponent := digits(start)
		if exponent == start {
			return 0
		}
		end = exponent
	}
	return end
}

func (p *parser) text() (string, error) {
	s := p.rest[1:]
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"':
			p.rest = s[i+1:]
			return s[:i], nil
		case c == '\\':
			return p.escapedText(s, i)
		case c < ' ':
			return "", errNotJSON
		}
	}
	return "", errNotJSON
}

// escapedText reads the rest of a text whose first escape stands at s[i].
func (p *parser) escapedText(s string, i int) (string, error) {
	out := []byte(s[:i])
	for i < len(s) {
		c := s[i]
		switch {
		case c == '"':
			p.rest = s[i+1:]
			return string(out), nil
		case c < ' ':
			return "", errNotJSON
		case c != '\\':
			out = append(out, c)
			i++
			continue
		}
		if i+1 >= len(s) {
			return "", errNotJSON
		}
		if s[i+1] == 'u' {
			unit, ok := hexUnit(s[i+2:])
			if !ok {
				return "", errNotJSON
			}
			i += 6
			if utf16.IsSurrogate(unit) {
				if low, ok := lowUnit(s[i:]); ok && unit < 0xDC00 {
					out = utf8.AppendRune(out, utf16.DecodeRune(unit, low))
					i += 6
					continue
				}
				out = append(out, 0xE0|byte(unit>>12), 0x80|byte(unit>>6)&0x3F, 0x80|byte(unit)&0x3F)
				continue
			}
			out = utf8.AppendRune(out, unit)
			continue
		}
		at := strings.IndexByte(`"\/bfnrt`, s[i+1])
		if at < 0 {
			return "", errNotJSON
		}
		out = append(out, "\"\\/\b\f\n\r\t"[at])
		i += 2
	}
	return "", errNotJSON
}

func hexUnit(s string) (rune, bool) {
	if len(s) < 4 {
		return 0, false
	}
	n, err := strconv.ParseUint(s[:4], 16, 16)
	return rune(n), err == nil
}

func lowUnit(s string) (rune, bool) {
	if !strings.HasPrefix(s, `\u`) {
		return 0, false
	}
	unit, ok := hexUnit(s[2:])
	return unit, ok && unit >= 0xDC00 && unit <= 0xDFFF
}

// appendText appends s as JSON.stringify writes it.
func appendText(b []byte, s string) []byte {
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
