package consent

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	tableBegins = "<!-- consent table -->\n"
	tableEnds   = "<!-- end of consent table -->"
)

// TestTheDocumentsShowTheTables compares docs/guarantees.md with the tables that decide. UPDATE_DOCS=1 writes them there.
func TestTheDocumentsShowTheTables(t *testing.T) {
	t.Parallel()
	page := filepath.Join("..", "..", "docs", "guarantees.md")
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, begins := strings.Cut(string(text), tableBegins)
	shown, after, ends := strings.Cut(rest, tableEnds)
	if !begins || !ends {
		t.Fatalf("%s has no place for the tables", page)
	}
	if shown == Markdown() {
		return
	}
	if os.Getenv("UPDATE_DOCS") == "" {
		t.Fatalf("%s does not show the tables as they decide: UPDATE_DOCS=1 go test ./reconcile/consent", page)
	}
	if err := os.WriteFile(page, []byte(before+tableBegins+Markdown()+tableEnds+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestMarkdown looks for every line and every word of the tables.
func TestMarkdown(t *testing.T) {
	t.Parallel()
	text := Markdown()
	rows := 0
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "| ") {
			rows++
			if strings.Count(line, "|") != 6 {
				t.Errorf("a line without five columns: %s", line)
			}
		}
	}
	if want := len(Table) + len(OptOutTable) + 2; rows != want {
		t.Errorf("%d lines, want %d", rows, want)
	}
	for _, l := range Table {
		for _, word := range []string{l.Says.String(), string(l.If), string(l.Does), l.Why} {
			if !strings.Contains(text, word) {
				t.Errorf("%q is missing", word)
			}
		}
	}
	for _, r := range All {
		if !strings.Contains(text, string(r)) {
			t.Errorf("%q is missing", r)
		}
	}
	for _, l := range OptOutTable {
		if !strings.Contains(text, string(l.If)) || !strings.Contains(text, l.Why) {
			t.Errorf("the line %q is missing", l.Why)
		}
	}
}
