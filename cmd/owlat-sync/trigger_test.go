package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"owlatsync/internal/access"
	"owlatsync/internal/exitcode"
)

// tended is a service beside a sandbox with a file as its source, which needs a token.
type tended struct {
	*service
	token string
}

func newTended(t *testing.T) *tended {
	t.Helper()
	s := &tended{service: &service{t: t, dir: t.TempDir()}, token: access.NewToken()}
	box := beginChild(t, s.dir, nil, "sandbox", "--json", "--listen", "127.0.0.1:0", "--no-limit")
	s.sandbox = box.ready["url"].(string)
	s.env = []string{"OWLAT_URL=" + s.sandbox, "OWLAT_API_KEY=" + box.ready["api_key"].(string)}
	s.write("users.csv", "id,email\n1,ann@example.com\n2,bob@example.com\n")
	s.write("token.txt", s.token+"\n")
	s.write("owlat-sync.yaml", fmt.Sprintf(`owlat: {requests_per_second: 1000}
serve:
  listen: 127.0.0.1:0
  tokens: [{name: ci, role: operator, hash: "%s"}]
syncs:
  users: {source: {dsn: "csv:users.csv"}, key: id, fields: {email: email}, guards: {first_run: allow}}
  first: {source: {dsn: "csv:users.csv"}, key: id, fields: {email: email}}
`, access.HashToken(s.token)))
	s.begin()
	s.listen = s.process.ready["listen"].(string)
	return s
}

func (s *tended) write(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// trigger runs the command, and returns what it prints and its exit code.
func (s *tended) trigger(args ...string) (out string, code int) {
	s.t.Helper()
	return s.triggerTo(&syncBuffer{}, args...)
}

// triggerTo runs the command, whose output can be read meanwhile.
func (s *tended) triggerTo(text *syncBuffer, args ...string) (out string, code int) {
	s.t.Helper()
	cmd := command(s.t, s.dir, append(s.env, "OWLAT_SYNC_TOKEN="+s.token, "OWLAT_SYNC_URL=http://"+s.listen), append([]string{"trigger"}, args...)...)
	cmd.Stdout, cmd.Stderr = text, text
	err := cmd.Run()
	if exit, ok := err.(*exec.ExitError); ok {
		return text.String(), exit.ExitCode()
	} else if err != nil {
		s.t.Fatal(err)
	}
	return text.String(), 0
}

// TestTrigger asks a service for runs, as a job of a CI does: the exit codes are those of "run".
func TestTrigger(t *testing.T) {
	t.Parallel()
	s := newTended(t)
	for _, test := range []struct {
		name  string
		args  string
		fault string // of the sandbox while it runs
		want  string
		code  exitcode.Code
	}{
		{"held", "first --wait", "", "ended: held", exitcode.Held},
		{"queued", "users", "", "Run 2 of users is queued.", exitcode.OK},
		{"to its end", "users --wait", "", "of users ended: ok.", exitcode.OK},
		{"as JSON", "users --wait --json", "", `"status":"ok"`, exitcode.OK},
		{"the number as JSON", "users --json", "", `{"type":"queued","sync":"users","run":`, exitcode.OK},
		{"nothing to review", "users --wait --review", "", "There is nothing to send, so nothing waits for you.", exitcode.OK},
		{"to be reviewed", "first --wait --review", "", "\"owlat-sync plan --sync first\" shows the plan, \"owlat-sync approve ", exitcode.Held},
		{"to be reviewed some time", "first --review", "", "It sends nothing. If there is anything to send, it is held with its plan.\n\"owlat-sync plan --sync first\" shows", exitcode.OK},
		{"a part", "users --wait --only 2 --limit 1", "", "ended: ok", exitcode.OK},
		{"failed rows", "users --wait", `{"kind":"status","status":503,"method":"POST"}`, "ended: failed rows. Rows: 2 unchanged, 1 failed.", exitcode.FailedRows},
		{"an unknown sync", "nobody --wait", "", "there is no sync \"nobody\"; there are: users, first", exitcode.Usage},
		{"a token that is none", "users --token-file users.csv", "", "OWLAT_SYNC_TOKEN", exitcode.Usage},
		{"a file that is not there", "users --token-file none.txt", "", "none.txt", exitcode.Usage},
		{"no address", "users --url example", "", "must be such as https://sync.example.com", exitcode.Usage},
		{"nobody there", "users --url http://127.0.0.1:1", "", "is not reached", exitcode.Error},
		{"another program", "users --url " + s.sandbox, "", "does not speak as a service of owlat-sync does", exitcode.Error},
		{"a limit of none", "users --limit 0", "", "--limit must be at least 1", exitcode.Usage},
		{"a time for nothing", "users --timeout 5s", "", "goes with --wait", exitcode.Usage},
		{"no sync", "", "", "needs the name of a sync", exitcode.Usage},
	} {
		if test.fault != "" {
			s.write("users.csv", "id,email\n1,ann@example.com\n2,bob@example.com\n3,eve@example.com\n")
			s.sandboxed("faults", test.fault, nil)
		}
		out, code := s.trigger(strings.Fields(test.args)...)
		if code != int(test.code) || !strings.Contains(out, test.want) {
			t.Errorf("%s: exit code %d, %s\nwant %d and %q", test.name, code, out, test.code, test.want)
		}
		if strings.Contains(out, s.token) {
			t.Errorf("%s: the token is shown: %s", test.name, out)
		}
		if test.fault != "" {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, s.sandbox+"/__sandbox/faults", http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			res, err := asks.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = res.Body.Close()
		}
	}
}

// api makes a request to the service's API and reads its answer.
func (s *tended) api(method, path string, into any) (status int) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, "http://"+s.listen+"/api/v1/"+path, http.NoBody)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.token)
	res, err := asks.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if into != nil {
		if err := json.NewDecoder(res.Body).Decode(into); err != nil {
			s.t.Fatalf("%s %s: %d %v", method, path, res.StatusCode, err)
		}
	}
	return res.StatusCode
}

