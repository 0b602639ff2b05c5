package keys

import (
	"io"
	"testing"
)

// TestThreeKeysAreAlmostThreeTimesOne holds the measurement to its goals.
func TestThreeKeysAreAlmostThreeTimesOne(t *testing.T) {
	t.Parallel()
	found, err := Measure(t.Context(), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range found.Goals {
		if g.Missed {
			t.Errorf("%s: %s, want %s", g.What, g.Got, g.Want)
		}
	}
	t.Log(found.Tables[0].Rows)
}
