package telling

import (
	"slices"
	"strings"
	"testing"
	"time"

	"owlatsync"
	"owlatsync/ledger"
)

// TestOutcomesOfAPlanThatWaits: rows for which a held plan would do something are not left alone on purpose.
func TestOutcomesOfAPlanThatWaits(t *testing.T) {
	t.Parallel()
	r := &ledger.Run{Status: ledger.StatusHeld, Guards: []owlatsync.Hit{{Guard: owlatsync.GuardRemovals}}, Report: owlatsync.NewReport("users", "5"),
		Summary: &owlatsync.Summary{Outcomes: map[owlatsync.Outcome]int{owlatsync.Updated: 46, owlatsync.Skipped: 2}}}
	r.Report.Outcomes[owlatsync.Skipped], r.Report.Outcomes[owlatsync.Unchanged] = 48, 100
	told := func() (all []string) {
		for _, f := range Outcomes(r) {
			all = append(all, strings.TrimSpace(f.Name+" "+f.Text+" "+f.List+" "+f.More))
		}
		return all
	}
	for _, c := range []struct {
		status ledger.Status
		guards int
		want   string
	}{
		{ledger.StatusHeld, 1, "waiting for approval 46 /plan nothing is done for them yet"},
		{ledger.StatusApproved, 1, "waited for approval 46  this run did nothing for them"},
		{ledger.StatusInterrupted, 0, "not reached 46  the run ended before it did anything for them"},
	} {
		r.Status, r.Guards = c.status, r.Guards[:c.guards]
		if got := told(); !slices.Equal(got, []string{"unchanged 100", c.want, "skipped 2  left alone on purpose"}) {
			t.Errorf("%s: %q", c.status, got)
		}
	}
	r.Status = ledger.StatusOK
	if got := told(); !slices.Equal(got, []string{"unchanged 100", "skipped 48  left alone on purpose"}) {
		t.Errorf("ok: %q", got)
	}
}

// TestWhatAnApprovalSays: only what there is, and no warning of mails that nothing sets off.
func TestWhatAnApprovalSays(t *testing.T) {
	t.Parallel()
	r := &ledger.Run{Status: ledger.StatusHeld, Summary: &owlatsync.Summary{Rows: 136, Removals: 46, Requests: 46}}
	if got := strings.Join(Approval(r), " "); !strings.HasPrefix(got, "Of 136 rows it would take 46 contacts off a topic and need 46 requests.") || strings.Contains(got, "welcome") || strings.Contains(got, " 0 ") {
		t.Errorf("%q", got)
	}
	r.Summary.Outcomes = map[owlatsync.Outcome]int{owlatsync.Removed: 1}
	r.Summary.OptOuts, r.Summary.TopicAdds, r.Summary.Removals = 2, 1, 1
	if got := strings.Join(Approval(r), " "); !strings.Contains(got, "put 1 contact on a topic, take 1 contact off a topic or delete it, opt 2 contacts out of everything and need 46 requests.") || !strings.Contains(got, "welcome mails") {
		t.Errorf("%q", got)
	}
	r.Summary = &owlatsync.Summary{Rows: 1}
	if got := PlanOf(r); got[0] != "Of 1 row it would change nothing." {
		t.Errorf("%q", got)
	}
}

// TestWhoHadLeftBeforeIsTold: people who were to be taken off a topic, and were not on it any more, are in the plan alone.
func TestWhoHadLeftBeforeIsTold(t *testing.T) {
	t.Parallel()
	r := &ledger.Run{Status: ledger.StatusOK, Report: owlatsync.NewReport("users", "6"), Summary: &owlatsync.Summary{Memberships: owlatsync.MembershipCounts{Removed: 46}}}
	r.Report.Memberships.Removed = 43
	off := func() Fact {
		all := Facts(r)
		i := slices.IndexFunc(all, func(f Fact) bool { return f.Name == "Taken off topics" })
		if i < 0 {
			return Fact{}
		}
		return all[i]
	}
	if f := off(); f.Text != "43" || f.More != "46 were planned; whoever had left before is not counted" {
		t.Errorf("%+v", f)
	}
	r.Report.Memberships.Removed = 46
	if f := off(); f.Text != "46" || f.More != "" {
		t.Errorf("%+v", f)
	}
	r.Status, r.Report.Memberships.Removed = ledger.StatusHeld, 0
	if f := off(); f != (Fact{}) {
		t.Errorf("of a run that did nothing: %+v", f)
	}
}

func TestHowLongItTook(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{4 * time.Millisecond: "under 0.1s", 75 * time.Millisecond: "0.1s", 920 * time.Millisecond: "0.9s", 990 * time.Millisecond: "1s", 15678 * time.Millisecond: "15.7s", 2 * time.Hour: "2h0m0s"} {
		if got := Took(d); got != want {
			t.Errorf("%s: %s", d, got)
		}
	}
}
