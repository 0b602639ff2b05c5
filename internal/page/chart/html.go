package chart

import (
	"cmp"
	_ "embed"
	"fmt"
	"html/template"
	"strings"
	"sync"
	"unicode"
)

//go:embed chart.html
var figureText string

// figure is parsed when the first plot is drawn, so that a command that shows no page does not pay for it.
var figure = sync.OnceValue(func() *template.Template { return template.Must(template.New("chart").Parse(figureText)) })

// HTML draws the plot: a figure with its title, legend, picture, and the same numbers in a table that is folded up.
func (p Plot) HTML() template.HTML {
	var b strings.Builder
	if err := figure().Execute(&b, p.view()); err != nil {
		panic(fmt.Errorf("draw a plot: %w", err)) // the template and its values are this package's own
	}
	return template.HTML(b.String())
}

// view is what the template shows.
type view struct {
	ID, Title, Note, Empty, Description, When string

	Width                         int
	Height, Bottom, TickY, LabelY float64
	Sums                          bool
	Series                        []seriesView
	Grid                          []gridView
	Ticks                         []tickView
	Rows                          template.HTML
}

type seriesView struct {
	Name, Sum   string
	Tone        Tone
	Dashed      bool // it is a line
	Dashes      string
	Pattern     string // its name, for fills but the first
	Every       float64
	Half, Thick float64
	Shape       *shapeView
	Line        *shapeView
}

type shapeView struct {
	ID, Path, Class, Pattern, Dashes string
	Tone                             Tone
}

type gridView struct {
	Y, LabelY, Label string
}

type tickView struct {
	X      string // in percent
	Anchor string
	Label  string
}

// stripes tell series apart without their colours: how far apart the stripes are, and how thick. The first series has none. They lie, so
// that a picture that is stretched keeps them.
var stripes = []struct{ every, thick float64 }{{4, 1}, {8, 4}, {3, 1.5}, {10, 2}, {6, 1}}

// dashes do the same for lines.
var dashes = []string{"none", "7 4", "2 4", "9 3 2 3"}

func (p Plot) view() view {
	high, at := p.highest()
	v := view{ID: p.id(), Title: shown(p.Title), Note: shown(p.Note)}
	if at < 0 {
		v.Empty = shown(cmp.Or(p.Empty, "There are no figures yet."))
		return v
	}
	v.When, v.Sums = shown(cmp.Or(p.When, "from")), p.Sums
	v.Width, v.Bottom = len(p.Slots)*slotWidth, headroom+height
	v.TickY, v.LabelY, v.Height = v.Bottom+5, v.Bottom+18, v.Bottom+24
	a := axis{scale(p.Measure, high)}
	v.Description = p.describe(high, at)
	v.Series = p.drawn(v.ID, a)
	for _, t := range a.ticks[1:] {
		y := headroom + height - a.height(t)
		label := p.Measure.figure(t)
		if t == a.ticks[len(a.ticks)-1] {
			label = p.figure(t)
		}
		v.Grid = append(v.Grid, gridView{pixels(y), pixels(y + 13), label})
	}
	for _, t := range p.Ticks {
		if t.Slot < 0 || t.Slot >= len(p.Slots) {
			continue
		}
		v.Ticks = append(v.Ticks, tickView{pixels(100 * float64(t.Slot) / float64(len(p.Slots))), anchor(t.Slot, len(p.Slots)), shown(t.Label)})
	}
	v.Rows = rowsOf(p)
	return v
}

// anchor keeps the labels of the first and the last slots within the picture.
func anchor(slot, of int) string {
	switch share := float64(slot) / float64(of); {
	case share < .05:
		return "start"
	case share > .95:
		return "end"
	}
	return "middle"
}

// drawn draws the series and says how the legend shows them.
func (p Plot) drawn(id string, a axis) []seriesView {
	var bars []string
	if p.Form == Bars {
		bars = p.bars(a)
	}
	views := make([]seriesView, len(p.Series))
	for j, s := range p.Series {
		v := seriesView{Name: shown(s.Name), Tone: s.Tone.known()}
		if p.Sums {
			v.Sum = p.Measure.figure(p.sum(s))
		}
		shape := func(path, class string) *shapeView {
			if path == "" {
				return nil
			}
			return &shapeView{ID: fmt.Sprintf("%s-%d", id, j), Path: path, Class: class, Pattern: v.Pattern, Tone: v.Tone}
		}
		if p.Form == Bars {
			if j > 0 {
				stripe := stripes[(j-1)%len(stripes)]
				v.Pattern, v.Every, v.Half, v.Thick = fmt.Sprintf("%s-p%d", id, j), stripe.every, stripe.every/2, stripe.thick
			}
			v.Shape = shape(bars[j], "bar")
		} else {
			v.Dashed, v.Dashes = true, dashes[j%len(dashes)]
			if j == 0 && p.Form == Area {
				v.Shape = shape(p.area(a, s), "below")
			}
			if line := p.line(a, s); line != "" {
				v.Line = &shapeView{Path: line, Dashes: v.Dashes, Tone: v.Tone}
			}
		}
		views[j] = v
	}
	return views
}

// rowsOf returns the table of a plot: a line for each slot. It is written without the template, because of all that a page has it would take the longest.
func rowsOf(p Plot) template.HTML {
	var b strings.Builder
	write := func(texts ...string) {
		for _, text := range texts {
			b.WriteString(text)
		}
	}
	text := func(s string) string { return template.HTMLEscapeString(shown(s)) }
	gap := fmt.Sprintf("<td colspan=%d>%s", len(p.Series), text(cmp.Or(p.Gap, "–")))
	for i, slot := range p.Slots {
		if slot.Day { // a browser would show the beginning of a day in its viewer's zone, where it is another day
			write("\n<tr><th scope=row>", text(slot.Label))
		} else {
			write("\n<tr><th scope=row><time datetime=", slot.From.UTC().Format("2006-01-02T15:04Z"), ">", text(slot.Label), "</time>")
		}
		if !p.known(i) {
			write(gap)
			continue
		}
		for _, s := range p.Series {
			if v, ok := s.value(i); ok {
				write("<td>", p.Measure.figure(v)) // digits and a unit, in which there is nothing to escape
			} else {
				write("<td>–")
			}
		}
	}
	return template.HTML(b.String())
}

// describe says in words what the picture shows, for those who do not see it.
func (p Plot) describe(high float64, at int) string {
	names := make([]string, len(p.Series))
	for i, s := range p.Series {
		names[i] = shown(s.Name)
	}
	form := "Lines"
	if p.Form == Bars {
		form = "Bars, from the bottom up"
	}
	return fmt.Sprintf("%s: %s. From %s to %s. The highest is %s, at %s. A table below has the numbers.", form, strings.Join(names, ", "),
		shown(p.Slots[0].Label), shown(p.Slots[len(p.Slots)-1].Label), p.figure(high), shown(p.Slots[at].Label))
}

// id is the ID as it may stand in an address.
func (p Plot) id() string {
	kept := strings.Map(func(r rune) rune {
		if r == '-' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return -1
	}, p.ID)
	return "plot-" + cmp.Or(kept, "1")
}

// known returns the tone, or one that Style has.
func (t Tone) known() Tone {
	switch t {
	case Teal, Blue, Violet, Amber, Red, Grey:
		return t
	}
	return Grey
}

// shown makes a text harmless where escaping is not enough: what cannot be seen, such as marks that turn the direction of what follows,
// becomes a sign that can.
func shown(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsPrint(r) || string(r) == thin:
			return r
		case unicode.IsSpace(r):
			return ' '
		}
		return unicode.ReplacementChar
	}, text)
}
