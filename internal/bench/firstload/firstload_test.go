package firstload

import (
	"testing"
	"testing/synctest"
)

// TestTheWaysOfAFirstLoad loads a few people in each way, and holds it to the goals.
func TestTheWaysOfAFirstLoad(t *testing.T) {
	t.Parallel()
	const people = 220
	took := make(map[string]float64)
	for _, way := range []string{wayPlain, waySeveral, wayImport} {
		synctest.Test(t, func(t *testing.T) {
			r, err := play(t.Context(), way, people)
			if err != nil {
				t.Fatal(err)
			}
			for _, g := range r.goals() {
				if g.Missed {
					t.Errorf("%s: %s, want %s", g.What, g.Got, g.Want)
				}
			}
			if created := r.Created; created != people && way != wayImport || created != 0 && way == wayImport {
				t.Errorf("%s: %d contacts were created by API", way, created)
			}
			took[way] = r.Took.Seconds()
		})
	}
	if took[waySeveral] > took[wayPlain]/2.7 || took[wayImport] > took[wayPlain]/4 {
		t.Errorf("they took %v s", took)
	}
}
