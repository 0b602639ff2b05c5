package pages

import (
	"context"
	"fmt"
	"time"

	"owlatsync"
	"owlatsync/ledger"
)

const syncName = "users"

// Size is how much a ledger holds: entries, runs in the last 90 days, decisions in its history, and audit lines.
type Size struct{ Entries, Runs, Decisions, Audit int }

// Many is what pages are to bear.
var Many = Size{1_000_000, 10_000, 100_000, 1_000}

// window is the time in which all of it happened: less than what a ledger keeps.
const window = 89 * 24 * time.Hour

// fill makes an empty ledger hold so much of one sync.
func fill(ctx context.Context, l ledger.Store, size Size) error {
	now := time.Now().UTC()
	return l.Load(ctx, "", func(into ledger.Loader) error {
		if err := into.AddSync(ledger.SyncRecord{Name: syncName, Adopted: true}); err != nil {
			return err
		}
		for n := 1; n <= size.Runs; n++ {
			if err := into.AddRun(run(n, now.Add(-window+window/time.Duration(size.Runs)*time.Duration(n-1)))); err != nil {
				return err
			}
		}
		for n := 1; n <= size.Entries; n++ {
			if err := into.AddEntry(ledger.Holder{Sync: syncName, Entry: entry(n, now)}); err != nil {
				return err
			}
		}
		for n := 1; n <= size.Decisions; n++ {
			line := ledger.HistoryLine{Sync: syncName, Key: fmt.Sprint(n), At: now.Add(-window), Run: 1, Event: string(owlatsync.Created)}
			if n%1000 == 0 {
				line.Event, line.Note = string(owlatsync.Failed), "Owlat refused the address"
			}
			if later := n - size.Decisions/2; later > 0 { // the first run made the other half
				line.At = line.At.Add(window / time.Duration(size.Decisions) * time.Duration(2*later-1))
				line.Run = int64(1 + 2*later*size.Runs/(size.Decisions+2))
			}
			if err := into.AddHistory(line); err != nil {
				return err
			}
		}
		for n := 1; n <= size.Entries; n += 1000 { // of whom one in a thousand has left
			if err := into.AddOptOut(ledger.OptOut{ContactID: entry(n, now).ContactID, Topic: "t1234567890", At: now}); err != nil {
				return err
			}
		}
		for n := 1; n <= size.Audit; n++ {
			line := ledger.AuditLine{At: now.Add(-time.Duration(size.Audit-n) * time.Minute), Who: "ada", Way: ledger.ByPage, What: ledger.DeedRun, Sync: syncName, Run: int64(n)}
			if err := into.AddAudit(line); err != nil {
				return err
			}
		}
		return nil
	})
}

// run is a run as they are in the long life of a sync: a few rows changed, and now and then some fail.
func run(n int, began time.Time) ledger.Run {
	r := ledger.Run{
		ID: int64(n), Sync: syncName, Mode: ledger.ModeRun, Status: ledger.StatusOK, Owner: ledger.Owner{Host: "app-1", PID: 4711}, Started: began, Heartbeat: began.Add(time.Minute), Finished: began.Add(time.Minute),
		Stage: ledger.StageEnding, Report: owlatsync.NewReport(syncName, fmt.Sprint(n)), Summary: &owlatsync.Summary{Outcomes: map[owlatsync.Outcome]int{owlatsync.Created: 7, owlatsync.Unchanged: 999_000}},
	}
	r.Report.Rows, r.Report.Seconds = 1_000_000, 60
	r.Report.Outcomes[owlatsync.Created], r.Report.Outcomes[owlatsync.Unchanged], r.Report.Outcomes[owlatsync.Invalid] = 7, 999_000, 990
	r.Report.Requests = owlatsync.RequestCounts{Total: 14, Writes: 14}
	if n%10 == 0 {
		r.Status, r.Message = ledger.StatusFailedRows, "3 rows failed"
		r.Report.Outcomes[owlatsync.Failed] = 3
	}
	return r
}

// entry is the entry of a person: one in a thousand fails.
func entry(n int, now time.Time) *ledger.Entry {
	key, address := fmt.Sprint(n), fmt.Sprintf("user%d@example.com", n)
	e := &ledger.Entry{
		Key: key, ContactID: fmt.Sprintf("k57%029d", n), Email: address, Identity: address, Origin: ledger.OriginCreated,
		Fields:      owlatsync.Texts{owlatsync.FirstName: "First", owlatsync.LastName: "Last" + key},
		Fingerprint: ledger.Fingerprint{Hi: ledger.HashText(key), Lo: ledger.HashText(address)}, FirstSeen: now, ChangedAt: now,
	}
	if n%1000 == 0 {
		e.Failure = &ledger.Failure{Reason: "Owlat refused the address", Attempts: 2, First: now, Last: now, NextTry: now.Add(time.Hour)}
	}
	return e
}
