package sqlite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"owlatsync/ledger"
	"owlatsync/ledger/sqlite/internal/dbfile"
)

// apartVariable names the folder of a test that runs apart: in a process of its own, with its own view of the file systems.
const apartVariable = "LEDGER_TEST_APART"

// apart runs the test in a process that may mount and that gives up its rights without an effect on others. It calls test
// in that process with a folder of its own, and skips where the system does not allow that.
func apart(t *testing.T, test func(t *testing.T, folder string)) {
	t.Helper()
	if folder := os.Getenv(apartVariable); folder != "" {
		if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
			t.Skipf("mounts cannot be made private: %v", err)
		}
		test(t, folder)
		return
	}
	t.Parallel()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=2m")
	cmd.Env = append(os.Environ(), apartVariable+"="+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if os.Geteuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	output, err := cmd.CombinedOutput()
	switch exit, failed := errors.AsType[*exec.ExitError](err); {
	case failed:
		t.Errorf("%v\n%s", exit, output)
	case err != nil:
		t.Skipf("this system allows no mounts of one's own: %v", err)
	case bytes.Contains(output, []byte("--- SKIP")):
		t.Skipf("in the process apart:\n%s", output)
	case !bytes.Contains(output, []byte("--- PASS: "+t.Name())):
		t.Errorf("the process apart ran no test:\n%s", output)
	}
}

// smallDisk mounts a file system of the size in MiB over the folder.
func smallDisk(t *testing.T, folder string, mebibytes int) {
	t.Helper()
	if err := syscall.Mount("tmpfs", folder, "tmpfs", 0, fmt.Sprintf("size=%dm", mebibytes)); err != nil {
		t.Skipf("no file system can be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(folder, 0); err != nil {
			t.Errorf("something keeps a file of the ledger open: %v", err)
		}
	})
}

