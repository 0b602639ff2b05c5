package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// kept are the results in docs/benchmarks.
func kept(t *testing.T) (folder string, results []result) {
	t.Helper()
	folder = filepath.Join("..", "..", "docs", "benchmarks")
	results, err := load(folder, parts)
	if err != nil {
		t.Fatal(err)
	}
	return folder, results
}

func read(t *testing.T, path ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestDocumentsShowWhatWasMeasured compares the page, the pictures and the excerpts in other documents with the results.
func TestDocumentsShowWhatWasMeasured(t *testing.T) {
	t.Parallel()
	folder, results := kept(t)
	if len(results) != len(parts) {
		t.Errorf("docs/benchmarks has results of %d of the %d parts; run make bench", len(results), len(parts))
	}
	if got := page(results); got != read(t, folder, "README.md") {
		t.Error("docs/benchmarks/README.md is not the page of the results beside it; run make bench")
	}
	for _, r := range results {
		if err := r.Section.check(); err != nil {
			t.Error(err)
		}
		for _, c := range r.Section.Charts {
			if plot(c) != read(t, folder, c.File) {
				t.Errorf("%s is not the picture of the results of %s; run make bench", c.File, r.Part)
			}
		}
	}
	for _, e := range excerpts {
		text := read(t, "..", "..", e.file)
		filled, err := e.fillIn(text, results)
		if err != nil {
			t.Error(err)
		} else if filled != text {
			t.Errorf("the %s in %s is not that of docs/benchmarks; run make bench", e.name, e.file)
		}
		if rows := strings.Count(e.text(results), "\n"); rows < 2+2*len(runNames) {
			t.Errorf("the %s in %s has %d lines: it lacks runs", e.name, e.file, rows)
		}
	}
}

func TestChoose(t *testing.T) {
	t.Parallel()
	if all, err := choose(nil); err != nil || len(all) != len(parts) {
		t.Errorf("without names: %d parts, %v", len(all), err)
	}
	if one, err := choose([]string{"start"}); err != nil || len(one) != 1 || one[0].name != "start" {
		t.Errorf("%v, %v", one, err)
	}
	if _, err := choose([]string{"strat"}); err == nil || !strings.Contains(err.Error(), "start") {
		t.Errorf("an unknown name: %v", err)
	}
}

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
	svg := plot(chart{Title: "a < b", Unit: "s", Series: []string{"script", ours + " run"}, Labels: []string{"one & all"}, Values: [][]float64{{2.5, -1}}})
	for _, want := range []string{"a &lt; b", "one &amp; all", ">2.5 s<", ">2 s<", "prefers-color-scheme:dark", `class="c1" x="16.0"`, `class="c0" x=`} {
		if !strings.Contains(svg, want) {
			t.Errorf("the picture lacks %s:\n%s", want, svg)
		}
	}
	if strings.Contains(svg, ">-1") {
		t.Error("a value that is none is drawn")
	}
}

func TestFigures(t *testing.T) {
	t.Parallel()
	for want, got := range map[string]string{
		"1 565 000": count(1565000), "-1 000": count(-1000), "999": count(999), "0": figure(0), "2.46": figure(2.456), "123": figure(123.4),
		"59.2 s": span(59200 * time.Millisecond), "10 min 2 s": span(602 * time.Second), "11 h 8 min": span(40080 * time.Second),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestAPartMeasuredAnewLeavesTheOthers(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	folder := filepath.Join(root, "docs", "benchmarks")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, e := range excerpts {
		frame := "# x\n<!-- " + e.name + " from docs/benchmarks -->\n<!-- end of " + e.name + " -->\n"
		if err := os.WriteFile(filepath.Join(root, e.file), []byte(frame), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	save := func(part, cell string) {
		t.Helper()
		s := section{Title: part, Tables: []table{{Columns: []string{"a"}, Rows: [][]string{{cell}}}},
			Charts: []chart{{File: part + ".svg", Series: []string{ours}, Labels: []string{cell}, Values: [][]float64{{1}}}}}
		if err := (result{Part: part, Section: s}).save(folder); err != nil {
			t.Fatal(err)
		}
		if err := run(t.Context(), root, []string{onlyPage}, t.Output()); err != nil {
			t.Fatal(err)
		}
	}
	save(comparePart, "first")
	save("start", "second")
	save("start", "third")
	written := read(t, folder, "README.md")
	if !strings.Contains(written, "| first |") || !strings.Contains(written, "| third |") || strings.Contains(written, "second") {
		t.Errorf("the page is\n%s", written)
	}
	if page := read(t, root, "docs", "comparison.md"); !strings.Contains(page, "| first |") {
		t.Errorf("the comparison is\n%s", page)
	}
	if !strings.Contains(read(t, folder, "start.svg"), "third") {
		t.Error("the picture is not drawn anew")
	}
}

func TestResultsThatDoNotFitAreNotKept(t *testing.T) {
	t.Parallel()
	for _, s := range []section{
		{Tables: []table{{Columns: []string{"a", "b"}, Rows: [][]string{{"1"}}}}},
		{Charts: []chart{{Labels: []string{"a"}}}},
		{Charts: []chart{{Series: []string{"x", "y"}, Labels: []string{"a"}, Values: [][]float64{{1}}}}},
	} {
		folder := t.TempDir()
		if err := (result{Part: "start", Section: s}).save(folder); err == nil {
			t.Errorf("kept %+v", s)
		}
		if _, err := os.Stat(resultFile(folder, "start")); err == nil {
			t.Errorf("wrote %+v", s)
		}
	}
}
