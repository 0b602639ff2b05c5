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
	isPlain   bool // the row is a plain line, not a record
	line      int

	record []string // of the reader's
	others int      // lines that the reader has read
	buf    []byte

	plain  []byte     // whole lines without quotes: in the buffer, or a string's where they are UTF-8
	kept   bool       // they are a string's
	at     int        // how much of them was read
	fields []csvField // of the last of them
	own    int        // lines that were read without the reader
}

// csvField is where a field lies in the plain lines.
type csvField struct{ start, end int }

func (c *csvCursor) columns() []column { return c.cols }
func (c *csvCursor) position() owlatsync.Position {
	return owlatsync.Position{Unit: "line", Number: c.line}
}
func (c *csvCursor) close() { c.in.close() }

func (c *csvCursor) next() (bool, error) {
	c.in.record()
	var err error
	if c.isPlain, err = c.plainLine(); c.isPlain || err != nil {
		return c.isPlain, err
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
		size := bytes.IndexByte(c.plain[c.at:], '\n')
		if size < 0 {
			if more, err := c.lookAhead(); !more {
				return false, err
			}
			continue
		}
		start, end := c.at, c.at+size
		if size > 0 && c.plain[end-1] == '\r' {
			end--
		}
		if end > start && !c.split(start, end) {
			c.giveBack()
			return false, nil
		}
		c.at = start + size + 1
		c.own++
		c.line = c.own + c.others
		if end > start {
			return true, nil
		}
	}
}

// keptMost is how many bytes of lines become one string: what is larger is far more work to allocate.
const keptMost = 32 << 10

// lookAhead makes plain the lines at the beginning of the buffer that have no quote, and reads once more where it holds no
// whole line; false: there are none.
func (c *csvCursor) lookAhead() (bool, error) {
	c.giveBack()
	if c.delimiter == 0 {
		return false, nil
	}
	for fetched := false; ; fetched = true {
		ahead, _ := c.in.Peek(min(c.in.Buffered(), keptMost))
		quote := bytes.IndexByte(ahead, '"')
		if quote >= 0 {
			ahead = ahead[:quote]
		}
		if end := bytes.LastIndexByte(ahead, '\n') + 1; end > 0 {
			c.plain = ahead[:end]
			if utf8.Valid(c.plain) {
				c.plain, c.kept = bytesOf(string(c.plain)), true
			}
			return true, nil
		}
		if quote >= 0 || fetched {
			return false, nil
		}
		_, err := c.in.Peek(len(ahead) + 1)
		if err != nil && err != io.EOF && err != bufio.ErrBufferFull {
			return false, err
		}
	}
}

// giveBack takes out of the buffer what of the plain lines was used. What is in the buffer stays there until more is read.
func (c *csvCursor) giveBack() {
	_, _ = c.in.Discard(c.at)
	c.plain, c.kept, c.at = nil, false, 0
}

// split cuts a plain line into fields and reports whether they are as many as the header has.
func (c *csvCursor) split(start, end int) bool {
	c.fields = c.fields[:0]
	for {
		size := bytes.IndexByte(c.plain[start:end], c.delimiter)
		if size < 0 {
			c.fields = append(c.fields, csvField{start, end})
			return len(c.fields) == len(c.cols)
		}
		c.fields = append(c.fields, csvField{start, start + size})
		start += size + 1
	}
}

func (c *csvCursor) cell(i int) (cell, error) {
	if c.isPlain {
		f := c.fields[i]
		return cell{null: f.start == f.end, kept: c.kept, text: c.plain[f.start:f.end]}, nil
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
