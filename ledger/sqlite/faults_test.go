package sqlite

import (
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"owlatsync/ledger"
	"owlatsync/ledger/sqlite/internal/dbfile"
)

// filled makes a ledger of several hundred pages in a folder, closed.
func filled(t *testing.T, folder string) (file string, size int64) {
	t.Helper()
	l := openIn(t, folder)
	var records []ledger.Record
	for i := range 2000 {
		records = append(records, rowRecord(fmt.Sprint(i)))
		records[i].Entry.Email = fmt.Sprintf("row%d@example.com", i)
		records[i].Entry.ContactID = fmt.Sprintf("contact%d", i)
	}
	under(t, l, func(k *lock) error { return k.Record(t.Context(), records...) })
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(l.f.Name())
	if err != nil {
		t.Fatal(err)
	}
	return l.f.Name(), info.Size()
}

// useAll calls everything that reads and writes, and returns the first error.
func useAll(t *testing.T, path string) error {
	t.Helper()
	l, err := Open(t.Context(), "sqlite", path)
	if err != nil {
		return err
	}
	defer func() {
		if err := l.Close(); err != nil && dbfile.HintFor(err) == nil {
			t.Errorf("close: %v", err)
		}
	}()
	for _, err := range l.Index(t.Context(), "users") {
		if err != nil {
			return err
		}
	}
	var keys, addresses []string
	for i := range 2000 {
		keys = append(keys, fmt.Sprint(i))
		addresses = append(addresses, fmt.Sprintf("row%d@example.com", i))
	}
	if _, err := l.Entries(t.Context(), "users", keys); err != nil {
		return err
	}
	if _, err := l.Holders(t.Context(), addresses); err != nil {
		return err
	}
	if _, err := l.Standing(t.Context(), "users"); err != nil {
		return err
	}
	if err := readAll(t, l); err != nil {
		return err
	}
	k, err := l.Acquire(t.Context(), ledger.Claim{Purpose: "everything"})
	if err != nil {
		return err
	}
	for _, key := range keys {
		if err := k.Record(t.Context(), rowRecord(key)); err != nil {
			return err
		}
		if len(key) > 3 {
			break
		}
	}
	if err := k.Remove(t.Context(), "users", keys); err != nil {
		return err
	}
	if err := k.Release(); err != nil {
		return err
	}
	if _, err := l.Prune(t.Context(), time.Now()); err != nil {
		return err
	}
	_, err = l.ForgetPerson(t.Context(), addresses[0])
	return err
}

// readAll reads a snapshot, and returns the first error.
func readAll(t *testing.T, l *Ledger) error {
	t.Helper()
	return l.Snapshot(t.Context(), func(s ledger.Snapshot) error {
		_, err1 := collect(s.Syncs())
		_, err2 := collect(s.Runs())
		_, err3 := collect(s.Entries())
		_, err4 := collect(s.History())
		_, err5 := collect(s.OptOuts())
		_, err6 := collect(s.Forgotten())
		_, err7 := collect(s.Suppressions())
		return errors.Join(err1, err2, err3, err4, err5, err6, err7)
	})
}

func collect[T any](seq iter.Seq2[T, error]) (all []T, err error) {
	for v, err := range seq {
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, nil
}

func TestDamagedFile(t *testing.T) {
	t.Parallel()
	const page = 4096
	original, size := filled(t, t.TempDir())
	sound := readFile(t, original)
	for _, c := range []struct {
		name   string
		damage func(t *testing.T, file string, size int64, rnd *rand.Rand)
		want   []error
	}{
		{"cut in half", func(t *testing.T, file string, size int64, _ *rand.Rand) {
			if err := os.Truncate(file, size/2); err != nil {
				t.Fatal(err)
			}
		}, []error{ledger.ErrCorrupt}},
		{"cut within the first page", func(t *testing.T, file string, _ int64, _ *rand.Rand) {
			if err := os.Truncate(file, 100); err != nil {
				t.Fatal(err)
			}
		}, []error{ledger.ErrNotLedger, ledger.ErrCorrupt}},
		{"head overwritten", func(t *testing.T, file string, _ int64, _ *rand.Rand) {
			overwrite(t, file, 0, []byte("not SQLite format"))
		}, []error{ledger.ErrNotLedger}},
		{"schema overwritten", func(t *testing.T, file string, _ int64, rnd *rand.Rand) {
			overwrite(t, file, 100, garbage(rnd, page-100))
		}, []error{ledger.ErrCorrupt}},
		{"every page but the first overwritten", func(t *testing.T, file string, size int64, rnd *rand.Rand) {
			overwrite(t, file, page, garbage(rnd, int(size-page)))
		}, []error{ledger.ErrCorrupt}},
		{"some pages overwritten", func(t *testing.T, file string, size int64, rnd *rand.Rand) {
			for at := int64(page); at < size; at += 3 * page {
				overwrite(t, file, at, garbage(rnd, page))
			}
		}, []error{ledger.ErrCorrupt}},
		{"some pages emptied", func(t *testing.T, file string, size int64, _ *rand.Rand) {
			for at := int64(page); at < size; at += 3 * page {
				overwrite(t, file, at, make([]byte, page))
			}
		}, []error{ledger.ErrCorrupt}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "ledger.db")
			if err := os.WriteFile(file, sound, 0o600); err != nil {
				t.Fatal(err)
			}
			c.damage(t, file, size, rand.New(rand.NewPCG(1, 2)))
			if _, err := Examine(t.Context(), "sqlite", file); !errors.Is(err, ledger.ErrCorrupt) && !errors.Is(err, ledger.ErrNotLedger) {
				t.Errorf("examined: %v", err)
			}
			err := useAll(t, file)
			for _, want := range c.want {
				if errors.Is(err, want) {
					return
				}
			}
			t.Errorf("error %v, not %v", err, c.want)
		})
	}
}

