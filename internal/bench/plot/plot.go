// Package plot draws the charts of the benchmarks as SVG.
package plot

import (
	"encoding/xml"
	"fmt"
	"math"
	"strings"

	"owlatsync/internal/bench/findings"
)

const (
	pageWidth  = 760
	barHeight  = 15
	groupGap   = 13
	valueSpace = 105 // right of the longest bar, for its value
	charWidth  = 6.7 // of the text's 12 px, about

	// logFrom is from which ratio of the largest to the smallest value on an axis is logarithmic.
	logFrom = 100
)

// style has the colours of both of GitHub's themes; the picture brings its own background, for readers whose browser
// and page do not agree on one.
const style = `<style>
text{font:12px system-ui,-apple-system,"Segoe UI",sans-serif;fill:#1f2328}
.title{font-size:14px;font-weight:600}
.soft{fill:#59636e}
.card{fill:#ffffff;stroke:#d1d9e0}
.grid{stroke:#d1d9e0}
.c0{fill:#0f766e}.c1{fill:#c2410c}.c2{fill:#6d5bd0}.c3{fill:#a16207}.c4{fill:#64748b}
@media (prefers-color-scheme:dark){
text{fill:#e6edf3}
.soft{fill:#9198a1}
.card{fill:#0d1117;stroke:#3d444d}
.grid{stroke:#3d444d}
.c0{fill:#2dd4bf}.c1{fill:#fb923c}.c2{fill:#a99bff}.c3{fill:#facc15}.c4{fill:#94a3b8}
}
</style>
`

// colours is how many classes style has for bars.
const colours = 5

// axis turns values into widths.
type axis struct {
	low, high float64
	log       bool
	width     float64
}

// newAxis covers the values from nothing or, where they differ much, from the power of ten below the smallest.
func newAxis(values [][]float64, width float64) axis {
	low, high := math.Inf(1), 0.0
	for _, group := range values {
		for _, v := range group {
			if v > 0 {
				low, high = min(low, v), max(high, v)
			}
		}
	}
	a := axis{high: max(high, 1e-9), width: width}
	if high/low > logFrom {
		a.log = true
		a.low = math.Pow(10, math.Floor(math.Log10(low)))
		if a.low == low { // else its bar would have no width
			a.low /= 10
		}
	}
	return a
}

func (a axis) at(v float64) float64 {
	switch {
	case v <= 0:
		return 0
	case a.log:
		return a.width * math.Log10(v/a.low) / math.Log10(a.high/a.low)
	}
	return a.width * v / a.high
}

// ticks are the values to draw a line at.
func (a axis) ticks() []float64 {
	var ticks []float64
	if a.log {
		for v := a.low; v <= a.high*1.0001; v *= 10 {
			ticks = append(ticks, v)
		}
		return ticks
	}
	step := math.Pow(10, math.Floor(math.Log10(a.high)))
	switch leading := a.high / step; {
	case leading < 2:
		step /= 4
	case leading >= 5:
		step *= 2
	}
	for v := 0.0; v <= a.high*1.0001; v += step {
		ticks = append(ticks, v)
	}
	return ticks
}

// classes gives every series a colour.
func classes(series []string) []int {
	class, next := make([]int, len(series)), 1
	if len(series) == 1 {
		return class
	}
	for i, name := range series {
		if strings.HasPrefix(name, findings.Ours) {
			continue
		}
		class[i] = next % colours
		next++
	}
	return class
}

// SVG draws a chart. The series whose name begins with findings.Ours is drawn in the first colour, wherever it stands.
func SVG(c findings.Chart) string {
	longest := 0
	for _, label := range c.Labels {
		longest = max(longest, len([]rune(label)))
	}
	left := 24 + charWidth*float64(longest)
	a := newAxis(c.Values, pageWidth-left-valueSpace)
	class := classes(c.Series)
	top := 52.0
	if len(c.Series) > 1 {
		top += 24
	}
	height := top + 34
	for _, group := range c.Values {
		height += groupGap + float64(drawn(group))*barHeight
	}

	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%[1]d" height="%[2]d" role="img">`+"\n", pageWidth, int(height))
	fmt.Fprintf(&b, "<title>%s</title>\n%s", escape(c.Title), style)
	fmt.Fprintf(&b, `<rect class="card" x="0.5" y="0.5" width="%d" height="%.0f" rx="8"/>`+"\n", pageWidth-1, height-1)
	fmt.Fprintf(&b, `<text class="title" x="16" y="28">%s</text>`+"\n", escape(c.Title))
	if len(c.Series) > 1 {
		x := 16.0
		for i, name := range c.Series {
			fmt.Fprintf(&b, `<rect class="c%d" x="%.1f" y="42" width="11" height="11" rx="2"/><text class="soft" x="%.1f" y="52">%s</text>`+"\n", class[i], x, x+17, escape(name))
			x += 17 + charWidth*float64(len([]rune(name))) + 22
		}
	}
	for _, v := range a.ticks() {
		x := left + a.at(v)
		fmt.Fprintf(&b, `<line class="grid" x1="%.1f" x2="%[1]f" y1="%.0f" y2="%.0f"/><text class="soft" x="%.1[1]f" y="%.0[4]f" text-anchor="middle">%[5]s</text>`+"\n",
			x, top-8, height-30, height-14, escape(valueOf(c, v)))
	}
	y := top
	for i, label := range c.Labels {
		n := drawn(c.Values[i])
		fmt.Fprintf(&b, `<text x="%.1f" y="%.1f" text-anchor="end">%s</text>`+"\n", left-10, y+float64(n)*barHeight/2+4, escape(label))
		for j, v := range c.Values[i] {
			if v < 0 {
				continue
			}
			w := a.at(v)
			if w > 0 {
				fmt.Fprintf(&b, `<rect class="c%d" x="%.1f" y="%.1f" width="%.1f" height="%d" rx="2"/>`, class[j], left, y+1, max(w, 1), barHeight-2)
			}
			fmt.Fprintf(&b, `<text x="%.1f" y="%.1f">%s</text>`+"\n", left+w+6, y+barHeight-3.5, escape(valueOf(c, v)))
			y += barHeight
		}
		y += groupGap
	}
	scale := ""
	if a.log {
		scale = "logarithmic scale"
	}
	fmt.Fprintf(&b, `<text class="soft" x="%d" y="28" text-anchor="end">%s</text>`+"\n</svg>\n", pageWidth-16, scale)
	return b.String()
}

// valueOf writes a value with its unit.
func valueOf(c findings.Chart, v float64) string {
	return strings.TrimSpace(findings.Figure(v) + " " + c.Unit)
}

// drawn is how many bars a group has.
func drawn(group []float64) int {
	n := 0
	for _, v := range group {
		if v >= 0 {
			n++
		}
	}
	return n
}

func escape(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // a strings.Builder never fails
	return b.String()
}
