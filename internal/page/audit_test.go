package page

import (
	"slices"
	"testing"
	"time"

	"owlatsync/internal/config"
)

// TestTheAuditOfSignIns: each deployment hears of those who reach it, and of refusals once a minute at most.
func TestTheAuditOfSignIns(t *testing.T) {
	t.Parallel()
	w := newWorld(t, []config.Token{token})
	w.all = map[string]*stands{"acme": {}, "bolt": {}, "coil": nil}
	w.people.ReplaceAll([]config.Account{accountOf("ada", config.Operator)}, map[string][]config.Account{"acme": {accountOf("eve", config.Viewer)}})
	b := w.browser()
	b.signIn("somebody", "secret as a name")
	b.signIn("ada", "wrong")
	b.signIn("ada", password)
	b.send("/", "/logout")
	b.signIn("acme/eve", password)
	if got, want := w.all["bolt"].audited(), []string{"unknown name sign-in refused by page 1", "ada sign-in by page 0", "ada sign-out by page 0"}; !slices.Equal(got, want) {
		t.Errorf("bolt has %q", got)
	}
	if got := w.all["acme"].audited(); len(got) != 4 || got[3] != "eve sign-in by page 0" {
		t.Errorf("acme has %q", got)
	}
}

func TestRefusalsAreToldTogether(t *testing.T) {
	t.Parallel()
	var r refusals
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for i, test := range []struct {
		after time.Duration
		tell  int
	}{{0, 1}, {time.Second, 0}, {59 * time.Second, 0}, {time.Minute, 3}, {time.Minute + time.Second, 0}, {time.Hour, 2}} {
		if got := r.add(at.Add(test.after)); got != test.tell {
			t.Errorf("refusal %d after %s: %d are told, want %d", i, test.after, got, test.tell)
		}
	}
}
