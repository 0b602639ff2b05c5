package main

import (
	"bufio"
	"bytes"
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
	"slices"
	"strings"
	"syscall"
	"testing"

	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
)

// announced is what "sandbox --json" prints when it is ready.
type announced struct {
	Type   string            `json:"type"`
	URL    string            `json:"url"`
	APIKey string            `json:"api_key"`
	Keys   []string          `json:"api_keys"`
	Topics map[string]string `json:"topics"`
	Secret string            `json:"unsubscribe_secret"`
}

func (s announced) client(t *testing.T) *owlat.Client {
	t.Helper()
	c, err := owlat.NewClient(s.URL, s.APIKey, owlat.WithoutLimiter(), owlat.WithRetries(0))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

// startSandbox runs the command in this process until stop, which returns its exit code.
func startSandbox(t *testing.T, args ...string) (got announced, stop func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	reader, writer := io.Pipe()
	code := make(chan int, 1)
	var stderr bytes.Buffer
	go func() {
		defer writer.Close()
		code <- run(ctx, append([]string{"sandbox", "--json", "--listen", "127.0.0.1:0"}, args...), nil, strings.NewReader(""), writer, &stderr)
	}()
	if err := json.NewDecoder(reader).Decode(&got); err != nil {
		cancel()
		t.Fatalf("the sandbox did not start: %v, exit code %d, %s", err, <-code, stderr.Bytes())
	}
	stopped := false
	stop = func() int {
		cancel()
		stopped = true
		return <-code
	}
	t.Cleanup(func() {
		if !stopped {
			stop()
		}
	})
	return got, stop
}

func TestSandboxKeepsItsData(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "sandbox.json")
	const secret = "a secret of links"
	first, stop := startSandbox(t, "--data", data, "--unsubscribe-secret", secret)
	if first.Secret != secret {
		t.Errorf("announced the secret %q", first.Secret)
	}
	if first.Type != "sandbox" || len(first.Topics) != 2 {
		t.Fatalf("announced %+v, want a key and two topics", first)
	}
	client := first.client(t)
	made, err := client.Contacts.Create(t.Context(), owlat.CreateContactRequest{Email: "ada@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Topics.Add(t.Context(), first.Topics["newsletter"], owlat.AddMemberRequest{ContactID: made.ID}); err != nil {
		t.Fatal(err)
	}
	if code := stop(); code != 0 {
		t.Fatalf("stopped with exit code %d, want 0", code)
	}
	info, err := os.Stat(data)
	if err != nil {
		t.Fatal(err)
	}
	if mode := info.Mode().Perm(); mode != 0o600 {
		t.Errorf("the data file, which holds the key, has mode %o", mode)
	}

	second, stop := startSandbox(t, "--data", data)
	defer stop()
	if second.APIKey != first.APIKey || second.Topics["newsletter"] != first.Topics["newsletter"] {
		t.Errorf("after the restart another key or topic: %+v, before %+v", second.Topics, first.Topics)
	}
	found, err := second.client(t).Contacts.Get(t.Context(), "ada@example.com")
	if err != nil || found.ID != made.ID {
		t.Errorf("after the restart found %+v, %v; want contact %s", found, err, made.ID)
	}
	links, err := second.client(t).With(owlat.WithUnsubscribeSecret(secret))
	if err != nil {
		t.Fatal(err)
	}
	if seen, err := links.Preferences.Get(t.Context(), made.ID); err != nil || len(seen.Topics) != 2 {
		t.Errorf("after the restart the secret does not work: %+v, %v", seen, err)
	}
	left, err := filepath.Glob(data + ".*.tmp")
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %q, %v", left, err)
	}
}

