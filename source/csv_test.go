package source_test

import (
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"owlatsync"
	"owlatsync/source"
)

// content opens a text as a file.
func content(s string) source.Opener {
	return func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(s)), nil }
}

func TestCSVForms(t *testing.T) {
	t.Parallel()
	m := source.Mapping{Key: []string{"id"}, Email: "email", Fields: owlatsync.Texts{owlatsync.FirstName: "name"}}
	for name, test := range map[string]struct {
		text    string
		options []source.CSVOption
		want    []string // key, address, name and position of each row
	}{
		"plain":           {"id,email,name\n1,a@example.com,Ada\n2,b@example.com,Bob\n", nil, []string{"1 a@example.com Ada line 2", "2 b@example.com Bob line 3"}},
		"no last newline": {"id,email,name\n1,a@example.com,Ada", nil, []string{"1 a@example.com Ada line 2"}},
		"mark and CRLF":   {"\uFEFFid,email,name\r\n1,a@example.com,Ada\r\n", nil, []string{"1 a@example.com Ada line 2"}},
		"mark and quotes": {"\uFEFF\"id\",\"email\",\"name\"\n1,a@example.com,Ada\n", nil, []string{"1 a@example.com Ada line 2"}},
		"other order":     {"name,id,more,email\nAda,1,x,a@example.com\n", nil, []string{"1 a@example.com Ada line 2"}},
		"blank in header": {" id , email ,name\n1,a@example.com,Ada\n", nil, []string{"1 a@example.com Ada line 2"}},
		"blank lines":     {"\nid,email,name\n\n1,a@example.com,Ada\n\n\n2,b@example.com,Bob\n\n", nil, []string{"1 a@example.com Ada line 4", "2 b@example.com Bob line 7"}},
		"quoted newline": {
			"id,email,name\n1,a@example.com,\"Ada\nMaria\"\n2,b@example.com,\"Bob \"\"B\"\"\"\n", nil,
			[]string{"1 a@example.com Ada\nMaria line 2", `2 b@example.com Bob "B" line 4`},
		},
		"semicolon":         {"id;email;name\n1;a@example.com;Ada, B\n", []source.CSVOption{source.Delimiter(';')}, []string{"1 a@example.com Ada, B line 2"}},
		"tab":               {"id\temail\tname\n1\ta@example.com\tAda\n", []source.CSVOption{source.Delimiter('\t')}, []string{"1 a@example.com Ada line 2"}},
		"header only":       {"id,email,name\n", nil, nil},
		"empty file packed": {string(gzipped([]byte("id,email,name\n1,a@example.com,Ada\n"))), nil, []string{"1 a@example.com Ada line 2"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rows, err := read(t.Context(), must(source.CSV(content(test.text), m, test.options...)))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, r := range rows {
				got = append(got, fmt.Sprintf("%s %s %s %s", r.Key, r.Email.Value, r.Fields[owlatsync.FirstName].Value, r.Position))
			}
			if strings.Join(got, "|") != strings.Join(test.want, "|") {
				t.Errorf("rows %q, want %q", got, test.want)
			}
		})
	}
}

func TestCSVBadInput(t *testing.T) {
	t.Parallel()
	const good = "id,email\n1,a@example.com\n"
	packed := gzipped([]byte(good + strings.Repeat("2,b@example.com\n", 1000)))
	damaged := bytes.Clone(packed)
	damaged[len(damaged)-100]++ // within the last rows
	for name, test := range map[string]struct {
		text string
		rows int
		line int // of the LineError; 0: another error
		want []string
	}{
		"empty":                  {"", 0, 0, []string{"header", "empty"}},
		"only a mark":            {"\uFEFF", 0, 0, []string{"header", "empty"}},
		"only blank lines":       {"\n\n\r\n", 0, 0, []string{"header", "empty"}},
		"too few fields":         {good + "2\n", 1, 3, []string{"line 3", "1 fields", "header has 2"}},
		"too many fields":        {good + "2,b@example.com,x\n3,c@example.com\n", 1, 3, []string{"line 3", "3 fields", "!b@example.com"}},
		"ragged after newlines":  {"id,email\n1,\"a\n\n@example.com\"\n2\n", 1, 5, []string{"line 5"}},
		"quote not closed":       {good + "2,\"b@example.com\n3,c@example.com\n", 1, 3, []string{"line 3", "not closed"}},
		"quote inside":           {good + "2,b \"B\" @example.com\n", 1, 3, []string{"line 3", "quote inside"}},
		"after a quote":          {good + "2,\"b\"@example.com\n", 1, 3, []string{"line 3", "not doubled"}},
		"bad header":             {"id,\"email\n1,a@example.com\n", 0, 1, []string{"header", "line 1", "not closed"}},
		"data for a header":      {"1,a@example.com\n2,b@example.com\n", 0, 0, []string{"looks like data", "!example.com"}},
		"another delimiter":      {"id;email\n1;a@example.com\n", 0, 0, []string{"delimiter=%3B"}},
		"UTF-16":                 {"\xff\xfei\x00d\x00", 0, 0, []string{"UTF-16", "UTF-8"}},
		"UTF-16, the other way":  {"\xfe\xff\x00i\x00d", 0, 0, []string{"UTF-16"}},
		"a duplicate":            {"id,email,email\n1,a,b\n", 0, 0, []string{`column "email"`, "the file has 2 columns of this name"}},
		"a duplicate with space": {"id,email,email \n1,a,b\n", 0, 0, []string{"2 columns"}},
		"packed and cut off":     {string(packed[:len(packed)-12]), 1001, 0, []string{"unexpected EOF"}},
		"packed and damaged":     {string(damaged), 1001, 0, []string{"gzip: invalid checksum", "line 1002"}},
		"an endless record":      {good + "2,\"" + strings.Repeat("x", 17<<20), 1, 0, []string{"16 MiB", "line 2"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rows, err := read(t.Context(), must(source.CSV(content(test.text), idAndEmail)))
			if err == nil {
				t.Fatal("there is no error")
			}
			if len(rows) != test.rows {
				t.Errorf("%d rows before the error, want %d", len(rows), test.rows)
			}
			says(t, err, test.want...)
			var line *source.LineError
			if is := errors.As(err, &line); is != (test.line > 0) || is && line.Line != test.line {
				t.Errorf("%v, want a LineError of line %d", err, test.line)
			}
		})
	}
}

