package text

import (
	"bytes"
	"regexp"
)

// signature is how the files of a kind begin.
type signature struct {
	begins string
	what   string // what the file is, and what to do
}

const exportAgain = "; export the rows as CSV"

// binaries are signatures that are exact.
var binaries = []signature{
	{"\xD0\xCF\x11\xE0", "an old Excel workbook (.xls), not CSV; save it as CSV or as .xlsx"},
	{"%PDF", "a PDF" + exportAgain},
	{"SQLite format 3\x00", "a SQLite database; name it with \"sqlite:\""},
	{"BZh", "packed with bzip2; unpack it, or pack it with gzip"},
	{"\xFD7zXZ", "packed with xz; unpack it, or pack it with gzip"},
	{"\x28\xB5\x2F\xFD", "packed with zstd; unpack it, or pack it with gzip"},
	{"7z\xBC\xAF", "a 7-Zip archive; unpack it and name the file inside"},
	{"Rar!", "a RAR archive; unpack it and name the file inside"},
	{"PAR1", "a Parquet file" + exportAgain},
	{"\xFF\xFE\x00\x00", "UTF-32; save it as UTF-8"},
	{"\x00\x00\xFE\xFF", "UTF-32; save it as UTF-8"},
}

// texts are signatures of texts, in small letters and after white space.
var texts = []signature{
	{"<!doctype html", htmlPage}, {"<html", htmlPage}, {"<head", htmlPage}, {"<body", htmlPage},
	{"<table", "an HTML table, which Excel opens as if it were a workbook; save it as CSV there"},
	{"<?xml", "XML" + exportAgain},
	{"{\\rtf", "a document in RTF; save the rows as CSV"},
	{"begin:vcard", "a file of vCards (.vcf)" + exportAgain},
	{"version https://git-lfs", "only a pointer of Git LFS; fetch the file with \"git lfs pull\""},
	{"-- mysql dump", dump}, {"-- mariadb dump", dump}, {"--\n-- postgresql database dump", dump}, {"-- phpmyadmin sql dump", dump},
	{"insert into ", dump}, {"create table ", dump},
}

const (
	htmlPage = "an HTML page, such as that of a login or an error; download the file again"
	dump     = "an SQL dump; load it into a database and name that as the source"
	zipped   = "a ZIP archive; unpack it and name the file inside"
	workbook = "an Excel workbook, not CSV; name it with \"xlsx:\", or save it as CSV"
	openDoc  = "an OpenDocument spreadsheet, not CSV; save it as CSV or as .xlsx"
)

// usersField is how exports wrap their rows in one object: a field with an array of objects.
var usersField = regexp.MustCompile(`^\{\s*"([A-Za-z0-9_]{1,40})"\s*:\s*\[\s*[{\]]`)

// foreign says what a file is that holds no rows of the format, and what to do; empty for one that may hold them.
func foreign(head []byte, f Format) string {
	for _, s := range binaries {
		if bytes.HasPrefix(head, []byte(s.begins)) {
			return s.what
		}
	}
	if bytes.HasPrefix(head, []byte("PK\x03\x04")) {
		switch {
		case bytes.Contains(head, []byte("[Content_Types].xml")), bytes.Contains(head, []byte("xl/")):
			return workbook
		case bytes.Contains(head, []byte("mimetypeapplication/vnd.oasis")):
			return openDoc
		}
		return zipped
	}
	if name := wideWithoutMark(head); name != "" {
		return "UTF-16 without a byte order mark; read it with encoding=" + name
	}
	trimmed := bytes.TrimLeft(head, " \t\r\n")
	start := bytes.ToLower(trimmed[:min(len(trimmed), 64)])
	for _, s := range texts {
		if bytes.HasPrefix(start, []byte(s.begins)) {
			return s.what
		}
	}
	return notLines(trimmed, f)
}

// notLines says what JSON is that is not one object per line, or not meant to be CSV.
func notLines(head []byte, f Format) string {
	if wrapped := usersField.FindSubmatch(head); wrapped != nil {
		return "one JSON object with the array \"" + string(wrapped[1]) + "\", as Firebase exports its users; write one object per line, as with `jq -c '." +
			string(wrapped[1]) + "[]'`, and name it with \"ndjson:\""
	}
	switch {
	case jsonArray.Match(head):
		return "a JSON array; write one object per line, as with `jq -c '.[]'`, and name it with \"ndjson:\""
	case f == NDJSON && len(head) > 1 && head[0] == '{' && pretty.Match(head):
		return "JSON whose objects take several lines; write one object per line, as with `jq -c .`"
	case f == CSV && jsonObject.Match(head):
		return "JSON, not CSV; with one object per line, name it with \"ndjson:\""
	}
	return ""
}

var (
	jsonArray  = regexp.MustCompile(`^\[\s*[\[{\]]`)
	jsonObject = regexp.MustCompile(`^\{\s*"[^"]*"\s*:`)
	pretty     = regexp.MustCompile(`^\{[ \t\r]*\n`)
)

// wideWithoutMark returns the name of UTF-16 if every other byte at the beginning is zero.
func wideWithoutMark(head []byte) string {
	var zeros [2]int
	n := min(len(head), 256) &^ 1
	for i := range n {
		if head[i] == 0 {
			zeros[i%2]++
		}
	}
	switch most := n / 2; {
	case n < 8:
	case zeros[1] > most*3/4 && zeros[0] == 0:
		return UTF16LE
	case zeros[0] > most*3/4 && zeros[1] == 0:
		return UTF16BE
	}
	return ""
}
