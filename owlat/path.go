package owlat

import (
	"strings"
	"unicode/utf8"

	"owlatsync/owlat/internal/wire"
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
		wire.Escape(&b, value)
		rest = next
	}
	b.WriteString(rest)
	cl.path = b.String()
	return cl, nil
}
