// Package text opens a file of rows as UTF-8 with lines that end in "\n", whatever program wrote it. It refuses a file that holds no
// such text, and says what the file is.
package text

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
)

// Format is what the rows of a file are written in.
type Format uint8

const (
	CSV Format = iota
	NDJSON
)

// MaxRecord is the most bytes of one record or line of a file. It keeps a lost quote from reading the whole file into memory.
const MaxRecord = 16 << 20

// ErrRecordTooLong is the error of a record that has more bytes.
var ErrRecordTooLong = fmt.Errorf("a record has more than %d MiB; is a closing quote missing?", MaxRecord>>20)

// bufferSize is the size of a file's buffers. The head of a file is what one of them holds.
const bufferSize = 64 << 10

// Reader is the text of a file, read record by record. It is for one goroutine at a time.
type Reader struct {
	*bufio.Reader
	left  int
	below io.Reader
}

// Open unpacks gzip and decodes the text. A byte order mark decides about the encoding before the given one.
func Open(file io.Reader, f Format, e Encoding) (*Reader, error) {
	raw, err := unpack(file)
	if err != nil {
		return nil, err
	}
	head, err := raw.Peek(bufferSize)
	if len(head) == 0 && err != nil && err != io.EOF {
		return nil, fmt.Errorf("read the file: %w", err)
	}
	if marked, mark := markOf(head); mark > 0 {
		e = marked
		_, _ = raw.Discard(mark) // Peek has read it
		head = head[mark:]
	}
	if e.new == nil {
		if what := foreign(head, f); what != "" {
			return nil, errors.New("read the file: it is " + what)
		}
	}
	r := &Reader{left: MaxRecord, below: &lines{below: raw}}
	if e.new != nil {
		r.below = &lines{below: bufio.NewReaderSize(&decoding{below: raw, decoder: e.new()}, bufferSize)}
	}
	r.Reader = bufio.NewReaderSize(limited{r}, bufferSize)
	return r, nil
}

func unpack(file io.Reader) (*bufio.Reader, error) {
	raw := bufio.NewReaderSize(file, bufferSize)
	magic, err := raw.Peek(2)
	if err != nil && err != io.EOF {
		return nil, fmt.Errorf("read the file: %w", err)
	}
	if !bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		return raw, nil
	}
	unpacked, err := gzip.NewReader(raw)
	if err != nil {
		return nil, fmt.Errorf("unpack the file: %w", err)
	}
	return bufio.NewReaderSize(unpacked, bufferSize), nil
}

// Record begins a new record with a new allowance.
func (r *Reader) Record() { r.left = MaxRecord }

// Head returns the beginning of the text without consuming it: the whole text, or as much as fits in the buffer. An error of reading
// is left to the reads that follow.
func (r *Reader) Head() []byte {
	head, _ := r.Peek(bufferSize)
	return head
}

// limited fails once the current record has used up its allowance.
type limited struct{ *Reader }

func (l limited) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, ErrRecordTooLong
	}
	n, err := l.below.Read(p)
	l.left -= n
	return n, err
}

// endOfDOS is the Ctrl-Z with which old programs end a file.
const endOfDOS = 0x1A

// lines makes "\n" of the line ends of old Macs, a lone "\r", and drops the Ctrl-Z at the end.
type lines struct {
	below *bufio.Reader
	begun bool
	mac   bool
}

func (l *lines) Read(p []byte) (int, error) {
	if !l.begun {
		l.begun = true
		head, _ := l.below.Peek(bufferSize)
		l.mac = bytes.IndexByte(head, '\r') >= 0 && bytes.IndexByte(head, '\n') < 0
	}
	n, err := l.below.Read(p)
	for n > 0 && p[n-1] == endOfDOS {
		if _, more := l.below.Peek(1); more != io.EOF {
			break
		}
		n--
	}
	if l.mac {
		for i, c := range p[:n] {
			if c == '\r' {
				p[i] = '\n'
			}
		}
	}
	return n, err
}
