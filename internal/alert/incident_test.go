package alert

import (
	"strings"
	"testing"
	"time"

	"owlatsync"
	"owlatsync/internal/vitals"
	"owlatsync/ledger"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func reported(rows, failed, invalid int) *owlatsync.Report {
	r := owlatsync.NewReport("users", "7")
	r.Rows = rows
	r.Outcomes[owlatsync.Failed], r.Outcomes[owlatsync.Invalid] = failed, invalid
	return r
}

// TestIncidents looks at what is told of how a sync is doing: kind, title and text.
func TestIncidents(t *testing.T) {
	t.Parallel()
	run := func(s ledger.Status, message string) *ledger.Run {
		return &ledger.Run{ID: 7, Sync: "users", Status: s, Message: message}
	}
	whole := func(r *owlatsync.Report, summary *owlatsync.Summary) vitals.Sync {
		return vitals.Sync{Whole: &ledger.Run{ID: 7, Status: ledger.StatusFailedRows, Report: r, Summary: summary}}
	}
	overdue := noon.Add(-time.Minute)
	for _, test := range []struct {
		name string
		sync vitals.Sync
		want string
	}{
		{"nothing is known", vitals.Sync{}, ""},
		{"all is well", vitals.Sync{Last: run(ledger.StatusOK, ""), LastGood: noon, Overdue: noon}, ""},
		{"error", vitals.Sync{Last: run(ledger.StatusError, "read the source: connection refused")},
			"failure: Sync users failed: Run 7 ended with an error: read the source: connection refused."},
		{"an error with an address", vitals.Sync{Last: run(ledger.StatusError, "read the source: value (ada@example.com) is odd")},
			"failure: Sync users failed: Run 7 ended with an error: read the source: value (…) is odd."},
		{"stopped", vitals.Sync{Last: run(ledger.StatusStopped, "")}, "failure: Sync users failed: Run 7 was stopped because Owlat takes no requests."},
		{"died", vitals.Sync{Last: run(ledger.StatusDied, ledger.MessageDied)}, "failure: Sync users failed: Run 7 broke off: its process ended without a word."},
		{"some rows failed", whole(reported(100, 5, 5), nil), ""},
		{"five rows of five", whole(reported(5, 5, 0), nil), ""},
		{"six rows of sixty", whole(reported(60, 6, 0), nil), ""},
		{"too many rows", whole(reported(59, 4, 2), nil), "rows: Many rows of sync users cannot be sent: Of 59 rows, 4 failed and 2 are invalid in run 7."},
		{"few of those that are known", whole(reported(10, 10, 0), &owlatsync.Summary{Entries: 1000}), ""},
		{"the source changed its form", whole(&owlatsync.Report{Rows: 10000, InStep: 100, Turned: 20}, nil),
			"rows: Many rows of sync users cannot be sent: Of 10000 rows, 0 failed and 0 are invalid in run 7. 20 of the 100 rows that were in step are invalid now: has the form of the source changed?"},
		{"held", vitals.Sync{Last: run(ledger.StatusHeld, ""), Held: []ledger.Run{{ID: 9, Guards: []owlatsync.Hit{{Guard: owlatsync.GuardRemovals, Reason: "40 of 50 rows are gone"}}}, {ID: 8}}},
			"held: Sync users waits for approval: A guard holds run 9, and nothing was changed: 40 of 50 rows are gone."},
		{"stale", vitals.Sync{LastGood: noon.Add(-3 * time.Hour), Overdue: overdue}, "stale: Sync users is stale: The last run that ended well was at 2026-03-01 09:00 UTC, 3 hours ago."},
		{"stale without a run", vitals.Sync{Since: noon.Add(-61 * time.Minute), Overdue: overdue}, "stale: Sync users is stale: No run has ended well since the service began to look, 61 minutes ago."},
		{"a long run", vitals.Sync{LastGood: noon.Add(-50 * time.Hour), Overdue: overdue, Going: run(ledger.StatusRunning, ""), Stuck: noon.Add(-time.Minute)}, ""},
		{"a run that is stuck", vitals.Sync{Overdue: overdue, Going: &ledger.Run{ID: 7, Stage: ledger.StageReading}, Stuck: noon.Add(-50 * time.Hour)},
			`stale: Sync users is stale: Run 7 is in the stage "reading" and has moved nothing for 2 days.`},
		{"two things", vitals.Sync{Last: run(ledger.StatusError, "No!"), LastGood: noon.Add(-3 * time.Hour), Overdue: overdue},
			"failure: Sync users failed: Run 7 ended with an error: No! stale: Sync users is stale: The last run that ended well was at 2026-03-01 09:00 UTC, 3 hours ago."},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.sync.Name = "users"
			got := Incidents(vitals.Signs{At: noon, Syncs: []vitals.Sync{test.sync}}, "", "")
			var texts []string
			for _, i := range got {
				texts = append(texts, i.Kind+": "+i.Title+": "+i.Text)
				if i.Do == "" || i.Over == "" || i.About != "users" || i.Sync != "users" {
					t.Errorf("%s does not say what to do, or what it is about: %+v", i.Kind, i)
				}
			}
			if text := strings.Join(texts, " "); text != test.want {
				t.Errorf("got  %s\nwant %s", text, test.want)
			}
		})
	}
}

func TestIncidentsOfTheService(t *testing.T) {
	t.Parallel()
	signs := vitals.Signs{At: noon, WriteBacks: []vitals.WriteBack{
		{Target: "well", Waiting: 9, Stuck: noon.Add(-StuckAfter + 1)}, {Target: "empty"},
		{Target: "slow", Waiting: 3, Stuck: noon.Add(-time.Hour)}, {Target: "dead", Dead: 2}, {Target: "both", Waiting: 1, Dead: 2, Stuck: noon.Add(-2 * time.Hour)},
	}}
	var got []string
	for _, i := range Incidents(signs, "no webhook has come for 8 days", "acme.yaml:7: syncs.users.key: ask ann@example.com\n  acme.yaml:9: no") {
		got = append(got, i.Kind+" "+i.About+" "+i.State+": "+i.Text)
	}
	want := []string{
		"write_back slow waiting: Of what Owlat told and is to be written back, 3 wait, and none has been delivered for 60 minutes.",
		"write_back dead dead: Of what Owlat told and is to be written back, 2 were given up after many attempts.",
		"write_back both dead: Of what Owlat told and is to be written back, 2 were given up after many attempts; 1 wait, and none has been delivered for 2 hours.",
		"silent  : No webhook has come for 8 days.",
		"configuration  acme.yaml:7: syncs.users.key: ask … acme.yaml:9: no: The service goes on with the one before: acme.yaml:7: syncs.users.key: ask … acme.yaml:9: no.",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestOfSeveralDeployments: whoever reads it knows which one, and what to do with that one.
func TestOfSeveralDeployments(t *testing.T) {
	t.Parallel()
	signs := vitals.Signs{Syncs: []vitals.Sync{{Name: "users", Held: []ledger.Run{{ID: 7}}}}}
	for _, i := range Incidents(signs, "nothing came", "acme.yaml:7: no") {
		of := i.of("acme")
		if !strings.HasPrefix(of.Title, "acme: ") || !strings.HasPrefix(of.Over, "acme: ") || strings.Contains(of.Do, "\"owlat-sync plan") || strings.Contains(of.Do, "owlat of") {
			t.Errorf("%+v", of)
		}
		if i.of("") != i {
			t.Error("the only one is named")
		}
	}
}
