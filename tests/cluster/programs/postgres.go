package programs

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// HasPostgres reports whether PostgreSQL is installed.
func HasPostgres() bool { return postgresProgram("postgres") != "" }

// ErrNoPostgres says that the programs of PostgreSQL are not on this machine.
var ErrNoPostgres = errors.New("PostgreSQL is not installed: on Debian, \"apt-get install postgresql\"")

const (
	superuser    = "owlatsync"
	startsWithin = 60 * time.Second
)

// Postgres is a server of its own, which may be killed and started again.
type Postgres struct {
	dir      string
	port     int
	Password string
	settings []string            // beside those that every server has
	as       *syscall.Credential // nil: this user
	process  *Process
}

// NewPostgres makes a new server with its data in a folder below parent, and starts it. Settings, such as "fsync=on", count more than
// those that every server has.
func NewPostgres(parent string, settings ...string) (*Postgres, error) {
	p, err := newPostgres(parent)
	if err != nil {
		return nil, err
	}
	p.settings = settings
	p.Password = rand.Text()
	secret := filepath.Join(p.dir, "password")
	if err := os.WriteFile(secret, []byte(p.Password), 0o600); err != nil {
		return nil, err
	}
	if err := p.own(secret); err != nil {
		return nil, err
	}
	if err := p.run("initdb", "--pgdata", p.data(), "--username", superuser, "--pwfile", secret, "--auth", "md5", "--encoding", "UTF8", "--locale", "C", "--no-sync"); err != nil {
		return nil, err
	}
	return p, p.Start()
}

func newPostgres(parent string) (*Postgres, error) {
	if postgresProgram("postgres") == "" {
		return nil, ErrNoPostgres
	}
	p := &Postgres{}
	if os.Geteuid() == 0 { // PostgreSQL refuses to run as root
		u, err := user.Lookup("postgres")
		if err != nil {
			return nil, fmt.Errorf("find a user for PostgreSQL: %w", err)
		}
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		p.as = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
	var err error
	if p.dir, err = os.MkdirTemp(parent, "postgres-"); err != nil {
		return nil, err
	}
	if err := p.own(p.dir); err != nil {
		return nil, err
	}
	p.port, err = FreePort()
	return p, err
}

func (p *Postgres) data() string { return filepath.Join(p.dir, "data") }

func (p *Postgres) own(path string) error {
	if p.as == nil {
		return nil
	}
	return os.Chown(path, int(p.as.Uid), int(p.as.Gid))
}

func (p *Postgres) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(postgresProgram(name), args...)
	cmd.Dir = p.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + p.dir, "TMPDIR=" + p.dir, "LC_ALL=C", "TZ=UTC", "PGPASSWORD=" + p.Password}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: p.as}
	return cmd
}

func (p *Postgres) run(name string, args ...string) error {
	if out, err := p.command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", name, err, out)
	}
	return nil
}

// Start starts the server, for the first time or again, and waits until it answers. What it has confirmed outlives its process, not
// this machine.
func (p *Postgres) Start() error {
	cmd := p.command("postgres", "-D", p.data(), "-p", strconv.Itoa(p.port), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=",
		"-c", "max_connections=200", "-c", "fsync=off", "-c", "full_page_writes=off", "-c", "synchronous_commit=on", "-c", "wal_level=replica",
		"-c", "max_wal_senders=4", "-c", "log_min_messages=warning")
	for _, s := range p.settings {
		cmd.Args = append(cmd.Args, "-c", s)
	}
	var err error
	if p.process, err = Begin(cmd, filepath.Join(p.dir, "log"), nil); err != nil {
		return err
	}
	for began := time.Now(); ; {
		err := p.ping()
		if err == nil {
			return nil
		}
		if p.process.Ended() || time.Since(began) > startsWithin {
			return fmt.Errorf("PostgreSQL does not answer: %w\n%s", err, p.process.LastWords())
		}
		<-time.After(30 * time.Millisecond)
	}
}

func (p *Postgres) ping() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, p.DSN(p.Addr(), "postgres"))
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

// Crash ends the server at once, as if its process had been killed: nobody is told, and the next start recovers.
func (p *Postgres) Crash() { p.process.End(syscall.SIGQUIT, 5*time.Second) }

// Ended reports whether the server has ended.
func (p *Postgres) Ended() bool { return p.process.Ended() }

// Restart ends the server in an orderly way and starts it again.
func (p *Postgres) Restart() error {
	p.process.End(syscall.SIGINT, 20*time.Second)
	return p.Start()
}

// Close ends the server.
func (p *Postgres) Close() {
	if p.process != nil {
		p.Crash()
	}
}

// Addr returns where the server listens.
func (p *Postgres) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(p.port)) }

// DSN returns the URL of a database, at the address of the server or of a link to it.
func (p *Postgres) DSN(addr, database string) string {
	return fmt.Sprintf("postgres://%s:%s@%s/%s?sslmode=disable", superuser, p.Password, addr, database)
}

// Standby makes a server that follows this one, and is behind it by what is under way.
func (p *Postgres) Standby(parent string) (*Postgres, error) {
	s, err := newPostgres(parent)
	if err != nil {
		return nil, err
	}
	s.Password = p.Password
	if err := s.run("pg_basebackup", "--pgdata", s.data(), "--host", "127.0.0.1", "--port", strconv.Itoa(p.port), "--username", superuser,
		"--write-recovery-conf", "--checkpoint", "fast", "--no-sync", "--wal-method", "stream"); err != nil {
		return nil, err
	}
	return s, s.Start()
}

// StopFollowing makes a standby deaf to its server, until it is promoted.
func (p *Postgres) StopFollowing(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, p.DSN(p.Addr(), "postgres"))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	// Without a way to its server it receives nothing more.
	if _, err = conn.Exec(ctx, "ALTER SYSTEM SET primary_conninfo = ''"); err != nil {
		return err
	}
	if _, err = conn.Exec(ctx, "SELECT pg_reload_conf()"); err != nil {
		return err
	}
	for began := time.Now(); time.Since(began) < startsWithin; <-time.After(5 * time.Millisecond) {
		var receivers int
		if err := conn.QueryRow(ctx, "SELECT count(*) FROM pg_stat_wal_receiver").Scan(&receivers); err != nil || receivers == 0 {
			return err
		}
	}
	return errors.New("the standby goes on following")
}

// Promote makes a standby the server.
func (p *Postgres) Promote() error {
	return p.run("pg_ctl", "promote", "--pgdata", p.data(), "--wait", "--timeout", "30")
}

// FreePort returns a port that is free, and below those that the system gives to connections: it must be free again after a restart.
func FreePort() (int, error) {
	for range 100 {
		port := 15_000 + mathrand.IntN(15_000)
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			continue
		}
		return port, l.Close()
	}
	return 0, errors.New("there is no free port")
}

// postgresProgram finds a program of PostgreSQL; Debian keeps them outside the PATH, by version.
func postgresProgram(name string) string {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	slices.SortFunc(found, func(a, b string) int { return version(b) - version(a) })
	if len(found) > 0 {
		return found[0]
	}
	path, _ := exec.LookPath(name)
	return path
}

func version(path string) int {
	n, _ := strconv.Atoi(strings.TrimSuffix(filepath.Base(filepath.Dir(filepath.Dir(path))), ".old"))
	return n
}
