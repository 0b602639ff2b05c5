package memberships

import (
	"testing"
	"testing/synctest"
	"time"

	"owlatsync/owlat"
)

// TestTwoThousandPeople is exact: a request by a link for each at 20 a second, and one to the API for each who has left.
func TestTwoThousandPeople(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const people = 2000
		v, err := Verify(t.Context(), people, owlat.DefaultPreferencesRate)
		if err != nil {
			t.Fatal(err)
		}
		if v.Links != people || v.Left != people/leftEvery || v.API != v.Left {
			t.Errorf("%+v", v)
		}
		// Whom the API is asked about fits into its burst, so that it adds nothing but a moment for each batch.
		if least, most := (people-1)*time.Second/owlat.DefaultPreferencesRate, v.most(); v.Took < least || v.Took > most {
			t.Errorf("it took %v, want between %v and %v", v.Took, least, most)
		}
	})
}

// TestRoundsOverFiveHundredPeople takes no request more than it must: a list, a reading of each who may have left, and a look at each who has.
func TestRoundsOverFiveHundredPeople(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const people, changed, left = 500, 5, 3
		all, err := Poll(t.Context(), people)
		if err != nil {
			t.Fatal(err)
		}
		moved, whole := all[0], all[1]
		if lists := people/100 + 1; moved.Links != changed || moved.API != lists+left || moved.Left != left || moved.Took > moved.most() || moved.RateLimited > 0 {
			t.Errorf("%+v", moved)
		}
		if whole.Links != people-left || whole.API != left || whole.Left != left || whole.Took > whole.most() || whole.Took < whole.most()*9/10 {
			t.Errorf("%+v, at most %v", whole, whole.most())
		}
	})
}
