package config

import (
	"cmp"
	"fmt"
	"slices"

	"owlatsync/internal/config/internal/mistake"
	"owlatsync/internal/config/internal/secret"
)

// Problem is one mistake in a configuration. It holds no secret.
type Problem = mistake.Problem

// Error is all mistakes in a configuration, in the order of the file; there is at least one.
type Error = mistake.Error

// problems collects mistakes.
type problems struct {
	file string
	list []Problem
}

func (p *problems) add(line int, setting, format string, args ...any) {
	p.list = append(p.list, Problem{File: p.file, Line: line, Setting: setting, Message: fmt.Sprintf(format, args...)})
}

func (p *problems) err() error {
	if len(p.list) == 0 {
		return nil
	}
	slices.SortStableFunc(p.list, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
	return &Error{Problems: p.list}
}

// Secret is a text that must not be shown. However it is printed, logged or encoded, it appears as "(secret)".
type Secret = secret.Text
