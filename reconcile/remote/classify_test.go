package remote

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"owlatsync/ledger"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestFailuresWaitLongerEachTimeAndArePutAside(t *testing.T) {
	t.Parallel()
	later := &Failure{Class: ledger.RetryLater, Category: "internal", Reason: "r"}
	print := Attempt{Fingerprint: ledger.Fingerprint{Hi: 1, Lo: 1}}
	var f *ledger.Failure
	var waits []time.Duration
	for range MaxAttempts {
		f = later.Again(f, print, noon)
		waits = append(waits, f.NextTry.Sub(noon))
	}
	want := []time.Duration{0, 1, 2, 4, 8, 16, 32, 64}
	for i := range want {
		want[i] *= time.Minute
	}
	if diff := cmp.Diff(want, waits); diff != "" {
		t.Errorf("waits (-want +got):\n%s", diff)
	}
	if !f.Parked || f.Attempts != MaxAttempts {
		t.Errorf("after %d attempts parked is %v", f.Attempts, f.Parked)
	}
	if again := later.Again(f, Attempt{Fingerprint: ledger.Fingerprint{Hi: 2, Lo: 2}}, noon); again.Attempts != 1 || again.Parked {
		t.Errorf("a changed row counts on: %d attempts, parked %v", again.Attempts, again.Parked)
	}
	if refused := (&Failure{Class: ledger.GiveUp}).Again(nil, print, noon); !refused.Parked {
		t.Error("a row that would be refused again is tried again")
	}
	if absent := later.Again(f, Attempt{Absence: true}, noon); absent.Attempts != 1 || !absent.Absence {
		t.Errorf("the absence of a row that failed counts on: %+v", absent)
	}
}
