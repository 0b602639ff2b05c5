// Package chart draws plots over time on the server: an SVG, its legend, and a table of the same numbers. It is pure: it knows no
// ledger, no HTTP and no clock. What it writes has neither style nor script of its own, so that a page with a strict
// Content-Security-Policy can show it; Style has the colours, for light and dark.
//
// A picture is as wide as its place. Heights and texts keep their size and only the slots are stretched, so that a telephone shows
// texts as large as a desk does.
package chart

import (
	_ "embed"
	"math"
	"time"
)

// Style is the style sheet of the plots. It follows the property color-scheme of the page, and its texts have the page's colour.
//
//go:embed chart.css
var Style string

// Form is how the values of a plot are drawn.
type Form int

const (
	Bars  Form = iota // a bar for each slot, in which the series lie on one another, the first at the bottom
	Lines             // a line for each series
	Area              // like Lines, and what is below the first line is filled
)

// Measure is what the values of a plot are.
type Measure int

const (
	Count   Measure = iota // whole numbers
	Seconds                // durations, in seconds
	Percent                // parts of a whole, from 0 to 100
)

// Plot is one plot with its table. Its texts may hold anything; they are escaped. The zero value is an empty plot.
type Plot struct {
	ID      string // names the plot among those of its page; what is not a letter, a digit or a hyphen is left out
	Title   string
	Note    string // what is counted and how, in a sentence; may be empty
	Form    Form
	Measure Measure
	Noun    string // of Count: what is counted, such as "rows"
	Slots   []Slot
	Ticks   []Tick
	Series  []Series
	// Sums says that the values of a series may be added up, so that the legend and the table tell the sums.
	Sums  bool
	When  string // the head of the table's first column, such as "from (UTC)"
	Gap   string // what the table says of a slot without values, such as "no run"
	Empty string // what is to stand here, said while no slot has a value
}

// Slot is a stretch of time, as wide as every other. The slots of a plot follow one another, the oldest first.
type Slot struct {
	From  time.Time
	Label string // From for a person
	Day   bool   // it is a day, of which only the date is told
}

// Tick is a label below the beginning of a slot.
type Tick struct {
	Slot  int
	Label string
}

// Series is a value for each slot, in the slots' order. A value that is not a number (math.NaN), is infinite, negative or missing
// is none.
type Series struct {
	Name   string
	Tone   Tone
	Values []float64
}

// Tone is the colour of a series; Style has its shades.
type Tone string

const (
	Teal   Tone = "teal"
	Blue   Tone = "blue"
	Violet Tone = "violet"
	Amber  Tone = "amber"
	Red    Tone = "red" // of what went wrong
	Grey   Tone = "grey"
)

// value returns the value of a series in a slot; ok is false if there is none.
func (s Series) value(slot int) (v float64, ok bool) {
	if slot >= len(s.Values) {
		return 0, false
	}
	v = s.Values[slot]
	return v, v >= 0 && !math.IsInf(v, 1)
}

// sum adds up the values of a series.
func (p Plot) sum(s Series) (sum float64) {
	for i := range p.Slots {
		if v, ok := s.value(i); ok {
			sum += v
		}
	}
	return sum
}

// known reports whether any series has a value in the slot.
func (p Plot) known(slot int) bool {
	for _, s := range p.Series {
		if _, ok := s.value(slot); ok {
			return true
		}
	}
	return false
}

// highest returns the largest value, or of Bars the highest bar, and its slot; -1 if there is no value.
func (p Plot) highest() (high float64, slot int) {
	slot = -1
	for i := range p.Slots {
		if !p.known(i) {
			continue
		}
		var h float64
		for _, s := range p.Series {
			v, ok := s.value(i)
			switch {
			case !ok:
			case p.Form == Bars:
				h += v
			default:
				h = max(h, v)
			}
		}
		if slot < 0 || h > high {
			high, slot = h, i
		}
	}
	return high, slot
}
