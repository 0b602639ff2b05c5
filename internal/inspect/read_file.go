package inspect

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

// ReadCSV takes a CSV file's first rows for a table of that name. The first line holds the names of the columns.
func ReadCSV(r io.Reader, name string) (*Catalog, error) {
	buffered := bufio.NewReader(r)
	if bom, _ := buffered.Peek(3); string(bom) == "\ufeff" {
		_, _ = buffered.Discard(3) // just peeked at
	}
	records := csv.NewReader(buffered)
	header, err := records.Read()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("the file is empty: its first line must hold the names of the columns")
	}
	if err != nil {
		return nil, fmt.Errorf("read the header row: %w", err)
	}
	t := Table{Name: name, Sampled: true}
	for _, column := range header {
		t.Columns = append(t.Columns, Column{Name: column, Type: "text", Kind: Any})
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
			t.Columns[i].Sample = append(t.Columns[i].Sample, v)
		}
	}
	t.dropUnusable()
	return &Catalog{Dialect: File, Tables: []Table{t}}, nil
}

// ReadNDJSON takes a file of one JSON object per line for a table of that name; the columns are the keys of its first objects.
func ReadNDJSON(r io.Reader, name string) (*Catalog, error) {
	lines := json.NewDecoder(r)
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
		t.addObject(object)
	}
	if len(t.Columns) == 0 {
		return nil, errors.New("the file holds no object with a key")
	}
	t.dropUnusable()
	return &Catalog{Dialect: File, Tables: []Table{t}}, nil
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
