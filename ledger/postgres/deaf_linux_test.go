package postgres

import (
	"context"
	"net"
	"testing"

	"golang.org/x/sys/unix"
)

// TestPacketsThatAreLost end a connection soon, whatever goes on on it: the system alone would try again for a quarter of an hour.
func TestPacketsThatAreLost(t *testing.T) {
	t.Parallel()
	d := openDatabase(t, migrated.Postgres(t))
	conn, err := d.db.Pool.Acquire(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	raw, err := conn.Conn().PgConn().Conn().(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var limit int
	failed := raw.Control(func(fd uintptr) { limit, err = unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT) })
	if failed != nil || err != nil || limit <= 0 || limit > 30_000 {
		t.Errorf("lost packets are waited for %d ms: %v, %v", limit, failed, err)
	}
}
