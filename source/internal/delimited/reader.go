// Package delimited reads the rows of a CSV file. It finds the header behind a title, takes what is certain whatever program wrote
// it, and makes one broken row of one broken line, as long as the file keeps its shape.
//
// The one idea to know: most lines have no quote, and are cut at the delimiter where they lie in the buffer. Only the others are
// parsed. Both read from one buffer, so that each line goes to only one of them.
package delimited

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"unicode/utf8"

	"owlatsync/source/internal/ahead"
	"owlatsync/source/internal/cell"
	"owlatsync/source/internal/text"
)

// LineError says which line cannot be read. It never contains the line's text.
type LineError struct {
	Line   int
	Reason string
}

func (e *LineError) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Reason) }

// Options say how a file is read.
type Options struct {
	Delimiter rune     // 0: the one of a line such as "sep=;", else the comma
	Wanted    []string // columns that the header has, if they are known
}

// Reader reads the rows of a file.
type Reader struct {
	in        *text.Reader
	scan      scanner
	names     []string
	delimiter byte // 0 if it has more than one byte
	aligned   bool // blanks around a value only align it
	need      int  // fields that a row must have: those up to the last wanted one

	rows, broken int
	first        LineError // the first broken line
}

// Head is what the beginning of a file says of it.
type Head struct {
	Delimiter rune
	Names     []string // of the header
	Line      int      // of the header
	Told      bool     // a line such as "sep=;" names the delimiter
}

// Look reads the beginning of a file without consuming it. Without a delimiter it takes the likeliest.
func Look(in *text.Reader, o Options) (Head, error) {
	head := in.Head()
	h, skip, err := told(head, o.Delimiter)
	if err != nil {
		return Head{}, err
	}
	cut := isCut(head)
	if h.Delimiter == 0 {
		h.Delimiter = guessDelimiter(head[skip:], cut)
	}
	r := headerOf(recordsOf(head[skip:], h.Delimiter, cut), o.Wanted)
	h.Names, h.Line = r.names(), r.lines+1
	if h.Told {
		h.Line++
	}
	return h, nil
}

// isCut reports whether a head is not all that its file has.
func isCut(head []byte) bool { return len(head) >= 64<<10 }

// told reads the line that names the delimiter, and returns its size.
func told(head []byte, delimiter rune) (h Head, size int, err error) {
	found := sepLine.FindSubmatch(head[:min(len(head), 64)])
	if found == nil {
		return Head{Delimiter: delimiter}, 0, nil
	}
	named, _ := utf8.DecodeRune(found[1])
	if delimiter != 0 && delimiter != named {
		return Head{}, 0, &LineError{1, fmt.Sprintf("it names the delimiter %q, but the option names %q; remove the option", named, delimiter)}
	}
	return Head{Delimiter: named, Told: true}, len(found[0]), nil
}

// New reads up to the first row. The error is a [LineError] for a header that cannot be read, and io.EOF if there is none.
func New(in *text.Reader, o Options) (*Reader, error) {
	head := in.Head()
	h, skip, err := told(head, o.Delimiter)
	if err != nil {
		return nil, err
	}
	if h.Delimiter == 0 {
		h.Delimiter = delimiters[0]
	}
	r := &Reader{in: in, scan: scanner{in: in.Reader, record: in.Record, delimiter: []byte(string(h.Delimiter))}}
	if h.Delimiter < utf8.RuneSelf {
		r.delimiter = byte(h.Delimiter)
	}
	before := headerOf(recordsOf(head[skip:], h.Delimiter, isCut(head)), o.Wanted)
	_, _ = in.Discard(skip + before.start) // Head has read them
	if r.scan.line = before.lines; h.Told {
		r.scan.line++
	}
	return r, r.header(o.Wanted)
}

// header reads the header.
func (r *Reader) header(wanted []string) error {
	var b Batch
	line, reason, err := r.scan.next(&b)
	if err != nil {
		return err
	}
	if reason != "" {
		return &LineError{line, reason}
	}
	b.text = b.buf
	var h headRecord
	for _, f := range b.fields {
		h.fields = append(h.fields, string(b.value(f)))
	}
	r.names = h.names()
	if len(r.names) == 0 {
		return &LineError{line, "it must name the columns, but all its cells are empty"}
	}
	r.need = len(r.names)
	if h.has(wanted) && len(wanted) > 0 {
		r.need = 0
		for _, name := range wanted {
			r.need = max(r.need, slices.Index(r.names, name)+1)
		}
	}
	if len(r.scan.ahead) == 0 {
		if under := rule.Find(r.in.Head()); under != nil {
			if r.aligned = bytes.IndexByte(under, '+') >= 0; r.aligned {
				r.delimiter = 0
			}
			_, _ = r.in.Discard(len(under)) // Head has read them
			r.scan.line++
		}
	}
	return nil
}

// Names returns the names of the columns.
func (r *Reader) Names() []string { return r.names }

// keptMost is the most bytes of lines that become one string: larger strings take far longer to allocate.
const keptMost = 32 << 10

// Fill reads the next rows of one kind, and reports whether they are the last.
func (r *Reader) Fill(b *Batch) (last bool) {
	b.reset(len(r.names))
	r.fill(b)
	b.text = b.buf
	if b.kept {
		b.text = b.whole
	}
	if b.Err == io.EOF {
		r.trim(b)
	}
	if err := r.lost(); err != nil && (b.Err == nil || b.Err == io.EOF) {
		b.Err = err
	}
	return b.Err != nil
}

