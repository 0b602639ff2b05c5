package source

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"owlatsync"
	"owlatsync/source/internal/ahead"
	"owlatsync/source/internal/cell"
)

// CSVOption changes how a CSV file is read.
type CSVOption func(*csvFormat) error

type csvFormat struct{ delimiter rune }

// Delimiter sets the character that separates the fields; the default is the comma. It fails for a quote, a line break and an
// invalid character.
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

// CSV returns the rows of a CSV file (RFC 4180, plain or gzip, UTF-8 with or without byte order mark). Its first record names the
// columns; blanks around a name do not count. All values are texts, and an empty field is NULL. A line that does not fit the header
// or the format ends the scan as incomplete with a [LineError]. A record has at most 16 MiB. CSV opens nothing; its error comes
// from an option or from [Mapping.Validate].
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
	r := &csvReader{in: in, records: csv.NewReader(in.Reader)}
	r.records.Comma, r.records.ReuseRecord = f.delimiter, true
	if f.delimiter < utf8.RuneSelf {
		r.delimiter = byte(f.delimiter)
	}
	header, err := r.records.Read()
	switch {
	case err == io.EOF:
		return nil, errors.New("read the header: the file is empty, but its first line must name the columns")
	case err != nil:
		return nil, fmt.Errorf("read the header: %w", r.explain(err, 0))
	}
	c := &csvCursor{in: in, reader: r}
	for _, name := range header {
		c.cols = append(c.cols, column{Column: Column{Name: strings.TrimSpace(name)}})
	}
	r.width = len(header)
	r.count(header)
	return c, nil
}

// csvCursor is a scan of a CSV file. It reads ahead after the first row was asked for.
type csvCursor struct {
	in     *input
	reader *csvReader
	cols   []column

	feed   *ahead.Feed[csvBatch]
	cancel context.CancelFunc
	batch  *csvBatch
	at     int // rows of the batch before the current one
	line   int
}

func (c *csvCursor) columns() []column { return c.cols }
func (c *csvCursor) position() owlatsync.Position {
	return owlatsync.Position{Unit: "line", Number: c.line}
}

func (c *csvCursor) close() {
	if c.feed != nil {
		c.cancel()
		c.feed.Wait()
	}
	c.in.close()
}

func (c *csvCursor) next() (bool, error) {
	if c.at++; c.batch == nil || c.at >= len(c.batch.lines) {
		if more, err := c.nextBatch(); !more {
			return false, err
		}
	}
	c.line = c.batch.lines[c.at]
	return true, nil
}

// nextBatch moves on to a batch that has rows; false without an error is the complete end.
func (c *csvCursor) nextBatch() (bool, error) {
	if c.feed == nil {
		var ctx context.Context
		ctx, c.cancel = context.WithCancel(context.Background()) // close ends it
		c.feed = ahead.Start(ctx, c.reader.fill)
	}
	for c.batch == nil || c.batch.err == nil {
		if c.batch, c.at = c.feed.Next(c.batch), 0; len(c.batch.lines) > 0 {
			return true, nil
		}
	}
	if c.batch.err == io.EOF {
		return false, c.in.complete()
	}
	return false, c.batch.err
}

func (c *csvCursor) cell(i int) (cell.Cell, error) {
	f := c.batch.fields[c.at*len(c.cols)+i]
	return cell.Cell{Null: f.start == f.end, Kept: c.batch.kept, Text: c.batch.text[f.start:f.end]}, nil
}
