package inspect

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"golang.org/x/text/encoding/unicode"

	"owlatsync"
	"owlatsync/source"
)

// ReadCSV reads the first rows of a CSV file as a table of that name, as package source reads them. Broken rows do not count.
func ReadCSV(ctx context.Context, open source.Opener, name string, options ...source.CSVOption) (*Catalog, error) {
	form, err := source.ExamineCSV(open, options...)
	if err != nil {
		return nil, err
	}
	t := Table{Name: name, Sampled: true}
	m := source.Mapping{}
	for i, column := range form.Columns {
		if column == "" || slices.Contains(form.Columns[:i], column) || slices.Contains(form.Columns[i+1:], column) {
			continue // it cannot be mapped
		}
		t.Columns = append(t.Columns, Column{Name: column, Type: "text", Kind: Any})
		m.Email = column
		m.Properties = append(m.Properties, source.Property{Name: column, Column: column})
	}
	if len(t.Columns) == 0 {
		return nil, errors.New("the file is empty: its first line must hold the names of the columns")
	}
	table, err := source.CSV(open, m, options...)
	if err != nil {
		return nil, err
	}
	for row, err := range table.Rows(ctx) {
		if err != nil {
			return nil, fmt.Errorf("read the first rows: %w", err)
		}
		if row.Defect != "" {
			continue
		}
		t.addRow(row.Properties)
		if t.Rows == sampleRows {
			break
		}
	}
	t.dropUnusable()
	return &Catalog{Dialect: File, Tables: []Table{t}}, nil
}

func (t *Table) addRow(values []owlatsync.Property) {
	for i, p := range values {
		if text, ok := p.Value.(string); ok {
			t.Columns[i].Sample = append(t.Columns[i].Sample, text)
		} else {
			t.Columns[i].Nulls++
		}
	}
	t.Rows++
}

// sampleBytes is the most of a file that is read for a sample.
const sampleBytes = 64 << 20

// plainText unpacks gzip, known by its first bytes, and decodes UTF-16 or skips the mark of UTF-8.
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
	if mark, _ := buffered.Peek(2); string(mark) == "\xff\xfe" || string(mark) == "\xfe\xff" {
		return unicode.UTF16(unicode.LittleEndian, unicode.ExpectBOM).NewDecoder().Reader(buffered), nil
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
	lines := bufio.NewReader(io.LimitReader(text, sampleBytes))
	t := Table{Name: name, Sampled: true}
	for t.Rows < sampleRows {
		line, err := lines.ReadBytes('\n')
		var object map[string]any
		if json.Unmarshal(line, &object) == nil && object != nil { // a broken line is one invalid row
			t.addObject(flat(object))
			t.Rows++
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("read the first lines: %w", err)
		}
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
