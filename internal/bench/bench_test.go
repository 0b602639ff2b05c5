package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"owlatsync/internal/bench/findings"
	"owlatsync/internal/bench/plot"
)

// kept are the results in docs/benchmarks.
func kept(t *testing.T) (folder string, results []findings.Result) {
	t.Helper()
	folder = filepath.Join("..", "..", "docs", "benchmarks")
	results, err := findings.Load(folder, partNames())
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
	if got := findings.Page(results); got != read(t, folder, "README.md") {
		t.Error("docs/benchmarks/README.md is not the page of the results beside it; run make bench")
	}
	for _, r := range results {
		if err := r.Section.Check(); err != nil {
			t.Error(err)
		}
		for _, c := range r.Section.Charts {
			if plot.SVG(c) != read(t, folder, c.File) {
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
		least := 2 + 2*len(runNames)
		if e.name == "rounds" { // of both kinds, over few and many people
			least = 2 + 2*2
		}
		if rows := strings.Count(e.text(results), "\n"); rows < least {
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
		s := findings.Section{Title: part, Tables: []findings.Table{{Columns: []string{"a"}, Rows: [][]string{{cell}}}},
			Charts: []findings.Chart{{File: part + ".svg", Series: []string{findings.Ours}, Labels: []string{cell}, Values: [][]float64{{1}}}}}
		if err := (findings.Result{Part: part, Section: s}).Save(folder); err != nil {
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
