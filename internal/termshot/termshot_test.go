package termshot

import (
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
)

// texts are those of a picture, in their order, as a reader of XML sees them.
func texts(t *testing.T, svg string) (found []string) {
	t.Helper()
	for d := xml.NewDecoder(strings.NewReader(svg)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return found
		}
		if err != nil {
			t.Fatalf("not XML: %v\n%s", err, svg)
		}
		if start, ok := token.(xml.StartElement); ok && start.Name.Local == "text" {
			var text string
			if err := d.DecodeElement(&text, &start); err != nil {
				t.Fatal(err)
			}
			found = append(found, text)
		}
	}
}

func TestSVG(t *testing.T) {
	t.Parallel()
	svg := SVG("a < b", 10, []Command{{"one", "Zoë \"<&>\"\n\n  0123456789abc\n"}, {"two", ""}})
	want := []string{"$", "one", `Zoë "<&>"`, "01234567", "89abc", "$", "two"}
	if got := texts(t, svg); !slices.Equal(got, want) {
		t.Errorf("the texts are %q, want %q", got, want)
	}
	for _, part := range []string{"<title>a &lt; b</title>", "prefers-color-scheme:dark", `textLength="70.2"`, `x="31.6"`} {
		if !strings.Contains(svg, part) {
			t.Errorf("the picture lacks %s:\n%s", part, svg)
		}
	}
}
