package main

import (
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
		os.RemoveAll(dir)
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
	stale := memoryPrefix + strconv.Itoa(left.Process.Pid)
	if err := os.Mkdir(stale, 0o700); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(stale)
	dir := memoryFolder()
	if dir == "" {
		t.Skip("there is no room for files in memory")
	}
	defer os.RemoveAll(dir)
	if _, err := os.Stat(stale); !os.IsNotExist(err) {
		t.Errorf("the folder of a process that has ended: %v", err)
	}
	info, err := os.Stat(dir)
	if err != nil || !strings.HasPrefix(dir, inMemory) || info.Mode().Perm() != 0o755 {
		t.Errorf("%s: %v, %v", dir, info, err)
	}
}
