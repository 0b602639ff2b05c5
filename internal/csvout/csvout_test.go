package csvout_test

import (
	"bytes"
	"encoding/csv"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"owlatsync/internal/csvout"
)

func TestNoCellIsAFormula(t *testing.T) {
	t.Parallel()
	for cell, want := range map[string]string{
		"=1+1@bad": "'=1+1@bad", "+49 30 1": "'+49 30 1", "-1": "'-1", "@SUM(A1)": "'@SUM(A1)", "\t=1": "'\t=1", "\r=1": "'\r=1", "\n=1": "'\n=1",
		"＝1": "'＝1", "'": "''", "'=1": "''=1", "ada@example.com": "ada@example.com", "1-1": "1-1", "": "", " =1": " =1", "ü=": "ü=",
	} {
		if got := csvout.Safe(cell); got != want {
			t.Errorf("%q is written %q, want %q", cell, got, want)
		}
	}
}

func FuzzCellsAreReadBack(f *testing.F) {
	for _, cell := range []string{"=1", "'", "'=1", "''", "a,\"b\"", "'a", "＝"} {
		f.Add(cell)
	}
	f.Fuzz(func(t *testing.T, cell string) {
		safe := csvout.Safe(cell)
		if safe != "" && strings.ContainsAny(safe[:1], "=+-@\t\r\n") {
			t.Errorf("%q is written %q", cell, safe)
		}
		if got := csvout.Plain(safe); got != cell {
			t.Errorf("%q is read back as %q", cell, got)
		}
		if strings.Contains(cell, "\r") {
			return // CSV itself does not keep it
		}
		var b bytes.Buffer
		w := csvout.NewWriter(&b)
		w.Write("x", cell)
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		raw, err := csv.NewReader(bytes.NewReader(b.Bytes())).ReadAll()
		if err != nil || raw[0][1] != safe {
			t.Errorf("%q stands in the file as %q, %v", cell, raw, err)
		}
		got, err := csvout.Read(&b)
		if diff := cmp.Diff([][]string{{"x", cell}}, got); diff != "" || err != nil {
			t.Errorf("read back (-want +got), %v:\n%s", err, diff)
		}
	})
}

type full struct{}

var errFull = errors.New("no space is left")

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestAnErrorOfWritingIsTold(t *testing.T) {
	t.Parallel()
	w := csvout.NewWriter(full{})
	w.Write("a", "b")
	if err := w.Flush(); !errors.Is(err, errFull) {
		t.Errorf("Flush: %v, want the writer's error", err)
	}
}
