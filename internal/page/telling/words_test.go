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
		if got := told(); !slices.Equal(got, []string{"unchanged 100", c.want, "skipped 2 ?what=skipped#decisions left alone on purpose"}) {
			t.Errorf("%s: %q", c.status, got)
		}
	}
	r.Status = ledger.StatusOK
	if got := told(); !slices.Equal(got, []string{"unchanged 100", "skipped 48 ?what=skipped#decisions left alone on purpose"}) {
		t.Errorf("ok: %q", got)
	}
}

// TestWhatAnApprovalSays: only what there is, and no warning of mails that nothing sets off.
func TestWhatAnApprovalSays(t *testing.T) {
	t.Parallel()
	r := &ledger.Run{Status: ledger.StatusHeld, Summary: &owlatsync.Summary{Rows: 136, Removals: 46, Requests: 46}}
	if got := strings.Join(Approval(r, false), " "); !strings.HasPrefix(got, "Of 136 rows it would take 46 contacts off a topic and need 46 requests.") || strings.Contains(got, "welcome") || strings.Contains(got, " 0 ") {
		t.Errorf("%q", got)
	}
	s := r.Summary
	s.Outcomes, s.Rows, s.Removals = map[owlatsync.Outcome]int{owlatsync.Removed: 40}, 20, 40
	for _, c := range []struct {
		deletes bool
		taken   int
		want    string
	}{
		{false, 40, "take 40 contacts off a topic and"},
		{false, 41, "take 40 contacts off a topic (41 memberships in all) and"},
		{true, 0, "delete 40 contacts and"},
		{true, 3, "take 40 contacts off a topic (3 memberships in all) or delete them and"},
	} {
		s.Memberships.Removed = c.taken
		if got := PlanOf(r, c.deletes)[0]; got != "Of 20 rows in the source and 40 that are not in it any more it would "+c.want+" need 46 requests." {
			t.Errorf("%+v: %q", c, got)
		}
	}
	s.Outcomes, s.Memberships.Removed = nil, 1
	s.OptOuts, s.TopicAdds, s.Removals = 2, 1, 1
	if got := strings.Join(Approval(r, false), " "); !strings.Contains(got, "put 1 contact on a topic, take 1 contact off a topic, opt 2 contacts out of everything and need 46 requests.") || !strings.Contains(got, "welcome mails") {
		t.Errorf("%q", got)
	}
	r.Summary = &owlatsync.Summary{Rows: 1}
	if got := PlanOf(r, false); got[0] != "Of 1 row it would change nothing." {
		t.Errorf("%q", got)
	}
	r.Guards = []owlatsync.Hit{{Guard: owlatsync.GuardReview, Reason: "the run was asked to show its plan first"}}
	if got := PlanOf(r, false); got[0] != "Somebody asked to see this plan before anything is sent." || !Asked(r) {
		t.Errorf("a plan that was asked for: %q", got)
	}
	if r.Guards = append(r.Guards, owlatsync.Hit{Guard: owlatsync.GuardRemovals}); Asked(r) {
		t.Error("a guard holds it, too")
	}
}

// TestWhyFewerWereTakenOff is told as far as it is known.
func TestWhyFewerWereTakenOff(t *testing.T) {
	t.Parallel()
	guard := []owlatsync.Hit{{Guard: owlatsync.GuardRemovals}}
	for name, c := range map[string]struct {
		status                         ledger.Status
		guards                         []owlatsync.Hit
		planned, removed, skipped, put int
		want                           string
	}{
		"as planned":     {ledger.StatusOK, nil, 46, 46, 0, 0, ""},
		"goes on":        {ledger.StatusRunning, nil, 46, 3, 0, 0, ""},
		"all done":       {ledger.StatusOK, nil, 46, 43, 0, 0, "46 planned, all carried out: Owlat had the other 3 on the topic no more"},
		"some left":      {ledger.StatusOK, nil, 46, 43, 2, 0, "46 planned: the others were not carried out, or Owlat had them on the topic no more"},
		"rows failed":    {ledger.StatusFailedRows, nil, 46, 0, 5, 5, "46 planned; put off for 5 rows that left the source, because a request failed"},
		"one failed":     {ledger.StatusFailedRows, nil, 46, 45, 0, 0, "46 planned: the others were not carried out, or Owlat had them on the topic no more"},
		"held":           {ledger.StatusHeld, guard, 46, 0, 0, 0, "46 planned, none applied: they wait for approval"},
		"the rest held":  {ledger.StatusHeld, guard, 46, 45, 0, 0, "1 more planned: it waits for approval"},
		"was dismissed":  {ledger.StatusDismissed, guard, 46, 0, 0, 0, "46 planned that this run did not apply, because it was held"},
		"was superseded": {ledger.StatusSuperseded, guard, 46, 0, 0, 0, "46 planned that this run did not apply, because it was held"},
	} {
		r := &ledger.Run{Status: c.status, Guards: c.guards, Report: owlatsync.NewReport("users", "6"),
			Summary: &owlatsync.Summary{Outcomes: map[owlatsync.Outcome]int{owlatsync.Removed: c.put}, Memberships: owlatsync.MembershipCounts{Removed: c.planned}}}
		r.Report.Memberships.Removed, r.Report.Outcomes[owlatsync.Skipped] = c.removed, c.skipped
		all := Facts(r)
		i := slices.IndexFunc(all, func(f Fact) bool { return f.Name == "Taken off topics" })
		if f := all[i]; f.More != c.want || f.Text != memberships(c.removed) {
			t.Errorf("%s: %+v", name, f)
		}
	}
}

// TestOutcomesTellWhatWasNotTried: removals that were put off are not left alone on purpose, and rows that waited were not tried.
func TestOutcomesTellWhatWasNotTried(t *testing.T) {
	t.Parallel()
	r := &ledger.Run{Status: ledger.StatusFailedRows, Report: owlatsync.NewReport("users", "7"),
		Summary: &owlatsync.Summary{Outcomes: map[owlatsync.Outcome]int{owlatsync.Removed: 3, owlatsync.Skipped: 2, owlatsync.Failed: 1}}}
	r.Report.Outcomes[owlatsync.Skipped], r.Report.Outcomes[owlatsync.Failed] = 5, 4
	told := func() (all []string) {
		for _, f := range Outcomes(r) {
			all = append(all, f.Name+" "+f.Text+": "+f.More)
		}
		return all
	}
	want := []string{"removal put off 3: left the source; nothing is removed in a run in which a request failed, nor what another row has now", "skipped 2: left alone on purpose",
		"failed 4: 1 of them not tried: it failed before, and waits"}
	if got := told(); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	r.Status, r.Guards, r.Report = ledger.StatusHeld, []owlatsync.Hit{{Guard: owlatsync.GuardRemovals}}, owlatsync.NewReport("users", "7")
	if got := told(); !slices.Equal(got, []string{"gone from the source 3: what is to be done for them waits for approval"}) || Held(r) != 3 {
		t.Errorf("held: %q, %d", got, Held(r))
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
