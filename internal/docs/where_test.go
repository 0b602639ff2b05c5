package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var quotedFile = regexp.MustCompile("`([^`]+)`")

// TestWhereDoIChange keeps the table that leads to the files: each line names one that is there, and few of them.
func TestWhereDoIChange(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(root, "ARCHITECTURE.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## Where do I change")
	section, _, _ = strings.Cut(section, "\nTen changes ")
	lines := 0
	for _, line := range strings.Split(section, "\n") {
		cells := strings.Split(line, "|")
		if len(cells) != 4 || strings.HasPrefix(line, "|---") || strings.TrimSpace(cells[1]) == "what" {
			continue
		}
		lines++
		files := quotedFile.FindAllStringSubmatch(cells[2], -1)
		if len(files) == 0 || len(files) > 2 {
			t.Errorf("%q names %d files, want one or two", strings.TrimSpace(cells[1]), len(files))
		}
		for _, file := range files {
			if _, err := os.Stat(filepath.Join(root, file[1])); err != nil {
				t.Errorf("%q: %v", strings.TrimSpace(cells[1]), err)
			}
		}
	}
	if lines < 20 {
		t.Errorf("the table has %d lines, want twenty at least", lines)
	}
}
