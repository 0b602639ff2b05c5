package chart

import (
	"math"
	"strconv"
	"strings"
)

const (
	slotWidth = 10    // of the picture's own units, which are stretched to its place
	height    = 160.0 // of the highest tick above the line of zero, in pixels
	headroom  = 10.0  // above the highest tick, for bars that leastBar makes higher
	leastBar  = 2.0   // a value above nothing can be seen, however small it is
)

// axis turns values into heights.
type axis struct{ ticks []float64 }

func (a axis) height(v float64) float64 { return height * v / a.ticks[len(a.ticks)-1] }

// bars draws each series as one path: an upright line, as thick as Style has it, for every value above nothing.
func (p Plot) bars(a axis) []string {
	paths := make([]strings.Builder, len(p.Series))
	for i := range p.Slots {
		bottom := headroom + height
		for j, s := range p.Series {
			v, ok := s.value(i)
			if !ok || v == 0 {
				continue
			}
			h := max(math.Round(a.height(v)), leastBar)
			bottom -= h
			paths[j].WriteString("M" + strconv.Itoa(i*slotWidth+slotWidth/2) + " " + pixels(bottom) + "v" + pixels(h))
		}
	}
	texts := make([]string, len(paths))
	for j := range paths {
		texts[j] = paths[j].String()
	}
	return texts
}

// dash is what a value has that stands alone: a dot of the thickness of a line is not seen.
const dash = "m-3 0h6"

// line draws a series as a line between the middles of slots, with a dash where neither neighbour has a value. Slots without a value
// break it.
func (p Plot) line(a axis, s Series) string {
	var b strings.Builder
	p.stretches(s, func(from, to int) {
		for i := from; i < to; i++ {
			v, _ := s.value(i)
			command := "L"
			if i == from {
				command = "M"
			}
			b.WriteString(command + strconv.Itoa(i*slotWidth+slotWidth/2) + " " + pixels(headroom+height-a.height(v)))
		}
		if to == from+1 {
			b.WriteString(dash)
		}
	})
	return b.String()
}

// area draws what is below a series; a value that stands alone has none.
func (p Plot) area(a axis, s Series) string {
	var b strings.Builder
	zero := pixels(headroom + height)
	p.stretches(s, func(from, to int) {
		if to == from+1 {
			return
		}
		b.WriteString("M" + strconv.Itoa(from*slotWidth+slotWidth/2) + " " + zero)
		for i := from; i < to; i++ {
			v, _ := s.value(i)
			b.WriteString("L" + strconv.Itoa(i*slotWidth+slotWidth/2) + " " + pixels(headroom+height-a.height(v)))
		}
		b.WriteString("V" + zero + "z")
	})
	return b.String()
}

// stretches calls do for each unbroken row of slots in which the series has values.
func (p Plot) stretches(s Series, do func(from, to int)) {
	from := -1
	for i := range len(p.Slots) + 1 {
		known := false
		if i < len(p.Slots) {
			_, known = s.value(i)
		}
		switch {
		case known && from < 0:
			from = i
		case !known && from >= 0:
			do(from, i)
			from = -1
		}
	}
}

// pixels writes a length in tenths of a pixel.
func pixels(v float64) string { return strings.TrimSuffix(strconv.FormatFloat(v, 'f', 1, 64), ".0") }
