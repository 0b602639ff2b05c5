package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"owlatsync/internal/config"
	"owlatsync/internal/exitcode"
)

func TestCommandsAreAsTypedHere(t *testing.T) {
	t.Parallel()
	a := newApp([]string{"OWLAT_SYNC_CONFIG=/etc/owlat/sync.yaml"}, nil, nil, nil)
	for path, want := range map[string]string{
		config.DefaultFile:     "owlat-sync plan --sync users",
		"/etc/owlat/sync.yaml": "owlat-sync plan --sync users", // the environment names it for the next command too
		"other.yaml":           "owlat-sync plan --sync users --config other.yaml",
		"my files/it's.yaml":   `owlat-sync plan --sync users --config 'my files/it'\''s.yaml'`,
	} {
		a.configPath = path
		if got := a.typed().Command("plan", "users"); got != want {
			t.Errorf("with %s: %s, want %s", path, got, want)
		}
	}
	a.configPath = "other.yaml"
	if got, want := a.typed().Command("verify", ""), "owlat-sync verify --config other.yaml"; got != want {
		t.Errorf("without a sync: %s, want %s", got, want)
	}
}

// full is an output to which nothing can be written.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func TestAnOutputThatCannotBeWrittenIsTold(t *testing.T) {
	t.Parallel()
	var stderr bytes.Buffer
	code := run(t.Context(), []string{"version"}, nil, strings.NewReader(""), full{}, &stderr)
	if want := "owlat-sync: write the output: no space left on device\n"; code != int(exitcode.Error) || stderr.String() != want {
		t.Errorf("code %d, %q, want %q", code, &stderr, want)
	}
}
