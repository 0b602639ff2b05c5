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
	"regexp"
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
		"breaks off":             {good + "2,b@example.com\n3", 2, 4, []string{"line 4", "1 fields", "breaks off"}},
		"breaks off in quotes":   {good + "2,\"b@exam", 1, 3, []string{"line 3", "not closed", "breaks off", "!b@exam"}},
		"bad header":             {"id,\"email\n1,a@example.com\n", 0, 1, []string{"header", "line 1", "not closed"}},
		"data for a header":      {"1,a@example.com\n2,b@example.com\n", 0, 0, []string{"looks like data", "!example.com"}},
		"another delimiter":      {"id;email\n1;a@example.com\n", 0, 0, []string{"delimiter=%3B"}},
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

// TestCSVBrokenLines shows that a broken line is one broken row, of which nothing is told but the reason.
func TestCSVBrokenLines(t *testing.T) {
	t.Parallel()
	const good = "id,email,name\n1,a@example.com,Ada\n"
	const end = "9,z@example.com,Zoë\n"
	for name, test := range map[string]struct {
		lines string
		want  string // of the broken row
		line  int
	}{
		"too few fields":        {"2,b@example.com\n", "the line has 2 fields, but the header has 3", 3},
		"too many fields":       {"2,b@example.com,Bob,x\n", "the line has 4 fields, but the header has 3; quote a cell", 3},
		"quote inside":          {"2,b@example.com,Bob \"B\"\n", "a quote inside a cell that is not quoted", 3},
		"after a quote":         {"2,\"b\"@example.com,Bob\n", "with a quote inside that is not doubled", 3},
		"quote not closed":      {"2,b@example.com,\"Bob\n", "not closed", 3},
		"more, in several":      {"\n2,\"b\n@example.com\",Bob,x\n", "the line has 4 fields", 4},
		"not closed and others": {"2,b@example.com,\"Bob\n3,c@example.com,\"Cy\"\n", "not closed", 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := source.Mapping{Key: []string{"id"}, Email: "email", Fields: owlatsync.Texts{owlatsync.FirstName: "name"}, Topics: []string{"id"}}
			var broken []string
			var last owlatsync.Row
			for row, err := range must(source.CSV(content(good+test.lines+end), m)).Rows(t.Context()) {
				if err != nil {
					t.Fatal(err)
				}
				if last = *row; row.Defect == "" {
					continue
				}
				if row.Key != "" || row.Email != (owlatsync.Field{}) || len(row.Consents) != 0 || strings.Contains(row.Defect, "example") {
					t.Errorf("a broken row says %+v", row)
				}
				broken = append(broken, fmt.Sprintf("%s: %s", row.Position, row.Defect))
			}
			if len(broken) != 1 || !strings.HasPrefix(broken[0], fmt.Sprintf("line %d: ", test.line)) || !strings.Contains(broken[0], test.want) {
				t.Errorf("broken rows %q, want one of line %d with %q", broken, test.line, test.want)
			}
			if last.Key != "9" || last.Email.Value != "z@example.com" || last.Fields[owlatsync.FirstName].Value != "Zoë" || len(last.Consents) != 1 {
				t.Errorf("the last row is %+v", last)
			}
		})
	}
}

