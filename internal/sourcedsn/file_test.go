package sourcedsn_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"

	"owlatsync/internal/sourcedsn"
)

func TestFileOptions(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]struct {
		path, encoding string
		options        int
	}{
		"csv:users.csv":                          {"/base/users.csv", "", 0},
		"users.csv?encoding=windows-1252":        {"/base/users.csv", "windows-1252", 1},
		"csv:u?encoding=Latin1&delimiter=;":      {"/base/u", "Latin1", 2},
		"users.tsv?encoding=utf-16le":            {"/base/users.tsv", "utf-16le", 2},
		"csv:-":                                  {"-", "", 0},
		"csv:-?encoding=macintosh&delimiter=tab": {"-", "macintosh", 2},
		"ndjson:-":                               {"-", "", 0},
		"csv:./-":                                {"/base/-", "", 0},
		"sqlite:-":                               {"/base/-", "", 0},
	} {
		d, err := sourcedsn.Parse(text, "/base")
		if err != nil || d.Path() != want.path && text != "csv:./-" || d.Encoding() != want.encoding || len(d.CSVOptions()) != want.options {
			t.Errorf("%q: %s %q %d options, %v; want %+v", text, d.Path(), d.Encoding(), len(d.CSVOptions()), err, want)
		}
	}
	for text, want := range map[string]string{
		"csv:users.csv?encoding=":               "the encoding has no name",
		"csv:users.csv?encoding=klingon":        "there is no such encoding",
		"csv:users.csv?charset=latin1":          `has no option "charset"; it takes delimiter and encoding`,
		"ndjson:users.ndjson?encoding=latin1":   `has no option "encoding"`,
		"csv:u?encoding=latin1&encoding=latin1": "given twice",
	} {
		if _, err := sourcedsn.Parse(text, "/base"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func TestSQLiteThatIsWrittenTo(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "app.db"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"app.db":             "mode=rw&",
		"app.db?immutable=1": "immutable=1",
		"none.db":            "no such file",
		"users.csv":          "names none",
	} {
		d, err := sourcedsn.Parse(text, folder)
		if err != nil {
			t.Fatal(err)
		}
		uri, err := d.SQLiteWriteURI()
		if told := uri; err != nil {
			told = err.Error()
			if uri != "" || !strings.Contains(told, want) {
				t.Errorf("%s: %q, %v, want %q", text, uri, err, want)
			}
		} else if !strings.Contains(told, want) || strings.Contains(told, "query_only") {
			t.Errorf("%s: %s", text, told)
		}
	}
	if _, err := (sourcedsn.DSN{}).SQLiteWriteURI(); err == nil {
		t.Error("nothing was opened")
	}
}

func TestTheNumberOfAnErrorOfMySQL(t *testing.T) {
	t.Parallel()
	if code, answered := sourcedsn.MySQLCode(fmt.Errorf("run: %w", &mysql.MySQLError{Number: 1062})); code != 1062 || !answered {
		t.Errorf("%d, %v", code, answered)
	}
	if code, answered := sourcedsn.MySQLCode(os.ErrClosed); code != 0 || answered {
		t.Errorf("%d, %v", code, answered)
	}
}
