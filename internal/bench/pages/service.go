package pages

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"owlatsync/owlat/owlattest"
)

// fresh is the sync whose rows are in its source, and not in the ledger yet.
const fresh = "fresh"

const config = `owlat: {url: %q, api_key: %q, requests_per_second: 1000000}
ledger: %q
serve: {listen: "127.0.0.1:0"}
syncs:
  %s: {source: {dsn: "csv:people.csv"}, key: id, fields: {email: email}}
  %s: {source: {dsn: "csv:fresh.csv"}, key: id, fields: {email: email, firstName: first}, topics: [{id: %s}], guards: {first_run: allow, updates: allow, creates: allow}}
`

// service is the program that serves a ledger, beside an Owlat without a limit.
type service struct {
	folder, base string
	cmd          *exec.Cmd
	owlat        *httptest.Server
}

// serve begins a service whose fresh sync has so many rows.
func serve(ctx context.Context, log io.Writer, program, ledger string, rows int) (*service, error) {
	folder, err := os.MkdirTemp("", "owlat-sync-bench-")
	if err != nil {
		return nil, err
	}
	emulator := &owlattest.Server{NoLimit: true}
	topic := emulator.AddTopic("Newsletter", false)
	s := &service{folder: folder, owlat: httptest.NewServer(emulator)}
	path := filepath.Join(folder, "owlat-sync.yaml")
	text := fmt.Appendf(nil, config, s.owlat.URL, emulator.AddKey(), ledger, syncName, fresh, topic)
	if err := errors.Join(os.WriteFile(path, text, 0o600), os.WriteFile(filepath.Join(folder, "people.csv"), []byte("id,email\n"), 0o600), s.write(rows, "First")); err != nil {
		return nil, errors.Join(err, s.end())
	}
	s.cmd = exec.CommandContext(ctx, program, "serve", "--json", "--log-level", "error", "--config", path)
	s.cmd.Stderr = log
	out, err := s.cmd.StdoutPipe()
	if err == nil {
		err = s.cmd.Start()
	}
	if err != nil {
		s.cmd = nil
		return nil, errors.Join(err, s.end())
	}
	var began struct {
		Listen string `json:"listen"`
	}
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &began)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the service did not begin: %w", err), s.end())
	}
	s.base = "http://" + began.Listen
	if err := s.ready(ctx); err != nil {
		return s, err
	}
	select {
	case <-time.After(settles):
		return s, nil
	case <-ctx.Done():
		return s, errors.Join(ctx.Err(), s.end())
	}
}

// settles is how long nobody looks at a service that begins.
const settles = 2 * time.Second

// ready waits until the service says that it is ready.
func (s *service) ready(ctx context.Context) error {
	for {
		_, _, err := newBrowser(s.base).get(ctx, "/readyz")
		if err == nil {
			return nil
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return errors.Join(err, s.end())
		}
	}
}

// write makes the rows of the fresh sync, all with this first name.
func (s *service) write(rows int, first string) error {
	var text strings.Builder
	text.WriteString("id,email,first\n")
	for n := 1; n <= rows; n++ {
		fmt.Fprintf(&text, "f%d,fresh%d@example.com,%s\n", n, n, first)
	}
	return os.WriteFile(filepath.Join(s.folder, "fresh.csv"), []byte(text.String()), 0o600)
}

// end stops the service.
func (s *service) end() (err error) {
	if s.cmd != nil {
		err = errors.Join(s.cmd.Process.Signal(syscall.SIGTERM), s.cmd.Wait())
	}
	s.owlat.Close()
	return errors.Join(err, os.RemoveAll(s.folder))
}

// ended is what the API tells of a run.
type ended struct {
	Status            string
	Started, Finished time.Time
	Done              bool
}

// wait waits until a run has ended, or is held.
func (b *browser) wait(ctx context.Context, run string) (r ended, err error) {
	for {
		text, _, err := b.get(ctx, "/api/v1/runs/"+run)
		if err != nil {
			return r, err
		}
		if err := json.Unmarshal([]byte(text), &r); err != nil {
			return r, err
		}
		if r.Done {
			return r, nil
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			return r, ctx.Err()
		}
	}
}
