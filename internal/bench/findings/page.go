package findings

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

const pageIntro = "# Benchmarks\n\n" +
	"`make bench` measures all of this anew, in under ten minutes, and writes this page; `go run ./internal/bench NAME` measures\n" +
	"one part. Requests are counted at the emulator of Owlat, and both sides of every comparison run in the same call.\n" +
	"[performance.md](../performance.md) says what limits there are and what was slow.\n"

// Page writes the results as a page of Markdown.
func Page(results []Result) string {
	var b strings.Builder
	b.WriteString(pageIntro)
	if goals := goalsTable(results); len(goals.Rows) > 0 {
		b.WriteString("\n## What was to be reached\n\n" + goals.Markdown())
	}
	for _, r := range results {
		s := r.Section
		fmt.Fprintf(&b, "\n## %s\n\n%s\n", s.Title, strings.TrimSpace(s.Intro))
		for _, t := range s.Tables {
			b.WriteString("\n" + t.Markdown())
		}
		for _, c := range s.Charts {
			fmt.Fprintf(&b, "\n![%s](%s)\n", c.Title, c.File)
		}
		fmt.Fprintf(&b, "\nMeasured %s.\n", r.Machine)
	}
	return b.String()
}

// goalsTable lists the goals of all parts.
func goalsTable(results []Result) Table {
	t := Table{Columns: []string{"", "wanted", "measured", ""}}
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

// Markdown writes the table.
func (t Table) Markdown() string {
	var b strings.Builder
	line := func(cells []string) { fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | ")) }
	line(t.Columns)
	fmt.Fprintf(&b, "|%s\n", strings.Repeat("---|", len(t.Columns)))
	for _, row := range t.Rows {
		line(row)
	}
	return b.String()
}

// Print shows a section on a terminal.
func (s Section) Print(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(tw, "\n%s\n", s.Title)
	for _, t := range s.Tables {
		fmt.Fprintln(tw, "\n"+strings.Join(t.Columns, "\t"))
		for _, row := range t.Rows {
			fmt.Fprintln(tw, strings.Join(row, "\t"))
		}
	}
	if goals := goalsTable([]Result{{Section: s}}); len(goals.Rows) > 0 {
		fmt.Fprintln(tw)
		for _, row := range goals.Rows {
			fmt.Fprintf(tw, "%s\t%s\t%s\t%s\n", strings.Trim(row[3], "*"), row[0], row[1], row[2])
		}
	}
	return tw.Flush()
}

// Where keeps the rows that have the value in the column.
func (t Table) Where(column, value string) Table {
	at := slices.Index(t.Columns, column)
	kept := Table{Columns: t.Columns}
	for _, row := range t.Rows {
		if at >= 0 && row[at] == value {
			kept.Rows = append(kept.Rows, row)
		}
	}
	return kept
}

// Only keeps the columns with these names, in the table's order.
func (t Table) Only(names ...string) Table {
	keep := func(cells []string) (kept []string) {
		for i, cell := range cells {
			if slices.Contains(names, t.Columns[i]) {
				kept = append(kept, cell)
			}
		}
		return kept
	}
	narrow := Table{Columns: keep(t.Columns)}
	for _, row := range t.Rows {
		narrow.Rows = append(narrow.Rows, keep(row))
	}
	return narrow
}
