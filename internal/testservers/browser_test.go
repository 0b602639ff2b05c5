//go:build unix

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"owlatsync/internal/testbrowser"
)

// TestOnlyTestsOfPagesGetABrowser looks at what commands would have installed on a machine without a browser.
func TestOnlyTestsOfPagesGetABrowser(t *testing.T) {
	t.Setenv("PATH", programsWithoutBrowser(t))
	t.Setenv(browserVariable, "")
	for _, test := range []struct {
		args []string
		want bool
	}{
		{[]string{"go", "test", "-race", "-run", "Views", "../testbrowser"}, true},
		{[]string{"go", "test", "../words", "../testbrowser"}, true},
		{[]string{"go", "test", "../words"}, false},
		{[]string{"go", "test", "../nowhere"}, false},
		{[]string{"go", "run", "../testbrowser"}, false},
		{[]string{"sh", "-c", "true"}, false},
		{[]string{"go"}, false},
	} {
		if got := slices.Contains(missingPackages(nil, test.args), "chromium"); got != test.want {
			t.Errorf("%q: a browser is installed: %v, want %v", test.args, got, test.want)
		}
	}
	t.Setenv(browserVariable, "/somewhere/chrome")
	if slices.Contains(missingPackages(nil, []string{"go", "test", "../testbrowser"}), "chromium") {
		t.Error("a browser is installed beside the one that is named")
	}
	if browserVariable != testbrowser.Variable {
		t.Errorf("tests look at %s", testbrowser.Variable)
	}
}

// programsWithoutBrowser returns a folder with nothing but Go.
func programsWithoutBrowser(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("go")
	if err != nil {
		t.Skip(err)
	}
	folder := t.TempDir()
	if err := os.Symlink(path, filepath.Join(folder, "go")); err != nil {
		t.Fatal(err)
	}
	return folder
}
