package main

import (
	"fmt"
	"path/filepath"
	"strings"

	"owlatsync/internal/bench/findings"
)

// excerpt is a piece of a document that is taken from the results.
type excerpt struct {
	file string // from the root of the repository
	name string
	text func([]findings.Result) string
}

var excerpts = []excerpt{
	{"README.md", "small comparison", func(results []findings.Result) string {
		return comparisonOf(results).Where("users", findings.Count(realUsers)).Only("run", "", "requests", "of them refused (429)", "time", "not on the topic", "opted out and put back").Markdown()
	}},
	{filepath.Join("docs", "comparison.md"), "comparison", func(results []findings.Result) string { return comparisonOf(results).Markdown() }},
	{filepath.Join("docs", "feedback.md"), "rounds", func(results []findings.Result) string {
		return tableOf(results, pollPart).Only("a round over", "reads", "requests of the budget", "requests by links", "takes").Markdown()
	}},
	{filepath.Join("docs", "first-load.md"), "firstload", func(results []findings.Result) string {
		return tableOf(results, firstloadPart).Only("people", "way", "requests", "created by API", "time").Markdown()
	}},
}

// comparisonOf is the table of the two sides beside each other.
func comparisonOf(results []findings.Result) findings.Table { return tableOf(results, comparePart) }

// tableOf is the first table of a part; without its results it is empty.
func tableOf(results []findings.Result, part string) findings.Table {
	for _, r := range results {
		if r.Part == part {
			return r.Section.Tables[0]
		}
	}
	return findings.Table{}
}

// fillIn replaces the excerpt in the text of its document, between two comments that name it.
func (e excerpt) fillIn(text string, results []findings.Result) (string, error) {
	begin, end := "<!-- "+e.name+" from docs/benchmarks -->\n", "<!-- end of "+e.name+" -->"
	before, rest, found := strings.Cut(text, begin)
	_, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		return "", fmt.Errorf("%s has no place for the excerpt %q", e.file, e.name)
	}
	return before + begin + "\n" + e.text(results) + "\n" + end + after, nil
}
