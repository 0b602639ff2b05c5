package plot

import (
	"strings"
	"testing"

	"owlatsync/internal/bench/findings"
)

func TestAxis(t *testing.T) {
	t.Parallel()
	even := newAxis([][]float64{{50, 100}, {0, -1}}, 200)
	if even.log || even.at(50) != 100 || even.at(0) != 0 {
		t.Errorf("%+v, 50 is at %v", even, even.at(50))
	}
	wide := newAxis([][]float64{{1, 1000}}, 300)
	if !wide.log || wide.at(1) <= 0 || wide.at(1000) != 300 || wide.at(0) != 0 {
		t.Errorf("%+v, 1 is at %v, 1000 at %v", wide, wide.at(1), wide.at(1000))
	}
	if nothing := newAxis([][]float64{{0}}, 300); nothing.log || nothing.at(0) != 0 {
		t.Errorf("%+v", nothing)
	}
}

func TestPlot(t *testing.T) {
	t.Parallel()
	svg := SVG(findings.Chart{Title: "a < b", Unit: "s", Series: []string{"script", findings.Ours + " run"}, Labels: []string{"one & all"}, Values: [][]float64{{2.5, -1}}})
	for _, want := range []string{"a &lt; b", "one &amp; all", ">2.5 s<", ">2 s<", "prefers-color-scheme:dark", `class="c1" x="16.0"`, `class="c0" x=`} {
		if !strings.Contains(svg, want) {
			t.Errorf("the picture lacks %s:\n%s", want, svg)
		}
	}
	if strings.Contains(svg, ">-1") {
		t.Error("a value that is none is drawn")
	}
}