func TestCSVLostShape(t *testing.T) {
	t.Parallel()
	text := "id,email\n1,a@example.com\n" + strings.Repeat("2,b@example.com,x\n", 20)
	rows, err := read(t.Context(), must(source.CSV(content(text), idAndEmail)))
	line, ok := errors.AsType[*source.LineError](err)
	if !ok || line.Line != 3 || len(rows) != 21 {
		t.Fatalf("%d rows and %v, want 21 and an error of line 3", len(rows), err)
	}
	says(t, err, "3 fields", "lost its shape", "20 of its first 21 rows", "!b@example.com")
	if _, err := read(t.Context(), must(source.CSV(content(strings.Replace(text, "2,b@example.com,x\n", "2,b@example.com\n", 1)), idAndEmail))); err != nil {
		t.Errorf("19 broken lines: %v", err)
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
		if bytes.HasPrefix(plain, []byte("\xff\xfe")) || bytes.HasPrefix(plain, []byte("\xfe\xff")) {
			t.Skip("UTF-16 has other bytes")
		}
		if head := plain[:min(len(plain), 64<<10)]; !bytes.Contains(head, []byte("\n")) {
			plain = bytes.ReplaceAll(plain, []byte("\r"), []byte("\n")) // an old Mac's
		}
		lines := bytes.Count(plain, []byte("\n")) + 1
		header, _ := csv.NewReader(bytes.NewReader(plain)).Read()
		// A file of another form may have its header further down, or other bytes than its text.
		comparable := len(header) == 2 && strings.TrimSpace(header[0]) == "id" && strings.TrimSpace(header[1]) == "email" && !bytes.ContainsAny(plain, "\x1a")
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
			if row.Defect != "" || !comparable {
				continue
			}
			alone := csv.NewReader(bytes.NewReader(bytes.Join(bytes.Split(plain, []byte("\n"))[n-1:], []byte("\n"))))
			alone.FieldsPerRecord = -1
			record, err := alone.Read()
			if err != nil {
				t.Fatalf("line %d alone: %v", n, err)
			}
			for i, name := range header {
				if strings.TrimSpace(name) == "email" && i < len(record) && row.Email.State == owlatsync.Set && row.Email.Value != record[i] {
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

// special are texts that the reader takes for something else than rows, or for NULL.
var special = regexp.MustCompile(`(?i)--|[a-z]|\x1a`)

// sameAsEncodingCSV checks that a file of the columns a and b gives the rows that encoding/csv gives, record by record. What that
// refuses is one broken row, after which the next line is read.
func sameAsEncodingCSV(t *testing.T, body string) {
	t.Helper()
	if body != "" && !strings.HasSuffix(body, "\n") && !strings.HasSuffix(body, "1") {
		body += "\n"
	}
	if special.MatchString(strings.ReplaceAll(body, "x", "")) {
		return
	}
	var want []string
	good, broken := 0, 0
	for rest, line := body, 2; ; {
		reader := csv.NewReader(strings.NewReader(rest))
		reader.FieldsPerRecord = -1
		record, err := reader.Read()
		if err == io.EOF {
			break
		}
		if (err != nil || len(record) < 2) && !strings.HasSuffix(rest, "\n") {
			return // it may break off
		}
		used, start := int(reader.InputOffset()), 1
		if parse, ok := errors.AsType[*csv.ParseError](err); ok {
			start = parse.StartLine
			lines := strings.SplitAfterN(rest, "\n", start+1)
			used = len(strings.Join(lines[:start], ""))
		} else {
			start, _ = reader.FieldPos(0)
		}
		for len(record) > 2 && strings.TrimSpace(record[len(record)-1]) == "" {
			record = record[:len(record)-1]
		}
		switch {
		case err == nil && strings.TrimSpace(strings.Join(record, "")) == "":
		case err != nil || len(record) != 2:
			want = append(want, fmt.Sprintf("broken line %d", line+start-1))
			broken++
		default:
			want = append(want, fmt.Sprintf("%q line %d", record, line+start-1))
			good++
		}
		line += strings.Count(rest[:used], "\n")
		rest = rest[used:]
	}
	text := "a,b\n" + body
	rows, err := read(t.Context(), must(source.CSV(content(text), source.Mapping{Email: "a", Fields: owlatsync.Texts{owlatsync.FirstName: "b"}})))
	if err != nil && !(broken >= 20 && broken > good) {
		t.Fatalf("%.200q: %v", text, err)
	}
	for i, w := range want {
		switch {
		case i >= len(rows):
			if err == nil {
				t.Fatalf("%.200q: %d rows, want %d", text, len(rows), len(want))
			}
		case strings.HasPrefix(w, "broken "):
			if rows[i].Defect == "" || "broken "+rows[i].Position.String() != w {
				t.Fatalf("%.200q: row %.200v, want %s", text, rows[i], w)
			}
		case rows[i].Defect != "": // no UTF-8
			if !strings.HasSuffix(w, " "+rows[i].Position.String()) {
				t.Fatalf("%.200q: row %.200v, want %.200s", text, rows[i], w)
			}
		case fmt.Sprintf("%q %s", []string{rows[i].Email.Value, rows[i].Fields[owlatsync.FirstName].Value}, rows[i].Position) != w:
			t.Fatalf("%.200q: row %.200v, want %.200s", text, rows[i], w)
		}
	}
	if len(rows) > len(want) {
		t.Errorf("%.200q: %d rows, want %d", text, len(rows), len(want))
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
