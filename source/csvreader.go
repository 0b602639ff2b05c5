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
	lines  []int      // where the rows begin
	fields []csvField // row by row
	text   []byte
	kept   bool   // text is a string's and needs no look
	buf    []byte // for text that is none
	err    error  // what came after the rows; io.EOF is the end
}

// csvField is where a field lies in the batch's text.
type csvField struct{ start, end uint32 }

// csvReader reads most lines itself: those without a quote, of which encoding/csv would make just the same. It gets the
// others from there; both take from one buffer, and what one has read the other has not.
type csvReader struct {
	in        *input
	records   *csv.Reader
	delimiter byte // 0 where it has more than one
	width     int  // how many fields the header has
	own       int  // lines that were read without encoding/csv
	others    int  // lines that it has read
}

// keptMost is how many bytes of lines become one string: what is larger is far more work to allocate.
const keptMost = 32 << 10

// fill reads the next rows, of one kind, and reports whether they are the last.
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
		case len(b.lines) > 0: // they get a batch of their own
			b.text = b.buf
			return false
		case r.split(plain, b):
			return false
		}
	}
	b.text = b.buf
	return b.err != nil
}

// plainLines returns the lines at the beginning of the buffer that have no quote, and reads once more where it holds no whole
// line. They stay in the buffer.
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

// split takes plain lines out of the buffer, up to one that has not as many fields as the header, and reports whether it made
// rows of any. Where that is the first of them, encoding/csv tells what is wrong with it.
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
		if end > at { // else it is blank
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

// record takes a record of encoding/csv's into the batch.
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

// count counts the lines of a record of encoding/csv's and returns the first of them.
func (r *csvReader) count(record []string) int {
	line, _ := r.records.FieldPos(0)
	r.others = line
	for _, field := range record {
		r.others += strings.Count(field, "\n")
	}
	return r.own + line
}

// explain makes a LineError of what encoding/csv says of a line, which has so many fields.
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
