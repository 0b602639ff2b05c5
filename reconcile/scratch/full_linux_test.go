package scratch

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestAFullDiskIsToldWithItsFolder writes to the device that is always full.
func TestAFullDiskIsToldWithItsFolder(t *testing.T) {
	t.Parallel()
	full, err := os.OpenFile("/dev/full", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	folder := t.TempDir()
	s := New(&Place{Folder: folder}, length)
	if err := s.Add("x"); err != nil {
		t.Fatal(err)
	}
	if err := s.file.f.Close(); err != nil {
		t.Fatal(err)
	}
	s.file.f = full
	for range batch {
		if err = s.Add("y"); err != nil {
			break
		}
	}
	want := "write what is to be done to a temporary file in " + folder + ": no space left on device: free some space there"
	if !errors.Is(err, syscall.ENOSPC) || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestAFolderThatIsNotThereIsTold(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "missing")
	err := New(&Place{Folder: folder}, length).Add("x")
	want := "make a temporary file for what is to be done in " + folder + ": no such file or directory"
	if !errors.Is(err, fs.ErrNotExist) || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
