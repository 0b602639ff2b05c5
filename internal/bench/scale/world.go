package scale

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"owlatsync/internal/bench/made"
	"owlatsync/owlat/owlattest"
	"owlatsync/tests/cluster/programs"
)

const (
	schema = "owlat_sync"
	many   = "many" // the deployment with many syncs
	users  = "users"
)

// world is everything that runs.
type world struct {
	log     io.Writer
	size    Size
	folder  string
	program string

	ledger, source string        // DSNs of two databases
	book           *pgxpool.Pool // to the first
	rows           *pgxpool.Pool // to the second, and to what the server says of itself

	owlats map[string]*owlat // by the host under which the nodes know them
	nodes  []*node
}

// owlat is an Owlat without a limit.
type owlat struct {
	*owlattest.Server
	key string
}

// node is a service, and its way to the Owlats.
type node struct {
	name string // as PostgreSQL knows it
	dir  string
	door *http.Server
	addr string       // of the door
	sent atomic.Int64 // requests

	cmd *exec.Cmd // nil: it does not serve
	pid int
}

func newWorld(ctx context.Context, log io.Writer, size Size, folder, program string, server *programs.Postgres) (_ *world, err error) {
	w := &world{log: log, size: size, folder: folder, program: program, owlats: make(map[string]*owlat)}
	defer func() {
		if err != nil {
			_ = w.close()
		}
	}()
	w.source, w.ledger = server.DSN(server.Addr(), "source"), server.DSN(server.Addr(), "ledger")
	first, err := pgxpool.New(ctx, server.DSN(server.Addr(), "postgres"))
	if err != nil {
		return nil, err
	}
	defer first.Close()
	for _, statement := range []string{"CREATE DATABASE source", "CREATE DATABASE ledger"} {
		if _, err := first.Exec(ctx, statement); err != nil {
			return nil, err
		}
	}
	if w.rows, err = pgxpool.New(ctx, w.source); err != nil {
		return nil, err
	}
	if w.book, err = pgxpool.New(ctx, w.ledger); err != nil {
		return nil, err
	}
	// A table holds how many rows each sync has; the rows are made while they are read. Those beyond base have appeared since.
	if _, err := w.rows.Exec(ctx, `CREATE TABLE sizes (name text PRIMARY KEY, base int NOT NULL, more int NOT NULL DEFAULT 0, version int NOT NULL DEFAULT 0)`); err != nil {
		return nil, err
	}
	if _, err := w.rows.Exec(ctx, `CREATE EXTENSION pg_stat_statements`); err != nil {
		return nil, err
	}
	for _, d := range w.deployments() {
		o := &owlat{Server: &owlattest.Server{NoLimit: true}}
		o.key = o.AddKey()
		w.owlats[host(d)] = o
		for _, s := range w.syncs(d) {
			if _, err := w.rows.Exec(ctx, "INSERT INTO sizes (name, base) VALUES ($1, $2)", d+"/"+s, w.contactsOf(d)); err != nil {
				return nil, err
			}
		}
	}
	for n := range size.Nodes {
		if err := w.addNode(n); err != nil {
			return nil, err
		}
	}
	return w, nil
}

func host(deployment string) string { return deployment + ".owlat.example" }

// deployments names all deployments.
func (w *world) deployments() []string {
	names := []string{many}
	for n := range w.size.Deployments {
		names = append(names, fmt.Sprintf("team%03d", n))
	}
	return names
}

// syncs names those of a deployment.
func (w *world) syncs(deployment string) []string {
	if deployment != many {
		return []string{users}
	}
	var names []string
	for n := range w.size.Syncs {
		names = append(names, fmt.Sprintf("list%02d", n))
	}
	return names
}

func (w *world) contactsOf(deployment string) int {
	if deployment == many {
		return w.size.Each
	}
	return w.size.Contacts
}

func (w *world) addNode(number int) error {
	name := fmt.Sprint("node", number+1)
	n := &node{name: name, dir: filepath.Join(w.folder, name)}
	if err := os.Mkdir(n.dir, 0o700); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	n.addr = listener.Addr().String()
	n.door = &http.Server{Handler: http.HandlerFunc(func(res http.ResponseWriter, req *http.Request) {
		o := w.owlats[req.Host]
		if o == nil {
			http.Error(res, "there is no such host", http.StatusBadGateway)
			return
		}
		n.sent.Add(1)
		o.ServeHTTP(res, req)
	})}
	go func() { _ = n.door.Serve(listener) }()
	w.nodes = append(w.nodes, n)
	return nil
}

type tree = map[string]any

// plan says how often every sync is due, and how often sources are asked whether something changed; empty: never.
type plan struct{ every, poll string }

