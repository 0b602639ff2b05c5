package console

import (
	"errors"
	"fmt"
	"strings"

	"owlatsync/internal/exitcode"
	"owlatsync/internal/problem"
	"owlatsync/internal/words"
)

// PrintError writes err once to standard error with its hint: as text or, with JSON, as one object. It writes each of several
// errors by itself, and leaves out what was already told.
func (c *Console) PrintError(err error) {
	if err == nil {
		return
	}
	if several, ok := errors.AsType[problem.Several](err); ok {
		for _, e := range several {
			c.PrintError(e)
		}
		return
	}
	if problem.WasTold(err) {
		return
	}
	text, hint := c.advise(err.Error()), c.advise(problem.HintOf(err))
	if c.JSON {
		_, _ = c.stderr.Write(words.JSON(struct {
			Type     string        `json:"type"`
			ExitCode exitcode.Code `json:"exit_code"`
			Message  string        `json:"message"`
			Hint     string        `json:"hint,omitempty"`
		}{"error", exitcode.Of(err), text, hint}))
		return
	}
	_, _ = fmt.Fprintf(c.stderr, "owlat-sync: %s\n", continued(words.Harmless(text)))
	if hint != "" {
		_, _ = fmt.Fprintf(c.stderr, "  hint: %s\n", words.Harmless(hint))
	}
}

// continued indents the further lines of a text, so that the next error is easy to see.
func continued(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines[1:] {
		if !strings.HasPrefix(line, "  ") {
			lines[i+1] = "  " + line
		}
	}
	return strings.Join(lines, "\n")
}
