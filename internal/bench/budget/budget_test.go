package budget

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestBudget plays every scenario and holds it to its goals.
func TestBudget(t *testing.T) {
	t.Parallel()
	for _, sc := range scenarios() {
		t.Run(sc.Name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r, err := play(t.Context(), sc)
				if err != nil {
					t.Fatal(err)
				}
				t.Logf("%.1f %% of %.0f, %d refused (%.1f %%), at most %d a second and %d in flight, recovered after %v",
					100*r.share(), r.Allowed, r.Refused, 100*r.refused(), r.Peak, r.InFlight, r.Recovery)
				for _, g := range sc.goals(r) {
					if g.Missed {
						t.Errorf("%s: got %s, want %s", g.What, g.Got, g.Want)
					}
				}
				if sc.Rival.Burst > 0 && r.Recovery > 25*time.Second {
					t.Errorf("the full rate was back after %v", r.Recovery)
				}
			})
		})
	}
}
