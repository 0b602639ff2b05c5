// Package scratch keeps what a run needs only while it goes on. What is too much for memory goes to temporary files, compressed. They
// hold personal data, only their owner can read them, and on Unix they are gone when the process ends, however it ends.
package scratch

import (
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"sort"
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
	starts  []start // of the blocks in the file, if indexed
}

// start is where a block starts in the file.
type start struct {
	at    int64
	value int // the position of its first value
}

// A block of the file has about this many bytes before it is compressed. Reading one value of an indexed sequence reads its block.
const (
	blockSize        = 64 << 10
	indexedBlockSize = 8 << 10
)

// New returns an empty sequence.
func New[T any](place *Place, size func(T) int) *Sequence[T] {
	return &Sequence[T]{place: place, size: size}
}

// NewIndexed returns an empty sequence for At. It keeps 16 bytes in memory for each 8 KiB of values in the file, and compresses them less.
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
	size := blockSize
	if s.indexed {
		size = indexedBlockSize
	}
	first := s.len - len(s.late)
	for i, value := range s.late {
		body, err := json.Marshal(value)
		if err != nil {
			return fmt.Errorf("keep what is to be done: %w", err)
		}
		if s.file.add(body); s.file.gathered() < size && i < len(s.late)-1 {
			continue
		}
		if s.indexed {
			s.starts = append(s.starts, start{at: s.file.end, value: first})
		}
		if err := s.file.flush(); err != nil {
			return err
		}
		first = s.len - len(s.late) + i + 1
	}
	clear(s.late)
	s.late, s.bytes = s.late[:0], 0
	return nil
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
	if first := s.len - len(s.late); i >= first {
		return s.late[i-first], nil
	}
	block := s.starts[sort.Search(len(s.starts), func(n int) bool { return s.starts[n].value > i })-1]
	at := block.value
	for body, err := range s.file.from(block.at, indexedBlockSize/2) {
		if at++; err == nil && at <= i {
			continue
		}
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
