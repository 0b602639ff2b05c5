package xlsx

import (
	"archive/zip"
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// manyRows is how many people the benchmark reads, and someRows how many the test reads, which runs with the race detector too.
const manyRows, someRows = 100_000, 30_000

// manyPeople writes a workbook of people, all of whose texts are shared, as Excel writes it.
func manyPeople(t testing.TB, rows int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "many.xlsx")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z := zip.NewWriter(f)
	texts := []string{"id", "email", "first_name", "last_name", "newsletter", "joined"}
	for n := 1; n <= rows; n++ {
		texts = append(texts, fmt.Sprintf("user%d@example.com", n), fmt.Sprintf("First%d", n), fmt.Sprintf("Last%d", n))
	}
	for name, write := range map[string]func(io.Writer){
		"xl/sharedStrings.xml": func(w io.Writer) {
			fmt.Fprint(w, "<sst>")
			for _, text := range texts {
				fmt.Fprintf(w, "<si><t>%s</t></si>", text)
			}
			fmt.Fprint(w, "</sst>")
		},
		"xl/worksheets/sheet1.xml": func(w io.Writer) {
			fmt.Fprint(w, `<worksheet><sheetData><row r="1">`)
			for i := range 6 {
				fmt.Fprintf(w, `<c r="%s1" t="s"><v>%d</v></c>`, columnName(i), i)
			}
			for n := 1; n <= rows; n++ {
				at := 6 + 3*(n-1)
				fmt.Fprintf(w, `</row><row r="%d" spans="1:6"><c r="A%d"><v>%d</v></c><c r="B%d" t="s"><v>%d</v></c><c r="C%d" t="s"><v>%d</v></c><c r="D%d" t="s"><v>%d</v></c><c r="E%d" t="b"><v>%d</v></c><c r="F%d" s="1"><v>45322</v></c>`,
					n+1, n+1, n, n+1, at, n+1, at+1, n+1, at+2, n+1, n%2, n+1)
			}
			fmt.Fprint(w, "</row></sheetData></worksheet>")
		},
	} {
		part, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		b := bufio.NewWriter(part)
		write(b)
		if err := b.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range parts("") {
		if name == "xl/sharedStrings.xml" || name == "xl/worksheets/sheet1.xml" {
			continue
		}
		part, err := z.Create(name)
		if err == nil {
			_, err = part.Write([]byte(text))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// drain reads a sheet, and returns how many rows it has and the most bytes in use meanwhile.
func drain(t testing.TB, path string) (rows int, most uint64) {
	t.Helper()
	s, err := openSheet(path, "")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var memory runtime.MemStats
	for {
		more, err := s.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if rows%10_000 == 0 {
			runtime.ReadMemStats(&memory)
			most = max(most, memory.HeapAlloc)
		}
		if !more {
			return rows, most
		}
		for i := range s.Columns() {
			_ = s.Value(i)
		}
		rows++
	}
}

// TestManyRowsNeedLittleMemory is not parallel: the memory of other tests would count.
func TestManyRowsNeedLittleMemory(t *testing.T) {
	path := manyPeople(t, someRows)
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	rows, most := drain(t, path)
	if rows != someRows {
		t.Errorf("%d rows, want %d", rows, someRows)
	}
	const allowed = 30 << 20 // so that 100 000 rows take less than the 150 MB that the whole program may take
	if used := most - min(most, before.HeapAlloc); used > allowed {
		t.Errorf("a scan takes %d MiB, more than %d", used>>20, allowed>>20)
	}
}

// BenchmarkRows measures a scan of a large sheet.
func BenchmarkRows(b *testing.B) {
	path := manyPeople(b, manyRows)
	b.ReportAllocs()
	for b.Loop() {
		if rows, _ := drain(b, path); rows != manyRows {
			b.Fatalf("%d rows", rows)
		}
	}
}
