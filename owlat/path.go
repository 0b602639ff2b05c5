package owlat

import (
	"strings"
	"unicode/utf8"
)

// blank reports whether Owlat would take s for empty.
func blank(s string) bool { return strings.TrimSpace(s) == "" }

// newCall is a call of the route with the values of its parts in braces, in their order. It refuses values that are empty,
// that are not text, and the two that servers resolve as steps in a path.
func newCall(method, route string, values ...string) (call, error) {
	cl := call{method: method, route: route, path: route}
	if len(values) == 0 {
		return cl, nil
	}
	var b strings.Builder
	rest := route
	for _, value := range values {
		before, after, _ := strings.Cut(rest, "{")
		what, next, _ := strings.Cut(after, "}")
		switch {
		case blank(value):
			return cl, cl.refuse("the %s id is empty", what)
		case value == "." || value == "..":
			return cl, cl.refuse("the %s id cannot be a step in a path", what)
		case !utf8.ValidString(value):
			return cl, cl.refuse("the %s id is not valid UTF-8", what)
		}
		b.WriteString(before)
		escape(&b, value)
		rest = next
	}
	b.WriteString(rest)
	cl.path = b.String()
	return cl, nil
}

// escape percent-encodes every byte that is not unreserved. Owlat's router looks at the last segment only: a slash that
// stays a slash would make an address name another contact.
func escape(b *strings.Builder, s string) {
	const hex = "0123456789ABCDEF"
	b.Grow(len(s))
	for i := range len(s) {
		c := s[i]
		if unreserved(c) {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(hex[c>>4])
		b.WriteByte(hex[c&15])
	}
}

func unreserved(c byte) bool {
	switch {
	case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '.', c == '_', c == '~':
		return true
	}
	return false
}
