package main

import (
	"database/sql"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"go.yaml.in/yaml/v4"
)

// fakeCurl is the name of a program that does what the documents ask of curl: machines of tests need not have it.
const fakeCurl = "curl"

// curlMain posts -d's text to a URL, or reads it, and prints the answer.
func curlMain() {
	url, body := "", ""
	for i := 1; i < len(os.Args); i++ {
		switch arg := os.Args[i]; arg {
		case "-s":
		case "-d":
			i++
			body = os.Args[i]
		default:
			url = arg
		}
	}
	method := http.MethodGet
	if body != "" {
		method = http.MethodPost
	}
	request, err := http.NewRequest(method, url, strings.NewReader(body))
	if err == nil {
		var answer *http.Response
		if answer, err = http.DefaultClient.Do(request); err == nil {
			defer answer.Body.Close()
			_, err = io.Copy(os.Stdout, answer.Body)
			if err == nil && answer.StatusCode != http.StatusOK {
				err = fmt.Errorf("%s", answer.Status)
			}
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// hearing starts the sandbox and the service, and has somebody leave a topic. %s is what the page tells a reader to type.
const hearing = `owlat-sync sandbox --listen 127.0.0.1:0 --no-limit --json > sandbox.json &
sandbox=$!
trap 'kill $sandbox; wait' EXIT
trap 'exit 1' INT # or what it has started would outlive it
until test -s sandbox.json; do kill -0 $sandbox; sleep 0.05; done
OWLAT_URL=$(sed 's/.*"url":"\([^"]*\)".*/\1/' sandbox.json)
OWLAT_API_KEY=$(sed 's/.*"api_key":"\([^"]*\)".*/\1/' sandbox.json)
TOPIC=$(sed 's/.*"newsletter":"\([^"]*\)".*/\1/' sandbox.json)
export OWLAT_URL OWLAT_API_KEY TOPIC
owlat-sync init --topic $TOPIC=newsletter
cat page.yaml >> owlat-sync.yaml
owlat-sync --yes run
owlat-sync serve --json > serve.json 2> serve.log &
service=$!
trap 'kill $service $sandbox; wait' EXIT
until test -s serve.json; do kill -0 $service; sleep 0.05; done
PUBLIC=$(sed 's/.*"public":"\([^"]*\)".*/\1/' serve.json)
%s
until owlat-sync feedback | grep -q ada@example.com; do sleep 0.05; done
touch heard
until test -e looked; do sleep 0.05; done
owlat-sync trigger users --wait
owlat-sync trigger users --wait --full
curl -s "$OWLAT_URL/__sandbox/contacts?email=ada@example.com"
`

// TestNewcomerHearsAndWritesBack goes from nothing to a service with a webhook and a write-back by what the documents tell alone: the
// configuration that init writes, with the sections of docs/feedback.md, and what that page tells a reader to type.
func TestNewcomerHearsAndWritesBack(t *testing.T) {
	t.Parallel()
	blocks := codeBlocks(readDoc(t, "docs/feedback.md"))
	commands := ""
	var page struct {
		Webhooks  map[string]any   `yaml:"webhooks"`
		WriteBack []map[string]any `yaml:"write_back"`
	}
	for _, block := range blocks {
		switch {
		case block.language == "yaml" && strings.Contains(block.text, "statement:") && strings.Contains(block.text, "webhooks:") && page.WriteBack == nil:
			if err := yaml.Unmarshal([]byte(block.text), &page); err != nil {
				t.Fatal(err)
			}
		case block.language == "sh" && strings.Contains(block.text, "__sandbox/unsubscribe"):
			_, commands, _ = strings.Cut(block.text, "owlat-sync sandbox\n")
		}
	}
	if len(page.WriteBack) == 0 || commands == "" {
		t.Fatal("docs/feedback.md has neither a write-back nor commands for the sandbox")
	}
	page.WriteBack = page.WriteBack[:1]
	sections, err := yaml.Marshal(map[string]any{
		"webhooks": page.Webhooks, "write_back": page.WriteBack, "serve": map[string]string{"listen": "$LISTEN", "public": "127.0.0.1:0"},
	})
	if err != nil {
		t.Fatal(err)
	}
	// The words of the page in which a reader puts what is his own; in JSON within single quotes a shell replaces nothing.
	commands = strings.NewReplacer("http://127.0.0.1:4010", "$OWLAT_URL", "127.0.0.1:8421", `'"$PUBLIC"'`).Replace(commands)
	added := strings.NewReplacer("k57newsletter0000000000000000000", "${TOPIC}", "$LISTEN", "${LISTEN}").Replace(string(sections))
	script := newcomer + "exec sh -eux page.sh &page&\nwritten app.db\nwait page\nstdout '\"email\":\"ada@example.com\".*\"topics\":\\[\\]'\n" +
		"-- page.sh --\n" + fmt.Sprintf(hearing, commands) + "-- page.yaml --\n" + added
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "newcomer.txtar"), []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	can := maps.Clone(storyCommands)
	can["written"] = func(ts *testscript.TestScript, _ bool, args []string) { waitForWriteBack(ts, ts.MkAbs(args[0])) }
	testscript.Run(t, testscript.Params{Dir: folder, Cmds: can, Setup: setupWithPort})
}

// waitForWriteBack waits until the database says that the person does not want the newsletter any more, and lets the page go on.
func waitForWriteBack(ts *testscript.TestScript, file string) {
	db, err := sql.Open(sqliteDriver, file)
	ts.Check(err)
	defer db.Close()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for range 600 {
		var wants bool
		_, heard := os.Stat(ts.MkAbs("heard"))
		if err := db.QueryRow("SELECT newsletter FROM users WHERE email = 'ada@example.com'").Scan(&wants); err == nil && !wants && heard == nil {
			ts.Check(os.WriteFile(ts.MkAbs("looked"), nil, 0o600))
			return
		}
		<-tick.C
	}
	ts.Fatalf("nothing was written back")
}
