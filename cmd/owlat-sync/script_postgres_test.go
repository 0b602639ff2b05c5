package main

import (
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"owlatsync/internal/testdb"
	"owlatsync/ledger/postgres"
)

// storyShare is of how many stories one is told with a ledger in PostgreSQL, too. "make soak" tells all.
const storyShare = 6

// TestStoriesInPostgres runs some of the same stories with a ledger in PostgreSQL: they must end in the same words, up to what is about the
// file of a ledger. Those in testdata/postgres have no ledger in a file; in them LEDGER is a schema of a database, which is not there yet. The program
// is the one without the race detector.
func TestStoriesInPostgres(t *testing.T) {
	t.Parallel()
	fresh := func(t testing.TB) string { return testdb.Postgres(t) + "&schema=story_1" }
	for folder, ledger := range map[string]func(testing.TB) string{"script": readyDatabase.Postgres, "postgres": fresh} {
		stories, err := filepath.Glob("testdata/" + folder + "/*.txtar")
		if err != nil || len(stories) == 0 {
			t.Fatalf("no stories in %s: %v", folder, err)
		}
		if folder == "script" && os.Getenv(allVariable) == "" && os.Getenv("UPDATE_SCRIPTS") == "" && flag.Lookup("test.run").Value.String() == "" {
			n := 0
			stories = slices.DeleteFunc(stories, func(string) bool { n++; return n%storyShare != 0 })
		}
		testscript.Run(t, testscript.Params{
			Files:              stories,
			Cmds:               storyCommands,
			Condition:          func(word string) (bool, error) { return true, known(word) },
			RequireUniqueNames: true,
			UpdateScripts:      os.Getenv("UPDATE_SCRIPTS") == "postgres",
			Setup: func(env *testscript.Env) error {
				if err := errors.Join(setupStory(env), plainly(env)); err != nil {
					return err
				}
				own := ledger(t)
				env.Values[storyKey{}].(*story).ledger = own
				env.Setenv("LEDGER", own)
				return inPostgres(env.WorkDir, own)
			},
		})
	}
}

// readyDatabase is a database in which the tables of a ledger are.
var readyDatabase = testdb.Template{Prepare: func(ctx context.Context, dsn string) error {
	_, _, err := postgres.Migrate(ctx, postgres.Options{DSN: dsn})
	return err
}}

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
