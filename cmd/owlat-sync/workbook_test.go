package main

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"owlatsync/internal/exitcode"
)

// workbook copies a workbook that another program wrote to the place.
func (p *place) workbook(t *testing.T, from string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(repository, "source", "xlsx", "testdata", from))
	if err != nil {
		t.Fatal(err)
	}
	return p.write(t, "people.xlsx", string(text))
}

// TestWorkbooks takes workbooks of three programs from init to a second run.
func TestWorkbooks(t *testing.T) {
	t.Parallel()
	for _, from := range []string{"excelize.xlsx", "exceljs.xlsx", "openpyxl.xlsx"} {
		t.Run(from, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			path := p.workbook(t, from)
			said, _ := p.cli(t, 0, "init", path, "--topic", p.topic+"=Newsletter")
			for _, want := range []string{"E-Mail", "id", "Name"} {
				if !strings.Contains(said, want) {
					t.Errorf("init does not say %q:\n%s", want, said)
				}
			}
			written, err := os.ReadFile(filepath.Join(p.dir, "owlat-sync.yaml"))
			if err != nil || !strings.Contains(string(written), "dsn: xlsx:people.xlsx\n") || !strings.Contains(string(written), "fullName: Name") {
				t.Errorf("%v, init wrote\n%s", err, written)
			}
			p.cli(t, 0, "check")
			p.cli(t, 0, "plan")
			p.cli(t, 0, "run", "--yes")
			want := []string{"ada@example.com Ada Lovelace +", "grace@example.com Grace", "ünï@bücher.example Ünï 🦉"}
			if got := p.contacts(); !slices.Equal(got, want) {
				t.Errorf("contacts (-want +got):\n%s", cmp.Diff(want, got))
			}
			before := p.server.Stats().Writes
			p.cli(t, 0, "run")
			if sent := p.server.Stats().Writes - before; sent != 0 {
				t.Errorf("another run sent %d writes", sent)
			}
		})
	}
}

// TestWorkbooksAsLists takes contacts out of a workbook by its sheet.
func TestWorkbooksAsLists(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	path := p.workbook(t, "openpyxl.xlsx")
	p.cli(t, 0, "init", path)
	p.cli(t, 0, "upsert", "--from", path, "--yes")
	p.cli(t, 0, "topic", "add", p.topic, "--from", "xlsx:"+path+"?sheet=People", "--yes")
	want := []string{"ada@example.com +", "grace@example.com +", "ünï@bücher.example +"}
	var got []string
	for _, c := range p.contacts() {
		address, _, _ := strings.Cut(c, " ")
		got = append(got, address+c[strings.LastIndex(c, " "):])
	}
	if !slices.Equal(got, want) {
		t.Errorf("contacts (-want +got):\n%s", cmp.Diff(want, got))
	}
}

func TestWhatIsNoWorkbookIsRefused(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	path := p.workbook(t, "openpyxl.xlsx")
	for _, refused := range []struct{ dsn, want string }{
		{"xlsx:" + path + "?sheet=people", `the workbook has no sheet "people"; it has "People", "Hidden"`},
		{"xlsx:" + p.write(t, "export.xlsx", "id,email\n1,a@example.com\n"), "it is text and no workbook: if it is a CSV file, name it as csv:FILE"},
		{"xlsx:" + p.write(t, "page.xlsx", "<html><body><table>"), "it is a web page (HTML): open it in a spreadsheet, and save it as .xlsx"},
		{"xlsx:" + filepath.Join(p.dir, "none.xlsx"), "no such file"},
	} {
		if _, said := p.cli(t, int(exitcode.Error), "init", refused.dsn); !strings.Contains(said, refused.want) {
			t.Errorf("init %s does not say %q:\n%s", refused.dsn, refused.want, said)
		}
	}
}

// TestAWorkbookOfSeveralSheets: init says which sheet it took, and how to take another.
func TestAWorkbookOfSeveralSheets(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	from, err := zip.OpenReader(filepath.Join(repository, "source", "xlsx", "testdata", "exceljs.xlsx"))
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	var text bytes.Buffer
	to := zip.NewWriter(&text)
	for _, part := range from.File {
		r, err := part.Open()
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(r)
		w, createErr := to.Create(part.Name)
		if err = errors.Join(err, createErr, r.Close()); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(bytes.ReplaceAll(body, []byte(`state="hidden"`), nil)); err != nil {
			t.Fatal(err)
		}
	}
	if err := to.Close(); err != nil {
		t.Fatal(err)
	}
	path := p.write(t, "people.xlsx", text.String())
	said, _ := p.cli(t, 0, "init", path)
	if want := `The first of 2 sheets is taken, "People". "?sheet=Hidden" at the end of the dsn takes another, such as "Hidden".`; !strings.Contains(said, want) {
		t.Errorf("init does not say %s:\n%s", want, said)
	}
	if err := os.Remove(filepath.Join(p.dir, "owlat-sync.yaml")); err != nil {
		t.Fatal(err)
	}
	said, _ = p.cli(t, 0, "init", "xlsx:"+path+"?sheet=People")
	if strings.Contains(said, "sheets is taken") {
		t.Errorf("init tells of a sheet that was named:\n%s", said)
	}
}
