package serve

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestAFullDisk: the service goes on and says what is wrong, takes nothing in that it cannot keep, and makes up for it once there is
// room.
func TestAFullDisk(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	disk := filepath.Join(h.dir, "disk")
	if err := os.Mkdir(disk, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=24m"); err != nil {
		t.Skipf("mounting a file system is refused: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	h.configure("syncs: → ledger: disk/ledger.db\nsyncs:", "file: lines.ndjson → file: disk/lines.ndjson", "every 24h → every 1s", "first_run: allow → first_run: allow, creates: allow, topic_adds: allow")
	l := h.begin()
	t.Cleanup(l.end) // before the disk goes
	l.until("the first run", func() bool { return h.member("ann@example.com") && h.member("bob@example.com") })

	ballast := filepath.Join(disk, "ballast")
	file, err := os.Create(ballast)
	if err != nil {
		t.Fatal(err)
	}
	for block := bytes.Repeat([]byte("x"), 4<<10); err == nil; { // until the disk is full
		_, err = file.Write(block)
	}
	_ = file.Close()
	var people strings.Builder
	people.WriteString("id,email,news\n1,ann@example.com,true\n2,bob@example.com,true\n")
	for n := range 300 {
		fmt.Fprintf(&people, "%d,person%d@example.com,true\n", 10+n, n)
	}
	h.write("users.csv", people.String())
	refused := 0
	l.until("a run that cannot be recorded", func() bool {
		status, answer := l.call("POST", "/api/v1/syncs/users/runs", fmt.Sprintf(`{"limit": %d}`, 1+refused))
		switch status {
		case http.StatusAccepted:
		case http.StatusServiceUnavailable:
			refused++
			if said := fmt.Sprint(answer["error"]); !strings.Contains(said, "the disk of the ledger is full") {
				t.Errorf("the API says %s", said)
			}
		default:
			t.Fatalf("%d %v", status, answer)
		}
		log := h.log.String()
		return refused > 3 && (strings.Contains(log, "could not begin") || strings.Contains(log, "status=error"))
	})
	if status, _ := l.call("GET", "/healthz", ""); status != http.StatusOK {
		t.Errorf("health is %d", status)
	}
	l.until("that it is not ready", func() bool { status, _ := l.call("GET", "/readyz", ""); return status == http.StatusServiceUnavailable })
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	l.until("everybody", func() bool { return h.member("person0@example.com") && h.member("person299@example.com") })
	if r := l.run(); r["status"] != "ok" {
		t.Errorf("%v", r)
	}
	l.until("that it is ready again", func() bool { status, _ := l.call("GET", "/readyz", ""); return status == http.StatusOK })
	if n := h.server.Len(); n != 302 {
		t.Errorf("%d contacts", n)
	}
}
