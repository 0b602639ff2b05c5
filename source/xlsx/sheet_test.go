package xlsx

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// collect returns the names of a sheet's columns, its rows by their numbers, and the error that ended the scan.
func collect(t *testing.T, file, sheet string) (names []string, rows map[int][]any, err error) {
	t.Helper()
	s, err := openSheet(file, sheet)
	if err != nil {
		return nil, nil, err
	}
	defer s.Close()
	rows = make(map[int][]any)
	for {
		more, err := s.Next(t.Context())
		if !more {
			return s.Columns(), rows, err
		}
		var values []any
		for i := range s.Columns() {
			values = append(values, s.Value(i))
		}
		rows[s.Position()] = values
	}
}

// TestWorkbooksOfOtherPrograms reads the same sheet as three programs write it: excelize, exceljs and openpyxl.
func TestWorkbooksOfOtherPrograms(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join("testdata", "*.xlsx"))
	if err != nil || len(files) != 3 {
		t.Fatalf("%d workbooks, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			names, rows, err := collect(t, file, "")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{"id", "E-Mail", "Name", "Newsletter", "Joined", "Seen", "Points"}, names); diff != "" {
				t.Errorf("columns (-want +got):\n%s", diff)
			}
			want := map[int][]any{
				2: {json.Number("1"), "ada@example.com", "Ada Lovelace", true, "2024-01-31", time.Date(2024, 1, 31, 13, 45, 30, 0, time.UTC), json.Number("12.5")},
				3: {json.Number("2"), "grace@example.com", "Grace", false, nil, nil, json.Number("0.3")},
				4: {json.Number("4711"), "ünï@bücher.example", "Ünï 🦉", nil, "1999-12-31", nil, nil},
			}
			delete(rows, 5) // a sum without a result, in one of them
			for _, values := range rows {
				if n, ok := values[6].(json.Number); ok && len(n) > 15 {
					values[6] = nil // the programs write 16 digits in different ways
				}
			}
			if diff := cmp.Diff(want, rows); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
			if names, _, err := collect(t, file, "Hidden"); err != nil || len(names) != 1 || names[0] != "x" {
				t.Errorf("the hidden sheet has the columns %q, %v", names, err)
			}
			if _, _, err := collect(t, file, "people"); err == nil || !strings.Contains(err.Error(), `no sheet "people"; it has "People", "Hidden"`) {
				t.Errorf("a sheet that is not there: %v", err)
			}
		})
	}
}

// parts are the parts of a workbook with one sheet.
func parts(sheet string) map[string]string {
	return map[string]string{
		"_rels/.rels":          `<Relationships><Relationship Id="r1" Type="http://x/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>`,
		"xl/workbook.xml":      `<workbook xmlns:r="http://x/relationships"><workbookPr/><sheets><sheet name="People" sheetId="1" r:id="s1"/></sheets></workbook>`,
		"xl/sharedStrings.xml": `<sst><si><t>email</t></si><si><r><t xml:space="preserve">Ada </t></r><r><t>Lovelace</t></r><rPh sb="0" eb="1"><t>eida</t></rPh></si><si><t/></si></sst>`,
		"xl/styles.xml": `<styleSheet><numFmts><numFmt numFmtId="164" formatCode="[Red]0.00&quot;days&quot;"/><numFmt numFmtId="165" formatCode="[h]:mm"/>` +
			`<numFmt numFmtId="166" formatCode="[$-409]d\-mmm;@"/></numFmts><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="164"/><xf numFmtId="165"/><xf numFmtId="166"/></cellXfs></styleSheet>`,
		"xl/_rels/workbook.xml.rels": `<Relationships><Relationship Id="s1" Type="http://x/worksheet" Target="worksheets/sheet1.xml"/>` +
			`<Relationship Id="s2" Type="http://x/sharedStrings" Target="/xl/sharedStrings.xml"/><Relationship Id="s3" Type="http://x/styles" Target="styles.xml"/></Relationships>`,
		"xl/worksheets/sheet1.xml": `<worksheet><sheetData>` + sheet + `</sheetData></worksheet>`,
	}
}

// workbook writes a workbook of the parts to a file.
func workbook(t testing.TB, parts map[string]string) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, text := range parts {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "people.xlsx")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func inline(texts ...string) string {
	var b strings.Builder
	b.WriteString("<row>")
	for _, text := range texts {
		fmt.Fprintf(&b, `<c t="inlineStr"><is><t>%s</t></is></c>`, text)
	}
	return b.String() + "</row>"
}

