// Package render shows what the program has to tell, as text for a person or as lines of JSON for machines: plans and their rows,
// the end of runs, the state of syncs, failures, differences, and the story of a row. It takes values and writes to a given writer.
// It opens nothing, asks nobody and knows no flags.
package render

import (
	"fmt"
	"io"
	"strings"

	"owlatsync/internal/words"
)

// To is where something is shown, and in which form.
type To struct {
	W    io.Writer // it keeps its errors itself
	JSON bool      // lines of JSON in place of text
}

func (t To) printf(format string, args ...any) { _, _ = fmt.Fprintf(t.W, format, args...) }

func (t To) json(v any) error {
	_, err := t.W.Write(words.JSON(v))
	return err
}

// Typed is how the person types commands of this program; advice shows commands in that form.
type Typed struct {
	Config     string // the configuration file to name; empty: it is found without a name
	Deployment string // the deployment to name; empty: it is found without a name
}

// Command returns a command line of the program, for one sync unless sync is empty.
func (t Typed) Command(command, sync string) string {
	parts := []string{"owlat-sync", command}
	if sync != "" {
		parts = append(parts, "--sync", sync)
	}
	if t.Deployment != "" {
		parts = append(parts, "--deployment", words.ShellWord(t.Deployment))
	}
	if t.Config != "" {
		parts = append(parts, "--config", words.ShellWord(t.Config))
	}
	return strings.Join(parts, " ")
}
