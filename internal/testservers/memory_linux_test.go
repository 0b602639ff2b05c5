package main

import (
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// TestFilesOfTestsAreInMemory, unless somebody says where they are to be.
func TestFilesOfTestsAreInMemory(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	if dir := memoryFolder(); dir != "" {
		leaveMemory(dir)
		t.Errorf("TMPDIR is set, and files are in %s", dir)
	}
	t.Setenv("TMPDIR", "")
	if free := freeMemory(); free == 0 {
		t.Error("it is not known how much memory is free")
	} else if free < muchMemory {
		t.Skipf("only %d bytes of memory are free", free)
	}
	left := exec.Command("true")
	if err := left.Run(); err != nil {
		t.Fatal(err)
	}
	stale := memoryPrefix + "stale"
	if err := errors.Join(os.Mkdir(stale, 0o700), os.WriteFile(stale+ownerSuffix, []byte(strconv.Itoa(left.Process.Pid)), 0o600)); err != nil {
		t.Fatal(err)
	}
	defer leaveMemory(stale)
	dir := memoryFolder()
	if dir == "" {
		t.Skip("there is no room for files in memory")
	}
	defer leaveMemory(dir)
	beside := memoryFolder()
	defer leaveMemory(beside)
	if beside == dir || beside == "" {
		t.Errorf("two runs have %q and %q", dir, beside)
	}
	leaveMemory(dir)
	if again := memoryFolder(); again != dir {
		t.Errorf("the next run has %q, not %q, so that go test would not know its results", again, dir)
	}
	if _, err := os.Stat(stale); !os.IsNotExist(err) {
		t.Errorf("the folder of a process that has ended: %v", err)
	}
	info, err := os.Stat(dir)
	if err != nil || !strings.HasPrefix(dir, inMemory) || info.Mode().Perm() != 0o755 {
		t.Errorf("%s: %v, %v", dir, info, err)
	}
}
