package serve

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"time"
)

// systemd is the socket at which systemd listens.
func systemd(t *testing.T) (*net.UnixConn, string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "notify") // the path of a socket must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "s")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Skipf("this system has no such sockets: %v", err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn, path
}

func hear(t *testing.T, conn *net.UnixConn) string {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 1000)
	n, err := conn.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n])
}

func environment(vars map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) { v, ok := vars[name]; return v, ok }
}

func TestNotifierReadsItsEnvironment(t *testing.T) {
	t.Parallel()
	own := strconv.Itoa(os.Getpid())
	for _, test := range []struct {
		vars map[string]string
		want Notifier
	}{
		{nil, Notifier{}},
		{map[string]string{"NOTIFY_SOCKET": ""}, Notifier{}},
		{map[string]string{"NOTIFY_SOCKET": "vsock:2:3"}, Notifier{}},
		{map[string]string{"NOTIFY_SOCKET": "/run/n"}, Notifier{socket: "/run/n"}},
		{map[string]string{"NOTIFY_SOCKET": "@n", "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": own}, Notifier{socket: "@n", every: 10 * time.Second}},
		{map[string]string{"NOTIFY_SOCKET": "@n", "WATCHDOG_USEC": "30000000"}, Notifier{socket: "@n", every: 10 * time.Second}},
		{map[string]string{"NOTIFY_SOCKET": "@n", "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": own + "1"}, Notifier{socket: "@n"}},
		{map[string]string{"NOTIFY_SOCKET": "@n", "WATCHDOG_USEC": "soon"}, Notifier{socket: "@n"}},
		{map[string]string{"NOTIFY_SOCKET": "@n", "WATCHDOG_USEC": "-1"}, Notifier{socket: "@n"}},
		{map[string]string{"NOTIFY_SOCKET": "@n", "WATCHDOG_USEC": "9223372036854775807"}, Notifier{socket: "@n"}},
		{map[string]string{"WATCHDOG_USEC": "30000000"}, Notifier{}},
	} {
		if got := NewNotifier(environment(test.vars)); got != test.want {
			t.Errorf("%v: %+v, want %+v", test.vars, got, test.want)
		}
	}
}

func TestNotifierTells(t *testing.T) {
	t.Parallel()
	conn, path := systemd(t)
	n := Notifier{socket: path}
	if err := n.tell("READY=1", "STATUS=2 syncs"); err != nil {
		t.Fatal(err)
	}
	if got := hear(t, conn); got != "READY=1\nSTATUS=2 syncs\n" {
		t.Errorf("%q", got)
	}
	if err := (Notifier{}).tell("READY=1"); err != nil {
		t.Error(err)
	}
	if err := (Notifier{socket: path + "gone"}).tell("READY=1"); err == nil {
		t.Error("nobody listens there")
	}
}

// TestNotifierGivesSignsOfLife only while the service is well.
func TestNotifierGivesSignsOfLife(t *testing.T) {
	t.Parallel()
	conn, path := systemd(t)
	n := Notifier{socket: path, every: 5 * time.Millisecond}
	ctx, cancel := context.WithCancel(t.Context())
	var looks, failures atomic.Int32
	done := make(chan struct{})
	sick := errors.New("the ledger does not answer")
	go func() {
		defer close(done)
		n.watch(ctx, func(context.Context) error {
			if looks.Add(1) > 2 {
				return sick
			}
			return nil
		}, func(err error) {
			if !errors.Is(err, sick) {
				t.Error(err)
			}
			if failures.Add(1) == 3 {
				cancel()
			}
		})
	}()
	for range 2 {
		if got := hear(t, conn); got != "WATCHDOG=1\n" {
			t.Errorf("%q", got)
		}
	}
	<-done
	if err := conn.SetReadDeadline(time.Now()); err != nil {
		t.Fatal(err)
	}
	if n, _ := conn.Read(make([]byte, 100)); n != 0 {
		t.Error("a service that is not well gives a sign of life")
	}
}
