// Package findings is what the benchmarks found: tables, charts and goals, how they are kept, and how they are written for the
// page and the terminal. It measures nothing and draws nothing.
package findings

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
)

// Section is what a part measured, for the page, the plots and the terminal.
type Section struct {
	Title  string
	Intro  string // Markdown: what was measured, how, and what is compared with what
	Tables []Table
	Charts []Chart
	Goals  []Goal
}

// Table has as many cells in every row as columns.
type Table struct {
	Columns []string
	Rows    [][]string
}

// Chart is drawn as horizontal bars: for every label a bar for each series.
type Chart struct {
	File   string // of docs/benchmarks, such as "diff.svg"
	Title  string
	Unit   string   // written behind the values, such as "s"
	Series []string // names
	Labels []string
	Values [][]float64 // by label, then by series; a negative value is none
}

// Goal is a figure that was to be reached.
type Goal struct {
	What   string // such as "PostgreSQL, 1 000 000 rows: time beside psql's"
	Want   string // such as "at most 1.5"
	Got    string
	Missed bool
}

// Ours begins the name of the series that is owlat-sync's own.
const Ours = "owlat-sync"

// Figure writes a number with three digits that count, or all of a whole number, in groups of three.
func Figure(v float64) string {
	switch {
	case v == math.Trunc(v) || v >= 1000:
		return Count(int(math.Round(v)))
	case v >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}

// Count writes a whole number in groups of three.
func Count(n int) string { return strings.ReplaceAll(humanize.Comma(int64(n)), ",", " ") }

// Span writes a duration for a person.
func Span(d time.Duration) string {
	switch {
	case d < 100*time.Second:
		return Seconds(d) + " s"
	case d < 100*time.Minute:
		d = d.Round(time.Second)
		return fmt.Sprintf("%d min %d s", d/time.Minute, d%time.Minute/time.Second)
	}
	d = d.Round(time.Minute)
	return fmt.Sprintf("%d h %d min", d/time.Hour, d%time.Hour/time.Minute)
}

// Seconds writes a duration in seconds.
func Seconds(d time.Duration) string { return fmt.Sprintf("%.1f", d.Seconds()) }
