package crew

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestFlights(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f Flights
		may := func(workedHere, elsewhere, want bool) {
			t.Helper()
			if got := f.may("acme", "Owlat", workedHere, elsewhere); got != want {
				t.Fatalf("may flee: %v", got)
			}
		}
		avoids := func(want bool) {
			t.Helper()
			if f.Avoids("acme") != want || slices.Contains(f.Avoided(), "acme") != want {
				t.Fatalf("avoids: %v, tells %q", f.Avoids("acme"), f.Avoided())
			}
		}
		avoids(false)
		may(false, false, true) // the first time always
		avoids(true)
		may(false, false, false)
		may(true, false, true)
		for wait := fleeSoon; wait < fleeAgain; wait *= 2 {
			time.Sleep(wait - 1)
			may(false, true, false)
			time.Sleep(time.Nanosecond)
			may(false, false, false)
			may(false, true, true)
		}
		time.Sleep(fleeAgain - 1)
		avoids(true)
		may(false, false, false)
		time.Sleep(time.Nanosecond)
		avoids(false)
		may(false, false, true)
		f.Worked("acme", "the sync", "the source")
		avoids(true)
		if !f.may("acme", "the sync", false, false) || !f.may("beta", "the source", false, false) {
			t.Fatal("may not flee because of something else")
		}
		f.Worked("beta", "the sync", "the source")
		if f.Avoids("beta") || f.may("beta", "the source", false, true) {
			t.Error("what worked here is avoided, or given away at once")
		}
		time.Sleep(fleeSoon)
		if !f.may("beta", "the source", false, false) {
			t.Error("what worked here is not given away later")
		}
		if time.Sleep(fleeAgain); len(f.Avoided()) != 0 || len(f.last) != 0 {
			t.Errorf("what is long ago is kept: %v", f.last)
		}
	})
}

func TestDoubts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f Flights
		doubts := func(when string, want bool) {
			t.Helper()
			if f.Doubts() != want {
				t.Errorf("%s: doubts %v", when, !want)
			}
		}
		f.Began()
		doubts("at first", false)
		f.may("acme", "Owlat", false, false)
		doubts("after a flight", true)
		time.Sleep(doubtful)
		doubts("after a while, one is to be tried", false)
		f.Began()
		doubts("while that is tried", true)
		f.Worked("beta", "users")
		doubts("when it has worked", false)
		f.may("beta", "Owlat", false, false)
		f.Began()
		time.Sleep(fleeAgain - 1)
		doubts("as long as it counts", true)
		time.Sleep(time.Nanosecond)
		doubts("afterwards", false)
	})
}
