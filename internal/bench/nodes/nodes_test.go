package nodes

import (
	"testing"
	"testing/synctest"
)

// TestNodes plays every scenario and holds it to its goals.
func TestNodes(t *testing.T) {
	t.Parallel()
	for _, sc := range scenarios() {
		t.Run(sc.Name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := play{scenario: sc}
				r, err := p.measure(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				t.Logf("%.1f %% of %.0f, %d refused, %d changes of hands", 100*r.share(), r.Allowed, r.Refused, r.Hands)
				for _, g := range sc.goals(r) {
					if g.Missed {
						t.Errorf("%s: got %s, want %s", g.What, g.Got, g.Want)
					}
				}
			})
		})
	}
}
