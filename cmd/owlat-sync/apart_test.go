package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// programVariable names the test binary without the race detector, in which alone the tests that kill processes run: with the detector the
// processes would take too long to begin.
const programVariable = "OWLAT_SYNC_CRASH_PROGRAM"

// plainFolder is where plainProgram is built.
var plainFolder string

// plainProgram returns the test binary without the race detector, which is also owlat-sync by that name. It is built once.
var plainProgram = sync.OnceValues(func() (program string, err error) {
	if plainFolder, err = os.MkdirTemp("", "owlat-sync-plain-"); err != nil {
		return "", err
	}
	program = filepath.Join(plainFolder, "owlat-sync")
	if out, err := exec.Command("go", "test", "-c", "-race=false", "-o", program, ".").CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the program: %w\n%s", err, out)
	}
	return program, nil
})

// removePlain removes what was built.
func removePlain() error {
	if plainFolder == "" {
		return nil
	}
	return os.RemoveAll(plainFolder)
}

// raced are the stories whose programs have the race detector: all that runs several things at once is in one of them. To start a program with it takes three times as
// long, and the stories start six hundred.
var raced = []string{
	"first_sync", "several_syncs", "readme", "unreached", "bad_day", "lists", "dismiss", "spreadsheet", "json", "deployments", "docs-operations",
}

// inProgram gives a story the program: without the race detector, if it is none of those in raced. "make soak" has it in all.
func inProgram(env *testscript.Env) error {
	name := strings.TrimPrefix(filepath.Base(env.WorkDir), "script-")
	if !withRace || slices.Contains(raced, name) || os.Getenv(allVariable) != "" {
		return nil
	}
	return plainly(env)
}

// plainly has a story find the program without the race detector.
func plainly(env *testscript.Env) error {
	program, err := plainProgram()
	if err != nil {
		return err
	}
	env.Setenv("PATH", filepath.Dir(program)+string(os.PathListSeparator)+env.Getenv("PATH"))
	return nil
}

// testApart has the test binary without the race detector run the test, or what of it was asked for.
func testApart(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("kills hundreds of processes; not with -short")
	}
	built, err := plainProgram()
	if err != nil {
		t.Fatal(err)
	}
	// By another name it is the tests.
	program := built + ".test"
	if err := os.Link(built, program); err != nil && !errors.Is(err, os.ErrExist) {
		t.Fatal(err)
	}
	which := "^" + t.Name() + "$"
	if _, point, one := strings.Cut(flag.Lookup("test.run").Value.String(), "/"); one {
		which += "/" + point
	}
	cmd := exec.CommandContext(t.Context(), program, "-test.run="+which, "-test.v="+flag.Lookup("test.v").Value.String())
	cmd.Env = append(os.Environ(), programVariable+"="+program)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	} else if testing.Verbose() {
		t.Logf("%s", out)
	}
}
