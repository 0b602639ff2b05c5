package sqlite

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"owlatsync/ledger"
	"owlatsync/ledger/sqlite/internal/dbfile"
)

// copyFile copies a file, unless it is missing.
func copyFile(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if errors.Is(err, os.ErrNotExist) {
		return
	}
	if err := errors.Join(err, os.WriteFile(to, b, 0o600)); err != nil {
		t.Fatal(err)
	}
}

// noes is an entry that has a consent withdrawn, and is in step.
func noes(key string) *ledger.Entry {
	return &ledger.Entry{
		Key: key, ContactID: "contact" + key, Email: key + "@example.com", Identity: key + "@example.com", Origin: ledger.OriginCreated,
		Fingerprint: ledger.Fingerprint{Hi: 1, Lo: 1}, Memberships: []ledger.Membership{{Topic: "t", State: ledger.MemberOut, At: time.UnixMicro(1).UTC()}},
	}
}

// recordAll records entries under a lock, as a run does.
func recordAll(t *testing.T, l *Ledger, entries ...*ledger.Entry) {
	t.Helper()
	under(t, l, func(k *lock) error {
		for _, e := range entries {
			if err := k.Record(t.Context(), ledger.Record{Sync: "users", Entry: e}); err != nil {
				return err
			}
		}
		return nil
	})
}

// setBackAt returns when the ledger was noticed to be older, and whether its entry with the key was made safe.
func setBackAt(t *testing.T, l *Ledger, key string) (at time.Time, safe bool) {
	t.Helper()
	state, err := l.SyncState(t.Context(), "users")
	if err != nil {
		t.Fatal(err)
	}
	found, err := l.Entries(t.Context(), "users", []string{key})
	if err != nil || found[key] == nil {
		t.Fatal(found, err)
	}
	return state.SetBack, len(found[key].Memberships) == 0 && found[key].Fingerprint.IsZero()
}

func mustBeSetBack(t *testing.T, l *Ledger, want bool) {
	t.Helper()
	if at, safe := setBackAt(t, l, "1"); at.IsZero() == want || safe != want {
		t.Errorf("set back at %v, made safe: %v; want %v", at, safe, want)
	}
}

