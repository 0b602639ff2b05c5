package owlattest

import (
	"fmt"
	"io"

	"owlatsync/owlat/owlattest/internal/persist"
)

// Revision grows with every change that Save would show.
func (s *Server) Revision() uint64 {
	defer s.lock()()
	return s.model.Revision
}

// Save writes the whole state as JSON: tables, keys and the consent history, but no counts, faults or webhooks under
// way. The values of the API keys and the secret of links are in it.
func (s *Server) Save(w io.Writer) error {
	if err := snapshot(s).Write(w); err != nil {
		return fmt.Errorf("save the sandbox: %w", err)
	}
	return nil
}

func snapshot(s *Server) persist.State {
	defer s.lock()()
	return persist.Snapshot(s.model, s.hooks.Subscriptions())
}

// Load replaces the state by one that Save wrote. If it cannot be read, nothing changes.
func (s *Server) Load(r io.Reader) error {
	state, err := persist.Read(r)
	if err != nil {
		return fmt.Errorf("load the sandbox: %w", err)
	}
	defer s.lock()()
	s.clear()
	state.Restore(s.model, &s.hooks)
	return nil
}
