package source

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"owlatsync"
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
	if f.delimiter < utf8.RuneSelf {
		c.delimiter = byte(f.delimiter)
	}
	header, err := r.Read()
	switch {
	case err == io.EOF:
		return nil, errors.New("read the header: the file is empty, but its first line must name the columns")
	case err != nil:
		return nil, fmt.Errorf("read the header: %w", c.explain(err, 0))
	}
	c.took(header)
	for _, name := range header {
		c.cols = append(c.cols, column{Column: Column{Name: strings.TrimSpace(name)}})
	}
	return c, nil
}

// csvCursor reads most lines itself: those without a quote, of which encoding/csv would make just the same. It gets the
// others from there; both take from one buffer, and what one has read the other has not.
type csvCursor struct {
	in        *input
	reader    *csv.Reader
	delimiter byte // 0 where it has more than one
	cols      []column
	record    []string
	fields    [][]byte // of a line without quotes
	plain     bool     // the row is in fields, not in record
	line      int
	own       int // lines that were read without the reader
	others    int // lines that the reader has read
	buf       []byte

	ahead []byte // what of the buffer is not used yet, as far as it was looked at
	taken int    // how much ahead was at first
	quote int    // where in ahead the first quote is, its length or more where there is none
}

func (c *csvCursor) columns() []column { return c.cols }
func (c *csvCursor) position() owlatsync.Position {
	return owlatsync.Position{Unit: "line", Number: c.line}
}
func (c *csvCursor) close() { c.in.close() }

func (c *csvCursor) next() (bool, error) {
	c.in.record()
	var err error
	if c.plain, err = c.plainLine(); c.plain || err != nil {
		return c.plain, err
	}
	record, err := c.reader.Read()
	if err == io.EOF {
		return false, c.in.complete()
	}
	if err != nil {
		return false, c.explain(err, len(record))
	}
	c.took(record)
	return true, nil
}

// took notes a record of the reader's.
func (c *csvCursor) took(record []string) {
	c.record = record
	line, _ := c.reader.FieldPos(0)
	c.line, c.others = c.own+line, line
	for _, field := range record {
		c.others += strings.Count(field, "\n")
	}
}

// plainLine takes the next line's fields out of the buffer if nothing about the line is special; else it has taken nothing
// but blank lines, and the buffer begins with the line.
func (c *csvCursor) plainLine() (bool, error) {
	for {
		end := bytes.IndexByte(c.ahead, '\n')
		if end < 0 {
			more, err := c.lookAhead()
			if !more {
				return false, err
			}
			continue
		}
		line := c.ahead[:end]
		if end > 0 && line[end-1] == '\r' {
			line = line[:end-1]
		}
		if end > c.quote || len(line) > 0 && !c.split(line) {
			c.giveBack()
			return false, nil
		}
		c.ahead, c.quote = c.ahead[end+1:], c.quote-end-1
		c.own++
		c.line = c.own + c.others
		if len(line) > 0 {
			return true, nil
		}
	}
}

// lookAhead makes ahead what the buffer holds, and reads once more where that is no whole line; false: there still is none.
func (c *csvCursor) lookAhead() (bool, error) {
	c.giveBack()
	if c.delimiter == 0 {
		return false, nil
	}
	for fetched := false; ; fetched = true {
		ahead, _ := c.in.Peek(c.in.Buffered())
		if bytes.IndexByte(ahead, '\n') >= 0 {
			c.ahead, c.taken = ahead, len(ahead)
			if c.quote = bytes.IndexByte(ahead, '"'); c.quote < 0 {
				c.quote = len(ahead)
			}
			return true, nil
		}
		if fetched {
			return false, nil
		}
		_, err := c.in.Peek(len(ahead) + 1)
		if err != nil && err != io.EOF && err != bufio.ErrBufferFull {
			return false, err
		}
	}
}

// giveBack takes out of the buffer what of ahead was used. What is in the buffer stays there until more is read.
func (c *csvCursor) giveBack() {
	_, _ = c.in.Discard(c.taken - len(c.ahead))
	c.ahead, c.taken = nil, 0
}

// split cuts a line into fields and reports whether they are as many as the header has.
func (c *csvCursor) split(line []byte) bool {
	c.fields = c.fields[:0]
	for {
		i := bytes.IndexByte(line, c.delimiter)
		if i < 0 {
			c.fields = append(c.fields, line)
			return len(c.fields) == len(c.cols)
		}
		c.fields, line = append(c.fields, line[:i]), line[i+1:]
	}
}

func (c *csvCursor) cell(i int) (cell, error) {
	if c.plain {
		return cell{null: len(c.fields[i]) == 0, text: c.fields[i]}, nil
	}
	if c.record[i] == "" {
		return cell{null: true}, nil
	}
	c.buf = append(c.buf[:0], c.record[i]...)
	return cell{text: c.buf}, nil
}

// explain makes a LineError of what the reader says of a line, which has so many fields.
func (c *csvCursor) explain(err error, fields int) error {
	var parse *csv.ParseError
	if !errors.As(err, &parse) {
		return err
	}
	reason := parse.Err.Error()
	switch {
	case errors.Is(parse.Err, csv.ErrFieldCount):
		reason = fmt.Sprintf("it has %d fields, but the header has %d", fields, len(c.cols))
	case errors.Is(parse.Err, csv.ErrQuote):
		reason = "a quoted field is not closed, or has a quote inside that is not doubled"
	case errors.Is(parse.Err, csv.ErrBareQuote):
		reason = "a field has a quote inside but is not quoted; quote it and double the quote"
	}
	return &LineError{c.own + parse.StartLine, reason}
}
