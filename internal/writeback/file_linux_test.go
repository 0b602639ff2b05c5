package writeback_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"owlatsync/internal/writeback"
)

// On a full disk no half a line stays, and the next attempt goes on from there.
func TestAFullDisk(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	if err := syscall.Mount("tmpfs", folder, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("mounting a file system is refused: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(folder, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	path := filepath.Join(folder, "feedback.ndjson")
	kept := []byte("{\"id\":0}\n")
	if err := os.WriteFile(path, kept, 0o600); err != nil {
		t.Fatal(err)
	}
	w := writeback.NewFile("file", path)
	long := writeback.Notice{ID: 1, Reason: strings.Repeat("x", 48<<10)}
	if r := w.Deliver(t.Context(), []writeback.Notice{long, long}); !writeback.IsDown(r[0].Err) || !writeback.IsDown(r[1].Err) {
		t.Error("it was told on a full disk")
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, kept) {
		t.Errorf("the file has %d bytes, %v", len(got), err)
	}
	if r := w.Deliver(t.Context(), []writeback.Notice{{ID: 1}}); r[0].Err != nil || len(lines(t, path)) != 2 {
		t.Errorf("%+v, %q", r, lines(t, path))
	}
}
