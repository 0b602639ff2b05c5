package setup

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
)

// Stdin is standard input as a file: what it gives is kept until Close, because a source is read more than once. It is safe for
// concurrent use.
type Stdin struct {
	from io.Reader
	once sync.Once
	kept *os.File // only its owner may read it; where the system lets it be, it has no name, so that a killed process leaves nothing
	name bool     // it still has one
	size int64
	err  error
}

// NewStdin returns standard input as a file. It reads nothing yet.
func NewStdin(from io.Reader) *Stdin { return &Stdin{from: from} }

// open returns what standard input gives from its beginning. The first call waits for its end.
func (s *Stdin) open() (io.ReadCloser, error) {
	if s == nil {
		return nil, errors.New("there is no standard input to read here; name a file")
	}
	s.once.Do(s.keep)
	if s.err != nil {
		return nil, fmt.Errorf("keep standard input in a temporary file: %w", s.err)
	}
	return io.NopCloser(io.NewSectionReader(s.kept, 0, s.size)), nil
}

func (s *Stdin) keep() {
	if s.kept, s.err = os.CreateTemp("", "owlat-sync-stdin-*"); s.err == nil {
		s.name = os.Remove(s.kept.Name()) != nil
		s.size, s.err = io.Copy(s.kept, s.from)
	}
}

// Close removes what was kept. Nothing may be read from it any more.
func (s *Stdin) Close() error {
	s.once.Do(func() { s.err = os.ErrClosed })
	if s.kept == nil {
		return nil
	}
	err := s.kept.Close()
	if s.name {
		err = errors.Join(err, os.Remove(s.kept.Name()))
	}
	return err
}
