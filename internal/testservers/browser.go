//go:build unix

package main

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
)

// browserPackages are the names in Debian of what shows pages to tests. Without a font, pages are empty boxes.
var browserPackages = []string{"chromium", "fonts-dejavu-core"}

// browserVariable may name the browser that tests use; browserRoom is the package that uses it. They are not imported, so that this program
// is built without what drives a browser.
const browserVariable, browserRoom = "OWLATSYNC_TEST_CHROMIUM", "internal/testbrowser"

// hasBrowser reports whether tests find a browser.
func hasBrowser() bool {
	if os.Getenv(browserVariable) != "" {
		return true
	}
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if _, err := exec.LookPath(name); err == nil {
			return true
		}
	}
	return false
}

// opensPages reports whether the command tests a package that opens pages in a browser.
func opensPages(args []string) bool {
	if !isTest(args) {
		return false
	}
	list := []string{"list", "-e", "-test", "-deps", "-f", "{{.ImportPath}}", "--"}
	for _, arg := range args[2:] {
		if strings.HasPrefix(arg, ".") {
			list = append(list, arg)
		}
	}
	out, err := exec.Command(args[0], list...).Output() // without a package, of the folder
	return err == nil && bytes.Contains(out, []byte(browserRoom))
}
