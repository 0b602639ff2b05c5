package owlat

import (
	"strings"
	"unicode/utf8"
)

// blank reports whether Owlat would take s for empty.
func blank(s string) bool { return strings.TrimSpace(s) == "" }

// segment returns an id or an address as one segment of a path. It refuses what is empty, what is not text, and the two
// names that servers resolve as steps in a path.
func (cl call) segment(s, what string) (string, error) {
	switch {
	case blank(s):
		return "", cl.refuse("the %s id is empty", what)
	case s == "." || s == "..":
		return "", cl.refuse("the %s id cannot be a step in a path", what)
	case !utf8.ValidString(s):
		return "", cl.refuse("the %s id is not valid UTF-8", what)
	}
	return escape(s), nil
}

// escape percent-encodes every byte that is not unreserved. Owlat's router looks at the last segment only: a slash that
// stays a slash would make an address name another contact.
func escape(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '.', c == '_', c == '~':
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		}
	}
	return b.String()
}
