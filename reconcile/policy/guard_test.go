package policy

import (
	"math"
	"strings"
	"testing"

	"owlatsync"
)

func TestLimit(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		limit    Limit
		rows, of int
		exceeded bool
	}{
		{DefaultRemovals, 20, 0, false},
		{DefaultRemovals, 21, 0, true},
		{DefaultRemovals, 20, 21, false}, // all but one, and no more rows than are named
		{DefaultRemovals, 21, 209, true},
		{DefaultRemovals, 21, 210, false}, // exactly the share
		{DefaultUpdates, 100, 101, false},
		{DefaultUpdates, 101, 201, true},
		{DefaultUpdates, 101, 202, false},
		{Limit{Share: 1}, 1, 1, false},
		{Limit{Share: 1}, 1, 0, true},
		{Limit{Rows: 5}, 6, 1_000_000_000, true},
		{Limit{Rows: 5}, 5, 1, false},
		{Limit{Share: 0.5}, 0, 0, false},
	} {
		if got := tt.limit.Exceeded(tt.rows, tt.of); got != tt.exceeded {
			t.Errorf("%s: %d of %d rows are too many: %v", tt.limit, tt.rows, tt.of, got)
		}
	}
	for percent := 1; percent <= 100; percent++ {
		l := Limit{Share: float64(percent) / 100}
		for _, of := range []int{100, 1000, 700_000_000} {
			rows := of / 100 * percent
			if l.Exceeded(rows, of) {
				t.Errorf("%s: exactly the limit, %d of %d, is too many", l, rows, of)
			}
			if !l.Exceeded(rows+1, of) {
				t.Errorf("%s: one more than the limit, %d of %d, passes", l, rows+1, of)
			}
		}
	}
}

func TestLimitIsValidated(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		guards Guards
		wrong  string // empty: nothing
	}{
		{Guards{}, ""},
		{Guards{Removals: Limit{Share: 1, Rows: math.MaxInt}, Updates: Limit{Share: 0, Rows: 1}}, ""},
		{Guards{Removals: Limit{Share: 1.01}}, "removals"},
		{Guards{Updates: Limit{Share: -0.01}}, "updates"},
		{Guards{Updates: Limit{Rows: -1}}, "updates"},
		{Guards{Removals: Limit{Share: math.NaN()}}, "removals"},
	} {
		err := tt.guards.Validate()
		if (err != nil) != (tt.wrong != "") || err != nil && !strings.Contains(err.Error(), tt.wrong) {
			t.Errorf("%+v: error %v, want one about %q", tt.guards, err, tt.wrong)
		}
	}
}

// TestGuards asks the guards about plans at their borders.
func TestGuards(t *testing.T) {
	t.Parallel()
	changes := &owlatsync.Reading{Mode: owlatsync.ReadChanges}
	outcomes := func(created, updated, renamed int) map[owlatsync.Outcome]int {
		return map[owlatsync.Outcome]int{owlatsync.Created: created, owlatsync.Updated: updated, owlatsync.Renamed: renamed}
	}
	strict := Guards{Removals: Limit{Share: 0.01, Rows: 1}, Updates: Limit{Share: 0.01, Rows: 1}}
	for _, tt := range []struct {
		name    string
		guards  Guards
		summary owlatsync.Summary
		want    []owlatsync.Guard
	}{
		{"nothing to do", Guards{}, owlatsync.Summary{Rows: 5, Entries: 5}, nil},

		{"no rows, and entries", Guards{}, owlatsync.Summary{Entries: 1}, []owlatsync.Guard{owlatsync.GuardEmptySource}},
		{"no rows, and no entries", Guards{}, owlatsync.Summary{}, nil},
		{"one row, and entries", Guards{}, owlatsync.Summary{Rows: 1, Entries: 9}, nil},
		{"no rows, allowed", Guards{EmptySource: true}, owlatsync.Summary{Entries: 1}, nil},
		{"no rows that changed", Guards{}, owlatsync.Summary{Entries: 9, Reading: changes}, nil},

		{"removals at the limit", Guards{}, owlatsync.Summary{Rows: 1, Entries: 200, Removals: 20}, nil},
		{"removals beyond the limit", Guards{}, owlatsync.Summary{Rows: 1, Entries: 209, Removals: 21}, []owlatsync.Guard{owlatsync.GuardRemovals}},
		{"removals within the share", Guards{}, owlatsync.Summary{Rows: 1, Entries: 210, Removals: 21}, nil},
		{"removals beyond an own limit", strict, owlatsync.Summary{Rows: 1, Entries: 100, Removals: 2}, []owlatsync.Guard{owlatsync.GuardRemovals}},
		{"removals while only changes are read", Guards{}, owlatsync.Summary{Rows: 21, Entries: 100, Removals: 21, Reading: changes},
			[]owlatsync.Guard{owlatsync.GuardRemovals}},

		{"updates at the limit", Guards{}, owlatsync.Summary{Rows: 1, Entries: 150, Outcomes: outcomes(0, 100, 0)}, nil},
		{"updates and renames beyond the limit", Guards{}, owlatsync.Summary{Rows: 1, Entries: 200, Outcomes: outcomes(0, 61, 40)},
			[]owlatsync.Guard{owlatsync.GuardUpdates}},
		{"updates within the share", Guards{}, owlatsync.Summary{Rows: 1, Entries: 202, Outcomes: outcomes(0, 101, 0)}, nil},
		{"creations are no updates", Guards{}, owlatsync.Summary{Rows: 1, Entries: 10, Outcomes: outcomes(1000, 0, 0)}, nil},

		{"a first run that creates", Guards{}, owlatsync.Summary{Rows: 1, FirstRun: true, Outcomes: outcomes(1, 0, 0)}, []owlatsync.Guard{owlatsync.GuardFirstRun}},
		{"a first run that adds", Guards{}, owlatsync.Summary{Rows: 1, FirstRun: true, Memberships: owlatsync.MembershipCounts{Added: 1}},
			[]owlatsync.Guard{owlatsync.GuardFirstRun}},
		{"a first run that adopts", Guards{}, owlatsync.Summary{Rows: 1, FirstRun: true, Outcomes: map[owlatsync.Outcome]int{owlatsync.Adopted: 9}}, nil},
		{"a first run, allowed", Guards{FirstRun: true}, owlatsync.Summary{Rows: 1, FirstRun: true, Outcomes: outcomes(1, 0, 0)}, nil},
		{"a later run that creates", Guards{}, owlatsync.Summary{Rows: 1, Outcomes: outcomes(1, 0, 0)}, nil},

		{"all at once", strict, owlatsync.Summary{Entries: 10, Removals: 10, FirstRun: true, Outcomes: outcomes(1, 10, 0)},
			[]owlatsync.Guard{owlatsync.GuardEmptySource, owlatsync.GuardRemovals, owlatsync.GuardUpdates, owlatsync.GuardFirstRun}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, h := range tt.guards.Hits(tt.summary) {
				got = append(got, string(h.Guard))
				if h.Reason == "" {
					t.Errorf("the guard %s gives no reason", h.Guard)
				}
			}
			var want []string
			for _, g := range tt.want {
				want = append(want, string(g))
			}
			if strings.Join(got, ", ") != strings.Join(want, ", ") {
				t.Errorf("held by %v, want %v", got, want)
			}
		})
	}
}
