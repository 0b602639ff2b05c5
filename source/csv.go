package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"unicode/utf8"

	"owlatsync"
	"owlatsync/source/internal/ahead"
	"owlatsync/source/internal/cell"
	"owlatsync/source/internal/delimited"
	"owlatsync/source/internal/text"
)

// CSVOption changes how a CSV file is read.
type CSVOption func(*csvFormat) error

type csvFormat struct {
	delimiter rune // 0: not given
	encoding  text.Encoding
}

// Delimiter sets the character that separates the fields. Without it the first line may name one, as in "sep=;"; the default is the
// comma. It fails for a quote, a line break and an invalid character.
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

// Encoding sets how the file writes its characters; the default is UTF-8. A byte order mark in the file takes precedence. The name
// is one such as "windows-1252", "iso-8859-15", "macintosh" or "utf-16le", in any letter case. It fails for other names. A
// character that the encoding does not have makes the row a defect.
func Encoding(name string) CSVOption {
	return func(f *csvFormat) (err error) {
		if f.encoding, err = text.Lookup(name); err != nil {
			return fmt.Errorf("choose the encoding: %w", err)
		}
		return nil
	}
}

// CSV returns the rows of a CSV file (RFC 4180, plain or gzip, UTF-8 or UTF-16 with a byte order mark, or the [Encoding]). Its header
// is the first of its first 50 records that names all mapped columns; blanks around a name do not count. All values are texts. An
// empty field is NULL, and so are \N and, unless it is quoted, the word NULL. Lines end as in Windows, Unix or old Macs.
//
// What is no row is passed over: a line "sep=;", a title before the header and a line that underlines it, lines without values, and a
// line of totals after the last row. Empty fields beyond the header do not count, and fields at the end that no mapped column needs
// may be missing.
//
// Another line that does not fit the header or the format makes the row a defect without a key, and the next line is read on its
// own. If most rows are such, and at least 20, the scan ends as incomplete with a [LineError]. A record has at most 16 MiB. A file
// that is no CSV, such as a workbook, is refused with what it is. CSV opens nothing; its error comes from an option or from
// [Mapping.Validate].
func CSV(open Opener, m Mapping, options ...CSVOption) (*Table, error) {
	format, err := newCSVFormat(options)
	if err != nil {
		return nil, err
	}
	wanted := m.columns()
	return newTable(m, &fileBackend{open, text.CSV, format.encoding, func(in *input) (cursor, error) { return format.scan(in, wanted) }})
}

func newCSVFormat(options []CSVOption) (f csvFormat, err error) {
	for _, o := range options {
		if err := o(&f); err != nil {
			return f, err
		}
	}
	return f, nil
}

// columns lists the mapped columns.
func (m Mapping) columns() (names []string) {
	names = append(names, m.Key...)
	names = append(names, m.Email, m.FullName)
	names = append(append(append(names, m.Fields[:]...), m.Topics...), m.Suppressed)
	for _, p := range m.Properties {
		names = append(names, p.Column)
	}
	return slices.DeleteFunc(names, func(name string) bool { return name == "" })
}

func (f csvFormat) scan(in *input, wanted []string) (cursor, error) {
	reader, err := delimited.New(in.Reader, delimited.Options{Delimiter: f.delimiter, Wanted: wanted})
	switch {
	case err == io.EOF:
		return nil, errors.New("read the header: the file is empty, but its first line must name the columns")
	case err != nil:
		return nil, fmt.Errorf("read the header: %w", lineError(err))
	}
	c := &csvCursor{in: in, reader: reader}
	for _, name := range reader.Names() {
		c.cols = append(c.cols, column{Column: Column{Name: name}})
	}
	return c, nil
}

// lineError makes the package's own error of one of a reader.
func lineError(err error) error {
	if line, ok := errors.AsType[*delimited.LineError](err); ok {
		return &LineError{line.Line, line.Reason}
	}
	return err
}

// csvCursor is a scan of a CSV file. It reads ahead after the first row was asked for.
type csvCursor struct {
	in     *input
	reader *delimited.Reader
	cols   []column

	feed   *ahead.Feed[delimited.Batch]
	cancel context.CancelFunc
	batch  *delimited.Batch
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
	if c.at++; c.batch == nil || c.at >= len(c.batch.Lines) {
		if more, err := c.nextBatch(); !more {
			return false, err
		}
	}
	c.line = c.batch.Lines[c.at]
	return true, nil
}

// nextBatch moves on to a batch that has rows; false without an error is the complete end.
func (c *csvCursor) nextBatch() (bool, error) {
	if c.feed == nil {
		var ctx context.Context
		ctx, c.cancel = context.WithCancel(context.Background()) // close ends it
		c.feed = ahead.Start(ctx, c.reader.Fill)
	}
	for c.batch == nil || c.batch.Err == nil {
		if c.batch, c.at = c.feed.Next(c.batch), 0; len(c.batch.Lines) > 0 {
			return true, nil
		}
	}
	if c.batch.Err == io.EOF {
		return false, c.in.complete()
	}
	return false, lineError(c.batch.Err)
}

func (c *csvCursor) cell(i int) (cell.Cell, error) { return c.batch.Cell(c.at, i), nil }

func (c *csvCursor) broken() string { return c.batch.Broken(c.at) }
