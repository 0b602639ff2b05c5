package text

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf16"

	"golang.org/x/text/encoding/charmap"
)

func open(t *testing.T, file string, f Format, encoding string) (string, error) {
	t.Helper()
	e, err := Lookup(encoding)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Open(iotest.HalfReader(strings.NewReader(file)), f, e)
	if err != nil {
		return "", err
	}
	got, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(got), nil
}

func wideOf(s string, little bool, mark bool) string {
	var b []byte
	units := utf16.Encode([]rune(s))
	if mark {
		units = append([]uint16{0xFEFF}, units...)
	}
	for _, u := range units {
		if little {
			b = append(b, byte(u), byte(u>>8))
		} else {
			b = append(b, byte(u>>8), byte(u))
		}
	}
	return string(b)
}

func TestOpen(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("id;name\n1;Jürgen €uro 𝄞\n", 6000)
	one := func(s string, c *charmap.Charmap) string {
		got, err := c.NewEncoder().String(s)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	western := strings.Repeat("id;name\n1;Jürgen €uro\n", 9000)
	for name, test := range map[string]struct{ file, encoding, want string }{
		"UTF-8":                  {"a,é\n", "", "a,é\n"},
		"mark":                   {"\ufeffa,é\n", "", "a,é\n"},
		"mark before the option": {"\ufeffa,é\n", "windows-1252", "a,é\n"},
		"UTF-16":                 {wideOf(long, true, true), "", long},
		"UTF-16, the other way":  {wideOf(long, false, true), "", long},
		"UTF-16 without mark":    {wideOf(long, true, false), "UTF-16LE", long},
		"half a pair":            {wideOf("a", true, true) + "\x00\xD8b\x00\x00\xDC", "", "a\xFFb\xFF"},
		"half a unit":            {wideOf("ab", true, true) + "c", "", "ab\xFF"},
		"windows-1252":           {one(western, charmap.Windows1252), "cp1252", western},
		"windows-1252's gaps":    {"a\x81\x80b", "windows-1252", "a\xFF€b"},
		"latin 9":                {one(western, charmap.ISO8859_15), "ISO_8859-15", western},
		"macintosh":              {one(western, charmap.Macintosh), "MacRoman", western},
		"old Mac":                {"a,b\r1,2\r", "", "a,b\n1,2\n"},
		"a return in a cell":     {"a,b\n1,\"x\ry\"\n", "", "a,b\n1,\"x\ry\"\n"},
		"Ctrl-Z":                 {"a,b\n1,2\n\x1a", "", "a,b\n1,2\n"},
		"Ctrl-Z inside":          {"a,b\n1,\x1a2\n\x1a\x1a", "", "a,b\n1,\x1a2\n"},
		"Ctrl-Z, decoded":        {"a,\xe9\x1a", "latin1", "a,é"},
		"empty":                  {"", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got, err := open(t, test.file, CSV, test.encoding); err != nil || got != test.want {
				t.Errorf("%.80q and %v, want %.80q", got, err, test.want)
			}
		})
	}
}

// FuzzSingleByte compares the decoder with that of x/text, apart from characters that there are not.
func FuzzSingleByte(f *testing.F) {
	f.Add([]byte("id,J\xfcrgen,\x80\x81,abcdefgh\xe9abcdefghi"))
	f.Fuzz(func(t *testing.T, file []byte) {
		e, _ := Lookup(Windows1252)
		got, err := io.ReadAll(&decoding{below: iotest.OneByteReader(bytes.NewReader(file)), decoder: e.new()})
		want, _ := charmap.Windows1252.NewDecoder().Bytes(file)
		if err != nil || string(bytes.ReplaceAll(got, []byte{invalid}, []byte("\ufffd"))) != string(want) {
			t.Errorf("%q: %q and %v, want %q", file, got, err, want)
		}
	})
}

func TestLookup(t *testing.T) {
	t.Parallel()
	for name := range pages() {
		if e, err := Lookup(strings.ToUpper(name)); err != nil || e.String() != name {
			t.Errorf("%s: %v, %v", name, e, err)
		}
	}
	if _, err := Lookup("secret"); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("an unknown name: %v", err)
	}
}

