package main

import (
	"fmt"
	"io"
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

// excerpt is a piece of the README that is taken from the results.
type excerpt struct {
	name string
	text func([]result) string
}

var excerpts = []excerpt{
	{"comparison", func(results []result) string {
		for _, r := range results {
			if r.Part == comparePart {
				return r.Section.Tables[0].markdown()
			}
		}
		return ""
	}},
	{"goals", func(results []result) string { return goalsTable(results).markdown() }},
}

// fillIn replaces the excerpts in the text of the README, each between two comments that name it.
func fillIn(readme string, results []result) (string, error) {
	for _, e := range excerpts {
		begin, end := "<!-- "+e.name+" from docs/benchmarks -->\n", "<!-- end of "+e.name+" -->"
		before, rest, found := strings.Cut(readme, begin)
		_, after, closed := strings.Cut(rest, end)
		if !found || !closed {
			return "", fmt.Errorf("the README has no place for the excerpt %q", e.name)
		}
		readme = before + begin + "\n" + e.text(results) + "\n" + end + after
	}
	return readme, nil
}
