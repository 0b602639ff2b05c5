package cluster

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"owlatsync/owlat/owlattest"
	"owlatsync/tests/cluster/programs"
)

// disk is a small file system that can be filled.
type disk struct {
	t   *testing.T
	dir string
}

func newDisk(t *testing.T, dir, size string) *disk {
	t.Helper()
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("mounting a file system is refused: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return &disk{t, dir}
}

func (d *disk) ballast() string { return filepath.Join(d.dir, "ballast") }

// fill takes all room that is left, again and again if something was given back.
func (d *disk) fill() {
	d.t.Helper()
	file, err := os.OpenFile(d.ballast(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		d.t.Fatal(err)
	}
	defer file.Close()
	for block := bytes.Repeat([]byte("x"), 4<<10); err == nil; {
		_, err = file.Write(block)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		d.t.Fatal(err)
	}
}

func (d *disk) free() {
	d.t.Helper()
	if err := os.Remove(d.ballast()); err != nil {
		d.t.Fatal(err)
	}
}

// fullWorld is two nodes whose ledger is on a small disk.
type fullWorld struct {
	t     *testing.T
	dir   string
	owlat *owlattest.Server
	nodes []*programs.Process
	at    []string
	env   []string
}

const fullSecret = "whsec_0123456789abcdef"

func newFullWorld(t *testing.T, dir, dsn string) *fullWorld {
	t.Helper()
	w := &fullWorld{t: t, dir: dir, owlat: &owlattest.Server{NoLimit: true}}
	topic := w.owlat.AddTopic("news", false)
	listener := httptest.NewServer(w.owlat)
	t.Cleanup(listener.Close)
	w.env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TMPDIR=" + dir, "TZ=UTC", "OWLAT_API_KEY=" + w.owlat.AddKey(), "OWLAT_URL=" + listener.URL, "LEDGER=" + dsn}
	w.write("owlat-sync.yaml", fmt.Sprintf(`owlat: {requests_per_second: 100}
ledger: "${LEDGER}&schema=owlat_sync"
serve: {listen: "127.0.0.1:0"}
webhooks: {secrets: [%s]}
syncs:
  users:
    source: {dsn: "csv:users.csv"}
    key: id
    fields: {email: email}
    topics: [{id: %s, when: news}]
    guards: {first_run: allow, creates: allow, topic_adds: allow}
    schedule: every 2s
`, fullSecret, topic))
	for range 2 {
		var line []byte
		cmd := exec.Command(program(t), "serve", "--json", "--log-level", "info")
		cmd.Dir, cmd.Env = dir, w.env
		p, err := programs.Begin(cmd, filepath.Join(dir, fmt.Sprintf("log%d", len(w.nodes))), &line)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if code := p.End(syscall.SIGTERM, 60*time.Second); code != 0 {
				t.Errorf("a node ended with code %d\n%s", code, p.LastWords())
			}
		})
		var ready struct{ Listen string }
		if err := json.Unmarshal(line, &ready); err != nil {
			t.Fatal(err)
		}
		w.nodes, w.at = append(w.nodes, p), append(w.at, ready.Listen)
	}
	return w
}

func (w *fullWorld) log(node int) string {
	text, err := os.ReadFile(filepath.Join(w.dir, fmt.Sprintf("log%d", node)))
	if err != nil {
		w.t.Fatal(err)
	}
	return string(text)
}

