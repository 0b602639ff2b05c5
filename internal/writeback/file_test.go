package writeback_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"owlatsync/internal/writeback"
)

func lines(t *testing.T, path string) []string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(raw), "\n"), "\n")
}

func TestAFileGetsWholeLines(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "feedback.ndjson")
	w := writeback.NewFile("file", path)
	if err := w.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("the check left a file")
	}
	first := []writeback.Notice{
		{ID: 1, Event: "topic.unsubscribed", At: at, Email: "ada@example.com", ContactID: "c1", Topic: "t1", TopicName: "A < B\nC"},
		{ID: 2, Event: "email.complained", At: at, Email: "bob@example.com"},
	}
	for _, batch := range [][]writeback.Notice{first, {{ID: 3, Event: "email.bounced", At: at, Reason: "no such user"}}} {
		for _, r := range w.Deliver(t.Context(), batch) {
			if r.Err != nil || r.Wrote {
				t.Fatalf("%+v", r)
			}
		}
	}
	want := []string{
		`{"id":1,"event":"topic.unsubscribed","at":"2026-11-23T07:43:07.041Z","email":"ada@example.com","contact_id":"c1","topic":"t1","topic_name":"A < B\nC"}`,
		`{"id":2,"event":"email.complained","at":"2026-11-23T07:43:07.041Z","email":"bob@example.com"}`,
		`{"id":3,"event":"email.bounced","at":"2026-11-23T07:43:07.041Z","reason":"no such user"}`,
	}
	if got := lines(t, path); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s", strings.Join(got, "\n"))
	}
	if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	// Somebody else takes the file away, and cuts off a line of the next one.
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(`{"id":9,"ev`), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := w.Deliver(t.Context(), first[:1]); r[0].Err != nil {
		t.Fatal(r[0].Err)
	}
	if got := lines(t, path); len(got) != 2 || !json.Valid([]byte(got[1])) {
		t.Errorf("got %q", got)
	}
	if err := w.Check(t.Context()); err != nil || len(lines(t, path)) != 2 {
		t.Errorf("the check changed the file: %v", err)
	}
}

func TestAFileThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	for _, path := range []string{folder, filepath.Join(folder, "none", "feedback.ndjson"), os.DevNull} {
		w := writeback.NewFile("file", path)
		if err := w.Check(t.Context()); err == nil {
			t.Errorf("%s passed", path)
		}
		if r := w.Deliver(t.Context(), []writeback.Notice{{ID: 1}}); !writeback.IsDown(r[0].Err) {
			t.Errorf("%s: %v", path, r[0].Err)
		}
	}
}

// TestTheCheckLeavesTheFileAlone checks a target again and again while another one writes to the same file, which does not exist at first.
func TestTheCheckLeavesTheFileAlone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "feedback.ndjson")
	checking := make(chan struct{})
	checked := make(chan error, 1)
	go func() {
		var errs []error
		for {
			select {
			case <-checking:
				checked <- errors.Join(errs...)
				return
			default:
				errs = append(errs, writeback.NewFile("a", path).Check(t.Context()))
			}
		}
	}()
	const rounds = 300
	for i := range rounds {
		if i%10 == 0 {
			_ = os.Rename(path, path+".old")
		}
		if r := writeback.NewFile("a", path).Deliver(t.Context(), []writeback.Notice{{ID: int64(i)}}); r[0].Err != nil {
			t.Fatal(r[0].Err)
		}
		if _, err := os.Stat(path); err != nil {
			t.Fatalf("the line %d is gone: %v", i, err)
		}
	}
	close(checking)
	if err := <-checked; err != nil {
		t.Error(err)
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(path), ".owlat-sync-*")); err != nil || len(left) > 0 {
		t.Errorf("%q are left behind, %v", left, err)
	}
}
