package js

import (
	"errors"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

var errNotJSON = errors.New("the text is not JSON")

// ParseJSON reads body as fetch's Request.json does: as UTF-8 with replacement and without a byte order mark, then by
// JSON.parse, of two equal keys the last one counting.
func ParseJSON(body []byte) (Value, error) {
	s := strings.TrimPrefix(string(body), "\uFEFF")
	if !utf8.ValidString(s) {
		s = string([]rune(s))
	}
	p := parser{rest: s}
	v, err := p.value(0)
	if err != nil {
		return Value{}, err
	}
	if p.space(); p.rest != "" {
		return Value{}, errNotJSON
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

func (p *parser) value(depth int) (Value, error) {
	p.space()
	switch {
	case depth > maxDepth || p.rest == "":
		return Value{}, errNotJSON
	case p.rest[0] == '"':
		s, err := p.text()
		return Value{Kind: Text, Str: s}, err
	case p.take("{"):
		return p.object(depth)
	case p.take("["):
		return p.array(depth)
	case p.take("true"):
		return Value{Kind: Boolean, Truth: true}, nil
	case p.take("false"):
		return Value{Kind: Boolean}, nil
	case p.take("null"):
		return Value{Kind: Null}, nil
	default:
		return p.number()
	}
}

func (p *parser) object(depth int) (Value, error) {
	v := Value{Kind: Object, Fields: map[string]Value{}}
	if p.space(); p.take("}") {
		return v, nil
	}
	for {
		p.space()
		if !strings.HasPrefix(p.rest, `"`) {
			return Value{}, errNotJSON
		}
		name, err := p.text()
		if err != nil {
			return Value{}, err
		}
		if p.space(); !p.take(":") {
			return Value{}, errNotJSON
		}
		field, err := p.value(depth + 1)
		if err != nil {
			return Value{}, err
		}
		v.Fields[name] = field
		p.space()
		if p.take("}") {
			return v, nil
		}
		if !p.take(",") {
			return Value{}, errNotJSON
		}
	}
}

func (p *parser) array(depth int) (Value, error) {
	v := Value{Kind: Array}
	if p.space(); p.take("]") {
		return v, nil
	}
	for {
		item, err := p.value(depth + 1)
		if err != nil {
			return Value{}, err
		}
		v.List = append(v.List, item)
		p.space()
		if p.take("]") {
			return v, nil
		}
		if !p.take(",") {
			return Value{}, errNotJSON
		}
	}
}

func (p *parser) number() (Value, error) {
	n := numberLen(p.rest)
	if n == 0 {
		return Value{}, errNotJSON
	}
	// Out of range is no error: JavaScript reads such a number as infinite or as zero, and so does ParseFloat.
	f, _ := strconv.ParseFloat(p.rest[:n], 64)
	p.rest = p.rest[n:]
	return Value{Kind: Number, Num: f}, nil
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