func overwrite(t *testing.T, file string, at int64, with []byte) {
	t.Helper()
	f, err := os.OpenFile(file, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteAt(with, at)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

func garbage(rnd *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rnd.Uint32())
	}
	return b
}

// TestRandomDamage overwrites single bytes and only asks that nothing worse than an error comes of it.
func TestRandomDamage(t *testing.T) {
	t.Parallel()
	file, size := filled(t, t.TempDir())
	sound, beside, folder := readFile(t, file), readFile(t, file+".age"), t.TempDir()
	damaged := 0
	for seed := range uint64(60) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		copied := filepath.Join(folder, fmt.Sprint(seed))
		if err := errors.Join(os.WriteFile(copied, sound, 0o600), os.WriteFile(copied+".age", beside, 0o600)); err != nil {
			t.Fatal(err)
		}
		for range 40 {
			// The head of a page is where damage does most.
			overwrite(t, copied, rnd.Int64N(size/4096)*4096+rnd.Int64N(64), garbage(rnd, 1))
		}
		if err := useAll(t, copied); err != nil {
			damaged++
			if !errors.Is(err, ledger.ErrCorrupt) && !errors.Is(err, ledger.ErrNotLedger) && !errors.Is(err, ledger.ErrNewer) {
				t.Errorf("seed %d: %v", seed, err)
			}
		}
	}
	if damaged < 30 {
		t.Errorf("only %d of 60 damaged files were noticed", damaged)
	}
}

// TestGrowthRefused limits the file's size, which SQLite reports as it does a full disk.
func TestGrowthRefused(t *testing.T) {
	t.Parallel()
	l := openFresh(t)
	put(t, l, "first")
	k := takeLock(t, l)
	var pages int
	if err := l.f.Writer.Conn().QueryRowContext(t.Context(), "PRAGMA max_page_count = 90").Scan(&pages); err != nil || pages != 90 {
		t.Fatal(pages, err)
	}
	var kept []string
	var err error
	for i := 0; err == nil && i < 10_000; i++ {
		key := fmt.Sprint(i)
		if err = k.Record(t.Context(), rowRecord(key), rowRecord(key+" too")); err == nil {
			kept = append(kept, key, key+" too")
		}
	}
	if !errors.Is(err, ledger.ErrFull) {
		t.Fatalf("after %d records: %v", len(kept), err)
	}
	// The limit is that of a connection, which the failure has ended if it came in the midst of a statement that SQLite cannot undo alone.
	if conn := l.f.Writer.Conn(); conn != nil {
		if err := conn.QueryRowContext(t.Context(), "PRAGMA max_page_count = 1000000").Scan(&pages); err != nil || pages != 1000000 {
			t.Fatal(pages, err)
		}
	}
	if err := l.Try(t.Context()); err != nil {
		t.Errorf("what has room again takes no write: %v", err)
	}
	mustHold(t, l, kept...)
	standing, err := l.Standing(t.Context(), "users")
	if err != nil || standing.Entries != len(kept)+1 {
		t.Errorf("%d entries, %d were acknowledged: %v", standing.Entries, len(kept)+1, err)
	}
	if err := k.Remove(t.Context(), "users", kept[:len(kept)/2]); err != nil {
		t.Fatalf("nothing can be removed from a full ledger: %v", err)
	}
	if err := k.Record(t.Context(), rowRecord("after")); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := l.Try(t.Context()); err != nil {
			t.Errorf("there is room again: %v", err)
		}
	}
	mustHold(t, l, append(kept[len(kept)/2:], "after")...)
}

// TestDamagedValues damages what stands in single columns.
func TestDamagedValues(t *testing.T) {
	t.Parallel()
	entries := func(t *testing.T, l *Ledger) error {
		_, err := l.Entries(t.Context(), "users", []string{"1"})
		return err
	}
	runs := func(t *testing.T, l *Ledger) error {
		_, err := l.Runs(t.Context(), "users", 1)
		return err
	}
	for _, c := range []struct {
		name, statement string
		read            func(*testing.T, *Ledger) error
	}{
		{"memberships", "UPDATE entries SET memberships = '[{'", entries},
		{"failure", "UPDATE entries SET failure = '7'", entries},
		{"fingerprint", "UPDATE entries SET fingerprint = x'00'", entries},
		{"mark of the index", "UPDATE packs SET marks = substr(marks, 2)", func(t *testing.T, l *Ledger) (last error) {
			for _, err := range l.Index(t.Context(), "users") {
				last = err
			}
			return last
		}},
		{"report", "UPDATE runs SET report = 'x'", runs},
		{"owner", "UPDATE runs SET owner = '7'", runs},
		{"part", "UPDATE runs SET part = '{'", runs},
		{"summary", "UPDATE runs SET summary = '[]'", runs},
		{"guards", "UPDATE runs SET guards = '{}'", runs},
		{"failure to retry", "UPDATE entries SET failure = '7', state = 2", func(t *testing.T, l *Ledger) error {
			_, err := l.Retry(t.Context(), "users", nil, time.Now())
			return err
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			l := openIn(t, folder)
			put(t, l, "1")
			under(t, l, func(k *lock) error {
				_, err := k.BeginRun(t.Context(), ledger.Run{Sync: "users"})
				return err
			})
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			execFile(t, l.f.Name(), c.statement)
			l = openIn(t, folder)
			defer l.Close()
			if err := c.read(t, l); !errors.Is(err, ledger.ErrCorrupt) {
				t.Errorf("error %v", err)
			}
		})
	}
}
