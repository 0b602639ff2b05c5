package scratch

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"syscall"

	"github.com/klauspost/compress/s2"
)

// file is a temporary file of bodies, each after its length. They are compressed in blocks, each after its length.
type file struct {
	f      *os.File
	end    int64  // length of what is written
	block  []byte // bodies that are yet to be written
	packed []byte // the block, compressed
	framed []byte // the same after its length
	path   string
	folder string
}

func create(folder string) (*file, error) {
	f, err := os.CreateTemp(folder, ".owlat-sync-plan-*") // readable by its owner only
	if err != nil {
		return nil, trouble("make a temporary file for what is to be done", folder, err)
	}
	path := f.Name()
	if err := os.Remove(path); err == nil { // outside Unix only close can remove it
		path = ""
	}
	return &file{f: f, path: path, folder: folder}, nil
}

// trouble names the folder, in place of a file that it does not show, and what to do.
func trouble(what, folder string, err error) error {
	if at, ok := errors.AsType[*fs.PathError](err); ok {
		err = at.Err
	}
	if folder == "" {
		folder = os.TempDir()
	}
	advice := ""
	switch {
	case errors.Is(err, syscall.ENOSPC):
		advice = ": free some space there"
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		advice = ": allow this user to write there"
	}
	return fmt.Errorf("%s in %s: %w%s", what, folder, err, advice)
}

// add adds a body to the block.
func (f *file) add(body []byte) {
	f.block = append(binary.AppendUvarint(f.block, uint64(len(body))), body...)
}

// gathered returns the length of the block.
func (f *file) gathered() int { return len(f.block) }

// flush writes the block.
func (f *file) flush() error {
	f.packed = s2.Encode(f.packed[:cap(f.packed)], f.block)
	f.framed = append(binary.AppendUvarint(f.framed[:0], uint64(len(f.packed))), f.packed...)
	f.block = f.block[:0]
	if _, err := f.f.Write(f.framed); err != nil {
		return trouble("write what is to be done to a temporary file", f.folder, err)
	}
	f.end += int64(len(f.framed))
	return nil
}

// all returns the bodies; each is valid until the next one.
func (f *file) all() iter.Seq2[[]byte, error] { return f.from(0, blockSize) }

// from returns the bodies from the start of a block on. It reads ahead bytes at once.
func (f *file) from(start int64, ahead int) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		r := bufio.NewReaderSize(io.NewSectionReader(f.f, start, f.end-start), ahead)
		var packed, block []byte
		for {
			var err error
			if packed, err = next(r, packed); errors.Is(err, io.EOF) {
				return
			}
			if err == nil {
				block, err = s2.Decode(block[:cap(block)], packed)
			}
			for rest := block; err == nil && len(rest) > 0; {
				length, n := binary.Uvarint(rest)
				if n <= 0 || length > uint64(len(rest)-n) {
					err = io.ErrUnexpectedEOF
					break
				}
				if !yield(rest[n:n+int(length)], nil) {
					return
				}
				rest = rest[n+int(length):]
			}
			if err != nil {
				yield(nil, fmt.Errorf("read what is to be done from a temporary file: %w", err))
				return
			}
		}
	}
}

// next reads the next block as it is written, into room if that is large enough. It returns io.EOF after the last.
func next(r *bufio.Reader, room []byte) ([]byte, error) {
	length, err := binary.ReadUvarint(r)
	if err != nil {
		return nil, err
	}
	if uint64(cap(room)) < length {
		room = make([]byte, length)
	}
	room = room[:length]
	if _, err := io.ReadFull(r, room); errors.Is(err, io.EOF) {
		return nil, io.ErrUnexpectedEOF
	} else if err != nil {
		return nil, err
	}
	return room, nil
}

func (f *file) close() error {
	err := f.f.Close()
	if f.path != "" {
		err = errors.Join(err, os.Remove(f.path))
	}
	if err != nil {
		return fmt.Errorf("close a temporary file: %w", err)
	}
	return nil
}
