package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"owlatsync/internal/problem"
	"owlatsync/owlat/owlattest"
)

// store keeps the state of a sandbox in a file that is always complete: a new state is written beside it and replaces it. An empty
// path keeps nothing.
type store struct {
	path   string
	server *owlattest.Server
	lock   *flock.Flock
	saved  uint64 // the revision that the file holds
}

// openStore loads the file into the server if there is one, and locks it against other sandboxes.
func openStore(path string, server *owlattest.Server) (*store, error) {
	s := &store{path: path, server: server}
	if path == "" {
		return s, nil
	}
	s.lock = flock.New(path+".lock", flock.SetPermissions(0o600))
	switch held, err := s.lock.TryLock(); {
	case err != nil:
		return nil, fmt.Errorf("lock the sandbox's data file: %w", err)
	case !held:
		return nil, problem.Hint(fmt.Errorf("another sandbox keeps its state in %s", path), "stop it, or give this one another --data file")
	}
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err == nil {
		err = errors.Join(server.Load(file), file.Close())
	}
	if err != nil {
		err = problem.Hint(fmt.Errorf("read the sandbox's data file %s: %w", path, err), "move it away to start with an empty sandbox")
		return nil, errors.Join(err, s.lock.Close())
	}
	s.saved = server.Revision()
	return s, nil
}

// saveEvery saves at intervals until ctx ends.
func (s *store) saveEvery(ctx context.Context, every time.Duration, failed func(error)) {
	if s.path == "" {
		return
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if err := s.save(); err != nil {
				failed(err)
			}
		}
	}
}

// save writes the state if it changed since the last time.
func (s *store) save() error {
	revision := s.server.Revision()
	if s.path == "" || s.saved == revision {
		return nil
	}
	if err := replaceFile(s.path, s.server); err != nil {
		return fmt.Errorf("save the sandbox to %s: %w", s.path, err)
	}
	s.saved = revision
	return nil
}

// replaceFile writes the whole state under another name, and then renames it to the file's.
func replaceFile(path string, server *owlattest.Server) error {
	temp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.tmp") // readable by its owner only
	if err != nil {
		return err
	}
	err = server.Save(temp)
	if err == nil {
		err = temp.Sync()
	}
	if err = errors.Join(err, temp.Close()); err == nil {
		err = os.Rename(temp.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temp.Name()))
	}
	return nil
}

// close saves what is not saved, and releases the file.
func (s *store) close() error {
	if s.path == "" {
		return nil
	}
	return errors.Join(s.save(), s.lock.Close())
}
