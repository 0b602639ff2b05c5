package main

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"owlatsync/internal/testbrowser"
)

// TestDemoOnThePage looks at the demo in a browser until a guard holds a run. Ctrl-C ends it, and nothing of it stays.
func TestDemoOnThePage(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("the demo takes about 25 seconds")
	}
	if runtime.GOOS == "windows" {
		t.Skip("a program cannot be sent Ctrl-C there")
	}
	folder := t.TempDir()
	cmd := command(t, folder, []string{"TMPDIR=" + folder, "OWLAT_URL=http://127.0.0.1:1", "OWLAT_SYNC_CONFIG=none.yaml"}, "demo", "--page")
	var errOut syncBuffer
	cmd.Stderr = &errOut
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	lines := bufio.NewScanner(out)
	var told strings.Builder
	until := func(want string) string {
		t.Helper()
		for lines.Scan() {
			told.WriteString(lines.Text() + "\n")
			if strings.Contains(lines.Text(), want) {
				return strings.TrimSpace(lines.Text())
			}
		}
		t.Fatalf("nothing about %q:\n%s%s", want, &told, errOut.String())
		return ""
	}
	page := until("http://127.0.0.1:")
	p := testbrowser.Open(t, page, testbrowser.View{})
	p.UntilText("users")
	until("A guard holds the run")
	p.Go(page)
	p.UntilText("waits for approval")
	p.Accessible()
	p.Go(page + "/syncs/users")
	p.UntilText("Latest runs")
	p.Accessible()
	p.Go(page + "/people")
	p.Click("#word")
	p.Type("11") // who has left
	p.Follow(func() { p.Press("Enter") })
	p.UntilText("No. Topic")
	p.UntilText("The person left it, as one of Owlat's webhooks told.")
	if problems := p.Problems(); len(problems) > 0 {
		t.Error(problems)
	}
	if *drawPictures {
		photograph(t, page)
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() {
		told.WriteString(lines.Text() + "\n")
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("Ctrl-C: %v\n%s%s", err, &told, errOut.String())
	}
	if left, err := filepath.Glob(filepath.Join(folder, "owlat-sync-demo-*")); err != nil || len(left) > 0 {
		t.Errorf("what is left: %q, %v", left, err)
	}
}

// photograph draws docs/page anew: what the demo looks like while a guard holds a run.
func photograph(t *testing.T, page string) {
	guarded := withAccounts(t)
	for _, v := range testbrowser.Views {
		p := testbrowser.Open(t, page, v)
		p.UntilText("waits for approval")
		p.Screenshot("../../docs/page", "overview")
		p.Follow(func() { p.Click(`main a[href^="/runs/"]`) })
		p.Screenshot("../../docs/page", "held")
		p.Follow(func() { p.Click(`main a[href$="/plan"]`) })
		p.Screenshot("../../docs/page", "plan")
		for name, at := range map[string]string{"sync": "/syncs/users", "failures": "/failures", "feedback": "/feedback", "audit": "/audit", "run": "/runs/3"} {
			p.Go(page + at)
			p.Screenshot("../../docs/page", name)
		}
		p.Go(page + "/people")
		p.Click("#word")
		p.Type("2") // of whom the held plan tells
		p.Screenshot("../../docs/page", "people")
		p.Follow(func() { p.Press("Enter") })
		p.Screenshot("../../docs/page", "person")
		p.Go(guarded)
		p.Screenshot("../../docs/page", "login")
	}
}

// withAccounts serves a page to which one must sign in until the test ends, and returns its address.
func withAccounts(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	for name, text := range map[string]string{
		"people.csv": "id,email\n",
		"owlat-sync.yaml": `owlat: {url: "http://127.0.0.1:1", api_key: "lm_live_0123456789abcdef0123456789abcdef"}
serve:
  listen: 127.0.0.1:0
  accounts: [{name: ada, role: operator, hash: "argon2id:m=19456,t=2,p=1:AAECAwQFBgcICQoLDA0ODw:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"}]
syncs: {users: {source: {dsn: "csv:people.csv"}, key: id, fields: {email: email}}}
`,
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := command(t, folder, nil, "serve", "--json")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	var began struct{ Listen string }
	if err := json.NewDecoder(out).Decode(&began); err != nil {
		t.Fatal(err)
	}
	return "http://" + began.Listen
}
