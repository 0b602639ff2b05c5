package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"owlatsync/source/internal/text"
)

// Opener opens a file from its beginning for one scan, which closes it. Several scans may call it at once.
type Opener func() (io.ReadCloser, error)

// File returns an opener of a file on disk. Its errors are those of [os.Open]. A scan fails if the file changes while it is read.
func File(path string) Opener {
	return func() (io.ReadCloser, error) { return os.Open(path) }
}

var errNoFile = errors.New("open the file: there is none")

var errFileChanged = errors.New("the file changed while it was read; write it under another name and rename it when it is complete")

// input is an opened file, read record by record.
type input struct {
	*text.Reader
	closer io.Closer
	stat   func() (fs.FileInfo, error)
	before fs.FileInfo
}

// openInput opens the file as text.
func openInput(open Opener, f text.Format, e text.Encoding) (*input, error) {
	if open == nil {
		return nil, errNoFile
	}
	file, err := open()
	if err != nil {
		return nil, fmt.Errorf("open the file: %w", err)
	}
	in := &input{closer: file}
	if statter, ok := file.(interface{ Stat() (fs.FileInfo, error) }); ok {
		in.stat = statter.Stat
		if in.before, err = in.stat(); err != nil {
			file.Close()
			return nil, fmt.Errorf("open the file: %w", err)
		}
	}
	if in.Reader, err = text.Open(file, f, e); err != nil {
		file.Close()
		return nil, err
	}
	return in, nil
}

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
	opener   Opener
	format   text.Format
	encoding text.Encoding
	scan     func(*input) (cursor, error)
}

func (b *fileBackend) noun() string     { return "the file" }
func (b *fileBackend) castHint() string { return "Base64" }

// strange says why a value of a file in another encoding is no UTF-8; empty if it is in UTF-8.
func (b *fileBackend) strange() string {
	if name := b.encoding.String(); name != text.UTF8 {
		return "holds a byte that is no character of " + name
	}
	return ""
}

func (b *fileBackend) ping(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	in, err := openInput(b.opener, b.format, b.encoding)
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
	in, err := openInput(b.opener, b.format, b.encoding)
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
