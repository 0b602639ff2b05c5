package xlsx_test

import (
	"archive/zip"
	"bytes"
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"go.uber.org/goleak"

	"owlatsync/source"
	"owlatsync/source/sourcetest"
	"owlatsync/source/xlsx"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// kind is a workbook all of whose cells are texts. What cells of other types are, the tests of sheets show.
var kind = sourcetest.Kind{
	Store: store, Unit: "row", First: 2, Untyped: true, NoBinary: true, NoBadText: true, NoNUL: true, NoSnapshot: true, NoLoss: true, Wide: 1000,
}

func TestSheet(t *testing.T)       { sourcetest.Run(t, kind) }
func TestSheetMemory(t *testing.T) { sourcetest.RunMemory(t, kind) }

func store(t testing.TB, f sourcetest.Fixture) sourcetest.Stored {
	var own []string
	for _, c := range f.Columns {
		own = append(own, c.Name)
	}
	var path string
	return sourcetest.Stored{
		Open: func(t testing.TB, names []string, m source.Mapping) *source.Table {
			t.Helper()
			if names == nil {
				names = own
			}
			path = filepath.Join(t.TempDir(), "fixture.xlsx")
			if err := os.WriteFile(path, book(t, f, names), 0o600); err != nil {
				t.Fatal(err)
			}
			table, err := xlsx.Sheet(path, "", m)
			if err != nil {
				t.Fatal(err)
			}
			return table
		},
		Idle: func(testing.TB) bool { return runtime.GOOS != "linux" || !isOpen(path) },
	}
}

// isOpen reports whether this process has the file open.
func isOpen(path string) bool {
	entries, _ := os.ReadDir("/proc/self/fd")
	for _, e := range entries {
		if target, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && target == path {
			return true
		}
	}
	return false
}

// book writes a fixture as a workbook.
func book(t testing.TB, f sourcetest.Fixture, names []string) []byte {
	t.Helper()
	var sheet bytes.Buffer
	row := func(values []any) {
		sheet.WriteString("<row>")
		for _, value := range values {
			text := fmt.Sprint(value)
			switch v := value.(type) {
			case nil:
				text = ""
			case time.Time:
				text = v.Format(time.RFC3339Nano)
			}
			sheet.WriteString(`<c t="inlineStr"><is><t xml:space="preserve">`)
			if err := xml.EscapeText(&sheet, []byte(text)); err != nil {
				t.Fatal(err)
			}
			sheet.WriteString("</t></is></c>")
		}
		sheet.WriteString("</row>")
	}
	var head []any
	for _, name := range names {
		head = append(head, name)
	}
	row(head)
	for _, values := range f.Rows {
		row(values)
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, text := range map[string]string{
		"_rels/.rels":                `<Relationships><Relationship Id="r1" Type="http://x/officeDocument" Target="xl/workbook.xml"/></Relationships>`,
		"xl/workbook.xml":            `<workbook xmlns:r="http://x/r"><sheets><sheet name="People" sheetId="1" r:id="s1"/></sheets></workbook>`,
		"xl/_rels/workbook.xml.rels": `<Relationships><Relationship Id="s1" Type="http://x/worksheet" Target="worksheets/sheet1.xml"/></Relationships>`,
		"xl/worksheets/sheet1.xml":   "<worksheet><sheetData>" + sheet.String() + "</sheetData></worksheet>",
	} {
		w, err := z.Create(name)
		if err == nil {
			_, err = w.Write([]byte(text))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
