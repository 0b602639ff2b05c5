package source

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// Opener opens a file from its beginning for one scan, which closes it. Several scans may call it at once.
type Opener func() (io.ReadCloser, error)

// File returns an opener of a file on disk. Its errors are those of [os.Open]. A scan fails if the file changes while it is read.
func File(path string) Opener {
	return func() (io.ReadCloser, error) { return os.Open(path) }
}

// maxRecord is the most bytes of one record or line of a file. It keeps a lost quote from reading the whole file into memory.
const maxRecord = 16 << 20

var (
	errRecordTooLong = fmt.Errorf("a record has more than %d MiB; is a closing quote missing?", maxRecord>>20)
	errFileChanged   = errors.New("the file changed while it was read; write it under another name and rename it when it is complete")
)

// input is an opened file: plain or gzip, without its byte order mark, read record by record.
type input struct {
	*bufio.Reader
	closer io.Closer
	stat   func() (fs.FileInfo, error)
	before fs.FileInfo
	left   int
	below  io.Reader
}

// openInput opens the file, unpacks gzip, and refuses UTF-16.
func openInput(open Opener) (*input, error) {
	if open == nil {
		return nil, errors.New("open the file: there is none")
	}
	file, err := open()
	if err != nil {
		return nil, fmt.Errorf("open the file: %w", err)
	}
	in := &input{closer: file, left: maxRecord}
	if statter, ok := file.(interface{ Stat() (fs.FileInfo, error) }); ok {
		in.stat = statter.Stat
		if in.before, err = in.stat(); err != nil {
			file.Close()
			return nil, fmt.Errorf("open the file: %w", err)
		}
	}
	if err := in.unpack(file); err != nil {
		file.Close()
		return nil, err
	}
	return in, nil
}

func (in *input) unpack(file io.Reader) error {
	packed := bufio.NewReaderSize(file, 64<<10)
	in.below = packed
	magic, err := packed.Peek(2)
	if err != nil && err != io.EOF {
		return fmt.Errorf("read the file: %w", err)
	}
	if bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		if in.below, err = gzip.NewReader(packed); err != nil {
			return fmt.Errorf("unpack the file: %w", err)
		}
	}
	in.Reader = bufio.NewReaderSize(limited{in}, 64<<10)
	mark, err := in.Peek(3)
	if err != nil && err != io.EOF {
		return fmt.Errorf("read the file: %w", err)
	}
	switch {
	case bytes.HasPrefix(mark, []byte{0xFF, 0xFE}), bytes.HasPrefix(mark, []byte{0xFE, 0xFF}):
		return errors.New("read the file: it is UTF-16; save it as UTF-8")
	case bytes.Equal(mark, []byte{0xEF, 0xBB, 0xBF}):
		_, err := in.Discard(3)
		return err
	}
	return nil
}

// limited fails once the current record has used up its allowance.
type limited struct{ *input }

func (l limited) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, errRecordTooLong
	}
	n, err := l.below.Read(p)
	l.left -= n
	return n, err
}

// record begins a new record with a new allowance.
func (in *input) record() { in.left = maxRecord }

// complete returns an error if the file, now read to its end, is not the one that was opened.
func (in *input) complete() error {
	if in.stat == nil {
		return nil
	}
	after, err := in.stat()
	if err != nil {
		return fmt.Errorf("look at the file again: %w", err)
	}
	if after.Size() != in.before.Size() || !after.ModTime().Equal(in.before.ModTime()) {
		return errFileChanged
	}
	return nil
}

func (in *input) close() { _ = in.closer.Close() }

// fileBackend is a file of either format.
type fileBackend struct {
	opener Opener
	scan   func(*input) (cursor, error)
}

func (b *fileBackend) noun() string     { return "the file" }
func (b *fileBackend) castHint() string { return "Base64" }

func (b *fileBackend) ping(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	in, err := openInput(b.opener)
	if err != nil {
		return err
	}
	in.close()
	return nil
}

func (b *fileBackend) open(ctx context.Context) (cursor, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	in, err := openInput(b.opener)
	if err != nil {
		return nil, err
	}
	c, err := b.scan(in)
	if err != nil {
		in.close()
		return nil, err
	}
	return c, nil
}
