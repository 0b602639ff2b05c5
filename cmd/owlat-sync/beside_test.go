package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"owlatsync/internal/testdb"
)

// TestCommandsBesideARunElsewhere are processes of their own, as those on another machine are, while a run of the same deployment goes on:
// one that a node of a service makes, or a command alone. What Owlat must be asked goes through the node or takes the share; what needs
// the ledger for itself says who has it, and changes nothing.
func TestCommandsBesideARunElsewhere(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		begin func(s *service)
	}{
		{"of a service", func(s *service) {
			for range 2 {
				s.begin()
			}
		}},
		{"of a command", func(s *service) {
			cmd := command(s.t, s.dir, s.env, "run", "--yes")
			s.process = &child{t: s.t, cmd: cmd, over: make(chan struct{})}
			cmd.Stderr = &s.process.stderr
			if err := cmd.Start(); err != nil {
				s.t.Fatal(err)
			}
			go func() { defer close(s.process.over); _ = cmd.Wait() }()
			s.t.Cleanup(func() { s.process.signal(syscall.SIGKILL) })
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			besideARun(t, test.begin)
		})
	}
}

func besideARun(t *testing.T, begin func(s *service)) {
	s := &service{t: t, dir: t.TempDir()}
	box := beginChild(t, s.dir, nil, "sandbox", "--json", "--listen", "127.0.0.1:0", "--rate", "20", "--burst", "30")
	s.sandbox = box.ready["url"].(string)
	topic := box.ready["topics"].(map[string]any)["newsletter"].(string)
	s.env = []string{"OWLAT_URL=" + s.sandbox, "OWLAT_API_KEY=" + box.ready["api_key"].(string), "LEDGER=" + testdb.Postgres(t)}
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("owlat-sync.yaml", `owlat: {requests_per_second: 20}
ledger: "${LEDGER}&schema=owlat_sync"
serve: {listen: "127.0.0.1:0"}
syncs:
  users: {source: {dsn: "csv:users.csv"}, key: id, fields: {email: email}, guards: {first_run: allow, creates: allow}, schedule: every 24h}
`)
	const rows = 4000 // more than are sent while this test lasts
	var people strings.Builder
	people.WriteString("id,email\n")
	for n := range rows {
		fmt.Fprintf(&people, "%d,person%d@example.com\n", n, n)
	}
	write("users.csv", people.String())
	begin(s)
	stats := func() (st struct{ Total, RateLimited int }) {
		s.sandboxed("stats", "", &st)
		return st
	}
	s.until("the run", func() bool { return stats().Total > 20 })
	brief, err := plainProgram() // for commands that end at once
	if err != nil {
		t.Fatal(err)
	}
	const held = `another run holds the ledger: run of sync "users"`
	do := func(code int, says string, args ...string) {
		t.Helper()
		cmd := command(t, s.dir, s.env, args...)
		cmd.Path = brief
		out, err := cmd.CombinedOutput()
		got := 0
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			got = exit.ExitCode()
		} else if err != nil {
			t.Fatal(err)
		}
		if got != code || !strings.Contains(string(out), says) {
			t.Errorf("%v: exit code %d, want %d, and\n%s\nwant %q", args, got, code, out, says)
		}
	}
	do(0, "created", "upsert", "ann@example.com")
	do(0, "updated", "upsert", "ann@example.com", "--first-name", "Ann")
	do(0, "added", "topic", "add", topic, "ann@example.com")
	do(0, "removed", "topic", "remove", topic, "ann@example.com")
	do(1, "not suppressed", "feedback", "lift", "ann@example.com")
	do(0, "Nothing was given up", "feedback", "retry")
	do(0, "Nothing fails", "retry", "--all")
	do(0, "Wrote", "ledger", "export", "export.ndjson")
	do(5, held, "run", "--yes")
	do(5, held, "verify")
	do(5, held, "ledger", "forget", "ann@example.com", "--yes")
	do(5, held, "ledger", "import", "export.ndjson")
	do(5, held, "ledger", "restore", "--in-place", "--yes")
	do(0, "running", "status")
	if st := stats(); st.RateLimited > 0 {
		t.Errorf("%d of %d requests were refused", st.RateLimited, st.Total)
	}
	select {
	case <-s.process.over:
		t.Errorf("the run has ended\n%s", &s.process.stderr)
	default:
	}
}
