package sandbox

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"owlatsync/internal/problem"
	"owlatsync/owlat/owlattest"
)

func TestASandboxKeepsItsState(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "sandbox.json")
	server := &owlattest.Server{NoLimit: true}
	s, err := Open(server, path, 1)
	if err != nil {
		t.Fatal(err)
	}
	keys, topics := server.Keys(), server.Topics()
	if len(keys) != 1 || len(topics) != 2 {
		t.Fatalf("it begins with %d keys and %d topics", len(keys), len(topics))
	}
	if _, err := Open(&owlattest.Server{}, path, 1); err == nil || problem.HintOf(err) == "" {
		t.Errorf("two sandboxes keep one file: %v", err)
	}
	if _, err := server.AddContact(owlattest.ContactState{Email: "ann@example.com"}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again := &owlattest.Server{NoLimit: true}
	if s, err = Open(again, path, 1); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, there := again.Contact("ann@example.com"); !there || again.Keys()[0].Value != keys[0].Value || len(again.Topics()) != 2 {
		t.Error("the state was not kept")
	}
}

func TestABrokenFileIsLeftAlone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "sandbox.json")
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(&owlattest.Server{}, path, 1); err == nil || !strings.Contains(problem.HintOf(err), "move it away") {
		t.Errorf("it says %v", err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "{" {
		t.Errorf("the file holds %q, %v", text, err)
	}
}

func TestServeEndsWithItsContext(t *testing.T) {
	t.Parallel()
	s, err := Open(&owlattest.Server{}, "", 1)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Serve(ctx, listener, func(err error) { t.Error(err) }); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
