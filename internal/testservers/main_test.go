//go:build unix

package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"owlatsync/internal/testdb"
)

// helperVariable makes the test binary stand in for the command that testservers runs.
const helperVariable = "OWLATSYNC_TESTSERVERS_HELPER"

func TestMain(m *testing.M) {
	switch os.Getenv(helperVariable) {
	case "":
		os.Exit(m.Run())
	case "ping":
		os.Exit(helpPing(os.Args[1]))
	case "signal":
		os.Exit(helpSignal(os.Args[1]))
	}
	os.Exit(99)
}

// helpPing pings the servers and leaves their DSNs in a file.
func helpPing(file string) int {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	postgres, mysql := os.Getenv(testdb.PostgresVariable), os.Getenv(testdb.MySQLVariable)
	if err := testdb.PingPostgres(ctx, postgres); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 51
	}
	if err := testdb.PingMySQL(ctx, mysql); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 52
	}
	mongo := os.Getenv(testdb.MongoVariable)
	if err := testdb.PingMongo(ctx, mongo); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 54
	}
	if err := os.WriteFile(file, []byte(postgres+"\n"+mysql+"\n"+mongo), 0o600); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 53
	}
	return 5
}

// helpSignal makes a pipe readable once it listens for signals and returns the signal's number plus 40.
func helpSignal(file string) int {
	got := make(chan os.Signal, 1)
	signal.Notify(got, syscall.SIGTERM)
	if err := os.WriteFile(file, []byte("listening"), 0o600); err != nil {
		return 53
	}
	return 40 + int((<-got).(syscall.Signal))
}

func TestServersLiveAsLongAsTheCommand(t *testing.T) {
	for _, k := range kinds {
		if k.program() == "" {
			t.Skipf("%s is not installed", k.name)
		}
	}
	// Not t.TempDir: the servers' own users could not enter it.
	parent, err := os.MkdirTemp("", "t-") // short, for sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(parent) })
	if err := os.Chmod(parent, 0o755); err != nil {
		t.Fatal(err)
	}
	seen := filepath.Join(t.TempDir(), "dsns")
	t.Setenv("TMPDIR", parent)
	t.Setenv(testdb.PostgresVariable, "")
	t.Setenv(testdb.MySQLVariable, "")
	t.Setenv(testdb.MongoVariable, "")
	t.Setenv("CI", "true")
	t.Setenv(helperVariable, "ping")

	if code := run([]string{"--", os.Args[0], seen}); code != 5 {
		t.Fatalf("exit code %d, want the command's own 5", code)
	}

	text, err := os.ReadFile(seen)
	if err != nil {
		t.Fatal(err)
	}
	dsns := strings.Split(string(text), "\n")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := testdb.PingPostgres(ctx, dsns[0]); err == nil {
		t.Error("PostgreSQL still answers after the command ended")
	}
	if err := testdb.PingMySQL(ctx, dsns[1]); err == nil {
		t.Error("MariaDB still answers after the command ended")
	}
	if err := testdb.PingMongo(ctx, dsns[2]+"?serverSelectionTimeoutMS=500"); err == nil {
		t.Error("FerretDB still answers after the command ended")
	}
	left, err := os.ReadDir(parent)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range left {
		t.Errorf("%s is left over in the temporary folder", entry.Name())
	}
}

func TestServersOfTheEnvironmentAreKept(t *testing.T) {
	t.Setenv(testdb.PostgresVariable, "postgres://db.example/mine")
	t.Setenv(testdb.MySQLVariable, "mysql://db.example/mine")
	t.Setenv(testdb.MongoVariable, "mongodb://db.example/mine")
	seen := filepath.Join(t.TempDir(), "dsns")
	script := `echo "$OWLATSYNC_TEST_POSTGRES $OWLATSYNC_TEST_MYSQL $OWLATSYNC_TEST_MONGODB" > "$0"`
	if code := run([]string{"sh", "-c", script, seen}); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	text, err := os.ReadFile(seen)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(text), "postgres://db.example/mine mysql://db.example/mine mongodb://db.example/mine\n"; got != want {
		t.Errorf("the command saw %q, want %q", got, want)
	}
}

func TestExitCodes(t *testing.T) {
	t.Setenv(testdb.PostgresVariable, "postgres://db.example/mine")
	t.Setenv(testdb.MySQLVariable, "mysql://db.example/mine")
	t.Setenv(testdb.MongoVariable, "mongodb://db.example/mine")
	for _, test := range []struct {
		name string
		args []string
		want int
	}{
		{"success", []string{"true"}, 0},
		{"failure", []string{"--", "sh", "-c", "exit 7"}, 7},
		{"killed", []string{"sh", "-c", "kill -KILL $$"}, 128 + 9},
		{"no such program", []string{"/nonexistent/program"}, exitSetup},
		{"no command", nil, exitSetup},
		{"no command after dashes", []string{"--"}, exitSetup},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := run(test.args); got != test.want {
				t.Errorf("exit code %d, want %d", got, test.want)
			}
		})
	}
}

func TestSignalsReachTheCommand(t *testing.T) {
	t.Setenv(helperVariable, "signal")
	fifo := filepath.Join(t.TempDir(), "listening")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	signals := make(chan os.Signal, 1)
	go func() {
		// Reading blocks until the command has written, and it writes when it listens.
		if _, err := os.ReadFile(fifo); err != nil {
			t.Error(err)
		}
		signals <- syscall.SIGTERM
	}()
	if code := runCommand([]string{os.Args[0], fifo}, nil, signals); code != 40+int(syscall.SIGTERM) {
		t.Errorf("exit code %d, want %d", code, 40+int(syscall.SIGTERM))
	}
}

// TestTheMakefileStartsGoTest: what comes between this program and "go test" would hide from it that tests are run, and these then had neither their files in memory nor a
// browser installed.
func TestTheMakefileStartsGoTest(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	starts := 0
	for line := range strings.Lines(string(text)) {
		_, command, found := strings.Cut(line, "run ./internal/testservers -- ")
		if !found {
			continue
		}
		starts++
		args := strings.Fields(strings.ReplaceAll(command, "$(GO)", "go"))
		if strings.Contains(command, " test ") && !isTest(args) {
			t.Errorf("not seen as go test: %s", line)
		}
	}
	if starts < 3 {
		t.Errorf("%d lines start this program", starts)
	}
}
