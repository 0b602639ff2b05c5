package listfile

import (
	"os"
	"path/filepath"
	"testing"
)

func TestAReportReplacesNothingButAnOlderReport(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	header := []string{"sync", "key"}
	path := filepath.Join(dir, "list.csv")
	write := func(keep bool, line string) {
		t.Helper()
		r, err := Create("--failures", path, header)
		if err != nil {
			t.Fatal(err)
		}
		r.Write("users", line)
		if err := r.Close(keep); err != nil {
			t.Fatal(err)
		}
	}
	want := func(text string) {
		t.Helper()
		got, err := os.ReadFile(path)
		if err != nil || string(got) != text {
			t.Errorf("the file holds %q, %v; want %q", got, err, text)
		}
		if left, err := filepath.Glob(filepath.Join(dir, ".*")); err != nil || len(left) != 0 {
			t.Errorf("left behind: %q, %v", left, err)
		}
	}
	write(true, "1")
	want("sync,key\nusers,1\n")
	write(false, "2")
	want("sync,key\nusers,1\n")
	write(true, "3")
	want("sync,key\nusers,3\n")
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	for _, precious := range []string{"SQLite format 3\x00", "owlat:\n", "sync,ke", "id,email\n1,a@example.com\n"} {
		if err := os.WriteFile(path, []byte(precious), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Create("--failures", path, header); err == nil {
			t.Errorf("%q would be replaced", precious)
		}
		want(precious)
	}
	if _, err := Create("--failures", dir, header); err == nil {
		t.Error("a folder would be replaced")
	}
}

func TestLinesAreTakenBack(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "list.csv")
	f, err := Create("--failures", path, []string{"sync", "key"})
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range [][]string{{"users", "1", "a,b"}, {"users", "2", "x"}, {"users", "2", "y"}, {"orders", "1", "z"}, {"users", "=3", "-"}, {"users", "=4", "'x"}} {
		f.Write(line...)
	}
	f.TakeBack("users", "2")
	f.TakeBack("users", "9")
	f.TakeBack("users", "1")
	f.TakeBack("users", "=3")
	if err := f.Close(true); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil || string(got) != "sync,key\nusers,2,y\norders,1,z\nusers,'=4,''x\n" {
		t.Errorf("%q: %v", got, err)
	}
}
