package scratch

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func length(s string) int { return len(s) }

func read[T any](t *testing.T, s *Sequence[T]) (values []T) {
	t.Helper()
	for v, err := range s.All() {
		if err != nil {
			t.Fatal(err)
		}
		values = append(values, v)
	}
	return values
}

func TestSequenceKeepsTheOrder(t *testing.T) {
	t.Parallel()
	for _, most := range []int{0, 1, 100, 10_000, 1 << 30} {
		folder := t.TempDir()
		s := New(&Place{Folder: folder, Most: most}, length)
		random := rand.New(rand.NewPCG(1, uint64(most)))
		var want []string
		for i := range 3000 {
			v := strings.Repeat("ä\n\x00", random.IntN(40))
			want = append(want, v)
			if err := s.Add(v); err != nil {
				t.Fatal(err)
			}
			if i%997 == 0 {
				if diff := cmp.Diff(want, read(t, s)); diff != "" {
					t.Fatalf("with %d bytes in memory, after %d values: %s", most, i+1, diff)
				}
			}
		}
		if diff := cmp.Diff(want, read(t, s)); diff != "" || s.Len() != len(want) {
			t.Errorf("with %d bytes in memory: %d values, %s", most, s.Len(), diff)
		}
		if spilled := s.file != nil; spilled != (most < 1<<30) {
			t.Errorf("with %d bytes in memory a file was used: %v", most, spilled)
		}
		if err := s.Close(); err != nil || s.Len() != 0 || len(read(t, s)) != 0 {
			t.Errorf("after closing there are %d values, %v", s.Len(), err)
		}
	}
}

func TestSequenceLeavesNoFile(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	s := New(&Place{Folder: folder}, length)
	for range 2 * batch {
		if err := s.Add("ada@example.com"); err != nil {
			t.Fatal(err)
		}
	}
	names, err := os.ReadDir(folder)
	if err != nil || len(names) != 0 && s.file.path == "" {
		t.Errorf("while it is used the folder shows %v, %v", names, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if names, err = os.ReadDir(folder); err != nil || len(names) != 0 {
		t.Errorf("afterwards the folder has %v, %v", names, err)
	}
}

func TestSequenceTellsOfAFolderThatIsNotThere(t *testing.T) {
	t.Parallel()
	s := New(&Place{Folder: filepath.Join(t.TempDir(), "missing")}, length)
	if err := s.Add("x"); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "temporary file") {
		t.Errorf("got %v", err)
	}
}

func TestReadingMayEndEarly(t *testing.T) {
	t.Parallel()
	s := New(&Place{Folder: t.TempDir(), Most: 10}, length)
	for range 3 {
		if err := s.Add("a value that is long enough"); err != nil {
			t.Fatal(err)
		}
	}
	for range s.All() {
		break
	}
	if n := len(read(t, s)); n != 3 {
		t.Errorf("then %d values are read", n)
	}
	var none *Sequence[string]
	if err := none.Close(); err != nil {
		t.Error(err)
	}
}

func TestValuesAreReadByPosition(t *testing.T) {
	t.Parallel()
	for _, most := range []int{0, 100, 1 << 30} {
		s := NewIndexed(&Place{Folder: t.TempDir(), Most: most}, length)
		random := rand.New(rand.NewPCG(2, uint64(most)))
		var want []string
		for range 1500 {
			want = append(want, strings.Repeat("x", random.IntN(5000)))
			if err := s.Add(want[len(want)-1]); err != nil {
				t.Fatal(err)
			}
		}
		for range 300 {
			i := random.IntN(len(want))
			if got, err := s.At(i); err != nil || got != want[i] {
				t.Fatalf("with %d bytes in memory: the value at %d has %d bytes, want %d, %v", most, i, len(got), len(want[i]), err)
			}
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestAFileIsMuchSmallerThanItsValues holds what lets a run's temporary files stay small beside its ledger.
func TestAFileIsMuchSmallerThanItsValues(t *testing.T) {
	t.Parallel()
	type value struct {
		Key, Address, Changes string
		Print                 [2]uint64
	}
	random := rand.New(rand.NewPCG(3, 3))
	for name, s := range map[string]*Sequence[value]{
		"in order":    New(&Place{Folder: t.TempDir()}, func(value) int { return 1 }),
		"by position": NewIndexed(&Place{Folder: t.TempDir()}, func(value) int { return 1 }),
	} {
		s.place.Most = 1000
		plain := int64(0)
		for i := range 5000 {
			v := value{
				Key: fmt.Sprint(i), Address: fmt.Sprintf("user%d@example.com", i), Print: [2]uint64{random.Uint64(), random.Uint64()},
				Changes: strings.Repeat(`{"kind":"add_topic","topic":"k57ae3c4mxh2h0zqjmkz1q0v2s7nbd1p"},`, 10),
			}
			body, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			if plain += int64(len(body)); s.Add(v) != nil {
				t.Fatal("a value could not be added")
			}
		}
		info, err := s.file.f.Stat()
		if err != nil || info.Size() != s.file.end || info.Size()*5 > plain {
			t.Errorf("%s: %d bytes take %d, %v", name, plain, info.Size(), err)
		}
		if values := read(t, s); len(values) != 5000 || values[4321].Key != "4321" {
			t.Errorf("%s: %d values are read", name, len(values))
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestAFileThatWasCutIsTold(t *testing.T) {
	t.Parallel()
	s := New(&Place{Folder: t.TempDir(), Most: 10}, length)
	for range 3 {
		if err := s.Add("a value that is long enough"); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.file.f.Truncate(s.file.end - 1); err != nil {
		t.Fatal(err)
	}
	var err error
	for _, err = range s.All() {
	}
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %v", err)
	}
}
