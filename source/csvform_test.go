package source_test

import (
	"fmt"
	"strings"
	"testing"

	"owlatsync/source"
)

// TestExamineCSV finds out how files are written, and then reads them so.
func TestExamineCSV(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 64<<10)
	western := "id;Vorname;email\n1;J\xfcrgen;a@example.com\n2;Zo\xeb;b@example.com\n"
	for text, want := range map[string]string{ // delimiter, encoding, line of the header and columns
		"":                                   "0  1 []",
		"email\na@example.com\n":             "0  1 [email]",
		"id,email\n1,a@example.com\n":        "0  1 [id email]",
		"id;email\n1;a@example.com\n":        "';'  1 [id email]",
		"\ufeffid;email\n1;a@example.com\n":  "';'  1 [id email]",
		"id\temail\r\n1\ta@example.com\r\n":  "'\\t'  1 [id email]",
		"id|email|name\n1|a@example.com|A\n": "'|'  1 [id email name]",
		"Name, first;Email\nAda, Countess;a@example.com\nBob;b@example.com\n": "';'  1 [Name, first Email]",
		"id,note\n1,\"a;b;c\"\n2,d;e;f\n":                                     "0  1 [id note]",
		"id;note\n1;\"a,b\n,c\"\n2;d\n":                                       "';'  1 [id note]",
		"id;email":                                                            "';'  1 [id email]",
		"id;note\n1;a\n2;\"" + long + "\"\n":                                  "';'  1 [id note]",
		"id;email\n1\n":                                                       "';'  1 [id email]",
		"sep=;\nid;email\n1;a@example.com\n":                                  "0  2 [id email]",
		"\"sep=|\"\r\nid|email\r\n":                                           "0  2 [id email]",
		"Customers\n\nid,email,\n1,a@example.com,\n2,b@example.com,\n":        "0  3 [id email]",
		"Exported on,2026-11-28,\n\nid;email;name\n1;a@example.com;Ada\n2;b@example.com;Bob\n": "';'  3 [id email name]",
		"Report,,,\nid,email,first,last\n1,a@example.com,A,B\n2,b@example.com,C,D\n":           "0  2 [id email first last]",
		western:                        "';' windows-1252 1 [id Vorname email]",
		"\xff\xfei\x00d\x00,\x00e\x00": "0  1 [id e]",
		"i\x00d\x00,\x00e\x00m\x00a\x00i\x00l\x00\n\x00": "0 utf-16le 1 [id email]",
	} {
		form, err := source.ExamineCSV(content(text))
		delimiter := "0"
		if form.Delimiter != 0 {
			delimiter = fmt.Sprintf("%q", form.Delimiter)
		}
		if got := fmt.Sprintf("%s %s %d %v", delimiter, form.Encoding, form.Header, form.Columns); err != nil || got != want {
			t.Errorf("%.60q: %s, %v, want %s", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		"1,a@example.com\n2,b@example.com\n": "line 1 looks like data: write a line above it that names the columns, such as \"id,email,…\"",
		"\na@example.com\nb@example.com\n":   "line 2 looks like data: write a line above it that names the columns, such as \"email\"",
		"PK\x03\x04xl/":                      "an Excel workbook",
	} {
		_, err := source.ExamineCSV(content(text))
		if err == nil {
			t.Errorf("%q is examined", text)
			continue
		}
		says(t, err, want, "!example.com")
	}
	_, err := source.ExamineCSV(content("sep=;\nid;email\n"), source.Delimiter(','))
	says(t, err, "line 1", "';'", "','", "remove the option")
	form, err := source.ExamineCSV(content(western), source.Delimiter(';'), source.Encoding("latin1"))
	if err != nil || form.Delimiter != 0 || form.Encoding != "" {
		t.Errorf("given options are found out again: %+v, %v", form, err)
	}
	if _, err := source.ExamineCSV(nil); err == nil {
		t.Error("no opener passes for a file")
	}
	if _, err := source.CSV(content(""), idAndEmail, source.Encoding("klingon")); err == nil || strings.Contains(err.Error(), "klingon") {
		t.Errorf("an encoding that there is not: %v", err)
	}
}
