package findings

import (
	"os"
	"testing"
	"time"
)

func TestFigures(t *testing.T) {
	t.Parallel()
	for want, got := range map[string]string{
		"1 565 000": Count(1565000), "-1 000": Count(-1000), "999": Count(999), "0": Figure(0), "2.46": Figure(2.456), "123": Figure(123.4),
		"59.2 s": Span(59200 * time.Millisecond), "10 min 2 s": Span(602 * time.Second), "11 h 8 min": Span(40080 * time.Second),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestResultsThatDoNotFitAreNotKept(t *testing.T) {
	t.Parallel()
	for _, s := range []Section{
		{Tables: []Table{{Columns: []string{"a", "b"}, Rows: [][]string{{"1"}}}}},
		{Charts: []Chart{{Labels: []string{"a"}}}},
		{Charts: []Chart{{Series: []string{"x", "y"}, Labels: []string{"a"}, Values: [][]float64{{1}}}}},
	} {
		folder := t.TempDir()
		if err := (Result{Part: "start", Section: s}).Save(folder); err == nil {
			t.Errorf("kept %+v", s)
		}
		if _, err := os.Stat(ResultFile(folder, "start")); err == nil {
			t.Errorf("wrote %+v", s)
		}
	}
}
