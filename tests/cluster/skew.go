package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// aheadVariable holds by how many seconds the clock of a node is ahead, if it was built with the overlay of Skewable.
const aheadVariable = "OWLAT_SYNC_TEST_AHEAD"

// Skewable writes an overlay for Build into the folder, and returns its file: a program built with it has a wall clock that is wrong
// by what aheadVariable says. Its monotonic clock is right, as on a machine whose time was set wrongly.
func Skewable(folder string) (string, error) {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return "", fmt.Errorf("find Go's sources: %w", err)
	}
	original := filepath.Join(strings.TrimSpace(string(root)), "src", "time", "time.go")
	text, err := os.ReadFile(original)
	if err != nil {
		return "", err
	}
	const reads, imports = "func Now() Time {\n\tsec, nsec, mono := runtimeNow()\n", "import (\n\t\"errors\"\n\t\"math/bits\"\n"
	changed := strings.Replace(string(text), reads, reads+"\tsec += ahead\n", 1)
	changed = strings.Replace(changed, imports, imports+"\t\"syscall\"\n", 1)
	if strings.Count(changed, "sec += ahead") != 1 || strings.Count(changed, "\t\"syscall\"\n") != 1 {
		return "", errors.New("this version of Go reads the clock in another way: mend Skewable")
	}
	changed += `
var ahead = func() (seconds int64) {
	text, _ := syscall.Getenv("` + aheadVariable + `")
	negative := len(text) > 0 && text[0] == '-'
	for _, c := range []byte(text) {
		if c >= '0' && c <= '9' {
			seconds = seconds*10 + int64(c-'0')
		}
	}
	if negative {
		return -seconds
	}
	return seconds
}()
`
	replacement := filepath.Join(folder, "time.go")
	if err := os.WriteFile(replacement, []byte(changed), 0o600); err != nil {
		return "", err
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {original: replacement}})
	if err != nil {
		return "", err
	}
	path := filepath.Join(folder, "overlay.json")
	return path, os.WriteFile(path, overlay, 0o600)
}
