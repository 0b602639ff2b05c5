package delimited

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"owlatsync/source/internal/text"
)

// Why a line is no row. The reasons never contain its text.
const (
	strayQuote = "the line has a quote inside a cell that is not quoted; quote the cell and double the quote"
	openQuote  = "the line has a quoted cell that is not closed, or with a quote inside that is not doubled"
)

// scanner reads one record after the other, of which any may be broken. It keeps the lines of the current record, so that after a
// quote that nothing closes the next line is read as a line of its own.
type scanner struct {
	in        *bufio.Reader
	record    func() // begins a new allowance
	delimiter []byte
	ahead     []byte // what was read and belongs to no record yet
	line      int    // lines that belong to records
	used      int    // bytes of them
	unended   bool   // the last of them has no line end
	err       error  // of reading; io.EOF is the end
}

// more reads ahead up to the end of a line. It returns false at the end and after an error, which stays in err.
func (s *scanner) more() bool {
	start := len(s.ahead)
	for s.err == nil {
		part, err := s.in.ReadSlice('\n')
		s.ahead = append(s.ahead, part...)
		if err == nil {
			return true
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			s.err = err
		}
	}
	return s.err == io.EOF && len(s.ahead) > start
}

// next adds the fields of the next record to the batch, and returns the line where it begins. Reason says why the record is broken; it
// then has no fields. Blank lines do not count. The error is io.EOF at the end.
func (s *scanner) next(b *Batch) (line int, reason string, err error) {
	for {
		s.record()
		whole := bytes.IndexByte(s.ahead, '\n') >= 0
		if !whole && !s.more() && (s.err != io.EOF || len(s.ahead) == 0) {
			return 0, "", s.err // a line that is cut off is no line
		}
		if lineEnd(s.ahead) > 0 {
			break
		}
		s.take(afterLine(s.ahead))
	}
	line = s.line + 1
	known, size := len(b.fields), len(b.buf)
	used, reason := s.fields(b)
	if reason != "" {
		if s.err == text.ErrRecordTooLong {
			s.err = nil // the lines after the first are read again
		}
		if s.err != nil && s.err != io.EOF {
			return 0, "", s.err
		}
		b.fields, b.buf = b.fields[:known], b.buf[:size]
		used = afterLine(s.ahead)
	}
	s.take(used)
	return line, reason, nil
}

// take consumes what belongs to a record.
func (s *scanner) take(size int) {
	s.line += bytes.Count(s.ahead[:size], newline)
	s.used += size
	s.unended = size > 0 && s.ahead[size-1] != '\n'
	if size < len(s.ahead) {
		s.ahead = s.ahead[size:]
		return
	}
	s.ahead = s.ahead[:0]
}

// fields adds the fields of the record that is ahead, and returns its size.
func (s *scanner) fields(b *Batch) (used int, reason string) {
	at, end := 0, lineEnd(s.ahead)
	for {
		start := len(b.buf)
		quoted := at < end && s.ahead[at] == '"'
		if quoted {
			if at, reason = s.quoted(b, at+1); reason != "" {
				return 0, reason
			}
			if end = at + lineEnd(s.ahead[at:]); at < end && !bytes.HasPrefix(s.ahead[at:end], s.delimiter) {
				return 0, openQuote
			}
		} else {
			size := bytes.Index(s.ahead[at:end], s.delimiter)
			if size < 0 {
				size = end - at
			}
			if bytes.IndexByte(s.ahead[at:at+size], '"') >= 0 {
				return 0, strayQuote
			}
			b.buf = append(b.buf, s.ahead[at:at+size]...)
			at += size
		}
		b.fields = append(b.fields, field{uint32(start), uint32(len(b.buf)), quoted})
		if at == end {
			return at + afterLine(s.ahead[at:]), ""
		}
		at += len(s.delimiter)
	}
}

// quoted adds the text of a quoted field, and returns where it ends.
func (s *scanner) quoted(b *Batch, at int) (end int, reason string) {
	for {
		size := bytes.IndexByte(s.ahead[at:], '"')
		if size < 0 {
			b.buf = appendLines(b.buf, s.ahead[at:])
			if at = len(s.ahead); !s.more() {
				return 0, openQuote
			}
			continue
		}
		b.buf = appendLines(b.buf, s.ahead[at:at+size])
		if at += size + 1; at == len(s.ahead) || s.ahead[at] != '"' {
			return at, ""
		}
		b.buf = append(b.buf, '"')
		at++
	}
}

// appendLines appends a text with line ends of one kind.
func appendLines(dst, lines []byte) []byte {
	for {
		at := bytes.Index(lines, crlf)
		if at < 0 {
			return append(dst, lines...)
		}
		dst = append(dst, lines[:at]...)
		lines = lines[at+1:]
	}
}

var (
	newline = []byte{'\n'}
	crlf    = []byte("\r\n")
)

// lineEnd returns where the text of the first line ends.
func lineEnd(b []byte) int {
	end := bytes.IndexByte(b, '\n')
	if end < 0 {
		end = len(b)
	}
	if end > 0 && b[end-1] == '\r' {
		end--
	}
	return end
}

// afterLine returns where the second line begins.
func afterLine(b []byte) int {
	if end := bytes.IndexByte(b, '\n'); end >= 0 {
		return end + 1
	}
	return len(b)
}
