//go:build !linux

// Package idle measures what a service takes that has nothing to do: memory and processor, of the program as it is built.
package idle

import (
	"context"
	"errors"
	"io"

	"owlatsync/internal/bench/findings"
)

// Measure is the part of the benchmarks.
func Measure(context.Context, io.Writer) (findings.Section, error) {
	return findings.Section{}, errors.New("the memory of another process is only measured on Linux")
}
