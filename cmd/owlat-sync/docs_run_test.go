package main

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// newcomer is what somebody has who begins: a database, and nothing of owlat-sync.
const newcomer = `sql app.db 'CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT, first_name TEXT, last_name TEXT, newsletter INTEGER, email_verified INTEGER)'
sql app.db 'INSERT INTO users VALUES (4711,''ada@example.com'',''Ada'',''Lovelace'',1,1), (4712,''grace@example.com'',''Grace'',NULL,0,1), (4713,''broken'',''Bro'',''Ken'',1,1)'
env DATABASE_URL=sqlite:app.db
mkdir backups
`

// installed is what somebody has in whose ledger there is something.
const installed = newcomer + `cp given.yaml owlat-sync.yaml
exec owlat-sync run --yes
`

const givenConfig = `
-- left.csv --
email
ada@example.com
-- bounces.csv --
email
bounced@example.com
-- given.yaml --
syncs:
  users:
    source: {dsn: "${DATABASE_URL}", query: "SELECT * FROM users"}
    key: id
    fields: {email: email, firstName: first_name, lastName: last_name}
    topics: [{id: "${NEWS}", when: newsletter}]
`

// TestDocumentedCommandsWork carries out what pages tell a reader to type, from the first block of each page to the last, in one shell. A
// command that ends with another exit code than 0 fails it.
func TestDocumentedCommandsWork(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	for page, test := range map[string]struct {
		before   string
		commands int // that are carried out
	}{
		"getting-started": {newcomer, 9},
		"commands":        {installed, 5},
		"configuration":   {installed, 1},
		"consent":         {installed, 1},
		"guards":          {installed + "exec owlat-sync run\nsql app.db 'DELETE FROM users'\n! exec owlat-sync run\n", 3},
		"explain":         {installed, 5},
		"first-load":      {installed, 4},
		"lists":           {installed, 5},
		"operations":      {installed, 18},
		"troubleshooting": {installed, 4},
	} {
		script, commands := shellScript(readDoc(t, "docs/"+page+".md"))
		if commands < test.commands {
			t.Errorf("docs/%s.md has %d commands to carry out, want %d; it became:\n%s", page, commands, test.commands, script)
		}
		text := test.before + "exec sh -eux page.sh\n! stderr hunter2\n-- page.sh --\n" + script + givenConfig
		if err := os.WriteFile(filepath.Join(folder, "docs-"+page+".txtar"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	testscript.Run(t, testscript.Params{Dir: folder, Cmds: storyCommands, Setup: func(env *testscript.Env) error {
		return errors.Join(setupWithPort(env), inProgram(env))
	}})
}

// setupWithPort is setupStory with the variable LISTEN, an address where nobody listens.
func setupWithPort(env *testscript.Env) error {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	env.Setenv("LISTEN", free.Addr().String())
	return errors.Join(free.Close(), setupStory(env))
}

// shellScript makes a script of the blocks of a page that the program alone can carry out, and returns how many of its commands it has. What
// stands for a reader's own is replaced: ids, folders, and the answer to a question.
func shellScript(markdown string) (string, int) {
	var script strings.Builder
	commands, serving := 0, false
	for _, block := range codeBlocks(markdown) {
		if block.language != "sh" {
			continue
		}
		for line := range strings.Lines(block.text + "\n") {
			line = strings.TrimSpace(line)
			if !regexp.MustCompile(`^(owlat-sync|mkdir|mv) `).MatchString(line) || strings.HasPrefix(line, "owlat-sync sandbox") {
				continue
			}
			if serving = serving || line == "owlat-sync serve"; strings.HasPrefix(line, "owlat-sync trigger") && !serving {
				continue // nobody would answer
			}
			if strings.HasPrefix(line, "owlat-sync ") {
				commands++
			}
			line = strings.NewReplacer("k57newsletter0000000000000000000", "$NEWS", "/var/backups", "backups", "/etc/owlat-sync/", "").Replace(line)
			switch {
			case line == "owlat-sync serve": // it stays in its terminal until the end
				script.WriteString("printf 'serve: {listen: %s}\n' \"$LISTEN\" >> owlat-sync.yaml\n")
				line = "owlat-sync serve --json > serve.json 2> serve.log &\ntrap 'kill $!; wait' EXIT\nuntil test -s serve.json; do kill -0 $!; sleep 0.05; done"
			case strings.HasPrefix(line, "owlat-sync init"):
				script.WriteString("rm -f owlat-sync.yaml\n") // each is told as if it were the first
			case regexp.MustCompile(`^owlat-sync (run|ledger|topic|optout) `).MatchString(line + " "):
				line = strings.Replace(line, "owlat-sync", "owlat-sync --yes", 1)
			}
			line = regexp.MustCompile(`\| jq .*`).ReplaceAllString(line, "| cat") // who reads it need not be there
			script.WriteString(line + "\n")
		}
	}
	return script.String(), commands
}
