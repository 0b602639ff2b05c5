package sqlite

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"owlatsync/ledger"
)

// listing returns the contents of the folder's files by their names.
func listing(t *testing.T, folder string) map[string]string {
	t.Helper()
	files, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]string)
	for _, f := range files {
		found[f.Name()] = string(readFile(t, filepath.Join(folder, f.Name())))
	}
	return found
}

// bind ties the ledger to the deployment.
func bind(t *testing.T, l *Ledger, deployment string) {
	t.Helper()
	k, err := l.Acquire(t.Context(), ledger.Claim{Purpose: "a run", Deployment: deployment})
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Release(); err != nil {
		t.Fatal(err)
	}
}

func TestExamineChangesNothing(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		given func(t *testing.T, folder string)
		want  ledger.Condition
	}{
		{"no file", func(*testing.T, string) {}, ledger.Condition{Missing: true}},
		{"an empty file", func(t *testing.T, folder string) {
			if err := os.WriteFile(filepath.Join(folder, "ledger.db"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}, ledger.Condition{}},
		{"a ledger that nothing has used", func(t *testing.T, folder string) {
			if err := openIn(t, folder).Close(); err != nil {
				t.Fatal(err)
			}
		}, ledger.Condition{}},
		{"a ledger of a deployment", func(t *testing.T, folder string) {
			l := openIn(t, folder)
			put(t, l, "1")
			bind(t, l, "https://a.example")
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
		}, ledger.Condition{Deployment: "https://a.example"}},
		{"a ledger of an older version", func(t *testing.T, folder string) {
			text, err := os.ReadFile("testdata/version1.sql")
			if err != nil {
				t.Fatal(err)
			}
			execFile(t, filepath.Join(folder, "ledger.db"), string(text))
		}, ledger.Condition{Outdated: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			c.given(t, folder)
			before := listing(t, folder)
			got, err := Examine(t.Context(), "sqlite", filepath.Join(folder, "ledger.db"))
			if err != nil || got != c.want {
				t.Errorf("examined: %+v, %v, want %+v", got, err, c.want)
			}
			if diff := cmp.Diff(before, listing(t, folder)); diff != "" {
				t.Errorf("the folder changed:\n%s", diff)
			}
		})
	}
}

// TestExamineWhileOpen looks at a ledger that somebody else uses.
func TestExamineWhileOpen(t *testing.T) {
	t.Parallel()
	l := openFresh(t)
	bind(t, l, "https://a.example")
	put(t, l, "1")
	before := readFile(t, l.f.Name())
	got, err := Examine(t.Context(), "sqlite", l.f.Name())
	if err != nil || got.Deployment != "https://a.example" {
		t.Errorf("examined: %+v, %v", got, err)
	}
	if !bytes.Equal(before, readFile(t, l.f.Name())) {
		t.Error("the file changed")
	}
	put(t, l, "2")
	mustHold(t, l, "1", "2")
}