func TestCSVOptions(t *testing.T) {
	t.Parallel()
	for _, r := range []rune{0, '"', '\n', '\r', '\uFFFD', 0x110000} {
		if _, err := source.CSV(content(""), idAndEmail, source.Delimiter(r)); err == nil {
			t.Errorf("the delimiter %q is accepted", r)
		}
	}
}

func TestFileOnDisk(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	path := filepath.Join(folder, "users.csv")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("id,email\n1,a@example.com\n")
	table := must(source.CSV(source.File(path), idAndEmail))
	if rows, err := read(t.Context(), table); err != nil || len(rows) != 1 {
		t.Errorf("%d rows and %v", len(rows), err)
	}
	grown := false
	_, err := read(t.Context(), must(source.CSV(func() (io.ReadCloser, error) {
		f, err := os.Open(path)
		return &growing{f, func() {
			if !grown {
				grown = true
				write("id,email\n1,a@example.com\n2,b@example.com\n")
			}
		}}, err
	}, idAndEmail)))
	if err == nil || !strings.Contains(err.Error(), "the file changed while it was read") {
		t.Errorf("%v, want an error about the change", err)
	}
	for name, want := range map[string]string{"gone.csv": "no such file", ".": "is a directory"} {
		table := must(source.CSV(source.File(filepath.Join(folder, name)), idAndEmail))
		says(t, fails(t, table, nil), want)
	}
	if err := must(source.CSV(nil, idAndEmail)).Ping(t.Context()); err == nil {
		t.Error("no opener passes for a file")
	}
}

// growing is a file that somebody else is still writing.
type growing struct {
	*os.File
	grow func()
}

func (g *growing) Read(p []byte) (int, error) {
	g.grow()
	return g.File.Read(p)
}

// FuzzCSV checks that no file makes the reader panic and that its line numbers are right: what stands at a row's line,
// read alone, is that row.
func FuzzCSV(f *testing.F) {
	for _, seed := range []string{
		"id,email\n1,a@example.com\n", "\uFEFFid,email\r\n1,\"a\r\n\nb\"\r\n\r\n2,c\r\n", "id,email\n1\n", "id,email\n\"1\"x,2\n",
		"\n\n id ,email,x\n\"\",\"\"\"\",\n", "id,email\n1,\xff\n", "", "\r", "id,email\r1,2\r\n", "id,email\n\n\n\"", "email,id\n,\n,\n",
	} {
		f.Add([]byte(seed))
	}
	f.Add(gzipped([]byte("id,email\n1,a@example.com\n")))
	f.Fuzz(func(t *testing.T, file []byte) {
		table := must(source.CSV(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(file)), nil }, idAndEmail))
		plain := bytes.TrimPrefix(unpacked(file), []byte("\uFEFF"))
		lines := bytes.Count(plain, []byte("\n")) + 1
		header, _ := csv.NewReader(bytes.NewReader(plain)).Read()
		last := 0
		for row, err := range table.Rows(t.Context()) {
			if err != nil {
				var bad *source.LineError
				if errors.As(err, &bad) && (bad.Line <= last || bad.Line > lines) {
					t.Errorf("the error is of line %d, the row before of line %d of %d", bad.Line, last, lines)
				}
				break
			}
			var n int
			if _, err := fmt.Sscanf(row.Position.String(), "line %d", &n); err != nil || n <= last || n > lines {
				t.Fatalf("the position is %q after line %d of %d", row.Position, last, lines)
			}
			last = n
			alone := csv.NewReader(bytes.NewReader(bytes.Join(bytes.Split(plain, []byte("\n"))[n-1:], []byte("\n"))))
			record, err := alone.Read()
			if err != nil || len(record) != len(header) {
				t.Fatalf("line %d alone: %q and %v", n, record, err)
			}
			for i, name := range header {
				if strings.TrimSpace(name) == "email" && row.Defect == "" && row.Email.Value != record[i] {
					t.Errorf("the address of line %d is %q, want %q", n, row.Email.Value, record[i])
				}
			}
		}
	})
}

