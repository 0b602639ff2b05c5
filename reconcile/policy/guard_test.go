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
		{Guards{Creates: Limit{Share: 2}}, "creates"},
		{Guards{TopicAdds: Limit{Rows: -1}}, "topic_adds"},
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

		{"few removals of few rows", Guards{}, owlatsync.Summary{Rows: 1, Entries: 5, Removals: 5}, nil},
		{"half of the rows removed", Guards{}, owlatsync.Summary{Rows: 1, Entries: 38, Removals: 19}, nil},
		{"most of few rows removed", Guards{}, owlatsync.Summary{Rows: 1, Entries: 20, Removals: 19}, []owlatsync.Guard{owlatsync.GuardRemovals}},
		{"six of six rows removed", Guards{}, owlatsync.Summary{Rows: 1, Entries: 6, Removals: 6}, []owlatsync.Guard{owlatsync.GuardRemovals}},
		{"most of few rows removed, whatever the number allowed", Guards{Removals: Limit{Share: 0.10, Rows: 1000}},
			owlatsync.Summary{Rows: 1, Entries: 20, Removals: 19}, []owlatsync.Guard{owlatsync.GuardRemovals}},
		{"most of few rows removed, the share allowed", Guards{Removals: Limit{Share: 0.95, Rows: 20}}, owlatsync.Summary{Rows: 1, Entries: 20, Removals: 19}, nil},
		{"most of few rows removed, allowed", Guards{Removals: NoLimit}, owlatsync.Summary{Rows: 1, Entries: 20, Removals: 20}, nil},
		{"removals at the limit", Guards{}, owlatsync.Summary{Rows: 1, Entries: 200, Removals: 20}, nil},
		{"removals beyond the limit", Guards{}, owlatsync.Summary{Rows: 1, Entries: 209, Removals: 21}, []owlatsync.Guard{owlatsync.GuardRemovals}},
		{"removals within the share", Guards{}, owlatsync.Summary{Rows: 1, Entries: 210, Removals: 21}, nil},
		{"removals beyond an own limit", strict, owlatsync.Summary{Rows: 1, Entries: 100, Removals: 2}, []owlatsync.Guard{owlatsync.GuardRemovals}},
		{"removals while only changes are read", Guards{}, owlatsync.Summary{Rows: 21, Entries: 100, Removals: 21, Reading: changes},
			[]owlatsync.Guard{owlatsync.GuardRemovals}},

		{"swapped names of few rows", Guards{}, owlatsync.Summary{Rows: 90, Entries: 90, Updates: 90}, []owlatsync.Guard{owlatsync.GuardUpdates}},
		{"updates at the limit", Guards{}, owlatsync.Summary{Rows: 1, Entries: 200, Updates: 100}, nil},
		{"updates and renames beyond the limit", Guards{}, owlatsync.Summary{Rows: 1, Entries: 200, Updates: 101},
			[]owlatsync.Guard{owlatsync.GuardUpdates}},
		{"updates within the share", Guards{}, owlatsync.Summary{Rows: 1, Entries: 202, Updates: 101}, nil},
		{"creations are no updates", Guards{}, owlatsync.Summary{Rows: 1, Entries: 10, Outcomes: outcomes(1000, 0, 0)}, nil},

		{"a lost condition", Guards{}, owlatsync.Summary{Rows: 1000, Entries: 30, Creates: 970, TopicAdds: 970},
			[]owlatsync.Guard{owlatsync.GuardCreates, owlatsync.GuardTopicAdds}},
		{"a lost condition, allowed", Guards{Creates: NoLimit, TopicAdds: NoLimit}, owlatsync.Summary{Rows: 1000, Entries: 30, Creates: 970, TopicAdds: 970}, nil},
		{"a lost condition in the first run", Guards{FirstRun: true}, owlatsync.Summary{Rows: 1000, FirstRun: true, Creates: 970, TopicAdds: 970}, nil},
		{"creates at the limit", Guards{}, owlatsync.Summary{Rows: 50, Entries: 30, Creates: 20, TopicAdds: 20}, nil},
		{"creates beyond the limit", Guards{}, owlatsync.Summary{Rows: 51, Entries: 41, Creates: 21}, []owlatsync.Guard{owlatsync.GuardCreates}},
		{"creates within the share", Guards{}, owlatsync.Summary{Rows: 51, Entries: 42, Creates: 21}, nil},
		{"creates where nothing is known", Guards{}, owlatsync.Summary{Rows: 21, Creates: 21}, []owlatsync.Guard{owlatsync.GuardCreates}},
		{"everybody put on a new topic", Guards{}, owlatsync.Summary{Rows: 6, Entries: 6, TopicAdds: 6, KnownAdds: 6}, []owlatsync.Guard{owlatsync.GuardTopicAdds}},
		{"new people put on a topic", Guards{}, owlatsync.Summary{Rows: 12, Entries: 6, TopicAdds: 12}, nil},
		{"contacts that were there put on a topic", Guards{}, owlatsync.Summary{Rows: 100, Entries: 30, TopicAdds: 70}, []owlatsync.Guard{owlatsync.GuardTopicAdds}},

		{"a first run that creates", Guards{}, owlatsync.Summary{Rows: 1, FirstRun: true, Outcomes: outcomes(1, 0, 0)}, []owlatsync.Guard{owlatsync.GuardFirstRun}},
		{"a first run that adds", Guards{}, owlatsync.Summary{Rows: 1, FirstRun: true, Memberships: owlatsync.MembershipCounts{Added: 1}},
			[]owlatsync.Guard{owlatsync.GuardFirstRun}},
		{"a first run that adopts", Guards{}, owlatsync.Summary{Rows: 1, FirstRun: true, Outcomes: map[owlatsync.Outcome]int{owlatsync.Adopted: 9}}, nil},
		{"a first run, allowed", Guards{FirstRun: true}, owlatsync.Summary{Rows: 1, FirstRun: true, Outcomes: outcomes(1, 0, 0)}, nil},
		{"a later run that creates", Guards{}, owlatsync.Summary{Rows: 1, Outcomes: outcomes(1, 0, 0)}, nil},

		{"all at once", strict, owlatsync.Summary{Entries: 10, Removals: 10, FirstRun: true, Updates: 10, Outcomes: outcomes(1, 10, 0)},
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
