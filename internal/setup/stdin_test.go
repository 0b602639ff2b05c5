package setup

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"owlatsync/internal/config"
	"owlatsync/internal/sourcedsn"
)

// TestStdin reads standard input as often as a run reads a source, and leaves nothing behind.
func TestStdin(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	stdin := NewStdin(strings.NewReader("id,email\n1,a@example.com\n"))
	dsn, err := sourcedsn.Parse("csv:-", "/base")
	if err != nil {
		t.Fatal(err)
	}
	src, closeSource, err := Opener{Stdin: stdin}.Source(config.Sync{Target: dsn, Fields: config.Fields{Email: "email"}})
	if err != nil {
		t.Fatal(err)
	}
	defer closeSource()
	for range 3 {
		n := 0
		for row, err := range src.Rows(t.Context()) {
			if err != nil || row.Email.Value != "a@example.com" {
				t.Fatalf("%+v, %v", row, err)
			}
			n++
		}
		if n != 1 {
			t.Errorf("%d rows, want 1", n)
		}
	}
	if info, err := stdin.kept.Stat(); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("others may read it: %v, %v", info.Mode(), err)
	}
	if left, _ := filepath.Glob(filepath.Join(os.TempDir(), "*")); len(left) != 0 && runtime.GOOS != "windows" {
		t.Errorf("a killed process would leave %q", left)
	}
	if err := stdin.Close(); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(os.TempDir(), "*")); len(left) != 0 {
		t.Errorf("left behind: %q", left)
	}
}

func TestStdinThatCannotBeRead(t *testing.T) {
	t.Parallel()
	broken := errors.New("it is broken")
	stdin := NewStdin(io.MultiReader(strings.NewReader("id"), iotest.ErrReader(broken)))
	if _, err := stdin.open(); !errors.Is(err, broken) {
		t.Errorf("%v, want the error of reading", err)
	}
	if err := stdin.Close(); err != nil {
		t.Error(err)
	}
	if _, err := (*Stdin)(nil).open(); err == nil {
		t.Error("no standard input passes for one")
	}
	unused := NewStdin(iotest.ErrReader(broken))
	if err := unused.Close(); err != nil {
		t.Error(err)
	}
	if _, err := unused.open(); err == nil {
		t.Error("it can be read after Close")
	}
}