func (w *fullWorld) write(name, text string) {
	w.t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// people gives the source so many rows.
func (w *fullWorld) people(n int) {
	var rows strings.Builder
	rows.WriteString("id,email,news\n")
	for i := range n {
		fmt.Fprintf(&rows, "%d,person%d@example.com,true\n", i, i)
	}
	w.write("users.csv", rows.String())
}

func (w *fullWorld) until(within time.Duration, what string, holds func() bool) {
	w.t.Helper()
	began := time.Now()
	for ; !holds(); <-time.After(20 * time.Millisecond) {
		if time.Since(began) > within {
			w.t.Fatalf("%s does not come about\n%s\n%s", what, w.nodes[0].LastWords(), w.nodes[1].LastWords())
		}
	}
	w.t.Logf("%s: after %v", what, time.Since(began).Round(time.Millisecond))
}

func (w *fullWorld) ask(node int, method, path, body string) (int, string) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, "http://"+w.at[node]+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if strings.HasPrefix(path, "/webhooks") {
		sum := hmac.New(sha256.New, []byte(fullSecret))
		sum.Write([]byte(body))
		req.Header.Set("X-Signature", hex.EncodeToString(sum.Sum(nil)))
		req.Header.Set("X-Timestamp", strconv.FormatInt(time.Now().Unix(), 10))
	}
	res, err := (&http.Client{Timeout: 40 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		w.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

func bounce(n int) string {
	return fmt.Sprintf(`{"event":"email.bounced","timestamp":"2026-01-01T00:00:00.000Z","data":{"email":"person%d@example.com","bounceType":"hard","message":"no such person","timestamp":"2026-01-01T00:00:00.000Z"}}`, n)
}

// settled waits until everybody is in Owlat once, and a run finds nothing more to do.
func (w *fullWorld) settled(people int) {
	w.t.Helper()
	w.until(3*time.Minute, "everybody", func() bool { return w.owlat.Len() == people })
	w.until(time.Minute, "that nothing is left to do", func() bool {
		before := w.owlat.Stats().Writes
		status, answer := w.ask(0, http.MethodGet, "/api/v1/runs?limit=1", "")
		var runs struct {
			Runs []struct {
				Status string
				Report *struct{ Requests struct{ Writes int } }
			}
		}
		_ = json.Unmarshal([]byte(answer), &runs)
		return status == http.StatusOK && len(runs.Runs) > 0 && runs.Runs[0].Status == "ok" && runs.Runs[0].Report.Requests.Writes == 0 && before == w.owlat.Stats().Writes
	})
	for _, c := range w.owlat.Contacts() {
		if len(c.Topics) != 1 {
			w.t.Errorf("%s is on %d topics", c.Email, len(c.Topics))
		}
	}
	if n := w.owlat.Len(); n != people {
		w.t.Errorf("%d contacts, want %d", n, people)
	}
	for node := range w.at {
		w.until(30*time.Second, "that each node is ready", func() bool { status, _ := w.ask(node, http.MethodGet, "/readyz", ""); return status == http.StatusOK })
	}
}

func postgresOn(t *testing.T, dir string, settings ...string) *programs.Postgres {
	t.Helper()
	if !programs.HasPostgres() {
		t.Skip(programs.ErrNoPostgres)
	}
	p, err := programs.NewPostgres(dir, settings...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func fullDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "owlat-sync-full-")
	if err == nil {
		err = os.Chmod(dir, 0o755) // the user of PostgreSQL must reach its folder
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// bounces sends webhooks until some are refused on a full disk, and returns whose were acknowledged and whose were not.
func (w *fullWorld) bounces(d *disk) (acked, refused []int) {
	w.t.Helper()
	w.until(3*time.Minute, "webhooks that are not taken in", func() bool {
		d.fill() // what was given back meanwhile
		n := len(acked) + len(refused)
		if status, answer := w.ask(n%2, http.MethodPost, "/webhooks/owlat", bounce(n)); status/100 == 2 {
			acked = append(acked, n)
		} else if refused = append(refused, n); status != http.StatusServiceUnavailable && status != http.StatusInternalServerError {
			w.t.Fatalf("a webhook is answered with %d %s", status, answer)
		}
		return len(refused) > 3
	})
	return acked, refused
}

// refusesAll waits until no node is ready, runs that are asked for are refused with what to do, and nothing is sent to Owlat any more.
func (w *fullWorld) refusesAll(says string) {
	w.t.Helper()
	for node := range w.at {
		w.until(time.Minute, "that no node is ready", func() bool {
			status, _ := w.ask(node, http.MethodGet, "/readyz", "")
			return status == http.StatusServiceUnavailable
		})
		w.until(time.Minute, "that runs are refused", func() bool {
			status, answer := w.ask(node, http.MethodPost, "/api/v1/syncs/users/runs", `{"limit":1}`)
			return status == http.StatusServiceUnavailable && strings.Contains(answer, says)
		})
	}
	writes, since := -1, time.Now()
	w.until(time.Minute, "that nothing is sent any more", func() bool {
		if now := w.owlat.Stats().Writes; now != writes {
			writes, since = now, time.Now()
		}
		return time.Since(since) > 3*time.Second
	})
}

// takesUp checks that all is made up for, and that each webhook that was acknowledged has its effect.
func (w *fullWorld) takesUp(people int, acked, refused []int) {
	w.t.Helper()
	for i, n := range refused { // as Owlat does
		w.until(time.Minute, "that a webhook is taken in", func() bool {
			status, _ := w.ask(i%2, http.MethodPost, "/webhooks/owlat", bounce(n))
			return status/100 == 2
		})
	}
	w.settled(people)
	var heard struct{ Feedback []struct{ Event string } }
	if _, answer := w.ask(0, http.MethodGet, "/api/v1/feedback?limit=1000", ""); json.Unmarshal([]byte(answer), &heard) != nil || len(heard.Feedback) < len(acked)+len(refused) {
		w.t.Errorf("%d webhooks were acknowledged, and %d are known", len(acked)+len(refused), len(heard.Feedback))
	}
}

// TestTheDiskOfTheTablesIsFull: runs stop and say why, nothing is taken in that cannot be kept, and all is made up for once there is room.
func TestTheDiskOfTheTablesIsFull(t *testing.T) {
	t.Parallel()
	dir := fullDir(t)
	d := newDisk(t, filepath.Join(dir, "small"), "40m")
	p := postgresOn(t, dir)
	if err := os.Chmod(d.dir, 0o777); err != nil {
		t.Fatal(err)
	}
	space := filepath.Join(d.dir, "space")
	for _, s := range []string{
		"COPY (SELECT) TO PROGRAM 'mkdir " + space + "'", // the server's user must own it
		"CREATE TABLESPACE small LOCATION '" + space + "'", "CREATE DATABASE ledger TABLESPACE small",
	} {
		administer(t, p, s)
	}
	w := newFullWorld(t, dir, p.DSN(p.Addr(), "ledger"))
	w.people(50)
	w.until(time.Minute, "the first run", func() bool { return w.owlat.Len() == 50 })
	w.people(600)
	w.until(time.Minute, "the second run", func() bool { return w.owlat.Len() > 80 })
	acked, refused := w.bounces(d)
	const says = "the disk of the ledger is full: free some space"
	w.refusesAll(says)
	if w.owlat.Len() == 600 {
		t.Error("everybody is in Owlat although the disk is full")
	}
	if !strings.Contains(w.log(0)+w.log(1), says) {
		t.Error("no log says that the disk is full")
	}
	d.free()
	w.takesUp(600, acked, refused)
}

// TestTheDiskOfTheLogIsFull: PostgreSQL itself ends then. The nodes wait for it, and go on when it is back with some room.
func TestTheDiskOfTheLogIsFull(t *testing.T) {
	t.Parallel()
	dir := fullDir(t)
	d := newDisk(t, filepath.Join(dir, "small"), "160m")
	p := postgresOn(t, d.dir, "shared_buffers=16MB", "min_wal_size=32MB", "max_wal_size=48MB", "wal_recycle=off")
	w := newFullWorld(t, dir, p.DSN(p.Addr(), "postgres"))
	w.people(50)
	w.until(time.Minute, "the first run", func() bool { return w.owlat.Len() == 50 })
	w.people(600)
	w.until(time.Minute, "the second run", func() bool { return w.owlat.Len() > 80 })
	w.until(time.Minute, "the end of the log", func() bool {
		d.fill()
		conn, err := pgx.Connect(t.Context(), p.DSN(p.Addr(), "postgres"))
		if err == nil {
			_, err = conn.Exec(t.Context(), "SELECT pg_logical_emit_message(false, 'x', repeat('x', 1000000)), pg_switch_wal()")
			_ = conn.Close(t.Context())
		}
		return err != nil
	})
	acked, refused := w.bounces(d)
	w.refusesAll("the server of the ledger cannot be reached: see that it runs")
	d.free()
	if p.Ended() {
		if err := p.Start(); err != nil {
			t.Fatal(err)
		}
	}
	w.takesUp(600, acked, refused)
}

func administer(t *testing.T, p *programs.Postgres, statement string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), p.DSN(p.Addr(), "postgres"))
	if err == nil {
		_, err = conn.Exec(t.Context(), statement)
		_ = conn.Close(t.Context())
	}
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}
