package testdb

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// pgBouncerProgram is PgBouncer, or its usual place, which an ordinary user's PATH often lacks.
func pgBouncerProgram() string {
	for _, name := range []string{"pgbouncer", "/usr/sbin/pgbouncer"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// PgBouncer starts a PgBouncer before the server of a DSN and returns the DSN of the same database through it. It pools
// transactions on at most so many connections to the server, so that whatever one client leaves there meets the next. It ends with
// the test. Without PgBouncer it skips the test, or fails it if CI=true.
func PgBouncer(t testing.TB, dsn string, connections int) string {
	t.Helper()
	program := pgBouncerProgram()
	switch {
	case program != "":
	case os.Getenv("CI") == "true":
		t.Fatal("PgBouncer is not installed, and CI=true allows no skipping; run `make test`")
	default:
		t.Skip("PgBouncer is not installed; `make test` installs it")
	}
	var err error
	for range 3 { // another program may take the free port first
		var pooled string
		if pooled, err = startPgBouncer(t, program, dsn, connections); err == nil {
			return pooled
		}
	}
	t.Fatal(err)
	return ""
}

func startPgBouncer(t testing.TB, program, dsn string, connections int) (string, error) {
	server, err := pgconn.ParseConfig(dsn)
	if err != nil {
		return "", fmt.Errorf("read the server's DSN: %w", err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	listener.Close()
	ini := fmt.Sprintf("[databases]\n* = host=%s port=%d user=%s password=%s\n"+
		"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = %d\nunix_socket_dir =\nauth_type = any\npool_mode = transaction\ndefault_pool_size = %d\nquery_wait_timeout = 10\n",
		server.Host, server.Port, server.User, server.Password, port, connections)
	file := filepath.Join(t.TempDir(), "pgbouncer.ini")
	if err := os.WriteFile(file, []byte(ini), 0o600); err != nil {
		return "", fmt.Errorf("configure PgBouncer: %w", err)
	}
	args := []string{"--quiet", file}
	if os.Geteuid() == 0 {
		args = append([]string{"--user", "nobody"}, args...)
	}
	cmd := exec.Command(program, args...)
	if err := cmd.Start(); err != nil {
		return "", fmt.Errorf("start PgBouncer: %w", err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
	})
	u, err := url.Parse(dsn)
	if err != nil {
		return "", fmt.Errorf("read the server's DSN: %w", err)
	}
	u.Host = fmt.Sprintf("127.0.0.1:%d", port)
	ctx, cancel := context.WithTimeout(t.Context(), opTimeout)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if err = PingPostgres(ctx, u.String()); err == nil {
			return u.String(), nil
		}
		select {
		case <-tick.C:
		case <-ended:
			return "", fmt.Errorf("PgBouncer ended at once, last seen: %w", err)
		case <-ctx.Done():
			return "", fmt.Errorf("PgBouncer did not answer in time: %w", err)
		}
	}
}
