// Package render shows what the program has to tell, as text for a person or as lines of JSON for machines: plans and their rows,
// the end of runs, the state of syncs, failures, differences, and the story of a row. It takes values and writes to a given writer.
// It opens nothing, asks nobody and knows no flags.
package render

import (
	"fmt"
	"io"

	"owlatsync/internal/words"
)

// To is where something is shown, and in which form.
type To struct {
	W     io.Writer   // it keeps its errors itself
	JSON  bool        // lines of JSON in place of text
	Typed words.Typed // for the commands in advice
}

func (t To) printf(format string, args ...any) {
	_, _ = io.WriteString(t.W, t.Typed.Complete(fmt.Sprintf(format, args...)))
}

func (t To) json(v any) error {
	_, err := t.W.Write(words.JSON(v))
	return err
}
