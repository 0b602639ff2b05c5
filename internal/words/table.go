package words

import (
	"fmt"
	"strings"
)

// FirstOnly returns the label for the first of several lines and nothing for the others.
func FirstOnly(i int, label string) string {
	if i > 0 {
		return ""
	}
	return label
}

// minColumn is the least width of a column of AlignRight.
const minColumn = 6

// AlignRight lays out a table. Every line must have as many cells as the first. The first column is aligned left, the others right.
func AlignRight(lines [][]string) string {
	widths := make([]int, len(lines[0]))
	for _, line := range lines {
		for i, cell := range line {
			widths[i] = max(widths[i], len(cell))
		}
	}
	var b strings.Builder
	for _, line := range lines {
		fmt.Fprintf(&b, "%-*s", widths[0], line[0])
		for i, cell := range line[1:] {
			fmt.Fprintf(&b, "  %*s", max(widths[i+1], minColumn), cell)
		}
		b.WriteByte('\n')
	}
	return b.String()
}
