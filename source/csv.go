package source

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// CSVOption changes how a CSV file is read.
type CSVOption func(*csvFormat) error

type csvFormat struct{ delimiter rune }

// Delimiter sets what separates the fields; the comma is the default.
func Delimiter(r rune) CSVOption {
	return func(f *csvFormat) error {
		if !validDelimiter(r) {
			return fmt.Errorf("choose the delimiter: %q cannot be one", r)
		}
		f.delimiter = r
		return nil
	}
}

func validDelimiter(r rune) bool {
	return r != 0 && r != '"' && r != '\r' && r != '\n' && utf8.ValidRune(r) && r != utf8.RuneError
}

// CSV returns the rows of a CSV file (RFC 4180, plain or gzip, UTF-8 with or without byte order mark) whose first record
// names the columns. Blanks around a column's name do not count. A CSV file knows no NULL: an empty field is one. A line
// that does not fit the header or the format ends the scan as incomplete, with a [LineError]. A record may have 16 MiB.
func CSV(open Opener, m Mapping, options ...CSVOption) (*Table, error) {
	format := csvFormat{delimiter: ','}
	for _, o := range options {
		if err := o(&format); err != nil {
			return nil, err
		}
	}
	return newTable(m, &fileBackend{open, format.scan})
}

func (f csvFormat) scan(in *input) (cursor, error) {
	r := csv.NewReader(in.Reader)
	r.Comma, r.ReuseRecord = f.delimiter, true
	c := &csvCursor{in: in, reader: r}
	header, err := r.Read()
	switch {
	case err == io.EOF:
		return nil, errors.New("read the header: the file is empty, but its first line must name the columns")
	case err != nil:
		return nil, fmt.Errorf("read the header: %w", explain(err, 0, 0))
	}
	for _, name := range header {
		c.cols = append(c.cols, column{Column: Column{Name: strings.TrimSpace(name)}})
	}
	return c, nil
}

type csvCursor struct {
	in     *input
	reader *csv.Reader
	cols   []column
	record []string
	line   int
	buf    []byte
}

func (c *csvCursor) columns() []column       { return c.cols }
func (c *csvCursor) position() (string, int) { return "line", c.line }
func (c *csvCursor) close()                  { c.in.close() }

func (c *csvCursor) next() (bool, error) {
	c.in.record()
	record, err := c.reader.Read()
	if err == io.EOF {
		return false, c.in.complete()
	}
	if err != nil {
		return false, explain(err, len(record), len(c.cols))
	}
	c.record = record
	c.line, _ = c.reader.FieldPos(0)
	return true, nil
}

func (c *csvCursor) cell(i int) (cell, error) {
	if c.record[i] == "" {
		return cell{null: true}, nil
	}
	c.buf = append(c.buf[:0], c.record[i]...)
	return cell{text: c.buf}, nil
}

// explain makes a LineError of what the reader says of a line, which has so many fields under a header of so many.
func explain(err error, fields, header int) error {
	var parse *csv.ParseError
	if !errors.As(err, &parse) {
		return err
	}
	reason := parse.Err.Error()
	switch {
	case errors.Is(parse.Err, csv.ErrFieldCount):
		reason = fmt.Sprintf("it has %d fields, but the header has %d", fields, header)
	case errors.Is(parse.Err, csv.ErrQuote):
		reason = "a quoted field is not closed, or has a quote inside that is not doubled"
	case errors.Is(parse.Err, csv.ErrBareQuote):
		reason = "a field has a quote inside but is not quoted; quote it and double the quote"
	}
	return &LineError{parse.StartLine, reason}
}
