package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"owlatsync/internal/exitcode"
	"owlatsync/ledger/sqlite"
	"owlatsync/owlat/owlattest"
)

// disk is a small file system of its own, which a test can fill or make read-only.
type disk struct {
	t      *testing.T
	folder string
}

// mountDisk mounts it, or skips the test where that is refused.
func mountDisk(t *testing.T) disk {
	t.Helper()
	d := disk{t, t.TempDir()}
	if err := syscall.Mount("tmpfs", d.folder, "tmpfs", 0, "size=4m"); err != nil {
		t.Skipf("mounting a file system is refused: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(d.folder, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return d
}

// fill leaves so many bytes.
func (d disk) fill(leave int64) {
	d.t.Helper()
	f, err := os.OpenFile(filepath.Join(d.folder, "other"), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		d.t.Fatal(err)
	}
	block := bytes.Repeat([]byte("x"), 1024)
	size := int64(0)
	for {
		n, err := f.Write(block)
		size += int64(n)
		if errors.Is(err, syscall.ENOSPC) {
			break
		}
		if err != nil {
			d.t.Fatal(err)
		}
	}
	if err := errors.Join(f.Truncate(max(0, size-leave)), f.Close()); err != nil {
		d.t.Fatal(err)
	}
}

func (d disk) empty() {
	d.t.Helper()
	if err := os.Remove(filepath.Join(d.folder, "other")); err != nil {
		d.t.Fatal(err)
	}
}

func (d disk) readOnly(yes bool) {
	d.t.Helper()
	flags := uintptr(syscall.MS_REMOUNT)
	if yes {
		flags |= syscall.MS_RDONLY
	}
	if err := syscall.Mount("tmpfs", d.folder, "tmpfs", flags, "size=4m"); err != nil {
		d.t.Fatal(err)
	}
}

// diskWorld is the program with its ledger on such a disk, and its deployment.
type diskWorld struct {
	disk
	dir    string
	env    []string
	server *owlattest.Server
}

// TestALedgerThatCannotBeWritten reads one on a disk that is full, and on one that is read-only. A run sends nothing.
func TestALedgerThatCannotBeWritten(t *testing.T) {
	for _, how := range []string{"full", "read-only"} {
		t.Run(how, func(t *testing.T) {
			w := newDiskWorld(t)
			w.source(20, 0)
			if code, text := w.call("run", "--yes"); code != exitcode.OK {
				t.Fatalf("the first run: %d\n%s", code, text)
			}
			w.source(20, 20)
			if how == "full" {
				w.fill(0)
			} else {
				w.disk.readOnly(true)
				t.Cleanup(func() { w.disk.readOnly(false) })
			}
			requests := w.server.Stats().Total
			if code, text := w.call("run", "--yes"); code != exitcode.Error || !strings.Contains(text, "ledger") {
				t.Errorf("run: %d\n%s", code, text)
			}
			if n := w.server.Stats().Total - requests; n > 0 {
				t.Errorf("a run that cannot record sent %d requests", n)
			}
			if code, text := w.call("plan"); code != exitcode.OK || strings.Count(text, "put on topic") < 20 && !strings.Contains(text, "20") {
				t.Errorf("plan: %d\n%s", code, text)
			}
			if code, text := w.call("explain", "7"); code != exitcode.OK || !strings.Contains(text, "p7@example.com") {
				t.Errorf("explain: %d\n%s", code, text)
			}
			if code, text := w.call("explain", "--offline", "7"); code != exitcode.OK {
				t.Errorf("explain --offline: %d\n%s", code, text)
			}
			if code, text := w.call("verify"); code != exitcode.FailedRows || strings.Count(text, "p") < 20 {
				t.Errorf("verify: %d\n%s", code, text)
			}
			if code, text := w.call("check"); code != exitcode.Error || !strings.Contains(text, "ledger") {
				t.Errorf("check: %d\n%s", code, text)
			}
			for _, command := range []string{"status", "failures"} {
				if code, text := w.call(command); code != exitcode.OK {
					t.Errorf("%s: %d\n%s", command, code, text)
				}
			}
			if how == "full" {
				w.empty()
			} else {
				w.disk.readOnly(false)
			}
			if code, text := w.call("run"); code != exitcode.OK || w.members() != 20 {
				t.Errorf("run once there is room: %d, %d on the topic\n%s", code, w.members(), text)
			}
		})
	}
}

// TestAKilledLedgerThatCannotBeWritten reads a ledger on a read-only disk beside the log that a kill left, without the index that SQLite
// needs to read a log, and one that is older than what was done. Nothing is left of the copies that it reads.
func TestAKilledLedgerThatCannotBeWritten(t *testing.T) {
	w := newDiskWorld(t)
	copies := t.TempDir()
	t.Setenv("TMPDIR", copies)
	file := filepath.Join(w.folder, "ledger.db")
	read := func(name string) []byte {
		t.Helper()
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return content
	}
	other, err := sqlite.Open(t.Context(), sqliteDriver, file) // keeps the runs from emptying the log
	if err != nil {
		t.Fatal(err)
	}
	w.source(20, 0)
	if code, text := w.call("run", "--yes"); code != exitcode.OK {
		t.Fatalf("the first run: %d\n%s", code, text)
	}
	db, log := read(file), read(file+"-wal")
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	old := read(file)
	put := func(db, log []byte) {
		t.Helper()
		if err := os.WriteFile(file, db, 0o600); err != nil {
			t.Fatal(err)
		}
		if log == nil {
			return
		}
		if err := os.WriteFile(file+"-wal", log, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w.source(20, 20)
	all := func(plan string) {
		t.Helper()
		w.disk.readOnly(true)
		defer w.disk.readOnly(false)
		if code, text := w.call("plan"); code != exitcode.OK || !strings.Contains(text, plan) {
			t.Errorf("plan: %d\n%s", code, text)
		}
		if code, text := w.call("explain", "7"); code != exitcode.OK || !strings.Contains(text, "p7@example.com") {
			t.Errorf("explain: %d\n%s", code, text)
		}
		for _, command := range []string{"verify", "status", "failures"} {
			if code, text := w.call(command); code == exitcode.Error {
				t.Errorf("%s: %d\n%s", command, code, text)
			}
		}
		if code, text := w.call("run", "--yes"); code != exitcode.Error || w.members() > 0 {
			t.Errorf("run: %d\n%s", code, text)
		}
	}
	put(db, log)
	all("20 to add")
	if code, text := w.call("run"); code != exitcode.OK || w.members() != 20 {
		t.Errorf("run: %d, %d on the topic\n%s", code, w.members(), text)
	}
	for _, c := range w.server.Contacts() {
		if err := w.server.Unsubscribe(c.ID, ""); err != nil {
			t.Fatal(err)
		}
	}
	put(old, nil)
	all("THE LEDGER IS OLDER")
	if left, err := os.ReadDir(copies); err != nil || len(left) > 0 {
		t.Errorf("%v, left of the copies: %v", err, left)
	}
}

// TestADiskThatFillsUpCostsNoConsent runs a first run of 300 rows, of which half consent, until the disk of its ledger is full: at many
// points of the run. Once there is room, everybody who consents gets on the topic.
func TestADiskThatFillsUpCostsNoConsent(t *testing.T) {
	for _, leave := range []int64{40 << 10, 120 << 10, 200 << 10, 280 << 10, 360 << 10} {
		w := newDiskWorld(t)
		w.source(300, 0)
		if code, text := w.call("run", "--yes"); code != exitcode.OK {
			t.Fatalf("the first run: %d\n%s", code, text)
		}
		w.source(300, 150)
		w.fill(leave)
		code, text := w.call("run", "--yes")
		before := w.members()
		w.empty()
		if code == exitcode.OK {
			t.Logf("with %d bytes left the run came to its end", leave)
		} else if !strings.Contains(text, "full") {
			t.Errorf("%d\n%s", code, text)
		}
		if code, text := w.call("run"); code != exitcode.OK || w.members() != 150 {
			t.Errorf("%d bytes left: %d were on the topic, then %d; exit %d\n%s", leave, before, w.members(), code, text)
		}
	}
}

func newDiskWorld(t *testing.T) *diskWorld {
	t.Helper()
	w := &diskWorld{disk: mountDisk(t), dir: t.TempDir(), server: &owlattest.Server{NoLimit: true}}
	listener := httptest.NewServer(w.server)
	t.Cleanup(listener.Close)
	w.env = []string{"OWLAT_URL=" + listener.URL, "OWLAT_API_KEY=" + w.server.AddKey(), "TZ=UTC", "PATH=" + os.Getenv("PATH")}
	writeFile(t, filepath.Join(w.dir, "owlat-sync.yaml"), `owlat: {requests_per_second: 100000}
ledger: `+filepath.Join(w.folder, "ledger.db")+`
syncs:
  users:
    source: {dsn: "csv:`+filepath.Join(w.dir, "users.csv")+`"}
    key: id
    fields: {email: email}
    topics: [{id: `+w.server.AddTopic("news", false)+`, when: news}]
    guards: {updates: allow, topic_adds: allow, first_run: allow}
`)
	return w
}

// source writes so many rows, of which the first consent.
func (w *diskWorld) source(rows, consent int) {
	w.t.Helper()
	var b strings.Builder
	b.WriteString("id,email,news\n")
	for n := range rows {
		fmt.Fprintf(&b, "%d,p%d@example.com,%v\n", n+1, n+1, n < consent)
	}
	writeFile(w.t, filepath.Join(w.dir, "users.csv"), b.String())
}

func (w *diskWorld) members() (n int) {
	for _, c := range w.server.Contacts() {
		n += len(c.Topics)
	}
	return n
}

func (w *diskWorld) call(args ...string) (exitcode.Code, string) {
	var out bytes.Buffer
	args = append(args, "--config", filepath.Join(w.dir, "owlat-sync.yaml"))
	code := run(context.Background(), args, w.env, strings.NewReader(""), &out, &out)
	return exitcode.Code(code), out.String()
}
