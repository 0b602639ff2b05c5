package serve

import (
	"os"
	"strconv"
	"strings"
	"testing"
)

// TestTheProgramsOwnPagesAreReleased counts the pages of files in the process. It is alone, so that no other test needs pages meanwhile.
func TestTheProgramsOwnPagesAreReleased(t *testing.T) {
	pages := func() int {
		text, err := os.ReadFile("/proc/self/statm")
		if err != nil {
			t.Fatal(err)
		}
		n, err := strconv.Atoi(strings.Fields(string(text))[2])
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := pages()
	releaseProgram()
	if after := pages(); after >= before {
		t.Errorf("%d pages of files before, %d after", before, after)
	}
}
