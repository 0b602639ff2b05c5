package decided

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"owlatsync/ledger"
	"owlatsync/ledger/memory"
)

// counting counts how often an audit is asked.
type counting struct {
	*memory.Ledger
	asked int
}

// AuditLines implements ledger.Audit.
func (c *counting) AuditLines(ctx context.Context, before int64, limit int) ([]ledger.AuditLine, error) {
	c.asked++
	return c.Ledger.AuditLines(ctx, before, limit)
}

func (c *counting) countedBy(t *testing.T, run int64, from, to time.Time) (who string) {
	t.Helper()
	line, err := By(t.Context(), c, ledger.DeedApprove, run, from, to)
	if err != nil {
		t.Fatal(err)
	}
	if line != nil {
		who = line.Who
	}
	return who
}

// TestWhoApproved is found among ten thousand later lines with few looks, and not where somebody else did something else.
func TestWhoApproved(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &counting{Ledger: memory.New()}
		defer func() { _ = l.Close() }()
		note := func(who string, what ledger.Deed, run int64) time.Time {
			t.Helper()
			if err := l.NoteAudit(t.Context(), ledger.AuditLine{Who: who, Way: ledger.ByPage, What: what, Run: run}); err != nil {
				t.Fatal(err)
			}
			return l.Now()
		}
		if who := l.countedBy(t, 3, l.Now(), l.Now()); who != "" {
			t.Errorf("in an empty audit %q", who)
		}
		began := note("early", ledger.DeedApprove, 3)
		time.Sleep(time.Hour)
		note("eve", ledger.DeedDismiss, 3)
		note("bob", ledger.DeedApprove, 2)
		at := note("ada", ledger.DeedApprove, 3)
		for i := range 10_000 {
			note(fmt.Sprint("later", i), ledger.DeedSignIn, 0)
			time.Sleep(time.Minute)
		}
		for name, c := range map[string]struct {
			run      int64
			from, to time.Time
			want     string
		}{
			"the time is known":        {3, at.Add(-time.Minute), at.Add(time.Second), "ada"},
			"another run":              {2, at.Add(-time.Minute), at, "bob"},
			"before":                   {3, began.Add(-time.Hour), began.Add(time.Minute), "early"},
			"it was done later":        {3, at.Add(time.Hour), at.Add(2 * time.Hour), ""},
			"nobody did":               {4, at, at.Add(time.Hour), ""},
			"too long ago to look":     {3, at, l.Now(), ""},
			"before all that there is": {3, began.Add(-2 * time.Hour), began.Add(-time.Hour), ""},
		} {
			l.asked = 0
			if who := l.countedBy(t, c.run, c.from, c.to); who != c.want || l.asked > 30 {
				t.Errorf("%s: %q with %d looks", name, who, l.asked)
			}
		}
	})
}
