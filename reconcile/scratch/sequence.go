// Package scratch keeps what a run needs only while it goes on. What is too much for memory goes to temporary files. They hold
// personal data, only their owner can read them, and on Unix they are gone when the process ends, however it ends.
package scratch

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"syscall"
)

// Place says where the sequences of a run are kept.
type Place struct {
	// Folder is where temporary files are made; empty means the system's folder.
	Folder string
	// Most is about how many bytes of each sequence stay in memory.
	Most int
}

// batch is the least number of values that are written at once.
const batch = 500

// Sequence keeps values in the order in which they are added. All stay in memory until they are too many; then the earlier ones are
// in a file. One goroutine at a time may use it, but several may read while nobody adds. Values in memory are handed out without a
// copy.
type Sequence[T any] struct {
	place *Place
	size  func(T) int // about how many bytes a value takes

	late  []T
	bytes int // size of late
	file  *file
	len   int

	indexed bool
	starts  []int64 // where the values in the file start, if indexed
}

// New returns an empty sequence.
func New[T any](place *Place, size func(T) int) *Sequence[T] {
	return &Sequence[T]{place: place, size: size}
}

// NewIndexed returns an empty sequence for At. It keeps 8 bytes in memory for each value in the file.
func NewIndexed[T any](place *Place, size func(T) int) *Sequence[T] {
	return &Sequence[T]{place: place, size: size, indexed: true}
}

// Len returns how many values there are.
func (s *Sequence[T]) Len() int { return s.len }

// Add adds a value. After an error the sequence is of no use.
func (s *Sequence[T]) Add(value T) error {
	s.late, s.bytes, s.len = append(s.late, value), s.bytes+s.size(value), s.len+1
	if full := s.bytes > s.place.Most || s.file != nil && len(s.late) >= batch; !full {
		return nil
	}
	return s.spill()
}

// spill writes what is in memory to the file.
func (s *Sequence[T]) spill() (err error) {
	if s.file == nil {
		if s.file, err = create(s.place.Folder); err != nil {
			return err
		}
	}
	for _, value := range s.late {
		body, err := json.Marshal(value)
		if err != nil {
			return fmt.Errorf("keep what is to be done: %w", err)
		}
		if s.indexed {
			s.starts = append(s.starts, s.file.end)
		}
		if err := s.file.write(body); err != nil {
			return err
		}
	}
	clear(s.late)
	s.late, s.bytes = s.late[:0], 0
	return s.file.flush()
}

// All returns the values in their order. A nil sequence has none. Values added meanwhile may be left out.
func (s *Sequence[T]) All() iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		if s == nil {
			return
		}
		late := s.late
		if s.file != nil {
			for body, err := range s.file.all() {
				var value T
				if err == nil {
					err = json.Unmarshal(body, &value)
				}
				if !yield(value, err) || err != nil {
					return
				}
			}
		}
		for _, value := range late {
			if !yield(value, nil) {
				return
			}
		}
	}
}

// At returns the value at a position from 0 on. The sequence must be indexed.
func (s *Sequence[T]) At(i int) (value T, err error) {
	if i >= len(s.starts) {
		return s.late[i-len(s.starts)], nil
	}
	for body, err := range s.file.from(s.starts[i], 1<<11) {
		if err == nil {
			err = json.Unmarshal(body, &value)
		}
		return value, err
	}
	return value, fmt.Errorf("read what is to be done from a temporary file: %w", io.ErrUnexpectedEOF)
}

// Close drops the values. A nil sequence has none.
func (s *Sequence[T]) Close() error {
	if s == nil {
		return nil
	}
	f := s.file
	s.late, s.bytes, s.len, s.file, s.starts = nil, 0, 0, nil, nil
	if f == nil {
		return nil
	}
	return f.close()
}

// file is a temporary file of bodies, each after its length.
type file struct {
	f      *os.File
	w      *bufio.Writer
	end    int64 // length of what is written
	size   int64 // length of what is flushed
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
	return &file{f: f, w: bufio.NewWriterSize(f, 1<<16), path: path, folder: folder}, nil
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

func (f *file) write(body []byte) error {
	var length [binary.MaxVarintLen64]byte
	n := binary.PutUvarint(length[:], uint64(len(body)))
	_, err := f.w.Write(length[:n])
	if err == nil {
		_, err = f.w.Write(body)
	}
	f.end += int64(n + len(body))
	if err != nil {
		return trouble("write what is to be done to a temporary file", f.folder, err)
	}
	return nil
}

func (f *file) flush() error {
	if err := f.w.Flush(); err != nil {
		return trouble("write what is to be done to a temporary file", f.folder, err)
	}
	f.size = f.end
	return nil
}

// all returns the bodies; each is valid until the next one.
func (f *file) all() iter.Seq2[[]byte, error] { return f.from(0, 1<<16) }

// from returns the bodies from a position on. It reads ahead bytes at once.
func (f *file) from(start int64, ahead int) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		r := bufio.NewReaderSize(io.NewSectionReader(f.f, start, f.size-start), ahead)
		var body []byte
		for {
			length, err := binary.ReadUvarint(r)
			if errors.Is(err, io.EOF) {
				return
			}
			if err == nil {
				if uint64(cap(body)) < length {
					body = make([]byte, length)
				}
				body = body[:length]
				_, err = io.ReadFull(r, body)
			}
			if err != nil {
				yield(nil, fmt.Errorf("read what is to be done from a temporary file: %w", err))
				return
			}
			if !yield(body, nil) {
				return
			}
		}
	}
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
