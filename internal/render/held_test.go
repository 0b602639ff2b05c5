package render

import (
	"testing"

	"owlatsync"
	"owlatsync/internal/words"
	"owlatsync/reconcile"
)

func TestApprovalKeepsWhatWasAskedFor(t *testing.T) {
	t.Parallel()
	first, removals := owlatsync.Hit{Guard: owlatsync.GuardFirstRun}, owlatsync.Hit{Guard: owlatsync.GuardRemovals}
	for _, test := range []struct {
		part Asked
		hits []owlatsync.Hit
		want string
	}{
		{Asked{}, []owlatsync.Hit{first}, "owlat-sync run --yes --sync users"},
		{Asked{Limit: 5, Only: []string{"a b", "7"}}, []owlatsync.Hit{first}, "owlat-sync run --yes --only 'a b' --only 7 --limit 5 --sync users"},
		{Asked{}, []owlatsync.Hit{removals}, "owlat-sync approve 3 --sync users"},
		{Asked{}, []owlatsync.Hit{removals, first}, "owlat-sync approve 3 --sync users"},
	} {
		if got := approval(&reconcile.HeldError{Sync: "users", Run: 3, Hits: test.hits}, test.part, words.Typed{}); got != test.want {
			t.Errorf("%s, want %s", got, test.want)
		}
	}
}
