// Package render shows what the program has to tell, as text for a person or as lines of JSON for machines: plans and their
// rows, runs and their end, how syncs stand, what fails, what a comparison found, the story of a row. It consumes values
// and writes to what it is given: it opens nothing, asks nobody and knows no flags.
package render

import (
	"fmt"
	"io"
	"strings"

	"owlatsync/internal/words"
)

// To is where something is shown.
type To struct {
	W    io.Writer // it remembers its errors itself
	JSON bool      // lines of JSON and no text
}

func (t To) printf(format string, args ...any) { _, _ = fmt.Fprintf(t.W, format, args...) }

func (t To) json(v any) error {
	_, err := t.W.Write(words.JSON(v))
	return err
}

// Typed is how a person here types the commands of this program; advice shows them so.
type Typed struct {
	Config string // the configuration file that must be named; empty: it is found without
}

// Command returns the command line of a command, for one sync unless sync is empty.
func (t Typed) Command(command, sync string) string {
	parts := []string{"owlat-sync", command}
	if sync != "" {
		parts = append(parts, "--sync", sync)
	}
	if t.Config != "" {
		parts = append(parts, "--config", words.ShellWord(t.Config))
	}
	return strings.Join(parts, " ")
}