func (r *Reader) fill(b *Batch) {
	for len(b.Lines) < ahead.BatchRows && len(b.buf) < keptMost && b.Err == nil {
		r.in.Record()
		plain, err := r.plainLines()
		switch {
		case err != nil:
			b.Err = err
		case len(plain) == 0:
			b.Err = r.record(b)
		case len(b.Lines) > 0 || r.split(plain, b): // quoted lines get their own batch
			if r.atEnd() {
				b.Err = io.EOF
			}
			return
		}
	}
}

// plainLines returns the lines at the beginning of the buffer that have no quote, without consuming them. It reads once more if the
// buffer holds no whole line.
func (r *Reader) plainLines() ([]byte, error) {
	if r.delimiter == 0 || len(r.scan.ahead) > 0 {
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
		if err != nil && err != io.EOF && !errors.Is(err, bufio.ErrBufferFull) {
			return nil, err
		}
	}
}

// split takes plain lines out of the buffer, up to one that is no row, and reports whether it made rows. If that line is the first,
// it is read as a record, which may be broken.
func (r *Reader) split(plain []byte, b *Batch) bool {
	if b.kept = cell.IsText(plain); b.kept {
		b.whole = cell.BytesOf(string(plain))
		b.text = b.whole
	} else {
		b.buf = append(b.buf, plain...)
		b.text = b.buf
	}
	at, lines := 0, r.scan.line
	for at < len(plain) {
		size := bytes.IndexByte(b.text[at:], '\n')
		end := at + size
		if size > 0 && b.text[end-1] == '\r' {
			end--
		}
		if end > at { // a blank line is no row
			known := len(b.fields)
			b.split(at, end, r.delimiter)
			switch n := len(b.fields) - known; {
			case end-at == n-1, (b.text[at] <= ' ' || b.text[at] == r.delimiter) && allBlank(b, b.fields[known:]): // empty cells are no row either
				b.fields = b.fields[:known]
			case n != b.width && r.fit(b, known) != "":
				b.fields = b.fields[:known]
				plain = plain[:at]
				continue
			default:
				b.Lines = append(b.Lines, r.scan.line+1)
			}
		}
		at += size + 1
		r.scan.line++
	}
	_, _ = r.in.Discard(at) // plain lines lie in the buffer
	if r.rows += len(b.Lines); len(b.Lines) > 0 {
		return true
	}
	b.buf, b.kept = b.buf[:0], false
	if r.scan.line == lines {
		b.Err = r.record(b)
	}
	return false
}

// record adds the next record to the batch, unless all its fields are blank.
func (r *Reader) record(b *Batch) error {
	known := len(b.fields)
	line, reason, err := r.scan.next(b)
	if err != nil {
		return err
	}
	b.text = b.buf
	fields := b.fields[known:]
	if r.aligned {
		align(b, fields)
	}
	if reason == "" && allBlank(b, fields) {
		b.fields = b.fields[:known]
		return nil
	}
	if reason == "" {
		if reason = r.fit(b, known); reason != "" && isFooter(b, fields) {
			if b.footers == nil {
				b.footers = make(map[int]bool)
			}
			b.footers[len(b.Lines)] = true
		}
	}
	if reason == "" {
		r.rows++
		b.Lines = append(b.Lines, line)
		return nil
	}
	if short := reason == openQuote || len(fields) < b.width; short && r.scan.unended && !b.footers[len(b.Lines)] {
		b.fields = b.fields[:known]
		return &LineError{line, reason + "; the file breaks off in it"}
	}
	if r.broken++; r.broken == 1 {
		r.first = LineError{line, reason}
	}
	b.breakRow(known, line, reason)
	return nil
}

// fit makes the fields since known a row, and says why they are none. Empty fields beyond the header are no values, and what is
// missing at the end is NULL where nothing is read from it.
func (r *Reader) fit(b *Batch, known int) (reason string) {
	n := len(b.fields) - known
	all := n
	for n > b.width && blank(b.value(b.fields[known+n-1])) {
		n--
	}
	b.fields = b.fields[:known+n]
	switch {
	case n > b.width:
		return fmt.Sprintf("the line has %d fields, but the header has %d; quote a cell that holds the delimiter", all, b.width)
	case n < r.need:
		return fmt.Sprintf("the line has %d fields, but the header has %d", all, b.width)
	}
	for ; n < b.width; n++ {
		b.fields = append(b.fields, field{})
	}
	return ""
}

// align takes the blanks off the values.
func align(b *Batch, fields []field) {
	for i := range fields {
		f := &fields[i]
		for f.start < f.end && b.text[f.start] == ' ' {
			f.start++
		}
		for f.start < f.end && b.text[f.end-1] == ' ' {
			f.end--
		}
	}
}

func blank(value []byte) bool { return len(bytes.TrimSpace(value)) == 0 }

func allBlank(b *Batch, fields []field) bool {
	return !slices.ContainsFunc(fields, func(f field) bool { return !blank(b.value(f)) })
}

// forgiven is how many lines may be broken, even if they are most of a file.
const forgiven = 20

// lost returns an error if the file has lost its shape: too many lines are broken to believe in the others.
func (r *Reader) lost() error {
	if r.broken < forgiven || r.broken <= r.rows {
		return nil
	}
	return &LineError{r.first.Line, fmt.Sprintf("%s; the file has lost its shape: %d of its first %d rows are broken", r.first.Reason, r.broken, r.rows+r.broken)}
}
