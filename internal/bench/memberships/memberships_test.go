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
