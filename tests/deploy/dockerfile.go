package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// dockerfile parses a Dockerfile as BuildKit does. What its linter finds while it parses counts as a fault.
func dockerfile(_ context.Context, file string) (string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	parsed, err := parser.Parse(bytes.NewReader(text))
	if err != nil {
		return "", err
	}
	var faults []error
	for _, warning := range parsed.Warnings {
		faults = append(faults, errors.New(warning.Short))
	}
	lint := linter.New(&linter.Config{Warn: func(rule, _, _, message string, at []parser.Range) {
		faults = append(faults, fmt.Errorf("%v: %s: %s", at, rule, message))
	}})
	stages, _, err := instructions.Parse(parsed.AST, lint)
	if err != nil {
		return "", err
	}
	if len(faults) == 0 && stages[len(stages)-1].BaseName == "" {
		faults = append(faults, errors.New("the last stage has no base"))
	}
	return fmt.Sprintf("%d stages", len(stages)), errors.Join(faults...)
}
