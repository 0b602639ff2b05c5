package main

import (
	"strings"
	"testing"

	"owlatsync"
	"owlatsync/internal/config"
	"owlatsync/reconcile"
)

func TestCommandsAreAsTypedHere(t *testing.T) {
	t.Parallel()
	a := newApp([]string{"OWLAT_SYNC_CONFIG=/etc/owlat/sync.yaml"}, nil, nil, nil)
	for path, want := range map[string]string{
		config.DefaultFile:     "owlat-sync plan --sync users",
		"/etc/owlat/sync.yaml": "owlat-sync plan --sync users", // the environment names it for the next command too
		"other.yaml":           "owlat-sync plan --sync users --config other.yaml",
		"my files/it's.yaml":   `owlat-sync plan --sync users --config 'my files/it'\''s.yaml'`,
	} {
		a.configPath = path
		if got := a.command("plan", "users"); got != want {
			t.Errorf("with %s: %s, want %s", path, got, want)
		}
	}
	a.configPath = "other.yaml"
	if got, want := a.command("verify", ""), "owlat-sync verify --config other.yaml"; got != want {
		t.Errorf("without a sync: %s, want %s", got, want)
	}
}

func TestApprovalKeepsWhatWasAskedFor(t *testing.T) {
	t.Parallel()
	a := newApp(nil, nil, nil, nil)
	a.configPath = config.DefaultFile
	first, removals := owlatsync.Hit{Guard: owlatsync.GuardFirstRun}, owlatsync.Hit{Guard: owlatsync.GuardRemovals}
	for _, test := range []struct {
		runner runner
		hits   []owlatsync.Hit
		want   string
	}{
		{runner{}, []owlatsync.Hit{first}, "owlat-sync run --yes --sync users"},
		{runner{limit: 5, only: []string{"a b", "7"}}, []owlatsync.Hit{first}, "owlat-sync run --yes --only 'a b' --only 7 --limit 5 --sync users"},
		{runner{}, []owlatsync.Hit{removals}, "owlat-sync approve 3 --sync users"},
		{runner{}, []owlatsync.Hit{removals, first}, "owlat-sync approve 3 --sync users"},
	} {
		if got := test.runner.approval(a, &reconcile.HeldError{Sync: "users", Run: 3, Hits: test.hits}); got != test.want {
			t.Errorf("%s, want %s", got, test.want)
		}
	}
}

func TestErrorsDoNotMoveTheCursor(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"two\nlines":               "two\nlines",
		"Ünïcode 🦉":                "Ünïcode 🦉",
		"a\x1b[2Jb\r\tc'\"":        `a\x1b[2Jb\r\tc'"`,
		"invalid \xff, \u202e too": "invalid \ufffd, \\u202e too",
	} {
		if got := harmless(in); got != want {
			t.Errorf("harmless(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestGuardLines(t *testing.T) {
	t.Parallel()
	outcomes := map[owlatsync.Outcome]int{owlatsync.Created: 2}
	for _, test := range []struct {
		name    string
		summary owlatsync.Summary
		guards  reconcile.Guards
		want    string
	}{
		{"nothing holds", owlatsync.Summary{Rows: 1}, reconcile.Guards{Removals: reconcile.DefaultRemovals, Updates: reconcile.Limit{Share: 1}},
			"  no guard would hold a run; their limits: removals over 10 % and 20 rows, updates without limit, a source without rows"},
		{"a first run", owlatsync.Summary{Rows: 2, FirstRun: true, Outcomes: outcomes}, reconcile.Guards{},
			`  a run asks first, or needs --yes: this first run will create 2 contacts and 0 memberships; each fires the automations on "contact created" and "topic subscribed", such as welcome mails`},
		{"two hold", owlatsync.Summary{Entries: 100, Removals: 100}, reconcile.Guards{Removals: reconcile.Limit{Share: 0.005, Rows: 1}},
			"  a run would be HELD and change nothing until it is approved:\n" +
				"    empty source: the source has no rows, and the ledger knows 100: is the query right, and the table not being reloaded?\n" +
				"    removals: 100 of 100 rows would leave a topic or be deleted; the limit is 0.5 % and 1 row"},
	} {
		if got := strings.Join(guardLines(test.summary, test.guards), "\n"); got != test.want {
			t.Errorf("%s:\n%s\nwant:\n%s", test.name, got, test.want)
		}
	}
}
