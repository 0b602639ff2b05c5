// Package mistake has the mistakes of a configuration, and puts what is wrong with its YAML into words. It repeats no value of the file.
package mistake

import (
	"bytes"
	"errors"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v4"
)

const tabs = "a tab stands where YAML wants blanks; indent with blanks"

// Of says in helpful words what the parser of YAML did not expect in data, and in which line, from 1, the enclosing part begins; 0: it is not known.
func Of(err error, data []byte) (line int, message string) {
	e, ok := errors.AsType[*yaml.LoadError](err)
	if !ok {
		return 0, "not valid YAML"
	}
	line, message = e.Mark.Line, e.Message
	says := func(text string) bool { return strings.Contains(message, text) }
	switch {
	case says("control characters"): // the only error without a place
		at := bytes.IndexFunc(data, func(r rune) bool { return unicode.IsControl(r) && !unicode.IsSpace(r) })
		line, message = 1+bytes.Count(data[:max(at, 0)], []byte("\n")), "a control character stands here; remove it"
	case says("unknown anchor"):
		message = "there is no anchor &" + strings.Split(message, "'")[1] + " above"
	case says("cannot start any token"):
		message = "a text cannot begin with this character; put the text in quotes"
		lines := bytes.Split(data, []byte("\n"))
		if bytes.HasPrefix(bytes.TrimLeft(lines[line-1], " "), []byte("\t")) {
			message = tabs
		}
	case says("a tab character"):
		message = tabs
	case says("end of stream"), says("document indicator"):
		line, message = e.ContextMark.Line, "the quote that opens here is not closed"
	case says("expected ',' or"):
		line, message = e.ContextMark.Line, "the bracket that opens here is not closed, or a text within it that holds a bracket needs quotes"
	case says("not allowed in this context"), says("not find expected"):
		message = "this cannot stand here; is a quote above it not closed, or the indentation wrong?"
	}
	return line, "not valid YAML: " + message
}