// unpacked is the file's text; a damaged one counts as far as it goes.
func unpacked(file []byte) []byte {
	if !bytes.HasPrefix(file, []byte{0x1f, 0x8b}) {
		return file
	}
	r, err := gzip.NewReader(bytes.NewReader(file))
	if err != nil {
		return nil
	}
	text, _ := io.ReadAll(io.LimitReader(r, 1<<20))
	return text
}

// sameAsEncodingCSV checks that a file of the columns a and b gives the rows, lines and errors that encoding/csv gives.
func sameAsEncodingCSV(t *testing.T, body string) {
	t.Helper()
	text := "a,b\n" + body
	var want []string
	reader := csv.NewReader(strings.NewReader(text))
	_, err := reader.Read()
	for err == nil {
		var record []string
		if record, err = reader.Read(); err == nil {
			line, _ := reader.FieldPos(0)
			want = append(want, fmt.Sprintf("%q line %d", record, line))
		}
	}
	rows, got := read(t.Context(), must(source.CSV(content(text), source.Mapping{Email: "a", Fields: owlatsync.Texts{owlatsync.FirstName: "b"}})))
	if (got == nil) != (err == io.EOF) {
		t.Fatalf("%q: error %v, want %v", text, got, err)
	}
	if parse, ok := errors.AsType[*csv.ParseError](err); ok {
		if line, ok := errors.AsType[*source.LineError](got); !ok || line.Line != parse.StartLine {
			t.Errorf("%q: error %v, want one of line %d", text, got, parse.StartLine)
		}
	}
	var have []string
	for _, r := range rows {
		if r.Defect == "" {
			have = append(have, fmt.Sprintf("%q %s", []string{r.Email.Value, r.Fields[owlatsync.FirstName].Value}, r.Position))
		} else {
			have = append(have, r.Position.String())
		}
	}
	for i := range want {
		if i >= len(have) || have[i] != want[i] && (rows[i].Defect == "" || !strings.HasSuffix(want[i], " "+have[i])) {
			t.Fatalf("%q: rows %q, want %q", text, have, want)
		}
	}
	if len(have) != len(want) {
		t.Errorf("%q: rows %q, want %q", text, have, want)
	}
}

func TestCSVIsReadAsEncodingCSVReadsIt(t *testing.T) {
	t.Parallel()
	texts := []string{""}
	for range 5 {
		var longer []string
		for _, text := range texts {
			for _, piece := range []string{"1", ",", "\"", "\n", "\r\n"} {
				longer = append(longer, text+piece)
			}
		}
		for _, text := range longer {
			sameAsEncodingCSV(t, text)
		}
		texts = longer
	}
}

func FuzzCSVIsReadAsEncodingCSVReadsIt(f *testing.F) {
	long := strings.Repeat("x", 70_000) // beyond the buffer
	for _, body := range []string{
		"", "1,2", "1,2\n", "1,2\r\n\r\n3,4\r\n", "\n\n1,2\n", "1,\"2\n3\"\n4,5\n", "\"1\",2\n3,4\n\"5\",6\n7,8", "1\n", "1,2,3\n", "1,2\n3\n",
		"1,2\"\n", "1,\"2\n", "1,2\r", "\r1,2\r\r\n", ",\n", "1,\xff\n", long + ",2\n3,4\n", "1,2\n\"" + long + "\n\"," + long + "\n3,4\n5\n",
		strings.Repeat("1,2\n\n\"3\n\",4\r\n", 9_000),
	} {
		f.Add(body)
	}
	f.Fuzz(sameAsEncodingCSV)
}

// A NUL byte is part of no text, however its line is read.
func TestCSVNUL(t *testing.T) {
	t.Parallel()
	for name, line := range map[string]string{
		"plain": "1,a@example.com,A\x00da", "quoted": "1,a@example.com,\"A\x00da\"", "not closed by UTF-8": "1,a@example.com,\xc3\x00",
	} {
		text := "id,email,name\n0,z@example.com,Zoë\n" + line + "\n2,b@example.com,Bob\n"
		rows, err := read(t.Context(), must(source.CSV(content(text), source.Mapping{Key: []string{"id"}, Email: "email", Fields: owlatsync.Texts{owlatsync.FirstName: "name"}})))
		if err != nil || len(rows) != 3 || rows[0].Defect != "" || !strings.HasPrefix(rows[1].Defect, `column "name" `) || rows[2].Defect != "" {
			t.Errorf("%s: %+v and %v, want a defect of the second row", name, rows, err)
		}
		rows, err = read(t.Context(), must(source.CSV(content(text), source.Mapping{Key: []string{"id"}, Email: "email"})))
		if err != nil || len(rows) != 3 || rows[1].Defect != "" {
			t.Errorf("%s, unmapped: %+v and %v, want no defect", name, rows, err)
		}
	}
}
