package docs

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the links at the end of each page, in the order of the index")

// pageLine is a line of the index's tables.
var pageLine = regexp.MustCompile(`(?m)^\| \[([^\]]+)\]\(([\w-]+\.md)\) \|`)

// footer begins what leads to the pages before and after.
const footer = "\n---\n\n"

var footers = regexp.MustCompile(`(?m)^---\n\n.*\[All pages\]\(README\.md\).*\n`)

// TestPagesFollowOneAnother checks that each page ends with links to the pages before and after it in the index, so that the documents
// can be read from front to back.
func TestPagesFollowOneAnother(t *testing.T) {
	t.Parallel()
	pages := pageLine.FindAllStringSubmatch(read(t, "docs/README.md"), -1)
	if len(pages) < 18 {
		t.Fatalf("only %d pages were found in the index", len(pages))
	}
	for i, page := range pages {
		var links []string
		if i > 0 {
			links = append(links, fmt.Sprintf("← [%s](%s)", pages[i-1][1], pages[i-1][2]))
		}
		links = append(links, "[All pages](README.md)")
		if i < len(pages)-1 {
			links = append(links, fmt.Sprintf("[%s](%s) →", pages[i+1][1], pages[i+1][2]))
		}
		want := footer + strings.Join(links, " · ") + "\n"
		text := read(t, "docs/"+page[2])
		if *update {
			text = footers.ReplaceAllString(text, "") // what stands behind an old one stays
			if err := os.WriteFile(filepath.Join(root, "docs", page[2]), []byte(strings.TrimRight(text, "\n")+"\n"+want), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if !strings.HasSuffix(text, want) {
			t.Errorf("docs/%s does not end with %q; go test ./internal/docs -run TestPagesFollowOneAnother -update writes it", page[2], want)
		}
	}
}
