package inspect

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// ReadCSV reads the first rows of a CSV file, plain or gzip, as a table of that name. Its first line names the columns. An empty
// field is NULL, as in package source.
func ReadCSV(r io.Reader, name string, delimiter rune) (*Catalog, error) {
	text, err := plainText(r)
	if err != nil {
		return nil, err
	}
	records := csv.NewReader(text)
	records.Comma = delimiter
	header, err := records.Read()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("the file is empty: its first line must hold the names of the columns")
	}
	if err != nil {
		return nil, fmt.Errorf("read the header row: %w", err)
	}
	t := Table{Name: name, Sampled: true}
	for _, column := range header {
		t.Columns = append(t.Columns, Column{Name: strings.TrimSpace(column), Type: "text", Kind: Any})
	}
	for ; t.Rows < sampleRows; t.Rows++ {
		record, err := records.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("read the first rows: %w", err)
		}
		for i, v := range record {
			if v == "" {
				t.Columns[i].Nulls++
			} else {
				t.Columns[i].Sample = append(t.Columns[i].Sample, v)
			}
		}
	}
	t.dropUnusable()
	return &Catalog{Dialect: File, Tables: []Table{t}}, nil
}

// plainText unpacks gzip, known by its first bytes, and skips a byte order mark.
func plainText(r io.Reader) (io.Reader, error) {
	buffered := bufio.NewReader(r)
	if magic, _ := buffered.Peek(2); string(magic) == "\x1f\x8b" {
		unpacked, err := gzip.NewReader(buffered)
		if err != nil {
			return nil, fmt.Errorf("unpack the file: %w", err)
		}
		buffered = bufio.NewReader(unpacked)
	}
	if mark, _ := buffered.Peek(3); string(mark) == "\ufeff" {
		_, _ = buffered.Discard(3) // Peek has read them
	}
	return buffered, nil
}

// ReadNDJSON reads the first lines of a file with one JSON object per line, plain or gzip, as a table of that name. The columns are
// the keys of the objects.
func ReadNDJSON(r io.Reader, name string) (*Catalog, error) {
	text, err := plainText(r)
	if err != nil {
		return nil, err
	}
	lines := json.NewDecoder(text)
	t := Table{Name: name, Sampled: true}
	for ; t.Rows < sampleRows; t.Rows++ {
		var object map[string]any
		err := lines.Decode(&object)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("read object %d: each line must be a JSON object", t.Rows+1)
		}
		t.addObject(flat(object))
	}
	if len(t.Columns) == 0 {
		return nil, errors.New("the file holds no object with a key")
	}
	if id := t.Column("_id.$oid"); id != nil && len(id.Sample) == t.Rows { // as mongoexport writes it
		t.Key = []string{id.Name}
	}
	t.dropUnusable()
	return &Catalog{Dialect: File, Tables: []Table{t}}, nil
}

// flat returns an object with the values of objects within it, and of the first elements of lists, by their paths.
func flat(object map[string]any) map[string]any {
	paths := make(map[string]any, len(object))
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch x := v.(type) {
		case map[string]any:
			for name, within := range x {
				walk(path+"."+name, within)
			}
		case []any:
			if len(x) > 0 {
				walk(path+".0", x[0])
			}
		default:
			paths[path] = v
		}
	}
	for name, v := range object {
		walk(name, v)
	}
	return paths
}

func (t *Table) addObject(object map[string]any) {
	names := make([]string, 0, len(object))
	for name := range object {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		c := t.Column(name)
		if c == nil {
			t.Columns = append(t.Columns, Column{Name: name, Type: "json", Kind: Any, Nulls: t.Rows})
			c = &t.Columns[len(t.Columns)-1]
		}
		switch v := object[name].(type) {
		case nil:
			c.Nulls++
		case string:
			c.Sample = append(c.Sample, v)
		case bool, float64:
			c.Sample = append(c.Sample, fmt.Sprint(v))
		default:
			c.Kind = Other
		}
	}
	for i := range t.Columns {
		if c := &t.Columns[i]; c.Kind == Any && !slices.Contains(names, c.Name) {
			c.Nulls++
		}
	}
}

func (t *Table) dropUnusable() {
	t.Columns = slices.DeleteFunc(t.Columns, func(c Column) bool { return !usable(c.Name) })
}

// delimiters are the delimiters of CSV files, the likeliest first.
var delimiters = []rune{',', ';', '\t', '|'}

// GuessDelimiter returns the likely delimiter of a CSV file, plain or gzip: the one that gives the first lines the most fields, the
// same number in each. If there is none, it is the comma.
func GuessDelimiter(r io.Reader) (rune, error) {
	text, err := plainText(r)
	if err != nil {
		return 0, err
	}
	head, err := io.ReadAll(io.LimitReader(text, guessedBytes))
	if err != nil {
		return 0, fmt.Errorf("read the first lines: %w", err)
	}
	best, most := delimiters[0], 1
	for _, d := range delimiters {
		if n := fieldsBy(head, d); n > most {
			best, most = d, n
		}
	}
	return best, nil
}

const guessedBytes, guessedLines = 64 << 10, 10

// fieldsBy returns how many fields the delimiter gives each of the first lines, 0 if the numbers differ.
func fieldsBy(head []byte, delimiter rune) int {
	records := csv.NewReader(bytes.NewReader(head))
	records.Comma = delimiter
	fields := 0
	for range guessedLines {
		record, err := records.Read()
		if err == io.EOF || err != nil && fields > 0 && len(head) == guessedBytes && records.InputOffset() == guessedBytes {
			break // the last line is cut off
		}
		if err != nil {
			return 0
		}
		fields = len(record)
	}
	return fields
}