// TestASandboxOfSeveralKeys: whoever types what the sandbox prints has a run that uses all of its keys, each with a limit of its own. After a
// restart it has the same keys, and as many more as are asked for.
func TestASandboxOfSeveralKeys(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "sandbox.json")
	ctx, cancel := context.WithCancel(t.Context())
	reader, writer := io.Pipe()
	code := make(chan int, 1)
	go func() {
		defer writer.Close()
		code <- run(ctx, []string{"sandbox", "--listen", "127.0.0.1:0", "--keys", "3", "--data", data}, nil, strings.NewReader(""), writer, io.Discard)
	}()
	env, environ, config := make(map[string]string), []string(nil), ""
	for lines, inYAML := bufio.NewScanner(reader), false; lines.Scan() && !strings.Contains(lines.Text(), "Ctrl-C"); {
		line := strings.TrimPrefix(lines.Text(), "  ")
		if name, value, ok := strings.Cut(strings.TrimPrefix(line, "export "), "="); ok && strings.HasPrefix(line, "export ") {
			env[name], environ = value, append(environ, name+"="+value)
		}
		if inYAML {
			config += line + "\n"
		}
		inYAML = inYAML || line == "In owlat-sync.yaml:"
	}
	if !strings.Contains(config, `api_keys: ["${OWLAT_API_KEY}", "${OWLAT_API_KEY_2}", "${OWLAT_API_KEY_3}"]`) || len(env) != 4 {
		t.Errorf("it prints %q and %d variables", config, len(env))
	}
	dir := t.TempDir()
	rows := "id,email\n"
	for i := range 45 {
		rows += fmt.Sprintf("%d,user%d@example.com\n", i, i)
	}
	for name, text := range map[string]string{
		"users.csv":       rows,
		"owlat-sync.yaml": config + "syncs:\n  users: {source: {dsn: \"csv:" + filepath.Join(dir, "users.csv") + "\"}, key: id, fields: {email: email}}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var told bytes.Buffer
	args := []string{"run", "--yes", "--config", filepath.Join(dir, "owlat-sync.yaml")}
	if got := run(t.Context(), args, environ, strings.NewReader(""), &told, &told); got != 0 {
		t.Errorf("the run ends with %d: %s", got, told.Bytes())
	}
	answer, err := http.Get(env["OWLAT_URL"] + "/__sandbox/stats")
	if err != nil {
		t.Fatal(err)
	}
	var stats struct {
		RateLimited int
		Keys        []struct{ Total int }
	}
	err = json.NewDecoder(answer.Body).Decode(&stats)
	if err := errors.Join(err, answer.Body.Close()); err != nil {
		t.Fatal(err)
	}
	if len(stats.Keys) != 3 || stats.RateLimited > 0 {
		t.Errorf("the run was counted as %+v", stats)
	}
	cancel()
	if got := <-code; got != 0 {
		t.Errorf("the sandbox ends with %d", got)
	}
	again, stop := startSandbox(t, "--data", data, "--keys", "4")
	defer stop()
	for _, name := range []string{"OWLAT_API_KEY", "OWLAT_API_KEY_2", "OWLAT_API_KEY_3"} {
		if len(again.Keys) != 4 || !slices.Contains(again.Keys, env[name]) {
			t.Errorf("after a restart with a fourth key it has %d keys, and perhaps not %s", len(again.Keys), name)
		}
	}
}

// TestSandboxSavesOnSIGTERM stops a real process as systemd and containers do.
func TestSandboxSavesOnSIGTERM(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "sandbox.json")
	cmd := exec.CommandContext(t.Context(), "owlat-sync", "sandbox", "--json", "--listen", "127.0.0.1:0", "--data", data)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	if err != nil {
		t.Fatal(err)
	}
	var got announced
	if err := json.Unmarshal(line, &got); err != nil {
		t.Fatal(err)
	}
	if _, err := got.client(t).Contacts.Create(t.Context(), owlat.CreateContactRequest{Email: "grace@example.com"}); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("after SIGTERM: %v", err)
	}
	file, err := os.Open(data)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var server owlattest.Server
	if err := server.Load(file); err != nil {
		t.Fatal(err)
	}
	if _, ok := server.Contact("grace@example.com"); !ok {
		t.Error("the contact was not saved")
	}
}

func TestSandboxRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	broken := filepath.Join(dir, "broken.json")
	if err := os.WriteFile(broken, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	inUse := filepath.Join(dir, "used.json")
	startSandbox(t, "--data", inUse)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, test := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"every interface", []string{"--listen", ":4010"}, 2, "--allow-remote"},
		{"another interface", []string{"--listen", "0.0.0.0:0"}, 2, "could be reached from other machines"},
		{"no address", []string{"--listen", "4010"}, 2, "is not an address such as 127.0.0.1:4010"},
		{"no rate", []string{"--rate", "0"}, 2, "--rate 0 must be above 0"},
		{"an endless rate", []string{"--rate", "+Inf"}, 2, "--rate +Inf must be at most 1000000"},
		{"a rate beyond the highest", []string{"--rate", "100000000"}, 2, "--rate 100000000 must be at most 1000000"},
		{"a rate below none", []string{"--rate", "-1"}, 2, "--rate -1 must be above 0"},
		{"no number", []string{"--rate", "NaN"}, 2, "--rate NaN must be above 0"},
		{"no burst", []string{"--burst", "0"}, 2, "--burst 0 must be at least 1"},
		{"an argument", []string{"extra"}, 2, "extra"},
		{"a port in use", []string{"--listen", taken.Addr().String()}, 1, "--listen 127.0.0.1:0 takes a free port"},
		{"a broken file", []string{"--listen", "127.0.0.1:0", "--data", broken}, 1, "move it away to start with an empty sandbox"},
		{"a file in use", []string{"--listen", "127.0.0.1:0", "--data", inUse}, 1, "another sandbox keeps its state in"},
		{"a missing folder", []string{"--listen", "127.0.0.1:0", "--data", filepath.Join(dir, "none", "x.json")}, 1, "lock the sandbox's data file"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			code := run(t.Context(), append([]string{"sandbox"}, test.args...), nil, strings.NewReader(""), &stdout, &stderr)
			if code != test.code || !strings.Contains(stderr.String(), test.want) {
				t.Errorf("exit code %d, want %d, and %q in:\n%s", code, test.code, test.want, stderr.Bytes())
			}
		})
	}
	if text, err := os.ReadFile(broken); err != nil || string(text) != "{" {
		t.Errorf("the broken file was touched: %q, %v", text, err)
	}
}

func TestSandboxLimits(t *testing.T) {
	t.Parallel()
	got, _ := startSandbox(t, "--rate", "0.001", "--burst", "2")
	client := got.client(t)
	for i := range 3 {
		_, err := client.Contacts.Get(t.Context(), "nobody@example.com")
		if want := owlat.ErrNotFound; i < 2 && !errors.Is(err, want) {
			t.Fatalf("request %d: %v, want %v", i+1, err, want)
		}
		if i == 2 && !errors.Is(err, owlat.ErrRateLimited) {
			t.Errorf("request 3: %v, want %v", err, owlat.ErrRateLimited)
		}
	}
}

// TestASandboxWithoutLimitSaysSo has a client raise its pace, which it only does when the answers say that it may.
func TestASandboxWithoutLimitSaysSo(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		flags []string
		want  float64
	}{{nil, owlat.DefaultRate}, {[]string{"--rate", "250"}, 250}, {[]string{"--no-limit"}, maxRate}} {
		got, _ := startSandbox(t, test.flags...)
		limiter := owlat.NewAutoLimiter()
		client, err := owlat.NewClient(got.URL, got.APIKey, owlat.WithLimiter(limiter))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.Contacts.Get(t.Context(), "nobody@example.com"); !errors.Is(err, owlat.ErrNotFound) {
			t.Fatal(err)
		}
		// The pace stays a little below what is allowed.
		if rate, _ := limiter.Rate(); rate > test.want || rate < 0.9*test.want {
			t.Errorf("%v: the client's pace is %v a second, want %v", test.flags, rate, test.want)
		}
	}
}

// TestSandboxSnippet reads what a person is shown and checks that it holds what one needs.
func TestSandboxSnippet(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	reader, writer := io.Pipe()
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, []string{"sandbox", "--listen", "127.0.0.1:0", "--no-limit"}, nil, strings.NewReader(""), writer, io.Discard)
		writer.Close()
	}()
	var text strings.Builder
	lines := bufio.NewScanner(reader)
	for lines.Scan() {
		text.WriteString(lines.Text() + "\n")
		if strings.Contains(lines.Text(), "Ctrl-C stops it") {
			break
		}
	}
	cancel()
	if got := <-code; got != 0 {
		t.Errorf("exit code %d", got)
	}
	for _, want := range []string{"export OWLAT_URL=http://127.0.0.1:", "export OWLAT_API_KEY=lm_live_", "  newsletter\n", "product-updates, with double opt-in", "no request limit"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("%q is missing in:\n%s", want, text.String())
		}
	}
}
