package main

import (
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
)

const pageIntro = "# Benchmarks\n\n" +
	"`make bench` measures all of this anew, in under ten minutes, and writes this page; `go run ./internal/bench NAME` measures\n" +
	"one part. Requests are counted at the emulator of Owlat, and both sides of every comparison run in the same call.\n" +
	"[performance.md](../performance.md) says what limits there are and what was slow.\n"

// page writes the results as a page of Markdown.
func page(results []result) string {
	var b strings.Builder
	b.WriteString(pageIntro)
	if goals := goalsTable(results); len(goals.Rows) > 0 {
		b.WriteString("\n## What was to be reached\n\n" + goals.markdown())
	}
	for _, r := range results {
		s := r.Section
		fmt.Fprintf(&b, "\n## %s\n\n%s\n", s.Title, strings.TrimSpace(s.Intro))
		for _, t := range s.Tables {
			b.WriteString("\n" + t.markdown())
		}
		for _, c := range s.Charts {
			fmt.Fprintf(&b, "\n![%s](%s)\n", c.Title, c.File)
		}
		fmt.Fprintf(&b, "\nMeasured %s.\n", r.Machine)
	}
	return b.String()
}

// goalsTable lists the goals of all parts.
func goalsTable(results []result) table {
	t := table{Columns: []string{"", "wanted", "measured", ""}}
	for _, r := range results {
		for _, g := range r.Section.Goals {
			mark := "held"
			if g.Missed {
				mark = "**missed**"
			}
			t.Rows = append(t.Rows, []string{g.What, g.Want, g.Got, mark})
		}
	}
	return t
}

func (t table) markdown() string {
	var b strings.Builder
	line := func(cells []string) { fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | ")) }
	line(t.Columns)
	fmt.Fprintf(&b, "|%s\n", strings.Repeat("---|", len(t.Columns)))
	for _, row := range t.Rows {
		line(row)
	}
	return b.String()
}

// print shows a section on a terminal.
func (s section) print(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(tw, "\n%s\n", s.Title)
	for _, t := range s.Tables {
		fmt.Fprintln(tw, "\n"+strings.Join(t.Columns, "\t"))
		for _, row := range t.Rows {
			fmt.Fprintln(tw, strings.Join(row, "\t"))
		}
	}
	if goals := goalsTable([]result{{Section: s}}); len(goals.Rows) > 0 {
		fmt.Fprintln(tw)
		for _, row := range goals.Rows {
			fmt.Fprintf(tw, "%s\t%s\t%s\t%s\n", strings.Trim(row[3], "*"), row[0], row[1], row[2])
		}
	}
	return tw.Flush()
}

// excerpt is a piece of a document that is taken from the results.
type excerpt struct {
	file string // from the root of the repository
	name string
	text func([]result) string
}

var excerpts = []excerpt{
	{"README.md", "small comparison", func(results []result) string {
		return comparisonOf(results).where("users", count(realUsers)).columns("run", "", "requests", "of them refused (429)", "time", "not on the topic", "opted out and put back").markdown()
	}},
	{filepath.Join("docs", "comparison.md"), "comparison", func(results []result) string { return comparisonOf(results).markdown() }},
}

// comparisonOf is the table of the two sides beside each other; without its results it is empty.
func comparisonOf(results []result) table {
	for _, r := range results {
		if r.Part == comparePart {
			return r.Section.Tables[0]
		}
	}
	return table{}
}

// where keeps the rows that have the value in the column.
func (t table) where(column, value string) table {
	at := slices.Index(t.Columns, column)
	kept := table{Columns: t.Columns}
	for _, row := range t.Rows {
		if at >= 0 && row[at] == value {
			kept.Rows = append(kept.Rows, row)
		}
	}
	return kept
}

// columns keeps the columns with these names, in the table's order.
func (t table) columns(names ...string) table {
	keep := func(cells []string) (kept []string) {
		for i, cell := range cells {
			if slices.Contains(names, t.Columns[i]) {
				kept = append(kept, cell)
			}
		}
		return kept
	}
	narrow := table{Columns: keep(t.Columns)}
	for _, row := range t.Rows {
		narrow.Rows = append(narrow.Rows, keep(row))
	}
	return narrow
}

// fillIn replaces the excerpt in the text of its document, between two comments that name it.
func (e excerpt) fillIn(text string, results []result) (string, error) {
	begin, end := "<!-- "+e.name+" from docs/benchmarks -->\n", "<!-- end of "+e.name+" -->"
	before, rest, found := strings.Cut(text, begin)
	_, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		return "", fmt.Errorf("%s has no place for the excerpt %q", e.file, e.name)
	}
	return before + begin + "\n" + e.text(results) + "\n" + end + after, nil
}
