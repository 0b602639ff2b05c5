package chart

import (
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden files anew")

var none = math.NaN()

// slots returns half hours from a fixed one on.
func slots(n int) (all []Slot) {
	for i := range n {
		from := time.Date(2026, 3, 1, 0, 30*i, 0, 0, time.UTC)
		all = append(all, Slot{From: from, Label: from.Format("2 Jan 15:04")})
	}
	return all
}

// plots are those of the golden files.
func plots() map[string]Plot {
	ticks := []Tick{{0, "00:00"}, {4, "02:00"}}
	return map[string]Plot{
		"bars": {
			ID: "changes", Title: "What the runs did", Note: "Rows, added up.", Noun: "rows", Slots: slots(6), Ticks: ticks, Sums: true, Gap: "no run", When: "from (UTC)",
			Series: []Series{
				{"created", Teal, []float64{1200, 0, none, 3, 12, 1}},
				{"updated", Violet, []float64{300, 0, none, 0, 7, 0}},
				{"removed", Grey, []float64{0, 0, none, 1, 0, 0}},
			},
		},
		"lines": {
			ID: "duration", Title: "How long the runs took", Form: Lines, Measure: Seconds, Slots: slots(6), Ticks: ticks,
			Series: []Series{{"longest", Blue, []float64{90, 61, none, 4000, none, 12.5}}, {"median", Amber, []float64{30, .25, none, 4000, none, 12.5}}},
		},
		"area": {
			ID: "budget", Title: "Share of the budget", Form: Area, Measure: Percent, Slots: slots(5), Ticks: ticks,
			Series: []Series{{"used", Blue, []float64{0, 12.345, 100, 99.96, .04}}},
		},
		"empty": {ID: "none", Title: "Requests", Slots: slots(3), Series: []Series{{"all", Blue, []float64{none, none, none}}}, Empty: "The requests will stand here."},
		"hostile": {
			ID: `"><script>alert(1)</script>`, Title: `</title><script>alert("T")</script>`, Note: "<img src=x onerror=alert(1)> \u202etxet & 'quoted'", Noun: "<b>rows</b>", When: "</th>",
			Gap: "<i>", Slots: []Slot{{time.Unix(0, 0), "</time><script>", false}, {time.Unix(60, 0), "\x00\xff\u2066", true}}, Ticks: []Tick{{0, "</text>"}, {7, "beyond"}, {-1, "before"}},
			Series: []Series{{"</desc><script>", "red\" onload=\"x", []float64{1, none}}, {"\u202e", Red, []float64{math.Inf(1), -3}}}, Sums: true,
		},
	}
}

// TestGoldenPlots shows what is written. A change of these files is read, and looked at in a browser.
func TestGoldenPlots(t *testing.T) {
	t.Parallel()
	for name, p := range plots() {
		file := filepath.Join("testdata", name+".html")
		got := string(p.HTML())
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil || got != string(want) {
			t.Errorf("%s is drawn otherwise (%v); go test ./internal/page/chart -update writes it:\n%s", file, err, got)
		}
	}
}

// TestNothingIsInline keeps what a strict Content-Security-Policy refuses out of every plot.
func TestNothingIsInline(t *testing.T) {
	t.Parallel()
	inline := regexp.MustCompile(`(?i)<(style|script|img|i|b>rows)|\s(style|on[a-z]+)\s*=|https?:|javascript:|[\x00\x{202a}-\x{202e}\x{2066}-\x{2069}]`)
	for name, p := range plots() {
		text := string(p.HTML())
		for _, comment := range []string{`&lt;img src=x onerror=alert(1)&gt;`, `onload=`} {
			text = strings.ReplaceAll(text, comment, "")
		}
		if found := inline.FindString(text); found != "" {
			t.Errorf("%s has %q:\n%s", name, found, text)
		}
	}
	if !strings.Contains(Style, "light-dark(") || strings.Contains(Style, "url(") {
		t.Error("the style has one theme, or fetches something")
	}
}

// picture returns the SVG of a plot.
func picture(t *testing.T, p Plot) string {
	t.Helper()
	text := string(p.HTML())
	from, to := strings.Index(text, `<svg class="plot-picture"`), strings.LastIndex(text, "</svg>")
	if from < 0 || to < from {
		t.Fatalf("no picture:\n%s", text)
	}
	return text[from : to+len("</svg>")]
}

// TestPicturesAreWellFormed reads every picture as XML.
func TestPicturesAreWellFormed(t *testing.T) {
	t.Parallel()
	for name, p := range plots() {
		if name == "empty" {
			continue
		}
		d := xml.NewDecoder(strings.NewReader(picture(t, p)))
		for {
			_, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
	}
}

// TestTicksCoverTheData checks for values of all sizes that ticks begin at 0, are round, evenly spaced, few, and reach the highest value.
func TestTicksCoverTheData(t *testing.T) {
	t.Parallel()
	round := regexp.MustCompile(`^[0.]*[125][0.]*$`)
	for _, m := range []Measure{Count, Seconds, Percent} {
		for exponent := -3.0; exponent < 9; exponent += .01 {
			high := math.Pow(10, exponent)
			ticks := scale(m, high)
			last, step := ticks[len(ticks)-1], ticks[1]
			if ticks[0] != 0 || last < high || len(ticks) > intervals+1 || (last > 2*high && !(m == Count && last == 1)) {
				t.Fatalf("%v of %g: %v", m, high, ticks)
			}
			for i := range ticks {
				if math.Abs(ticks[i]-float64(i)*step) > 1e-9*last {
					t.Fatalf("%v of %g: %v are not evenly spaced", m, high, ticks)
				}
			}
			if m == Count && step != math.Trunc(step) {
				t.Fatalf("of %g: a part of something is counted: %v", high, ticks)
			}
			if text := strconv.FormatFloat(step, 'f', -1, 64); m != Seconds && !round.MatchString(text) {
				t.Fatalf("%v of %g: the step %s is not round", m, high, text)
			}
		}
		if ticks := scale(m, 0); len(ticks) < 2 || ticks[0] != 0 {
			t.Errorf("of nothing: %v", ticks)
		}
	}
	for high, want := range map[float64][]float64{90: {0, 30, 60, 90}, 3700: {0, 1800, 3600, 5400}, 200000: {0, 86400, 172800, 259200}} {
		if got := scale(Seconds, high); !slices.Equal(got, want) {
			t.Errorf("seconds up to %g: %v, want %v", high, got, want)
		}
	}
}

func TestFigures(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		m    Measure
		v    float64
		want string
	}{
		{Count, 0, "0"}, {Count, 999, "999"}, {Count, 1234567, "1,234,567"}, {Percent, 12.345, "12.3 %"}, {Percent, 100, "100 %"}, {Percent, .0421, "0.0421 %"}, {Percent, 99.96, "100 %"},
		{Seconds, 0, "0 s"}, {Seconds, .25, "0.25 s"}, {Seconds, 59.97, "1 min"}, {Seconds, 61, "1 min 1 s"}, {Seconds, 3599.7, "1 h"}, {Seconds, 9000, "2 h 30 min"},
		{Seconds, 3600 + 59.6*60, "2 h"}, {Seconds, 86400 * 2.5, "2 d 12 h"}, {Seconds, 86399, "24 h"},
	} {
		if got := strings.ReplaceAll(c.m.figure(c.v), thin, " "); got != c.want {
			t.Errorf("%v of %v is %q, want %q", c.v, c.m, got, c.want)
		}
	}
}

var (
	paths = regexp.MustCompile(`<path id="plot-x-(\d)" d="([^"]+)"`)
	bar   = regexp.MustCompile(`M(\d+) ([\d.]+)v([\d.]+)`)
	point = regexp.MustCompile(`[ML](\d+) ([\d.]+)`)
	lines = regexp.MustCompile(`<path class="plot-line plot-blue" d="([^"]+)" vector`)
	row   = regexp.MustCompile(`<tr><th scope=row>.*`)
	cells = regexp.MustCompile(`<td>([^<]*)`)
	tops  = regexp.MustCompile(`<line class="plot-grid" x1="0" x2="100%" y1="([\d.]+)"`)
	foot  = regexp.MustCompile(`<tfoot>.*`)
)

func number(t *testing.T, text string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(strings.ReplaceAll(text, ",", ""), 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// numbers reads the table of a plot: for each slot its values, nil for none.
func numbers(t *testing.T, text string) (all [][]float64) {
	t.Helper()
	for _, line := range row.FindAllString(text, -1) {
		var values []float64
		for _, cell := range cells.FindAllStringSubmatch(line, -1) {
			v := none
			if cell[1] != "–" {
				v = number(t, cell[1])
			}
			values = append(values, v)
		}
		all = append(all, values)
	}
	return all
}

// TestTheTableIsWhatIsDrawn reads random plots back from their pictures: the bars stand on one another, are as high as the table says,
// and add up to the totals.
func TestTheTableIsWhatIsDrawn(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 60 {
		p := Plot{ID: "x", Slots: slots(1 + rnd.IntN(30)), Sums: true}
		for j := range 1 + rnd.IntN(5) {
			s := Series{Name: fmt.Sprint("s", j), Tone: Blue}
			for range p.Slots {
				s.Values = append(s.Values, float64(rnd.IntN(1+rnd.IntN(100))))
			}
			p.Series = append(p.Series, s)
		}
		p.Series[0].Values[0] = 100
		text := string(p.HTML())
		table := numbers(t, text)
		high, _ := p.highest()
		ticks := scale(Count, high)
		unit := height / ticks[len(ticks)-1]
		if top := number(t, tops.FindAllStringSubmatch(text, -1)[len(ticks)-2][1]); top != headroom {
			t.Fatalf("the highest line is at %v", top)
		}
		floor := map[int]float64{}
		drawn := map[[2]int]bool{}
		for _, path := range paths.FindAllStringSubmatch(text, -1) {
			j := int(number(t, path[1]))
			for _, b := range bar.FindAllStringSubmatch(path[2], -1) {
				i := int(number(t, b[1])) / slotWidth
				y, h, v := number(t, b[2]), number(t, b[3]), table[i][j]
				if math.Abs(h-max(leastBar, v*unit)) > .5 || y+h+floor[i] != headroom+height {
					t.Fatalf("slot %d, series %d: %v is drawn %v high from %v, where %v was", i, j, v, h, y+h, floor[i])
				}
				floor[i] = headroom + height - y
				drawn[[2]int{i, j}] = true
				if y < 0 {
					t.Fatalf("slot %d is higher than the picture", i)
				}
			}
		}
		sums := make([]float64, len(p.Series))
		for i, values := range table {
			for j, v := range values {
				if v != p.Series[j].Values[i] || drawn[[2]int{i, j}] != (v > 0) {
					t.Fatalf("slot %d, series %d: %v in the table, drawn %v", i, j, v, drawn[[2]int{i, j}])
				}
				sums[j] += v
			}
		}
		for j, total := range cells.FindAllStringSubmatch(foot.FindString(text), -1) {
			if number(t, total[1]) != sums[j] {
				t.Fatalf("series %d adds up to %v, the table says %s", j, sums[j], total[1])
			}
		}
	}
}

// TestLinesAreWhatTheTableSays reads lines back in the same way; where there is no value they break.
func TestLinesAreWhatTheTableSays(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(3, 4))
	for _, form := range []Form{Lines, Area} {
		for range 40 {
			s := Series{Name: "s", Tone: Blue}
			p := Plot{ID: "x", Form: form, Slots: slots(2 + rnd.IntN(30))}
			for range p.Slots {
				v := float64(rnd.IntN(100))
				if rnd.IntN(3) == 0 {
					v = none
				}
				s.Values = append(s.Values, v)
			}
			s.Values[0] = 100
			p.Series = []Series{s}
			text := string(p.HTML())
			high, _ := p.highest()
			ticks := scale(Count, high)
			table := numbers(t, text)
			path := lines.FindStringSubmatch(text)[1]
			drawn := map[int]float64{}
			for _, at := range point.FindAllStringSubmatch(path, -1) {
				drawn[int(number(t, at[1]))/slotWidth] = (headroom + height - number(t, at[2])) * ticks[len(ticks)-1] / height
			}
			runs := 0
			for i, v := range s.Values {
				got, there := drawn[i]
				switch known := !math.IsNaN(v); {
				case known != there, known && (math.Abs(got-v) > .1 || table[i][0] != v), !known && len(table[i]) != 0:
					t.Fatalf("slot %d: %v is drawn as %v (%v), the table says %v", i, v, got, there, table[i])
				case known && (i == 0 || math.IsNaN(s.Values[i-1])):
					runs++
				}
			}
			if n := strings.Count(path, "M"); n != runs {
				t.Fatalf("%d lines for %d stretches of values", n, runs)
			}
		}
	}
}

// TestAPlotIsSmall draws as much as is ever drawn.
func TestAPlotIsSmall(t *testing.T) {
	t.Parallel()
	p := Plot{ID: "changes", Title: "What the runs did", Noun: "rows", Sums: true}
	for i := range 90 {
		from := time.Date(2026, 3, 1+i, 0, 0, 0, 0, time.UTC)
		p.Slots = append(p.Slots, Slot{from, from.Format("2 Jan"), true})
	}
	for j := range 5 {
		s := Series{Name: fmt.Sprint("series", j), Tone: Teal}
		for i := range p.Slots {
			s.Values = append(s.Values, float64(100000+i*7919))
		}
		p.Series = append(p.Series, s)
	}
	for _, p.Form = range []Form{Bars, Lines, Area} {
		if n := len(p.HTML()); n > 20_000 {
			t.Errorf("form %d has %d bytes", p.Form, n)
		}
	}
}

func TestNothingToDraw(t *testing.T) {
	t.Parallel()
	for _, p := range []Plot{{}, {Title: "a plot", Slots: slots(2)}, {Slots: slots(2), Series: []Series{{Name: "x"}}}, {Series: []Series{{Name: "x", Values: []float64{1}}}}} {
		if text := string(p.HTML()); strings.Contains(text, "<table") || !strings.Contains(text, "There are no figures yet.") {
			t.Errorf("%+v:\n%s", p, text)
		}
	}
	flat := Plot{ID: "x", Slots: slots(2), Series: []Series{{Name: "x", Values: []float64{0, 0}}}}
	if text := string(flat.HTML()); strings.Contains(text, "<path") || !strings.Contains(text, "<table") || !strings.Contains(text, `role="img"`) {
		t.Errorf("runs that did nothing:\n%s", text)
	}
}
