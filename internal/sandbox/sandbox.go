// Package sandbox runs the emulator of Owlat, owlattest, as a service. It begins with keys and two topics, and keeps its state in
// a file if it has one.
package sandbox

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"owlatsync/owlat/owlattest"
)

// saveEvery is how often a sandbox writes changes to its file.
const saveEvery = 2 * time.Second

// Sandbox is an emulator and the file of its state.
type Sandbox struct {
	server *owlattest.Server
	store  *store
}

// Open loads the file at path into the server, adds keys until there are so many, and topics if there are none, and locks the file against
// other sandboxes. An empty path keeps nothing. Closing the sandbox closes the server.
func Open(server *owlattest.Server, path string, keys int) (*Sandbox, error) {
	store, err := openStore(path, server)
	if err != nil {
		return nil, errors.Join(err, server.Close())
	}
	furnish(server, keys)
	s := &Sandbox{server: server, store: store}
	if err := store.save(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Serve serves the sandbox until ctx ends, and saves changes meanwhile. It tells a failure to save and tries again.
func (s *Sandbox) Serve(ctx context.Context, listener net.Listener, failed func(error)) error {
	ctx, cancel := context.WithCancel(ctx)
	saved := make(chan struct{})
	go func() {
		defer close(saved)
		s.store.saveEvery(ctx, saveEvery, failed)
	}()
	err := s.server.Serve(ctx, listener)
	cancel()
	<-saved
	if err != nil {
		return fmt.Errorf("serve the sandbox: %w", err)
	}
	return nil
}

// Close saves what is not saved, releases the file and closes the server.
func (s *Sandbox) Close() error { return errors.Join(s.store.close(), s.server.Close()) }

// furnish gives a sandbox the keys that it lacks, and an empty one two topics.
func furnish(server *owlattest.Server, keys int) {
	for len(server.Keys()) < keys {
		server.AddKey()
	}
	if len(server.Topics()) == 0 {
		server.AddTopic("newsletter", false)
		server.AddTopic("product-updates", true)
	}
}
