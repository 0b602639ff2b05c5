package importfile

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"owlatsync"
	"owlatsync/reconcile"
)

var began = time.Date(2026, 3, 1, 12, 0, 0, 1500, time.UTC)

func open(t *testing.T, path string, c Columns) *Folder {
	t.Helper()
	f, err := Open(path, "users", c, began)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func person(email, first, last string, topics ...string) reconcile.Person {
	p := reconcile.Person{Key: email, Email: email, Topics: topics}
	p.Fields[owlatsync.FirstName], p.Fields[owlatsync.LastName] = &first, &last
	return p
}

func write(t *testing.T, f *Folder, people ...reconcile.Person) (n int) {
	t.Helper()
	for _, p := range people {
		ok, err := f.Write(p)
		if err != nil {
			t.Fatal(err)
		}
		if ok {
			n++
		}
	}
	return n
}

func publish(t *testing.T, f *Folder) {
	t.Helper()
	if err := errors.Join(f.Finish(), f.Publish()); err != nil {
		t.Fatal(err)
	}
}

func names(t *testing.T, folder string) (all []string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has the mode %v, %v", e.Name(), info.Mode(), err)
		}
		all = append(all, e.Name())
	}
	return all
}

func read(t *testing.T, path string) [][]string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	records, err := csv.NewReader(strings.NewReader(string(text))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return records
}

// TestAFileIsWhatTheImporterReads with the columns that it knows by their names.
func TestAFileIsWhatTheImporterReads(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "made", "here")
	f := open(t, dir, Columns{
		Language: "lang", Topics: true, Names: map[string]string{"k1": "News", "k2": "Offers, daily", "k3": ""},
		Properties: []Property{{"Plan", "plan"}, {"Seats", "seats"}},
	})
	if !f.Began().Equal(began.Truncate(time.Microsecond)) {
		t.Errorf("it began at %v", f.Began())
	}
	ada := person("ada@example.com", `Ada "the first"`, "King,\nCountess", "k1", "k2", "k3")
	ada.Properties = map[string]json.RawMessage{"lang": json.RawMessage(`"en"`), "plan": json.RawMessage(`"pro"`), "seats": json.RawMessage(`-3`)}
	bob := person("bob@example.com", "", "")
	bob.Properties = map[string]json.RawMessage{"lang": json.RawMessage(`null`), "seats": json.RawMessage(`true`)}
	if n := write(t, f, ada, bob); n != 2 {
		t.Errorf("%d were written", n)
	}
	if got := names(t, dir); !slices.Equal(got, []string{markName, "owlat-users-001.csv" + partial}) {
		t.Errorf("before the end there are %q", got)
	}
	publish(t, f)
	if got := names(t, dir); !slices.Equal(got, []string{"owlat-users-001.csv"}) {
		t.Errorf("at the end there are %q", got)
	}
	got := read(t, f.Files()[0])
	want := [][]string{
		{"Email", "First Name", "Last Name", "Language", "Topic", "Plan", "Seats"},
		{"ada@example.com", `Ada "the first"`, "King,\nCountess", "en", "News, k2, k3", "pro", "-3"},
		{"bob@example.com", "", "", "", "", "", "true"},
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("it has %q, want %q", got, want)
	}
}

// TestNoCellIsAFormula: whose values would be one is left out, because an apostrophe would reach Owlat.
func TestNoCellIsAFormula(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f := open(t, dir, Columns{Properties: []Property{{"Plan", "plan"}}})
	for _, bad := range []string{"=1+1", "+1", "-1", "@SUM(1)", "\tx", "\rx", "'x", "＝1"} {
		first, last := person("a@example.com", bad, "L"), person("a@example.com", "F", bad)
		property := person("a@example.com", "F", "L")
		text, err := json.Marshal(bad + "x")
		if err != nil {
			t.Fatal(err)
		}
		property.Properties = map[string]json.RawMessage{"plan": text}
		if n := write(t, f, first, last, property); n != 0 {
			t.Errorf("%q was written %d times", bad, n)
		}
		if ok, err := f.columns.Fit(first); ok || err != nil {
			t.Errorf("%q fits: %v, %v", bad, ok, err)
		}
	}
	if n := write(t, f, person("=1@example.com", "F", "L"), person("+b@example.com", "F", "L")); n != 0 {
		t.Error("an address that is a formula was written")
	}
	publish(t, f)
	if got := names(t, dir); len(got) > 0 || f.Files() == nil {
		t.Errorf("without people there are %q", got)
	}
}

// TestManyPeopleAreInSeveralFiles, each with a header.
func TestManyPeopleAreInSeveralFiles(t *testing.T) {
	t.Parallel()
	f := open(t, t.TempDir(), Columns{})
	f.most = 3
	for i := range 7 {
		write(t, f, person(fmt.Sprintf("u%d@example.com", i), "", ""))
	}
	publish(t, f)
	seen := 0
	for _, path := range f.Files() {
		records := read(t, path)
		if records[0][0] != "Email" {
			t.Errorf("%s begins with %q", path, records[0])
		}
		seen += len(records) - 1
	}
	if len(f.Files()) != 3 || seen != 7 {
		t.Errorf("%d files with %d people", len(f.Files()), seen)
	}
}

// TestAFolderIsForOneExport that goes on after a kill at any point.
func TestAFolderIsForOneExport(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	people := []reconcile.Person{person("a@example.com", "", ""), person("b@example.com", "", ""), person("c@example.com", "", "")}
	for killed := range 4 {
		f := open(t, dir, Columns{})
		f.most = 2
		if !f.Began().Equal(began.Truncate(time.Microsecond)) {
			t.Fatalf("another export began at %v", f.Began())
		}
		write(t, f, people...)
		switch killed {
		case 1:
			if err := f.Finish(); err != nil {
				t.Fatal(err)
			}
		case 2: // in the midst of publishing
			if err := errors.Join(f.Finish(), os.Rename(f.Files()[0]+partial, f.Files()[0])); err != nil {
				t.Fatal(err)
			}
		case 3:
			publish(t, f)
		}
		if err := f.Abandon(); err != nil {
			t.Fatal(err)
		}
	}
	if got := names(t, dir); !slices.Equal(got, []string{"owlat-users-001.csv", "owlat-users-002.csv"}) {
		t.Errorf("there are %q", got)
	}
	if _, err := Open(dir, "users", Columns{}, began.Add(time.Hour)); !isNotEmpty(err) {
		t.Errorf("another export in the folder: %v", err)
	}
	other := t.TempDir()
	open(t, other, Columns{})
	if _, err := Open(other, "customers", Columns{}, began); err == nil || !strings.Contains(err.Error(), `"users"`) {
		t.Errorf("an export of another sync: %v", err)
	}
	if err := os.WriteFile(filepath.Join(other, markName), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(other, "users", Columns{}, began); err == nil {
		t.Error("a damaged mark is taken for none")
	}
	file := filepath.Join(other, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(file, "users", Columns{}, began); err == nil {
		t.Error("a file is taken for a folder")
	}
}

func isNotEmpty(err error) bool {
	_, ok := errors.AsType[*NotEmptyError](err)
	return ok
}
