package source

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"

	"owlatsync/source/internal/ahead"
	"owlatsync/source/internal/cell"
)

// csvBatch is a number of rows whose texts lie in one buffer.
type csvBatch struct {
	lines  []int      // line numbers of the rows
	fields []csvField // row by row
	text   []byte
	kept   bool   // text is valid and part of a string
	buf    []byte // memory for text otherwise
	err    error  // the error after the rows; io.EOF is the end
}

// csvField is the place of a field in the batch's text.
type csvField struct{ start, end uint32 }

// csvReader reads most lines itself: those without a quote, for which encoding/csv would give the same. encoding/csv reads the
// others. Both read from one buffer, so that each line goes to only one of them.
type csvReader struct {
	in        *input
	records   *csv.Reader
	delimiter byte // 0 if it has more than one byte
	width     int  // number of fields in the header
	own       int  // lines read without encoding/csv
	others    int  // lines read by encoding/csv
}

// keptMost is the most bytes of lines that become one string: larger strings take far longer to allocate.
const keptMost = 32 << 10

// fill reads the next rows of one kind, and reports whether they are the last.
func (r *csvReader) fill(b *csvBatch) (last bool) {
	b.lines, b.fields, b.buf, b.kept, b.err = b.lines[:0], b.fields[:0], b.buf[:0], false, nil
	for len(b.lines) < ahead.BatchRows && len(b.buf) < keptMost && b.err == nil {
		r.in.record()
		plain, err := r.plainLines()
		switch {
		case err != nil:
			b.err = err
		case len(plain) == 0:
			b.err = r.record(b)
		case len(b.lines) > 0: // quoted lines get their own batch
			b.text = b.buf
			return false
		case r.split(plain, b):
			return false
		}
	}
	b.text = b.buf
	return b.err != nil
}

// plainLines returns the lines at the beginning of the buffer that have no quote, without consuming them. It reads once more if the
// buffer holds no whole line.
func (r *csvReader) plainLines() ([]byte, error) {
	if r.delimiter == 0 {
		return nil, nil
	}
	for fetched := false; ; fetched = true {
		ahead, _ := r.in.Peek(min(r.in.Buffered(), keptMost))
		quote := bytes.IndexByte(ahead, '"')
		if quote >= 0 {
			ahead = ahead[:quote]
		}
		if end := bytes.LastIndexByte(ahead, '\n') + 1; end > 0 || quote >= 0 || fetched {
			return ahead[:end], nil
		}
		_, err := r.in.Peek(len(ahead) + 1)
		if err != nil && err != io.EOF && err != bufio.ErrBufferFull {
			return nil, err
		}
	}
}

// split takes plain lines out of the buffer, up to one with another number of fields than the header, and reports whether it made
// rows. If that line is the first, encoding/csv says what is wrong with it.
func (r *csvReader) split(plain []byte, b *csvBatch) bool {
	if b.kept = cell.IsText(plain); b.kept {
		b.text = cell.BytesOf(string(plain))
	} else {
		b.buf = append(b.buf, plain...)
		b.text = b.buf
	}
	at := 0
	for at < len(plain) {
		size := bytes.IndexByte(b.text[at:], '\n')
		end := at + size
		if size > 0 && b.text[end-1] == '\r' {
			end--
		}
		if end > at { // a blank line is no row
			known := len(b.fields)
			b.split(at, end, r.delimiter)
			if len(b.fields)-known != r.width {
				b.fields = b.fields[:known]
				break
			}
			b.lines = append(b.lines, r.own+r.others+1)
		}
		at += size + 1
		r.own++
	}
	_, _ = r.in.Discard(at)
	if len(b.lines) > 0 {
		return true
	}
	b.buf, b.kept = b.buf[:0], false
	if at < len(plain) {
		b.err = r.record(b)
	}
	return false
}

// split cuts a part of the text into fields.
func (b *csvBatch) split(start, end int, delimiter byte) {
	for {
		size := bytes.IndexByte(b.text[start:end], delimiter)
		if size < 0 {
			b.fields = append(b.fields, csvField{uint32(start), uint32(end)})
			return
		}
		b.fields = append(b.fields, csvField{uint32(start), uint32(start + size)})
		start += size + 1
	}
}

// record adds a record of encoding/csv to the batch.
func (r *csvReader) record(b *csvBatch) error {
	record, err := r.records.Read()
	if err == io.EOF {
		return err
	}
	if err != nil {
		return r.explain(err, len(record))
	}
	for _, field := range record {
		start := len(b.buf)
		b.buf = append(b.buf, field...)
		b.fields = append(b.fields, csvField{uint32(start), uint32(len(b.buf))})
	}
	b.lines = append(b.lines, r.count(record))
	return nil
}

// count counts the lines of a record of encoding/csv, and returns its first line.
func (r *csvReader) count(record []string) int {
	line, _ := r.records.FieldPos(0)
	r.others = line
	for _, field := range record {
		r.others += strings.Count(field, "\n")
	}
	return r.own + line
}

// explain makes a LineError of an error of encoding/csv. Fields is the number of fields in the line.
func (r *csvReader) explain(err error, fields int) error {
	var parse *csv.ParseError
	if !errors.As(err, &parse) {
		return err
	}
	reason := parse.Err.Error()
	switch {
	case errors.Is(parse.Err, csv.ErrFieldCount):
		reason = fmt.Sprintf("it has %d fields, but the header has %d", fields, r.width)
	case errors.Is(parse.Err, csv.ErrQuote):
		reason = "a quoted field is not closed, or has a quote inside that is not doubled"
	case errors.Is(parse.Err, csv.ErrBareQuote):
		reason = "a field has a quote inside but is not quoted; quote it and double the quote"
	}
	return &LineError{r.own + parse.StartLine, reason}
}
