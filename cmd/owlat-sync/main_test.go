package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"owlatsync/internal/exitcode"
)

// full is an output to which nothing can be written.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func TestAnOutputThatCannotBeWrittenIsTold(t *testing.T) {
	t.Parallel()
	var stderr bytes.Buffer
	code := run(t.Context(), []string{"version"}, nil, strings.NewReader(""), full{}, &stderr)
	if want := "owlat-sync: write the output: no space left on device\n"; code != int(exitcode.Error) || stderr.String() != want {
		t.Errorf("code %d, %q, want %q", code, &stderr, want)
	}
}
