package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestServeTellsSystemd how it is, and takes over its configuration at SIGHUP or says why not.
func TestServeTellsSystemd(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "notify") // the path of a socket must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "s")
	systemd, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = systemd.Close() })
	hears := func(want string) {
		t.Helper()
		if err := systemd.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		for b := make([]byte, 4096); ; {
			n, err := systemd.Read(b)
			if err != nil {
				t.Fatalf("systemd does not hear %q: %v", want, err)
			}
			if strings.HasPrefix(string(b[:n]), want) {
				return
			}
		}
	}
	s := &service{t: t, dir: t.TempDir()}
	box := beginChild(t, s.dir, nil, "sandbox", "--json", "--listen", "127.0.0.1:0", "--no-limit")
	s.env = []string{"OWLAT_URL=" + box.ready["url"].(string), "OWLAT_API_KEY=" + box.ready["api_key"].(string), "NOTIFY_SOCKET=" + path, "WATCHDOG_USEC=300000"}
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("users.csv", "id,email\n1,ann@example.com\n")
	const configuration = `serve: {listen: "127.0.0.1:0"}
syncs:
  users: {source: {dsn: "csv:users.csv"}, key: id, fields: {email: email}, schedule: every 1h}
`
	write("owlat-sync.yaml", configuration)
	s.begin()
	hears("READY=1\nSTATUS=1 syncs, listening at 127.0.0.1:")
	hears("WATCHDOG=1\n")
	hears("WATCHDOG=1\n")

	write("owlat-sync.yaml", strings.Replace(configuration, "every 1h", "every day", 1))
	if err := s.process.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	hears("RELOADING=1\n")
	hears("READY=1\nSTATUS=goes on with its old configuration: owlat-sync.yaml:3: syncs.users.schedule: ")

	write("owlat-sync.yaml", configuration+"  leads: {source: {dsn: \"csv:users.csv\"}, key: id, fields: {email: email}}\n")
	if err := s.process.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	hears("RELOADING=1\n")
	hears("READY=1\nSTATUS=2 syncs")

	s.process.signal(syscall.SIGTERM)
	hears("STOPPING=1\n")
	if code := s.process.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("the service ended with code %d\n%s", code, &s.process.stderr)
	}
}