// TestTriggerWaits while the run hangs, is cancelled, or the service is restarted.
func TestTriggerWaits(t *testing.T) {
	t.Parallel()
	s := newTended(t)
	s.sandboxed("faults", `{"kind":"latency","method":"POST","delayMs":600000}`, nil)
	if out, code := s.trigger("users", "--wait", "--timeout", "300ms"); code != int(exitcode.Error) || !strings.Contains(out, "has not ended in time; it goes on") {
		t.Errorf("exit code %d, %s", code, out)
	}

	type end struct {
		out  string
		code int
	}
	ended := make(chan end, 1)
	go func() {
		out, code := s.trigger("users", "--wait", "--full", "--json")
		ended <- end{out, code}
	}()
	queued := func() []any {
		var body struct{ Runs []map[string]any }
		s.api(http.MethodGet, "runs", &body)
		var all []any
		for _, r := range body.Runs {
			if r["status"] == "queued" {
				all = append(all, r["run"])
			}
		}
		return all
	}
	s.until("the queued run", func() bool { return len(queued()) == 1 })
	if status := s.api(http.MethodPost, fmt.Sprintf("runs/%v/cancel", queued()[0]), nil); status != http.StatusAccepted {
		t.Fatalf("the cancelling is answered with %d", status)
	}
	if e := <-ended; e.code != int(exitcode.Interrupted) || !strings.Contains(e.out, `"status":"cancelled"`) {
		t.Errorf("a cancelled run: exit code %d, %s", e.code, e.out)
	}

	said := &syncBuffer{}
	go func() {
		out, code := s.triggerTo(said, "users", "--wait", "--full")
		ended <- end{out, code}
	}()
	s.until("the wait", func() bool { return strings.Contains(said.String(), "waiting for its end") }) // a service that is killed before it answers is asked in vain
	s.process.signal(syscall.SIGKILL)
	s.sandboxed("reset", `{}`, nil) // forgets the fault and the key
	select {
	case e := <-ended:
		t.Fatalf("a service that is gone for a moment: exit code %d, %s", e.code, e.out)
	case <-time.After(500 * time.Millisecond):
	}
	text, err := os.ReadFile(filepath.Join(s.dir, "owlat-sync.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	s.write("owlat-sync.yaml", strings.Replace(string(text), "127.0.0.1:0", s.listen, 1))
	s.begin()
	if e := <-ended; e.code != int(exitcode.Refused) || !strings.Contains(e.out, "of users ended: stopped") {
		t.Errorf("the next service, whose key Owlat does not know any more: exit code %d, %s", e.code, e.out)
	}
}
