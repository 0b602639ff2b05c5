package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"owlatsync/internal/exitcode"
	"owlatsync/internal/testdb"
)

const movedRows = 500

// anExport is the export of a ledger with so many rows.
func anExport(rows int) string {
	lines := []string{`{"ledger":{"version":4,"time":"2026-11-29T07:19:27Z"}}`, `{"sync":{"name":"users","adopted":true}}`,
		`{"run":{"id":1,"sync":"users","mode":"run","epoch":1,"owner":{"host":"vm","pid":1},"started":"2026-11-29T07:19:26Z","heartbeat":"2026-11-29T07:19:26Z",` +
			`"finished":"2026-11-29T07:19:26Z","stage":"applying","status":"ok"}}`}
	for n := range rows {
		lines = append(lines, fmt.Sprintf(`{"entry":{"sync":"users","key":"%d","contact":"c%d","email":"u%d@example.com","identity":"u%d@example.com","origin":"created","fingerprint":"%032x",`+
			`"first_seen":"2026-11-29T07:19:26Z","changed":"2026-11-29T07:19:26Z"}}`, n, n, n, n, n+1))
	}
	text := strings.Join(lines, "\n") + "\n"
	return fmt.Sprintf("%s{\"end\":{\"lines\":%d,\"sha256\":\"%x\"}}\n", text, len(lines), sha256.Sum256([]byte(text)))
}

// TestALedgerThatIsKilledWhileItFills kills an import and a copy into PostgreSQL while they wait for a table. Nothing of them is there, and the same
// command does all of it, once the lock of the dead process has ended.
func TestALedgerThatIsKilledWhileItFills(t *testing.T) {
	t.Parallel()
	dsn := testdb.Postgres(t)
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("export.ndjson", anExport(movedRows))
	program := func(args ...string) *exec.Cmd {
		cmd := exec.CommandContext(t.Context(), "owlat-sync", args...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "OWLAT_URL=http://127.0.0.1:1", "OWLAT_API_KEY=", "GORACE="+soonDone)
		return cmd
	}
	must := func(args ...string) string {
		out, err := program(args...).CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", args, err, out)
		}
		return string(out)
	}
	config := func(schema string) string {
		write(schema+".yaml", fmt.Sprintf("ledger: %q\nsyncs: {users: {source: {dsn: \"csv:users.csv\"}, key: id, fields: {email: email}}}\n", dsn+"&schema="+schema))
		return schema + ".yaml"
	}
	write("here.yaml", "ledger: here.db\nsyncs: {users: {source: {dsn: \"csv:users.csv\"}, key: id, fields: {email: email}}}\n")
	must("ledger", "import", "export.ndjson", "--config", "here.yaml")
	for schema, args := range map[string][]string{
		"imported": {"ledger", "import", "export.ndjson", "--config", "imported.yaml"},
		"copied":   {"ledger", "copy", "here.db", dsn + "&schema=copied"},
	} {
		t.Run(schema, func(t *testing.T) {
			t.Parallel()
			file := config(schema)
			must("ledger", "migrate", "--config", file)
			victim := program(args...)
			killWhileItWaits(t, dsn, schema, victim)
			if out := must("status", "--config", file); !strings.Contains(out, "never run") {
				t.Errorf("something is there:\n%s", out)
			}
			deadline := time.Now().Add(2 * time.Minute)
			for {
				out, err := program(args...).CombinedOutput()
				if err == nil {
					break
				}
				var code int
				if exit, ok := err.(*exec.ExitError); ok {
					code = exit.ExitCode()
				}
				if code != int(exitcode.Locked) || time.Now().After(deadline) {
					t.Fatalf("once more: %v\n%s", err, out)
				}
			}
			if out := must("status", "--config", file); !strings.Contains(out, fmt.Sprintf("the ledger knows %d rows", movedRows)) {
				t.Errorf("not all is there:\n%s", out)
			}
		})
	}
}

// killWhileItWaits starts a command and kills it once it waits for the table of entries.
func killWhileItWaits(t *testing.T, dsn, schema string, victim *exec.Cmd) {
	t.Helper()
	ctx := t.Context()
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(ctx)) // which lets the table go
	if _, err := conn.Exec(ctx, "BEGIN; LOCK TABLE "+schema+".entries IN ACCESS EXCLUSIVE MODE"); err != nil {
		t.Fatal(err)
	}
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for waits := false; !waits; {
		err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = $1::regclass)", schema+".entries").Scan(&waits)
		if err != nil {
			t.Fatal(err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal(ctx.Err())
		}
	}
	if err := victim.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = victim.Wait()
}
