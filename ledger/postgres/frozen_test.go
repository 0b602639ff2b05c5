//go:build unix

package postgres

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"owlatsync/ledger"
)

// frozenVariable tells a further process of the test where the ledger is.
const frozenVariable = "OWLATSYNC_TEST_FROZEN"

// TestATransactionOfOthersThatFreezes is about transactions that are not the ledger's, as those of River, which share its connections.
func TestATransactionOfOthersThatFreezes(t *testing.T) {
	t.Parallel()
	db := openDatabase(t, migrated.Postgres(t))
	openLedger(t, db, "")
	frozen, err := db.Pool().Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	const lock = "LOCK TABLE owlat_sync.deployments IN EXCLUSIVE MODE"
	if _, err := frozen.Exec(t.Context(), lock); err != nil {
		t.Fatal(err)
	}
	ctx, done := context.WithTimeout(t.Context(), time.Minute)
	defer done()
	other, err := db.Pool().Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Exec(ctx, lock); err != nil {
		t.Errorf("another is held up for a minute: %v", err)
	}
	if err := other.Rollback(ctx); err != nil {
		t.Error(err)
	}
	if err := frozen.Rollback(t.Context()); err == nil {
		t.Error("the frozen one was not ended")
	}
}

// TestAFrozenProcess stops a process that writes, and lets it go on once another has the lock.
func TestAFrozenProcess(t *testing.T) {
	t.Parallel()
	if dsn := os.Getenv(frozenVariable); dsn != "" {
		writeUntilLost(t, dsn)
		return
	}
	dsn := migrated.Postgres(t)
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command(program, "-test.run=^"+t.Name()+"$", "-test.timeout=2m")
	child.Env = append(os.Environ(), frozenVariable+"="+dsn)
	pipe, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = child.Process.Kill()
		_ = child.Wait()
	})
	out := bufio.NewScanner(pipe)
	var recorded []string
	for len(recorded) < 20 && out.Scan() {
		if key, ok := strings.CutPrefix(out.Text(), "recorded "); ok {
			recorded = append(recorded, key)
		}
	}
	if err := child.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	l := openLedger(t, openDatabase(t, dsn), "")
	begun := time.Now()
	k := takeLock(t, l)
	if took := time.Since(begun); took > brief.Life+5*time.Second {
		t.Errorf("the lock was taken over after %v", took)
	}
	put(t, k, "next")
	if err := child.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	var said []string
	for out.Scan() {
		if key, ok := strings.CutPrefix(out.Text(), "recorded "); ok {
			recorded = append(recorded, key)
		} else if what, ok := strings.CutPrefix(out.Text(), "says "); ok {
			said = append(said, what)
		}
	}
	if got := strings.Join(said, ", "); got != "refused, the check fails" {
		t.Errorf("the process that went on says %q", got)
	}
	mustHold(t, l, append(recorded, "next")...)
	var late int
	err = l.row(t.Context(), "SELECT count(*) FROM @history WHERE deployment = $1 AND number > (SELECT number FROM @history WHERE deployment = $1 AND key = 'next')", nil, &late)
	if err != nil || late != 0 {
		t.Errorf("%d lines were written after the lock was taken over: %v", late, err)
	}
}

func writeUntilLost(t *testing.T, dsn string) {
	k := takeLock(t, openLedger(t, openDatabase(t, dsn), ""))
	for i := 0; ; i++ {
		key := fmt.Sprint("row", i)
		err := tryPut(t.Context(), k, key)
		if err == nil {
			fmt.Println("recorded", key)
			continue
		}
		if errors.Is(err, ledger.ErrLockLost) {
			fmt.Println("says refused")
		}
		if errors.Is(k.Check(), ledger.ErrLockLost) {
			fmt.Println("says the check fails")
		}
		return
	}
}
