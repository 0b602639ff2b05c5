package source

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"owlatsync"
	"owlatsync/source/internal/cell"
	"owlatsync/source/internal/jsonline"
	"owlatsync/source/internal/text"
)

// maxSample and maxSampleBytes limit the first lines that tell the columns of an NDJSON file.
const (
	maxSample      = 100
	maxSampleBytes = 1 << 20
)

// NDJSON returns the rows of a file with one JSON object per line (plain or gzip, UTF-8 with or without byte order mark). Blank
// lines do not count. A mapped column is a field, or a path of fields and of positions in arrays, such as name.first or
// emails.0.address; a field whose own name holds the dots comes first. A field that an object does not have is NULL, but a mapped field
// that no object has is an error. A line that is no JSON object makes the row a defect without a key; if most lines are such, and at
// least 20, the scan ends as incomplete with a [LineError]. An object, an array or half a surrogate pair in a mapped field
// makes the row a defect. A line has at most 16 MiB. NDJSON opens nothing; its error comes from [Mapping.Validate].
func NDJSON(open Opener, m Mapping) (*Table, error) {
	m = m.clone()
	return newTable(m, &fileBackend{open, text.NDJSON, text.Encoding{}, func(in *input) (cursor, error) { return scanNDJSON(in, m) }})
}

type ndjsonCursor struct {
	in      *input
	cols    []column
	unseen  map[string]bool // mapped columns that no line has had so far
	sample  []numberedLine
	ended   bool   // the file is read to its end
	unended bool   // the last line read has no end
	read    int    // lines read from the file
	line    int    // line of the current row
	why     string // why that line is no row
	shape   shape
	object  map[string]json.RawMessage
	long    []byte
	buf     []byte
}

type numberedLine struct {
	number int
	text   []byte
}

func scanNDJSON(in *input, m Mapping) (cursor, error) {
	c := &ndjsonCursor{in: in, unseen: map[string]bool{}, object: map[string]json.RawMessage{}}
	if err := c.readSample(); err != nil {
		return nil, err
	}
	optional := append(append(m.Fields[:], m.FullName, m.Suppressed), m.Topics...)
	for _, p := range m.Properties {
		optional = append(optional, p.Column)
	}
	required := append(slices.Clone(m.Key), m.Email)
	// A file without rows names no columns, and a rare column may come later.
	later := optional
	if c.ended {
		later = nil
	}
	if len(c.sample) == 0 {
		later = append(optional, required...)
	}
	for _, name := range append(optional, required...) {
		if name == "" {
			continue
		}
		c.unseen[name] = len(c.sample) > 0
		if !c.has(name) && (slices.Contains(later, name) || c.sampled(name)) {
			c.cols = append(c.cols, column{Column: Column{Name: name}})
		}
	}
	return c, nil
}

func (c *ndjsonCursor) has(name string) bool {
	return slices.ContainsFunc(c.cols, func(have column) bool { return have.Name == name })
}

// sampled reports whether one of the first lines has a value at a path that is not the first element of an array.
func (c *ndjsonCursor) sampled(name string) bool {
	return strings.Contains(name, ".") && slices.ContainsFunc(c.sample, func(line numberedLine) bool {
		var object map[string]json.RawMessage
		return json.Unmarshal(line.text, &object) == nil && jsonline.At(object, name) != nil
	})
}

// readSample reads the first lines ahead to learn the columns. Their errors are told when the rows are mapped.
func (c *ndjsonCursor) readSample() error {
	for size := 0; len(c.sample) < maxSample && size < maxSampleBytes && !c.ended; {
		line, err := c.readLine()
		if err != nil {
			return err
		}
		if line == nil {
			break
		}
		size += len(line)
		c.sample = append(c.sample, numberedLine{c.read, bytes.Clone(line)})
		for _, name := range jsonline.Names(line) {
			if !c.has(name) {
				c.cols = append(c.cols, column{Column: Column{Name: name}})
			}
		}
	}
	return nil
}

func (c *ndjsonCursor) columns() []column { return c.cols }
func (c *ndjsonCursor) position() owlatsync.Position {
	return owlatsync.Position{Unit: "line", Number: c.line}
}
func (c *ndjsonCursor) close() { c.in.close() }

func (c *ndjsonCursor) next() (bool, error) {
	var line []byte
	if len(c.sample) > 0 {
		line, c.line = c.sample[0].text, c.sample[0].number
		c.sample = c.sample[1:]
	} else {
		var err error
		if line, err = c.readLine(); err != nil {
			return false, err
		}
		if line == nil {
			return false, c.complete()
		}
		c.line = c.read
	}
	clear(c.object)
	if c.why = jsonline.Object(line, &c.object); c.why != "" {
		clear(c.object)
		if c.ended && c.unended && c.line == c.read {
			return false, &LineError{c.line, c.why + "; the file breaks off in it"}
		}
		return true, c.shape.broke(c.line, c.why)
	}
	c.shape.rows++
	for name := range c.object {
		delete(c.unseen, name)
	}
	for name, wanted := range c.unseen {
		if wanted && strings.Contains(name, ".") && jsonline.At(c.object, name) != nil {
			delete(c.unseen, name)
		}
	}
	return true, nil
}

// broken says why the current line is no row.
func (c *ndjsonCursor) broken() string { return c.why }

// shape counts what a file has of rows and of broken lines.
type shape struct {
	rows, broken int
	first        LineError
}

// forgiven is how many lines may be broken, even if they are most of a file.
const forgiven = 20

// broke notes a broken line. The error says that the file has lost its shape: too many lines are broken to believe in the others.
func (s *shape) broke(line int, why string) error {
	if s.broken++; s.broken == 1 {
		s.first = LineError{line, why}
	}
	if s.broken < forgiven || s.broken <= s.rows {
		return nil
	}
	return &LineError{s.first.Line, fmt.Sprintf("%s; the file has lost its shape: %d of its first %d rows are broken", s.first.Reason, s.broken, s.rows+s.broken)}
}

// complete returns an error if the scan, now at its end, has not seen the whole file and every mapped column.
func (c *ndjsonCursor) complete() error {
	var names []string
	for name, wanted := range c.unseen {
		if wanted {
			names = append(names, name)
		}
	}
	if len(names) > 0 {
		return &ColumnError{slices.Min(names), "no line of the file has such a field"}
	}
	return c.in.complete()
}

// readLine returns the next line that is not blank, valid until the next call, or nil at the end.
func (c *ndjsonCursor) readLine() ([]byte, error) {
	for !c.ended {
		c.in.Record()
		line, err := c.in.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			c.long = c.long[:0]
			for errors.Is(err, bufio.ErrBufferFull) {
				c.long = append(c.long, line...)
				line, err = c.in.ReadSlice('\n')
			}
			c.long = append(c.long, line...)
			line = c.long
		}
		c.unended = len(line) > 0 && line[len(line)-1] != '\n'
		if c.ended = err == io.EOF; err != nil && !c.ended {
			return nil, fmt.Errorf("read line %d: %w", c.read+1, err)
		}
		c.read++
		if line = bytes.TrimSpace(line); len(line) > 0 {
			return line, nil
		}
	}
	return nil, nil
}

func (c *ndjsonCursor) cell(i int) (cell.Cell, error) {
	return cell.OfJSON(jsonline.At(c.object, c.cols[i].Name), &c.buf), nil
}