// occupy fills the disk to the last block and returns what frees it.
func occupy(t *testing.T, folder string) (release func()) {
	t.Helper()
	file := filepath.Join(folder, "filler")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	for block := make([]byte, 4096); err == nil; {
		_, err = f.Write(block)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFullDisk(t *testing.T) {
	apart(t, func(t *testing.T, folder string) {
		smallDisk(t, folder, 4)
		l := openIn(t, folder)
		put(t, l, "first")
		k := takeLock(t, l)
		held, err := k.BeginRun(t.Context(), ledger.Run{Sync: "users"})
		if err != nil {
			t.Fatal(err)
		}
		if err := k.EndRun(t.Context(), ledger.Ending{Run: ledger.Run{ID: held, Status: ledger.StatusHeld}}); err != nil {
			t.Fatal(err)
		}
		run, err := k.BeginRun(t.Context(), ledger.Run{Sync: "users"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.TakeIn(t.Context(), testNews("before")); err != nil {
			t.Fatal(err)
		}
		free := occupy(t, folder)
		kept := []string{"first"}
		err = nil
		for i := 0; err == nil && i < 100_000; i++ {
			key := fmt.Sprint(i)
			if err = k.Record(t.Context(), rowRecord(key), rowRecord(key+" too")); err == nil {
				kept = append(kept, key, key+" too")
			}
		}
		if !errors.Is(err, ledger.ErrFull) {
			t.Fatalf("after %d records: %v", len(kept), err)
		}
		large := make([]ledger.PlanItem, 5000)
		for i := range large {
			large[i].Body = make([]byte, 1000)
		}
		for name, call := range map[string]func() error{
			"keep plan": func() error { return k.KeepPlan(t.Context(), run, large) },
			"record":    func() error { return k.Record(t.Context(), rowRecord("more"), rowRecord(strings.Repeat("long", 5000))) },
			"take in": func() error {
				news := testNews("full")
				news.Feedback.Detail = strings.Repeat("x", 5_000_000)
				took, err := l.TakeIn(t.Context(), news)
				if took.New {
					t.Error("news are new that were not taken in")
				}
				return err
			},
			"enqueue": func() error {
				_, _, err := l.Enqueue(t.Context(), ledger.Run{Sync: "users", Message: strings.Repeat("x", 5_000_000)})
				return err
			},
			"undelivered": func() error {
				return l.Undelivered(t.Context(), 1, strings.Repeat("x", 5_000_000), true, time.Time{})
			},
			"end run": func() error {
				return k.EndRun(t.Context(), ledger.Ending{
					Run: ledger.Run{ID: run, Status: ledger.StatusOK}, Adopted: true, Settled: map[int64]ledger.Status{held: ledger.StatusSuperseded},
					Bookmark: &ledger.Bookmark{Mark: strings.Repeat("x", 5_000_000)},
				})
			},
		} {
			if err := call(); !errors.Is(err, ledger.ErrFull) {
				t.Errorf("%s: %v", name, err)
			}
		}
		mustHold(t, l, kept...)
		for id, want := range map[int64]ledger.Status{run: ledger.StatusRunning, held: ledger.StatusHeld} {
			if r, err := l.Run(t.Context(), id); err != nil || r.Status != want {
				t.Errorf("after an end that was refused run %d is %+v: %v", id, r, err)
			}
		}
		if s, err := l.SyncState(t.Context(), "users"); err != nil || s.Adopted {
			t.Errorf("after an end that was refused: %+v, %v", s, err)
		}
		mustHear(t, l, 1)
		if queued, err := l.Queued(t.Context()); err != nil || len(queued) > 0 {
			t.Errorf("queued what was refused: %+v, %v", queued, err)
		}
		if d, err := l.Deliveries(t.Context(), ledger.DeliveryWaiting, 0); err != nil || len(d) != 1 || d[0].Attempts != 0 {
			t.Errorf("deliveries %+v, %v", d, err)
		}
		if err := l.Try(t.Context()); !errors.Is(err, ledger.ErrFull) {
			t.Errorf("a ledger on a full disk takes a write: %v", err)
		}
		free()
		if err := l.Try(t.Context()); err != nil {
			t.Errorf("when there is room again: %v", err)
		}
		if took, err := l.TakeIn(t.Context(), testNews("full")); err != nil || !took.New {
			t.Errorf("when there is room again: new: %v, %v", took.New, err)
		}
		mustHear(t, l, 2)
		if err := k.Release(); err != nil {
			t.Fatal(err)
		}
		put(t, l, "after")
		kept = append(kept, "after")
		mustHold(t, l, kept...)
		for range l.Plan(t.Context(), run) {
			t.Fatal("a part of a plan that was refused is there")
		}
		mustBeSound(t, l)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		l = openIn(t, folder)
		mustHold(t, l, kept...)
		mustBeSound(t, l)
		standing, err := l.Standing(t.Context(), "users")
		if err != nil || standing.Entries != len(kept) {
			t.Errorf("%d entries, %d were acknowledged: %v", standing.Entries, len(kept), err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestCreatedOnFullDisk(t *testing.T) {
	apart(t, func(t *testing.T, folder string) {
		smallDisk(t, folder, 1)
		free := occupy(t, folder)
		file := filepath.Join(folder, "ledger.db")
		if l, err := Open(t.Context(), "sqlite", file); !errors.Is(err, ledger.ErrFull) {
			t.Fatalf("opened %v: %v", l, err)
		}
		if _, err := Examine(t.Context(), "sqlite", file); !errors.Is(err, ledger.ErrFull) {
			t.Errorf("examined: %v", err)
		}
		free()
		l := openIn(t, folder)
		put(t, l, "1")
		mustHold(t, l, "1")
		mustBeSound(t, l)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// mustBeReadOnly asserts that opening says what is wrong, and changes no file.
func mustBeReadOnly(t *testing.T, what, file string) {
	t.Helper()
	if l, err := Open(context.Background(), "sqlite", file); !errors.Is(err, ledger.ErrReadOnly) {
		t.Errorf("%s: opened %v: %v", what, l != nil, err)
	}
	if _, err := Examine(context.Background(), "sqlite", file); !errors.Is(err, ledger.ErrReadOnly) {
		t.Errorf("%s: examined: %v", what, err)
	}
}

func TestReadOnlyDisk(t *testing.T) {
	apart(t, func(t *testing.T, folder string) {
		smallDisk(t, folder, 4)
		l := openIn(t, folder)
		put(t, l, "1")
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Mount("", folder, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
			t.Skipf("the file system cannot be made read-only: %v", err)
		}
		mustBeReadOnly(t, "a ledger on a read-only disk", l.f.Name())
		mustBeReadOnly(t, "no ledger on a read-only disk", filepath.Join(folder, "new.db"))
	})
}

func TestReadOnlyFolder(t *testing.T) {
	apart(t, func(t *testing.T, parent string) {
		folder := filepath.Join(parent, "folder")
		open := func(mode os.FileMode, file string) {
			t.Helper()
			if err := os.Chmod(file, mode); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Mkdir(folder, 0o777); err != nil {
			t.Fatal(err)
		}
		l := openIn(t, folder)
		put(t, l, "1")
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		open(0o666, l.f.Name())
		open(0o666, l.f.Name()+".lock")
		open(0o755, folder)
		open(0o755, parent)
		open(0o755, filepath.Dir(parent))
		const nobody = 65534
		if err := syscall.Setuid(nobody); err != nil {
			t.Skipf("this process cannot give up its rights: %v", err)
		}
		mustBeReadOnly(t, "a ledger in a read-only folder", l.f.Name())
		mustBeReadOnly(t, "no ledger in a read-only folder", filepath.Join(folder, "new.db"))
		if files, err := os.ReadDir(folder); err != nil || len(files) != 3 {
			t.Errorf("%d files in the folder: %v", len(files), err)
		}
	})
}

func TestReadOnlyFile(t *testing.T) {
	apart(t, func(t *testing.T, parent string) {
		folder := filepath.Join(parent, "folder")
		l := openIn(t, parent)
		put(t, l, "1")
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		moved := filepath.Join(folder, "ledger.db")
		for _, err := range []error{
			os.Rename(l.f.Name(), moved), os.Chmod(moved, 0o444), os.Chmod(folder, 0o777), os.Chmod(parent, 0o755), os.Chmod(filepath.Dir(parent), 0o755),
			os.WriteFile(filepath.Join(folder, "secret.db"), nil, 0o600),
			syscall.Setuid(65534),
		} {
			if err != nil {
				t.Skipf("this process cannot give up its rights: %v", err)
			}
		}
		if _, err := os.ReadDir(folder); err != nil {
			t.Fatal(err)
		}
		mustBeReadOnly(t, "a read-only ledger", moved)
		mustBeReadOnly(t, "an unreadable ledger", filepath.Join(folder, "secret.db"))
	})
}

// TestForgettingOnAFullDisk has no place for the new file, and then for no temporary one.
func TestForgettingOnAFullDisk(t *testing.T) {
	apart(t, func(t *testing.T, folder string) {
		smallDisk(t, folder, 8)
		dbfile.WriterPragmas = append(dbfile.WriterPragmas, "PRAGMA cache_size = 10") // or the copy would fit into memory
		l := openIn(t, folder)
		live(t, l, "grace@example.com", "Gracenomia", "k57graceful")
		free := occupy(t, folder)
		rows, err := l.ForgetPerson(t.Context(), "grace@example.com")
		if !errors.Is(err, ledger.ErrFull) {
			t.Errorf("forgot %d rows: %v", rows, err)
		}
		mustHold(t, l, "0-0", "19-39")
		mustBeSound(t, l)
		free()

		t.Chdir("/")
		for _, place := range []string{"/", "/tmp", "/var/tmp", "/usr/tmp"} {
			err := syscall.Mount("", place, "", syscall.MS_REMOUNT|syscall.MS_BIND|syscall.MS_RDONLY, "")
			if err != nil && place == "/" {
				t.Skipf("the file system cannot be made read-only here: %v", err)
			}
			if f, err := os.CreateTemp(place, ""); err == nil {
				t.Skipf("%s can still be written", f.Name())
			}
		}
		if _, err := l.ForgetPerson(t.Context(), "grace@example.com"); err != nil {
			t.Errorf("without a place for temporary files: %v", err)
		}
		mustHold(t, l, "0-0", "19-39")
		mustBeSound(t, l)
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
}
