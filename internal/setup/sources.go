package setup

import (
	"errors"
	"reflect"
	"sync"

	"owlatsync/internal/config"
	"owlatsync/source"
)

// sources opens the sources of syncs, of which some stay open from one run to the next with a connection. It is safe for concurrent
// use.
type sources struct {
	opener Opener

	mu   sync.Mutex
	kept map[string]*kept // by sync
}

// kept is a source that stays open. It is guarded by the mutex of its sources.
type kept struct {
	sync    config.Sync
	table   *source.Table // nil: nobody has used it yet
	close   func() error
	users   int
	dropped bool // it is closed once nobody uses it
}

// keep makes the sources of these syncs stay open, and closes the others that do.
func (s *sources) keep(syncs []config.Sync) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.kept
	s.kept = make(map[string]*kept, len(syncs))
	for _, sync := range syncs {
		k := before[sync.Name]
		if k != nil && reflect.DeepEqual(k.sync, sync) {
			delete(before, sync.Name)
		} else {
			k = &kept{sync: sync}
		}
		s.kept[sync.Name] = k
	}
	var err error
	for _, k := range before {
		k.dropped = true
		err = errors.Join(err, k.end())
	}
	return err
}

// end closes a source that nobody uses and that is not to stay open.
func (k *kept) end() error {
	if !k.dropped || k.users > 0 || k.table == nil {
		return nil
	}
	k.table = nil
	return k.close()
}

// open returns the source of a sync, and a function to call once when it is no longer used.
func (s *sources) open(sync config.Sync) (*source.Table, func() error, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.kept[sync.Name]
	if k == nil || !reflect.DeepEqual(k.sync, sync) {
		return s.opener.Source(sync)
	}
	if k.table == nil {
		table, closeSource, err := s.opener.Source(sync)
		if err != nil {
			return nil, nil, err
		}
		release := table.Keep()
		k.table, k.close = table, func() error {
			release()
			return closeSource()
		}
	}
	k.users++
	return k.table, func() error {
		s.mu.Lock()
		defer s.mu.Unlock()
		k.users--
		return k.end()
	}, nil
}