// TestAnOlderLedgerIsNoticed puts copies in the place of a ledger.
func TestAnOlderLedgerIsNoticed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		// since is done after the copy was made, and before it is put back.
		since func(t *testing.T, folder string)
		want  bool
	}{
		{"nothing was done", func(*testing.T, string) {}, false},
		{"a run that had nothing to do", func(t *testing.T, folder string) {
			l := openIn(t, folder)
			defer l.Close()
			under(t, l, func(k *lock) error {
				id, err := k.BeginRun(t.Context(), ledger.Run{Sync: "users"})
				if err != nil {
					return err
				}
				return k.EndRun(t.Context(), ledger.Ending{Run: ledger.Run{ID: id, Status: ledger.StatusOK}})
			})
		}, false},
		{"a run", func(t *testing.T, folder string) {
			l := openIn(t, folder)
			defer l.Close()
			recordAll(t, l, noes("2"))
		}, true},
		{"an opt-out", func(t *testing.T, folder string) {
			l := openIn(t, folder)
			defer l.Close()
			if err := l.NoteOptOuts(t.Context(), ledger.OptOut{ContactID: "contact1", Topic: "t", At: time.Now()}); err != nil {
				t.Fatal(err)
			}
		}, true},
		{"a person was forgotten", func(t *testing.T, folder string) {
			l := openIn(t, folder)
			defer l.Close()
			if _, err := l.ForgetPerson(t.Context(), "2@example.com"); err != nil {
				t.Fatal(err)
			}
		}, true},
		{"a new ledger was used", func(t *testing.T, folder string) {
			if err := os.Remove(filepath.Join(folder, "ledger.db")); err != nil {
				t.Fatal(err)
			}
			l := openIn(t, folder)
			defer l.Close()
			recordAll(t, l, noes("2"))
		}, true},
		{"a new ledger was opened", func(t *testing.T, folder string) {
			if err := os.Remove(filepath.Join(folder, "ledger.db")); err != nil {
				t.Fatal(err)
			}
			l := openIn(t, folder)
			defer l.Close()
			under(t, l, func(k *lock) error {
				_, err := k.BeginRun(t.Context(), ledger.Run{Sync: "users"})
				return err
			})
		}, false},
		{"the file beside it was lost", func(t *testing.T, folder string) {
			if err := os.Remove(filepath.Join(folder, "ledger.db.age")); err != nil {
				t.Fatal(err)
			}
		}, true},
		{"the file beside it was damaged", func(t *testing.T, folder string) {
			if err := os.WriteFile(filepath.Join(folder, "ledger.db.age"), []byte("nonsense"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			file := filepath.Join(folder, "ledger.db")
			l := openIn(t, folder)
			recordAll(t, l, noes("1"))
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			backup := filepath.Join(t.TempDir(), "backup")
			copyFile(t, file, backup)
			c.since(t, folder)
			copyFile(t, backup, file)
			l = openIn(t, folder)
			mustBeSetBack(t, l, c.want)
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			// It is noticed once, and what comes later counts as before.
			l = openIn(t, folder)
			defer l.Close()
			mustBeSetBack(t, l, c.want)
			recordAll(t, l, noes("1"))
			if _, safe := setBackAt(t, l, "1"); safe {
				t.Error("what was recorded later was made safe too")
			}
		})
	}
}

// TestACopyMadeInARunIsNoticed puts a copy back that was made while a run went on.
func TestACopyMadeInARunIsNoticed(t *testing.T) {
	t.Parallel()
	folder, elsewhere := t.TempDir(), t.TempDir()
	file := filepath.Join(folder, "ledger.db")
	l := openIn(t, folder)
	under(t, l, func(k *lock) error {
		id, err := k.BeginRun(t.Context(), ledger.Run{Sync: "users"})
		if err != nil {
			return err
		}
		if err := k.Record(t.Context(), ledger.Record{Sync: "users", Run: id, Entry: noes("1")}); err != nil {
			return err
		}
		copyFile(t, file, filepath.Join(elsewhere, "ledger.db"))
		copyFile(t, file+"-wal", filepath.Join(elsewhere, "ledger.db-wal"))
		if err := k.Record(t.Context(), ledger.Record{Sync: "users", Run: id, Entry: noes("2")}); err != nil {
			return err
		}
		return k.EndRun(t.Context(), ledger.Ending{Run: ledger.Run{ID: id, Status: ledger.StatusOK}})
	})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for _, end := range []string{"", "-wal"} {
		copyFile(t, filepath.Join(elsewhere, "ledger.db"+end), file+end)
	}
	l = openIn(t, folder)
	defer l.Close()
	mustBeSetBack(t, l, true)
}

// TestSetBackIsResumed ends a process between the steps of making a ledger safe: it is noticed again.
func TestSetBackIsResumed(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	file := filepath.Join(folder, "ledger.db")
	l := openIn(t, folder)
	var many []*ledger.Entry
	for i := range 3 {
		many = append(many, noes(string(rune('1'+i))))
	}
	recordAll(t, l, many...)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(file + ".age"); err != nil {
		t.Fatal(err)
	}
	l, err := openWith(t.Context(), "sqlite", file, migrations)
	if err != nil {
		t.Fatal(err)
	}
	under(t, l, func(k *lock) error {
		return k.update(t.Context(), "", dbfile.Durable, func(tx *tx) error {
			_, _, err := tx.setBackSome(2)
			return err
		})
	})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = openIn(t, folder)
	defer l.Close()
	mustBeSetBack(t, l, true)
}

// TestSetBackKeepsTheRest changes nothing else of a ledger.
func TestSetBackKeepsTheRest(t *testing.T) {
	t.Parallel()
	l := openFresh(t)
	added := noes("1")
	added.Memberships[0].Consent, added.Memberships[0].State = true, ledger.MemberAdded
	added.ChangedAt = time.UnixMicro(5).UTC()
	recordAll(t, l, added)
	if err := l.SetBack(t.Context()); err != nil {
		t.Fatal(err)
	}
	found, err := l.Entries(t.Context(), "users", []string{"1"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(added, found["1"]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if at, _ := setBackAt(t, l, "1"); at.IsZero() {
		t.Error("not set back")
	}
	under(t, l, func(k *lock) error {
		id, err := k.BeginRun(t.Context(), ledger.Run{Sync: "users"})
		if err != nil {
			return err
		}
		return k.EndRun(t.Context(), ledger.Ending{Run: ledger.Run{ID: id, Status: ledger.StatusOK}, Adopted: true})
	})
	if at, _ := setBackAt(t, l, "1"); !at.IsZero() {
		t.Error("still set back after a run came to its end")
	}
}

// TestALogOfAnotherFile kills a process in the middle of its writes, and puts an older copy beside the log that it left.
func TestALogOfAnotherFile(t *testing.T) {
	t.Parallel()
	if folder := os.Getenv("OWLATSYNC_TEST_KILLED_IN"); folder != "" {
		l := openIn(t, folder)
		k := takeLock(t, l)
		for i := range 300 {
			if err := k.Record(t.Context(), ledger.Record{Sync: "users", Entry: noes("later" + time.Duration(i).String())}); err != nil {
				t.Fatal(err)
			}
		}
		p, err := os.FindProcess(os.Getpid())
		if err != nil {
			t.Fatal(err)
		}
		_ = p.Kill()
		select {}
	}
	folder, copies := t.TempDir(), t.TempDir()
	file := filepath.Join(folder, "ledger.db")
	age := func(n int) string { return filepath.Join(copies, string(rune('a'+n))) }
	for n := range 3 {
		l := openIn(t, folder)
		for i := range 40 {
			recordAll(t, l, noes(time.Duration(100*n+i).String()), noes("1"))
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		copyFile(t, file, age(n))
	}
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestALogOfAnotherFile$")
	child.Env = append(os.Environ(), "OWLATSYNC_TEST_KILLED_IN="+folder)
	if out, err := child.CombinedOutput(); err == nil || child.ProcessState.Exited() {
		t.Fatalf("the process was not killed: %v\n%s", err, out)
	}
	killed := readFile(t, file)
	log := readFile(t, file+"-wal")
	if len(log) == 0 {
		t.Fatal("the kill left no log")
	}
	back := func(main []byte) {
		t.Helper()
		for _, err := range []error{
			os.WriteFile(file, main, 0o600), os.WriteFile(file+"-wal", log, 0o600), os.RemoveAll(file + "-shm"),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	for n := range 2 {
		for range 2 { // the first refusal must not merge the two
			back(readFile(t, age(n)))
			if l, err := Open(t.Context(), "sqlite", file); !errors.Is(err, ledger.ErrMixed) {
				t.Errorf("copy %d beside the log of a later run: %v, %v", n, l, err)
			}
			if _, err := Examine(t.Context(), "sqlite", file); !errors.Is(err, ledger.ErrMixed) {
				t.Errorf("copy %d was examined: %v", n, err)
			}
		}
	}
	back(killed)
	l := openIn(t, folder)
	defer l.Close()
	mustBeSound(t, l)
	mustHold(t, l, "later"+time.Duration(299).String())
	mustBeSetBack(t, l, false)
}

// TestBackupAndRestore puts a backup back, with nothing, a whole ledger, a damaged one or the log of another file in its place.
func TestBackupAndRestore(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		since func(t *testing.T, file string)
		older bool
	}{
		{"nothing was done since", func(*testing.T, string) {}, false},
		{"the ledger was lost", func(t *testing.T, file string) {
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
		}, false},
		{"all was lost", func(t *testing.T, file string) {
			if err := errors.Join(os.Remove(file), os.Remove(file+".age")); err != nil {
				t.Fatal(err)
			}
		}, true},
		{"a run was made since", func(t *testing.T, file string) {
			l := openIn(t, filepath.Dir(file))
			defer l.Close()
			recordAll(t, l, noes("2"))
		}, true},
		{"the ledger is damaged", func(t *testing.T, file string) {
			if err := os.WriteFile(file, []byte("nonsense"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, false},
		{"the ledger and its log do not belong together", func(t *testing.T, file string) {
			if err := os.WriteFile(file+"-wal", []byte("nonsense"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			file, backup := filepath.Join(folder, "ledger.db"), filepath.Join(t.TempDir(), "backup.db")
			l := openIn(t, folder)
			recordAll(t, l, noes("1"))
			if err := l.Backup(t.Context(), backup); err != nil {
				t.Fatal(err)
			}
			if err := l.Backup(t.Context(), backup); !errors.Is(err, os.ErrExist) {
				t.Errorf("a file was overwritten: %v", err)
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			if info, err := os.Stat(backup); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("the backup: %v, %v", info, err)
			}
			c.since(t, file)
			before, there := os.ReadFile(file)
			aside, err := Restore(t.Context(), "sqlite", file, backup)
			if err != nil || (there == nil) != (aside != "") {
				t.Fatalf("aside %q: %v", aside, err)
			}
			if aside != "" && !bytes.Equal(readFile(t, aside), before) {
				t.Error("the ledger that was there is not aside")
			}
			l = openIn(t, folder)
			defer l.Close()
			mustBeSound(t, l)
			mustHold(t, l, "1")
			mustBeSetBack(t, l, c.older)
			for _, end := range []string{".new", "-wal.new"} {
				if _, err := os.Stat(file + end); err == nil {
					t.Errorf("%s is left", end)
				}
			}
		})
	}
}

func TestRestoreRefuses(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	file, backup := filepath.Join(folder, "ledger.db"), filepath.Join(folder, "backup.db")
	l := openIn(t, folder)
	defer l.Close()
	recordAll(t, l, noes("1"))
	if err := l.Backup(t.Context(), backup); err != nil {
		t.Fatal(err)
	}
	write := func(name string, content []byte) string {
		t.Helper()
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
		return filepath.Join(folder, name)
	}
	whole := readFile(t, backup)
	for name, c := range map[string]struct {
		from string
		want error
	}{
		"no file":          {filepath.Join(folder, "absent"), os.ErrNotExist},
		"an empty file":    {write("empty", nil), ledger.ErrNotLedger},
		"no ledger":        {write("text", []byte("text")), ledger.ErrNotLedger},
		"a part of a file": {write("part", whole[:len(whole)/2]), ledger.ErrCorrupt},
	} {
		if aside, err := Restore(t.Context(), "sqlite", file, c.from); !errors.Is(err, c.want) || aside != "" {
			t.Errorf("%s: %q, %v", name, aside, err)
		}
	}
	if _, err := Restore(t.Context(), "sqlite", file, file); err == nil {
		t.Error("a ledger was put in its own place")
	}
	k := takeLock(t, l)
	if _, err := Restore(t.Context(), "sqlite", file, backup); !errors.Is(err, ledger.ErrLocked) {
		t.Errorf("under a run: %v", err)
	}
	if err := k.Release(); err != nil {
		t.Fatal(err)
	}
	mustHold(t, l, "1")
}

// TestABackupMadeInARun is whole, and older even if the run was killed right after it.
func TestABackupMadeInARun(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	file, backup := filepath.Join(folder, "ledger.db"), filepath.Join(t.TempDir(), "backup.db")
	l := openIn(t, folder)
	under(t, l, func(k *lock) error {
		id, err := k.BeginRun(t.Context(), ledger.Run{Sync: "users"})
		if err != nil {
			return err
		}
		done := make(chan error)
		go func() {
			for i := range 200 {
				if err := k.Record(t.Context(), ledger.Record{Sync: "users", Run: id, Entry: noes(time.Duration(i + 1).String())}); err != nil {
					done <- err
					return
				}
			}
			done <- k.Record(t.Context(), ledger.Record{Sync: "users", Run: id, Entry: noes("1")})
		}()
		return errors.Join(l.Backup(t.Context(), filepath.Join(t.TempDir(), "during.db")), <-done, l.Backup(t.Context(), backup))
	})
	if err := l.Close(); err != nil { // without the end of the run
		t.Fatal(err)
	}
	if _, err := Restore(t.Context(), "sqlite", file, backup); err != nil {
		t.Fatal(err)
	}
	l = openIn(t, folder)
	defer l.Close()
	mustBeSound(t, l)
	mustBeSetBack(t, l, true)
}
