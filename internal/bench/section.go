package main

import (
	"context"
	"io"
)

// part is one measurement. Parts run one after the other; each tells its progress to log and returns what it found.
type part struct {
	name string // a word for the command line, such as "diff"
	run  func(ctx context.Context, log io.Writer) (section, error)
}

// section is what a part measured, for the page, the plots and the terminal.
type section struct {
	Title  string
	Intro  string // Markdown: what was measured, how, and what is compared with what
	Tables []table
	Charts []chart
	Goals  []goal
}

// table has as many cells in every row as columns.
type table struct {
	Columns []string
	Rows    [][]string
}

// chart is drawn as horizontal bars: for every label a bar for each series.
type chart struct {
	File   string // of docs/benchmarks, such as "diff.svg"
	Title  string
	Unit   string   // written behind the values, such as "s"
	Series []string // names
	Labels []string
	Values [][]float64 // by label, then by series; a negative value is none
}

// goal is a figure that was to be reached.
type goal struct {
	What   string // such as "PostgreSQL, 1 000 000 rows: time beside psql's"
	Want   string // such as "at most 1.5"
	Got    string
	Missed bool
}
