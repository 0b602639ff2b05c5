// Package termshot draws the contents of a terminal as an SVG picture: commands and their output. The picture suits a light and a
// dark page, and holds the text as text. It has no terminal colours, because owlat-sync prints none.
package termshot

import (
	"encoding/xml"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Command is a command as typed, without the prompt, and what it printed.
type Command struct{ Line, Output string }

// The size of a character and the space around the text, in pixels.
const (
	charWidth  = 7.8
	lineHeight = 18
	margin     = 16
	bar        = 34 // height of the window's head
)

const style = `<style>
text{font:13px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono","Liberation Mono",monospace;fill:#1f2328;white-space:pre}
.command{font-weight:600}
.prompt,.head{fill:#59636e}
.card{fill:#ffffff;stroke:#d1d9e0}
.line{stroke:#d1d9e0}
.dot{fill:#d1d9e0}
@media (prefers-color-scheme:dark){
text{fill:#e6edf3}
.prompt,.head{fill:#9198a1}
.card{fill:#0d1117;stroke:#3d444d}
.line{stroke:#3d444d}
.dot{fill:#3d444d}
}
</style>
`

// SVG draws a terminal of that many columns with the commands one after the other. A longer line continues on the next, as in a
// terminal. The title describes the picture for people who cannot see it.
func SVG(title string, columns int, commands []Command) string {
	var body strings.Builder
	y := bar + margin
	line := func(x int, class, text string) {
		y += lineHeight
		if text == "" {
			return
		}
		// The length makes the text fit its place whatever font is found.
		fmt.Fprintf(&body, `<text%s x="%.1f" y="%d" textLength="%.1f" lengthAdjust="spacingAndGlyphs" xml:space="preserve">%s</text>`+"\n",
			class, margin+float64(x)*charWidth, y-5, charWidth*float64(utf8.RuneCountInString(text)), escape(text))
	}
	for i, c := range commands {
		if i > 0 {
			line(0, "", "")
		}
		line(0, ` class="prompt"`, "$")
		y -= lineHeight
		line(2, ` class="command"`, c.Line)
		for text := range strings.SplitSeq(strings.TrimRight(c.Output, "\n"), "\n") {
			for _, part := range wrap(text, columns) {
				line(leading(part), "", strings.TrimLeft(part, " "))
			}
		}
	}
	width, height := int(2*margin+float64(columns)*charWidth), y+margin
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img">`+"\n", width, height, width, height)
	fmt.Fprintf(&b, "<title>%s</title>\n%s", escape(title), style)
	fmt.Fprintf(&b, `<rect class="card" x="0.5" y="0.5" width="%d" height="%d" rx="8"/>`+"\n", width-1, height-1)
	fmt.Fprintf(&b, `<line class="line" x1="0" x2="%d" y1="%d.5" y2="%d.5"/>`+"\n", width, bar, bar)
	for i := range 3 {
		fmt.Fprintf(&b, `<circle class="dot" cx="%d" cy="%d" r="5"/>`+"\n", margin+5+i*18, bar/2)
	}
	return b.String() + body.String() + "</svg>\n"
}

// wrap cuts a line into pieces of at most that many columns.
func wrap(line string, columns int) (parts []string) {
	runes := []rune(strings.TrimRight(line, " "))
	for len(runes) > columns {
		parts, runes = append(parts, string(runes[:columns])), runes[columns:]
	}
	return append(parts, string(runes))
}

func leading(text string) int { return len(text) - len(strings.TrimLeft(text, " ")) }

func escape(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // a strings.Builder does not fail
	return b.String()
}
