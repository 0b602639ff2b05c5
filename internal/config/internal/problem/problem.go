// Package problem has the mistakes in a configuration, as people are told of them.
package problem

import (
	"fmt"
	"strings"
)

// Problem is one mistake in a configuration. It holds no secret.
type Problem struct {
	File    string `json:"file"`
	Line    int    `json:"line,omitempty"` // from 1; 0: no line
	Setting string `json:"setting,omitempty"`
	Message string `json:"message"`
}

// String returns the problem as "file:line: setting: message".
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d", p.Line)
	}
	b.WriteString(": ")
	if p.Setting != "" {
		b.WriteString(p.Setting + ": ")
	}
	b.WriteString(p.Message)
	return b.String()
}

// Error is all mistakes in a configuration, in the order of the file; there is at least one.
type Error struct{ Problems []Problem }

// Error returns one line for a single problem, or a heading and a line for each problem.
func (e *Error) Error() string {
	if len(e.Problems) == 1 {
		return e.Problems[0].String()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "the configuration has %d problems:", len(e.Problems))
	for _, p := range e.Problems {
		b.WriteString("\n  " + p.String())
	}
	return b.String()
}
