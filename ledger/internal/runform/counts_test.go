package runform

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"owlatsync"
	"owlatsync/ledger"
)

const whole = "7|ok|1000000|2000000|3000000|[1,2,3,4,5,6,7,8,9,10,11,12,13]"

func TestDecodeBriefs(t *testing.T) {
	at := func(seconds int64) time.Time { return time.Unix(seconds, 0).UTC() }
	counts := ledger.Counts{Outcomes: [10]int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, Requests: owlatsync.RequestCounts{Total: 11, Writes: 12, RateLimited: 13}}
	for text, want := range map[string][]ledger.Brief{
		"":    nil,
		whole: {{ID: 7, Status: "ok", Started: at(1), Heartbeat: at(2), Finished: at(3), Counts: counts}},
		"9|running|1000000|2000000||\n8|killed|0|||[null, null, null, null, null, null, null, null, null, null, 1, 2, null]": {
			{ID: 9, Status: "running", Started: at(1), Heartbeat: at(2)},
			{ID: 8, Status: "killed", Started: at(0), Counts: ledger.Counts{Requests: owlatsync.RequestCounts{Total: 1, Writes: 2}}},
		},
	} {
		if got, err := DecodeBriefs(text); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
}

// TestDecodeDamagedBriefs: what is cut off or is no number is named as damage, and not read as something else.
func TestDecodeDamagedBriefs(t *testing.T) {
	damaged := []string{whole + "|more", whole + "\n", "x" + whole, strings.Replace(whole, "3000000", "soon", 1), strings.Replace(whole, "5,", "5.5,", 1), "\n" + whole}
	for n := 1; n < len(whole); n++ {
		if cut := whole[:n]; !strings.Contains(cut, ",12,1") && !strings.HasSuffix(cut, "|") { // nothing says that less of the last number is missing, or that there were counts
			damaged = append(damaged, cut)
		}
	}
	for _, text := range damaged {
		if got, err := DecodeBriefs(text); !errors.Is(err, ledger.ErrCorrupt) {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
}
