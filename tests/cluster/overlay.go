package cluster

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Change replaces a text that stands once in a source file. Tests build programs that are other than they are.
type Change struct {
	File     string // absolute
	From, To string // an empty From makes a new file
}

// Overlay writes changed copies of source files into the folder, and returns the file that has Build take them.
func Overlay(folder string, changes ...Change) (string, error) {
	texts, replace := make(map[string]string), make(map[string]string)
	for _, c := range changes {
		if c.From == "" {
			texts[c.File], replace[c.File] = c.To, filepath.Join(folder, fmt.Sprintf("%d-%s", len(replace), filepath.Base(c.File)))
			continue
		}
		if _, read := texts[c.File]; !read {
			text, err := os.ReadFile(c.File)
			if err != nil {
				return "", err
			}
			texts[c.File] = string(text)
			replace[c.File] = filepath.Join(folder, fmt.Sprintf("%d-%s", len(replace), filepath.Base(c.File)))
		}
		if n := strings.Count(texts[c.File], c.From); n != 1 {
			return "", fmt.Errorf("%s has %q %d times, not once: it has changed, so the change to it must too", c.File, c.From, n)
		}
		texts[c.File] = strings.Replace(texts[c.File], c.From, c.To, 1)
	}
	for file, text := range texts {
		if err := os.WriteFile(replace[file], []byte(text), 0o600); err != nil {
			return "", err
		}
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": replace})
	if err != nil {
		return "", err
	}
	path := filepath.Join(folder, "overlay.json")
	return path, os.WriteFile(path, overlay, 0o600)
}

// The clock of a node may be wrong by this much, one way or the other.
const (
	aheadVariable = "OWLAT_SYNC_TEST_AHEAD"
	ahead         = 600 // seconds
)

// WrongClock returns what makes the wall clock of a program wrong by as many seconds as aheadVariable says. Its monotonic clock is
// right, as on a machine whose time was set wrongly.
func WrongClock() ([]Change, error) {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return nil, fmt.Errorf("find Go's sources: %w", err)
	}
	file := filepath.Join(strings.TrimSpace(string(root)), "src", "time", "time.go")
	return []Change{
		{file, "import (\n\t\"errors\"\n\t\"math/bits\"\n", "import (\n\t\"errors\"\n\t\"math/bits\"\n\t\"syscall\"\n"},
		{file, "func Now() Time {\n\tsec, nsec, mono := runtimeNow()\n", `var ahead = func() (seconds int64) {
	text, _ := syscall.Getenv("` + aheadVariable + `")
	for _, c := range []byte(text) {
		if c >= '0' && c <= '9' {
			seconds = seconds*10 + int64(c-'0')
		}
	}
	if len(text) > 0 && text[0] == '-' {
		return -seconds
	}
	return seconds
}()

func Now() Time {
	sec, nsec, mono := runtimeNow()
	sec += ahead
`},
	}, nil
}