func TestForeign(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		f          Format
		file, want string
	}{
		{CSV, "PK\x03\x04\x14\x00[Content_Types].xml", "an Excel workbook"},
		{CSV, "PK\x03\x04\x14\x00mimetypeapplication/vnd.oasis.opendocument.spreadsheet", "an OpenDocument spreadsheet"},
		{CSV, "PK\x03\x04\x14\x00people.csv", "a ZIP archive"},
		{CSV, "\xD0\xCF\x11\xE0\xA1\xB1", "an old Excel workbook"},
		{CSV, "%PDF-1.7", "a PDF"},
		{CSV, "SQLite format 3\x00", "a SQLite database"},
		{CSV, "BZh91AY", "bzip2"}, {CSV, "\xFD7zXZ\x00", "xz"}, {CSV, "\x28\xB5\x2F\xFD\x04", "zstd"}, {CSV, "7z\xBC\xAF", "7-Zip"}, {CSV, "Rar!\x1a", "RAR"}, {CSV, "PAR1", "Parquet"},
		{CSV, "\xFF\xFE\x00\x00i\x00\x00\x00", "UTF-32"}, {CSV, "\x00\x00\xFE\xFF", "UTF-32"},
		{CSV, "\ufeff \n<!DOCTYPE HTML><html>", "an HTML page"}, {NDJSON, "<html>", "an HTML page"}, {CSV, "<table border=1>", "an HTML table"},
		{CSV, "<?xml version=\"1.0\"?>", "XML"}, {CSV, "{\\rtf1", "RTF"}, {CSV, "BEGIN:VCARD\r\n", "vCards"},
		{CSV, "version https://git-lfs.github.com/spec/v1\n", "Git LFS"},
		{CSV, "-- MySQL dump 10.13", "an SQL dump"}, {CSV, "--\n-- PostgreSQL database dump\n", "an SQL dump"}, {CSV, "INSERT INTO users VALUES", "an SQL dump"},
		{CSV, "[\n {\"id\":1}]", "a JSON array"}, {NDJSON, "[{\"id\":1}]", "a JSON array"}, {NDJSON, "[]", "a JSON array"},
		{CSV, "{\"users\": [\n{\"localId\":\"a\"}]}", "the array \"users\", as Firebase"}, {NDJSON, "{\"users\": [{\"localId\":\"a\"}]}", "jq -c '.users[]'"},
		{NDJSON, "{\n  \"id\": 1\n}", "several lines"}, {CSV, "{\"id\":1}\n{\"id\":2}\n", "JSON, not CSV"},
		{CSV, wideOf("id,email\n1,a@example.com\n", true, false), "encoding=utf-16le"}, {CSV, wideOf("id,email\n1,a@example.com\n", false, false), "encoding=utf-16be"},
		{CSV, "id,email\n", ""}, {NDJSON, "{\"id\":1}\n", ""}, {CSV, "[id],[email]\n", ""}, {NDJSON, "{\"tags\":[\"a\"]}\n", ""}, {CSV, "insert into,email\n", ""},
	} {
		_, err := open(t, test.file, test.f, "")
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%.40q: %v, want %q", test.file, err, test.want)
		}
	}
}

func TestGuess(t *testing.T) {
	t.Parallel()
	names := "id;Vorname;Ort\n1;Jürgen;Köln\n2;André;Zürich\n3;Zoë;Besançon\n4;Núria;A Coruña\n5;Søren;Århus\n"
	for name, c := range map[string]*charmap.Charmap{Windows1252: charmap.Windows1252, Macintosh: charmap.Macintosh, DOS: charmap.CodePage850} {
		for _, text := range []string{names, "id;Vorname\n1;Jürgen\n", "id;Vorname\n1;José\n", "name\nÖzlem Müller\n", strings.Repeat("1;Ada\n", 40_000) + "2;Zoë Bräu\n"} {
			file, err := c.NewEncoder().String(text)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := Guess(strings.NewReader(file)); err != nil || got.String() != name {
				t.Errorf("%s: %.30q is taken for %s, %v", name, text, got, err)
			}
		}
	}
	for file, want := range map[string]string{
		"id\n1\n": UTF8, names: UTF8, strings.Repeat("ü", 100_001): UTF8, "": UTF8, "\ufeffid": UTF8, wideOf(names, true, true): UTF8, wideOf(names, false, true): UTF8,
		wideOf(names, true, false): UTF16LE, "id;name\n1;O\x92Neil\n": Windows1252, "id;name\n1;B\xbduf Gi\xa8ni\xa8\n": Latin9,
	} {
		if got, err := Guess(strings.NewReader(file)); err != nil || got.String() != want {
			t.Errorf("%.30q is taken for %s, %v, want %s", file, got, err, want)
		}
	}
}
