package server

import (
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// unheard is how long the network may leave unacknowledged what was sent. Probes of a connection tell nothing while something is on its way, and the
// system would try that again for a quarter of an hour.
const unheard = 12 * time.Second

// limitUnheard ends a connection of whose other end nothing is heard.
func limitUnheard(network, _ string, c syscall.RawConn) (err error) {
	if !strings.HasPrefix(network, "tcp") {
		return nil
	}
	failed := c.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(unheard.Milliseconds()))
	})
	if failed != nil {
		return failed
	}
	return err
}
