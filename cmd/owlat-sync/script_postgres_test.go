package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"owlatsync/internal/testdb"
)

// TestStoriesInPostgres runs the same stories with a ledger in PostgreSQL: they must end in the same words, up to what is about the
// file of a ledger. Those in testdata/postgres have no ledger in a file; in them LEDGER is a database of their own. The program is the one
// without the race detector, which has seen these stories with a ledger in a file.
func TestStoriesInPostgres(t *testing.T) {
	t.Parallel()
	dsn := testdb.Postgres(t)
	program, err := plainProgram()
	if err != nil {
		t.Fatal(err)
	}
	var stories atomic.Int64
	var files []string
	for _, folder := range []string{"script", "postgres"} {
		found, err := filepath.Glob("testdata/" + folder + "/*.txtar")
		if err != nil || len(found) == 0 {
			t.Fatalf("no stories in %s: %v", folder, err)
		}
		files = append(files, found...)
	}
	testscript.Run(t, testscript.Params{
		Files:              files,
		Cmds:               storyCommands,
		Condition:          func(word string) (bool, error) { return true, known(word) },
		RequireUniqueNames: true,
		UpdateScripts:      os.Getenv("UPDATE_SCRIPTS") == "postgres",
		Setup: func(env *testscript.Env) error {
			if err := setupStory(env); err != nil {
				return err
			}
			env.Setenv("PATH", filepath.Dir(program)+string(os.PathListSeparator)+env.Getenv("PATH"))
			own := fmt.Sprintf("%s&schema=story_%d", dsn, stories.Add(1))
			env.Values[storyKey{}].(*story).ledger = own
			env.Setenv("LEDGER", own)
			return inPostgres(env.WorkDir, own)
		},
	})
}

// inPostgres gives every configuration in the folder that names no ledger one in PostgreSQL.
func inPostgres(dir, dsn string) error {
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil {
		return err
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if strings.Contains("\n"+string(text), "\nledger:") {
			continue
		}
		// At the end, so that lines in messages stay as they are.
		if err := os.WriteFile(file, []byte(strings.TrimRight(string(text), "\n")+"\nledger: \""+dsn+"\"\n"), 0o600); err != nil {
			return err
		}
	}
	return nil
}
