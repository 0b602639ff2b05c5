//go:build unix

package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"

	"owlatsync/internal/testdb"
)

// kind is a sort of server that the tests want.
type kind struct {
	name     string
	variable string
	packages []string      // names in Debian
	beside   []string      // names in Debian of further programs that tests start themselves, each called as its package
	program  func() string // path of the server program, or of what it is made of, "" if it is not there
	start    func(ctx context.Context, dir string) (*process, string, error)
}

var kinds = []kind{
	{"PostgreSQL", testdb.PostgresVariable, []string{"postgresql"}, []string{"pgbouncer"}, func() string { return postgresProgram("postgres") }, startPostgres},
	{"MariaDB", testdb.MySQLVariable, []string{"mariadb-server-core", "mariadb-client-core"}, nil, func() string { return program("mariadbd", "/usr/sbin") }, startMariaDB},
	{"FerretDB", testdb.MongoVariable, nil, nil, ferretModule, startFerretDB},
}

// tools are further programs that tests start themselves, by their packages in Debian.
var tools = map[string]string{"promtool": "prometheus"}

// startTimeout is how long a server may take to accept connections.
const startTimeout = 60 * time.Second

// startRetrying starts the server. It tries several times, because another program may take the free port first.
func (k kind) startRetrying(ctx context.Context, dir string) (p *process, dsn string, err error) {
	if k.program() == "" {
		return nil, "", fmt.Errorf("its server program is not there (Debian package %s)", cmp.Or(strings.Join(k.packages, " "), "none: its module is "+ferretFolder))
	}
	for range 3 {
		if p, dsn, err = k.start(ctx, dir); err == nil || ctx.Err() != nil {
			return p, dsn, err
		}
	}
	return nil, "", err
}

func startPostgres(ctx context.Context, parent string) (*process, string, error) {
	as, err := unprivileged("postgres", "nobody")
	if err != nil {
		return nil, "", err
	}
	dir, err := as.folder(parent, "postgres-")
	if err != nil {
		return nil, "", err
	}
	password := rand.Text()
	secret := filepath.Join(dir, "password")
	if err := os.WriteFile(secret, []byte(password), 0o600); err != nil {
		return nil, "", fmt.Errorf("write the password file: %w", err)
	}
	if err := as.own(secret); err != nil {
		return nil, "", err
	}
	data := filepath.Join(dir, "data")
	// SCRAM takes a program with the race detector a sixteenth of a second for each connection, and tests make thousands.
	initdb := as.command(dir, postgresProgram("initdb"), "--pgdata", data, "--username", "owlatsync",
		"--pwfile", secret, "--auth", "md5", "--encoding", "UTF8", "--locale", "C", "--no-sync")
	if err := runQuietly(initdb); err != nil {
		return nil, "", err
	}
	if err := appendTo(filepath.Join(data, "postgresql.conf"), forTests); err != nil {
		return nil, "", err
	}
	port, err := freePort()
	if err != nil {
		return nil, "", err
	}
	server := as.command(dir, postgresProgram("postgres"), "-D", data, "-p", strconv.Itoa(port),
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "max_connections=200",
		"-c", "max_wal_size=4GB", "-c", "log_min_messages=fatal")
	p, err := start(server, dir, syscall.SIGQUIT)
	if err != nil {
		return nil, "", err
	}
	dsn := fmt.Sprintf("postgres://owlatsync:%s@127.0.0.1:%d/postgres?sslmode=disable", password, port)
	return ready(ctx, p, dsn, testdb.PingPostgres)
}

// forTests spares tests the disk, and a process of autovacuum for each of their databases every minute. It is in a file, so that who measures
// can turn it back.
const forTests = "\nfsync = off\nfull_page_writes = off\nautovacuum = off\n"

// appendTo appends a text to a file.
func appendTo(name, text string) error {
	f, err := os.OpenFile(name, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("configure the server: %w", err)
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

func startMariaDB(ctx context.Context, parent string) (*process, string, error) {
	as, err := unprivileged("mysql", "nobody")
	if err != nil {
		return nil, "", err
	}
	dir, err := as.folder(parent, "mariadb-")
	if err != nil {
		return nil, "", err
	}
	data := filepath.Join(dir, "data")
	initdb := as.command(dir, program("mariadb-install-db", "/usr/bin"), "--no-defaults", "--datadir="+data,
		"--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve")
	if err := runQuietly(initdb); err != nil {
		return nil, "", err
	}
	password := rand.Text()
	setup := filepath.Join(dir, "setup.sql")
	statements := fmt.Sprintf("CREATE DATABASE owlatsync CHARACTER SET utf8mb4;\n"+
		"CREATE USER 'owlatsync'@'%%' IDENTIFIED BY '%s';\nGRANT ALL ON *.* TO 'owlatsync'@'%%' WITH GRANT OPTION;\n"+
		"DROP USER IF EXISTS 'root'@'localhost';\n", password)
	if err := os.WriteFile(setup, []byte(statements), 0o600); err != nil {
		return nil, "", fmt.Errorf("write the setup statements: %w", err)
	}
	if err := as.own(setup); err != nil {
		return nil, "", err
	}
	port, err := freePort()
	if err != nil {
		return nil, "", err
	}
	server := as.command(dir, program("mariadbd", "/usr/sbin"), "--no-defaults", "--datadir="+data,
		"--port="+strconv.Itoa(port), "--bind-address=127.0.0.1", "--socket="+filepath.Join(dir, "socket"),
		"--pid-file="+filepath.Join(dir, "pid"), "--init-file="+setup, "--skip-name-resolve", "--skip-log-bin",
		"--character-set-server=utf8mb4", "--max-connections=200", "--innodb-flush-log-at-trx-commit=0",
		"--innodb-doublewrite=0", "--innodb-buffer-pool-size=256M", "--log-warnings=1")
	p, err := start(server, dir, syscall.SIGKILL)
	if err != nil {
		return nil, "", err
	}
	dsn := fmt.Sprintf("mysql://owlatsync:%s@127.0.0.1:%d/owlatsync", password, port)
	return ready(ctx, p, dsn, testdb.PingMySQL)
}

// ready waits until the server answers, and stops it if it does not.
func ready(ctx context.Context, p *process, dsn string, ping func(context.Context, string) error) (*process, string, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ping(ctx, dsn)
		if err == nil {
			return p, dsn, nil
		}
		select {
		case <-tick.C:
		case <-p.ended:
			return nil, "", fmt.Errorf("it ended at once; its log says:\n%s", p.lastWords())
		case <-ctx.Done():
			p.stop()
			return nil, "", fmt.Errorf("it did not answer in time: %w; its log says:\n%s", err, p.lastWords())
		}
	}
}

func runQuietly(cmd *exec.Cmd) error {
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("run %s: %w\n%s", filepath.Base(cmd.Path), err, out)
	}
	return nil
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// program finds an executable on the PATH or in the given folder, which an ordinary user's PATH often lacks.
func program(name, folder string) string {
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	if path, err := exec.LookPath(filepath.Join(folder, name)); err == nil {
		return path
	}
	return ""
}

// postgresProgram finds a program of PostgreSQL. Debian keeps them outside the PATH, by version.
func postgresProgram(name string) string {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if err != nil || len(found) == 0 {
		return program(name, "/usr/lib/postgresql/bin")
	}
	version := func(path string) int {
		n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
		return n
	}
	sort.Slice(found, func(i, j int) bool { return version(found[i]) > version(found[j]) })
	return found[0]
}