// configure writes the configuration of all nodes.
func (w *world) configure(p plan) error {
	deployments := make(tree)
	for _, d := range w.deployments() {
		syncs := make(tree)
		for _, s := range w.syncs(d) {
			source := tree{"dsn": w.source, "query": fmt.Sprintf(`SELECT n AS id, 'u' || n || '@%s.example.com' AS email, 'First' AS first_name, n::bigint AS mark,
				'Last' || n || CASE WHEN n > base THEN '-' || version ELSE '' END AS last_name FROM sizes, generate_series(1, base + more) AS n WHERE name = '%s/%s'`, s, d, s)}
			if p.poll != "" {
				source["cursor"], source["poll"] = "mark", p.poll
			}
			syncs[s] = tree{
				"source": source, "key": "id", "fields": tree{"email": "email", "firstName": "first_name", "lastName": "last_name"}, "schedule": "every " + p.every,
				"guards": tree{"creates": "allow", "updates": "allow", "first_run": "allow"},
			}
		}
		deployments[d] = tree{"owlat": tree{"url": "http://" + host(d), "api_key": w.owlats[host(d)].key, "requests_per_second": 1000}, "syncs": syncs}
	}
	text, err := json.Marshal(tree{
		"ledger": w.ledger + "&schema=" + schema + "&application_name=${NODE}", "serve": tree{"listen": "127.0.0.1:0", "stop_within": "20s"}, "deployments": deployments,
	})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(w.folder, "owlat-sync.yaml"), text, 0o600)
}

// start starts all nodes, and waits until they serve.
func (w *world) start(ctx context.Context, p plan) error {
	if err := w.configure(p); err != nil {
		return err
	}
	errs := make([]error, len(w.nodes))
	var group sync.WaitGroup
	for i, n := range w.nodes {
		group.Go(func() { errs[i] = w.serve(ctx, n) })
	}
	group.Wait()
	return errors.Join(errs...)
}

func (w *world) serve(ctx context.Context, n *node) error {
	log, err := os.OpenFile(filepath.Join(n.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	cmd := exec.CommandContext(ctx, w.program, "serve", "--json", "--config", filepath.Join(w.folder, "owlat-sync.yaml"))
	cmd.Dir, cmd.Stderr = n.dir, log
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + n.dir, "TMPDIR=" + n.dir, "TZ=UTC", "HTTP_PROXY=http://" + n.addr, "NODE=" + n.name}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	n.cmd, n.pid = cmd, cmd.Process.Pid
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		return fmt.Errorf("a node does not serve: %w\n%s", err, n.lastWords())
	}
	return nil
}

// lastWords returns the end of a node's log.
func (n *node) lastWords() string {
	text, err := os.ReadFile(filepath.Join(n.dir, "log"))
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-10):], "\n")
}

// stop ends all nodes softly, and notes the most memory that each had. It tells what they complained about.
func (w *world) stop(ctx context.Context, l *load) error {
	for i, n := range w.nodes {
		if n.cmd == nil {
			continue
		}
		if l.Nodes != nil {
			l.Nodes[i].Memory = made.HighWater(n.pid)
		}
		_ = n.cmd.Process.Signal(syscall.SIGTERM)
	}
	var errs []error
	for _, n := range w.nodes {
		if n.cmd == nil {
			continue
		}
		err := n.cmd.Wait()
		n.cmd = nil
		if ctx.Err() == nil && err != nil {
			errs = append(errs, fmt.Errorf("a node did not end as it should: %w\n%s", err, n.lastWords()))
		}
	}
	return errors.Join(errs...)
}

// sent returns how many requests each node has sent.
func (w *world) sent() []int {
	all := make([]int, len(w.nodes))
	for i, n := range w.nodes {
		all[i] = int(n.sent.Load())
	}
	return all
}

// contacts is how many the Owlats have.
func (w *world) contacts() (count int) {
	for _, o := range w.owlats {
		count += o.Len()
	}
	return count
}

// change lets a row appear in every fifth deployment, and changes those that have appeared before.
func (w *world) change(ctx context.Context) error {
	_, err := w.rows.Exec(ctx, "UPDATE sizes SET more = more + 1, version = version + 1 WHERE random() < 0.2")
	return err
}

func (w *world) close() error {
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	err := w.stop(gone, &load{})
	for _, n := range w.nodes {
		err = errors.Join(err, n.door.Close())
	}
	for _, pool := range []*pgxpool.Pool{w.book, w.rows} {
		if pool != nil {
			pool.Close()
		}
	}
	return err
}

// now is the server's time.
func (w *world) now(ctx context.Context) (now time.Time, err error) {
	err = w.rows.QueryRow(ctx, "SELECT clock_timestamp()").Scan(&now)
	return now, err
}