func TestSheets(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		sheet string
		names []string
		rows  map[int][]any
	}{
		"shared, rich and empty texts": {`<row r="1"><c r="A1" t="s"><v>0</v></c><c r="C1" t="inlineStr"><is><t> name </t></is></c></row><row r="3"><c r="A3" t="s"><v>2</v></c><c r="C3" t="s"><v>1</v></c></row>`,
			[]string{"email", "name"}, map[int][]any{3: {nil, "Ada Lovelace"}}},
		"no numbers of rows and cells": {inline("a", "b") + inline("1", "2"), []string{"a", "b"}, map[int][]any{2: {"1", "2"}}},
		"a title above, blank rows":    {inline("Members of the club") + inline("", "") + inline("a", "b") + `<row/>` + inline("1", "2") + `<row r="9"/>`, []string{"a", "b"}, map[int][]any{5: {"1", "2"}}},
		"one column":                   {inline("a") + inline("1") + inline("2"), []string{"a"}, map[int][]any{2: {"1"}, 3: {"2"}}},
		"a column without a name":      {inline("a", "", "c") + inline("1", "2", "3"), []string{"a", "c"}, map[int][]any{2: {"1", "3"}}},
		"longer and shorter rows":      {inline("a", "b") + inline("1") + inline("1", "2", "3"), []string{"a", "b"}, map[int][]any{2: {"1", nil}, 3: {"1", "2"}}},
		"numbers": {inline("a", "b") + `<row><c><v>1.0</v></c><c><v>1E3</v></c></row><row><c><v>0.30000000000000004</v></c><c><v>123456789012345678</v></c></row><row><c><v>-2.50</v></c><c s="2"><v>7</v></c></row>`,
			[]string{"a", "b"}, map[int][]any{2: {json.Number("1.0"), int64(1000)}, 3: {json.Number("0.3"), json.Number("1.23456789012346E+17")}, 4: {json.Number("-2.50"), json.Number("7")}}},
		"truth and errors": {inline("a", "b") + `<row><c t="b"><v>1</v></c><c t="b"><v>0</v></c></row><row><c t="e"><v>#N/A</v></c><c t="e"><v>#REF!</v></c></row>`,
			[]string{"a", "b"}, map[int][]any{2: {true, false}, 3: {nil, "#REF!"}}},
		"dates": {inline("a", "b") + `<row><c s="1"><v>45322</v></c><c s="1"><v>45322.5</v></c></row><row><c s="1"><v>1</v></c><c s="1"><v>61</v></c></row><row><c s="3"><v>0.75</v></c><c s="4"><v>45322.000005</v></c></row>` +
			`<row><c s="1"><v>-1</v></c><c t="d"><v>2024-01-31</v></c></row><row><c s="99"><v>1</v></c><c s="x"><v>1</v></c></row>`,
			[]string{"a", "b"}, map[int][]any{2: {"2024-01-31", time.Date(2024, 1, 31, 12, 0, 0, 0, time.UTC)}, 3: {"1900-01-01", "1900-03-01"},
				4: {"18:00:00", time.Date(2024, 1, 31, 0, 0, 0, 432e6, time.UTC)}, 5: {json.Number("-1"), "2024-01-31"}, 6: {json.Number("1"), json.Number("1")}}},
		"formulas": {inline("a", "b") + `<row><c t="str"><f>A1&amp;"x"</f><v>ax_x000D_y</v></c><c><f>1+1</f><v>2</v></c></row><row><c><f>1+1</f></c><c t="inlineStr"><is><t>_x00ZZ_ _x0041_</t></is></c></row>`,
			[]string{"a", "b"}, map[int][]any{2: {"ax\ry", json.Number("2")}, 3: {nil, "_x00ZZ_ A"}}},
		"prefixes and foreign tags": {`<x:row r="1"><x:c r="A1" t="inlineStr"><x:is><x:t>a</x:t></x:is></x:c></x:row><x:row r="2"><x:c r="A2"><x:v>1</x:v><x:extLst><x:ext>9</x:ext></x:extLst></x:c></x:row>`,
			[]string{"a"}, map[int][]any{2: {json.Number("1")}}},
		"the last column":         {`<row r="1"><c r="XFD1" t="inlineStr"><is><t>a</t></is></c></row><row r="1048576"><c r="XFD1048576"><v>1</v></c></row>`, []string{"a"}, map[int][]any{1048576: {json.Number("1")}}},
		"a name that is a number": {`<row><c><v>2024</v></c><c><v>2025</v></c></row>` + inline("x", "y"), []string{"2024", "2025"}, map[int][]any{2: {"x", "y"}}},
		"only names":              {inline("a", "b"), []string{"a", "b"}, map[int][]any{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			names, rows, err := collect(t, workbook(t, parts(test.sheet)), "")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.names, names); diff != "" {
				t.Errorf("columns (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.rows, rows); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDaysSince1904(t *testing.T) {
	t.Parallel()
	p := parts(inline("a", "b") + `<row><c s="1"><v>0</v></c><c s="1"><v>43860</v></c></row>`)
	p["xl/workbook.xml"] = strings.Replace(p["xl/workbook.xml"], "<workbookPr/>", `<workbookPr date1904="1"/>`, 1)
	_, rows, err := collect(t, workbook(t, p), "")
	if diff := cmp.Diff(map[int][]any{2: {"00:00:00", "2024-01-31"}}, rows); diff != "" || err != nil {
		t.Errorf("rows (-want +got), %v:\n%s", err, diff)
	}
}

// TestBrokenSheetsEndInAnError shows that no damage is taken for the end of a sheet.
func TestBrokenSheetsEndInAnError(t *testing.T) {
	t.Parallel()
	good := inline("a", "b") + inline("1", "2")
	for name, test := range map[string]struct {
		change func(map[string]string)
		want   string
	}{
		"cut off between rows": {func(p map[string]string) { p["xl/worksheets/sheet1.xml"] = "<worksheet><sheetData>" + good }, "below row 2: the workbook is damaged"},
		"cut off within a row": {func(p map[string]string) {
			p["xl/worksheets/sheet1.xml"] = "<worksheet><sheetData>" + good + "<row><c>"
		}, "row 3: column A: the workbook is damaged"},
		"cut off within a tag": {func(p map[string]string) { p["xl/worksheets/sheet1.xml"] = "<worksheet><sheetData>" + good + "<ro" }, "below row 2: the workbook is damaged"},
		"cut off within a text": {func(p map[string]string) {
			p["xl/worksheets/sheet1.xml"] = "<worksheet><sheetData>" + good + `<row><c t="inlineStr"><is><t>x`
		}, "row 3: column A: the workbook is damaged"},
		"no XML": {func(p map[string]string) { p["xl/worksheets/sheet1.xml"] = "<worksheet><sheetData>" + good + "<<" }, "below row 2: the workbook is damaged"},
		"a text that is missing": {func(p map[string]string) {
			p["xl/worksheets/sheet1.xml"] = parts(good + `<row><c t="s"><v>77</v></c></row>`)["xl/worksheets/sheet1.xml"]
		}, "row 3: column A: the workbook is damaged: a cell names a text that is not there"},
		"rows out of order": {func(p map[string]string) {
			p["xl/worksheets/sheet1.xml"] = parts(good + `<row r="1"/>`)["xl/worksheets/sheet1.xml"]
		}, "row 2: the workbook is damaged: the number of a row is out of order"},
		"cells out of order": {func(p map[string]string) {
			p["xl/worksheets/sheet1.xml"] = parts(good + `<row><c r="B3"/><c r="A3"/></row>`)["xl/worksheets/sheet1.xml"]
		}, "row 3: the workbook is damaged: a cell is out of order"},
		"a column too far": {func(p map[string]string) {
			p["xl/worksheets/sheet1.xml"] = parts(good + `<row><c r="XFE3"/></row>`)["xl/worksheets/sheet1.xml"]
		}, "a cell is out of order"},
		"a text too long": {func(p map[string]string) {
			p["xl/worksheets/sheet1.xml"] = parts(good + inline(strings.Repeat("x", maxText+9000)))["xl/worksheets/sheet1.xml"]
		}, "a text has more than 1 MiB"},
		"shared texts cut off": {func(p map[string]string) { p["xl/sharedStrings.xml"] = "<sst><si><t>x</t></si>" }, "read the workbook's texts: the workbook is damaged"},
		"no shared texts":      {func(p map[string]string) { delete(p, "xl/sharedStrings.xml") }, "read the workbook's texts: the workbook lacks a part"},
		"no formats":           {func(p map[string]string) { p["xl/styles.xml"] = "<" }, "read the workbook's formats: the workbook is damaged"},
		"no sheet":             {func(p map[string]string) { delete(p, "xl/worksheets/sheet1.xml") }, `read the sheet "People": the workbook lacks a part`},
		"an empty sheet":       {func(p map[string]string) { p["xl/worksheets/sheet1.xml"] = "<worksheet><sheetData/></worksheet>" }, "the sheet is empty: its first row must name the columns"},
		"only a chart": {func(p map[string]string) {
			p["xl/_rels/workbook.xml.rels"] = strings.Replace(p["xl/_rels/workbook.xml.rels"], "/worksheet\"", "/chartsheet\"", 1)
		}, "it has no sheet with cells"},
		"another document": {func(p map[string]string) {
			p["_rels/.rels"] = strings.Replace(p["_rels/.rels"], "xl/workbook.xml", "word/document.xml", 1)
		}, "it is a ZIP archive and no workbook"},
		"an archive":   {func(p map[string]string) { clear(p); p["people.csv"] = "a,b\n" }, "it is a ZIP archive and no workbook: unpack it"},
		"OpenDocument": {func(p map[string]string) { clear(p); p["mimetype"] = "application/vnd.oasis.opendocument.spreadsheet" }, "it is an OpenDocument sheet: save it as .xlsx"},
		"binary":       {func(p map[string]string) { p["xl/workbook.bin"] = "x" }, "it is a binary workbook (.xlsb): save it as .xlsx"},
		"Numbers":      {func(p map[string]string) { clear(p); p["Index/Document.iwa"] = "x" }, "Apple Numbers"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := parts(good)
			test.change(p)
			if _, rows, err := collect(t, workbook(t, p), ""); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%d rows and %v, want %q", len(rows), err, test.want)
			}
		})
	}
}

func TestWhatIsNoWorkbookIsNamed(t *testing.T) {
	t.Parallel()
	good, err := os.ReadFile(workbook(t, parts(inline("a")+inline("1"))))
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct{ text, want string }{
		"empty":    {"", "the file is empty"},
		"text":     {"id,email\n1,a@example.com\n", "it is text and no workbook: if it is a CSV file, name it as csv:FILE"},
		"HTML":     {"\ufeff\n<html><table><tr><td>email", "it is a web page (HTML)"},
		"XML":      {`<?xml version="1.0"?><Workbook/>`, "it is XML"},
		"old form": {"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + strings.Repeat("\x00", 600), "old form (.xls), or one with a password"},
		"bytes":    {"\x00\x01\x02", "it is no workbook"},
		"cut off":  {string(good[:len(good)/2]), "the file is cut off or damaged"},
	} {
		path := filepath.Join(t.TempDir(), "x.xlsx")
		if err := os.WriteFile(path, []byte(test.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := openSheet(path, ""); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
	if _, err := openSheet(t.TempDir(), ""); err == nil || !strings.Contains(err.Error(), "is a folder") {
		t.Errorf("a folder: %v", err)
	}
	if _, err := openSheet(filepath.Join(t.TempDir(), "none"), ""); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

// TestDamagedBytesAreNoticed flips bytes of a workbook: what is read is then right, or ends in an error.
func TestDamagedBytesAreNoticed(t *testing.T) {
	t.Parallel()
	good, err := os.ReadFile(workbook(t, parts(inline("a", "b")+inline("1", "2"))))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "x.xlsx")
	noticed := 0
	const step = 7
	for i := 0; i < len(good); i += step {
		bad := bytes.Clone(good)
		bad[i] ^= 0x10
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		_, rows, err := collect(t, path, "")
		if err != nil {
			noticed++
		} else if diff := cmp.Diff(map[int][]any{2: {"1", "2"}}, rows); diff != "" {
			t.Errorf("byte %d was not noticed (-want +got):\n%s", i, diff)
		}
	}
	if noticed < len(good)/step/3 {
		t.Errorf("only %d of %d damages were noticed", noticed, len(good)/step)
	}
}

func TestAScanNoticesChangesAndTheEndOfItsContext(t *testing.T) {
	t.Parallel()
	path := workbook(t, parts(inline("a", "b")+inline("1", "2")))
	s, err := openSheet(path, "")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end of its context: %v", err)
	}
	if more, err := s.Next(t.Context()); !more || err != nil {
		t.Fatalf("the row: %v, %v", more, err)
	}
	later := time.Now().Add(time.Hour)
	if err := os.Chtimes(path, later, later); err != nil {
		t.Fatal(err)
	}
	if more, err := s.Next(t.Context()); more || err == nil || !strings.Contains(err.Error(), "changed while it was read") {
		t.Errorf("a changed file: %v, %v", more, err)
	}
}

func FuzzSheet(f *testing.F) {
	f.Add(inline("a", "b") + inline("1", "2"))
	f.Add(`<row r="1"><c r="A1" t="s" s="1"><f>x</f><v>0</v></c></row>`)
	f.Add(`</sheetData><row><c t="inlineStr"><is><r><t>x</t></r><rPh><t>`)
	f.Fuzz(func(t *testing.T, text string) {
		_, rows, err := collect(t, workbook(t, parts(text)), "")
		if err != nil && strings.Contains(err.Error(), "PANIC") || len(rows) > len(text) {
			t.Errorf("%d rows, %v", len(rows), err)
		}
	})
}
