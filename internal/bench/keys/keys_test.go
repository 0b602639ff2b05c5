package keys

import (
	"math"
	"testing"
	"testing/synctest"
)

// TestThreeKeysAreAlmostThreeTimesOne makes a smaller first run, holds it to the goals, and the plan to its word.
func TestThreeKeysAreAlmostThreeTimesOne(t *testing.T) {
	t.Parallel()
	var one outcome
	for _, keys := range []int{1, 3} {
		synctest.Test(t, func(t *testing.T) {
			r, err := play(t.Context(), keys, 400)
			if err != nil {
				t.Fatal(err)
			}
			if keys == 1 {
				one = r
			}
			t.Logf("%+v", r)
			for _, g := range r.goals(one) {
				if g.Missed {
					t.Errorf("%s: %s, want %s", g.What, g.Got, g.Want)
				}
			}
			if r.Most-r.Least > r.Most/20 {
				t.Errorf("from %d to %d requests with a key", r.Least, r.Most)
			}
			if off := math.Abs(r.Planned.Seconds() - r.Took.Seconds()); off > 1 {
				t.Errorf("it was to take %v, and took %v", r.Planned, r.Took)
			}
		})
	}
}
