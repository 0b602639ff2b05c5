package setup

import (
	"testing"
	"time"

	"owlatsync/ledger"
)

// TestWhenARoundIsDue, also on a clock that was set back.
func TestWhenARoundIsDue(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	ago := func(minutes int) time.Time { return now.Add(-time.Duration(minutes) * time.Minute) }
	for name, c := range map[string]struct {
		kept ledger.Round
		want time.Time
	}{
		"no round yet":              {ledger.Round{}, time.Time{}},
		"one that ended":            {ledger.Round{Began: ago(6), Ended: ago(5)}, ago(-10)},
		"one that broke off":        {ledger.Round{Ended: ago(60), Open: ledger.OpenRound{Began: ago(3), Tried: ago(1)}}, ago(3)},
		"one that failed":           {ledger.Round{Ended: ago(60), Open: ledger.OpenRound{Began: ago(3), Tried: ago(1), Failed: "away"}}, ago(-14)},
		"one that ended later":      {ledger.Round{Began: ago(-600), Ended: ago(-601)}, now},
		"one that will have failed": {ledger.Round{Open: ledger.OpenRound{Began: ago(-600), Tried: ago(-601), Failed: "away"}}, now},
	} {
		if got := RoundDue(c.kept, 15*time.Minute, now); !got.Equal(c.want) {
			t.Errorf("%s: due %v, want %v", name, got, c.want)
		}
	}
}
