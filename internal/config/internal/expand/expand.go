// Package expand puts variables of the environment into the values of a configuration.
package expand

import (
	"fmt"
	"strings"
)

// Variables replaces each ${NAME} in s by the variable and each $${ by ${. It returns the names it replaced.
func Variables(s string, lookup func(string) (string, bool)) (value string, names []string, err error) {
	var b strings.Builder
	for {
		i := strings.Index(s, "${")
		if i < 0 {
			b.WriteString(s)
			return b.String(), names, nil
		}
		if i > 0 && s[i-1] == '$' {
			b.WriteString(s[:i] + "{")
			s = s[i+2:]
			continue
		}
		b.WriteString(s[:i])
		name, rest, closed := strings.Cut(s[i+2:], "}")
		if !closed {
			return "", nil, fmt.Errorf("a ${ is never closed by }; to write ${ itself, write $${")
		}
		if !validVariable(name) {
			return "", nil, fmt.Errorf("between ${ and } must stand the name of an environment variable and nothing else, such as ${DATABASE_URL}; to write ${ itself, write $${")
		}
		v, ok := lookup(name)
		if !ok {
			return "", nil, fmt.Errorf("the environment variable %s is not set", name)
		}
		b.WriteString(v)
		names = append(names, name)
		s = rest
	}
}

func validVariable(name string) bool {
	for i, r := range name {
		letter := r == '_' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return name != ""
}
