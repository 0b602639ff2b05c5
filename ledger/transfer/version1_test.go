package transfer

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"owlatsync/ledger"
)

// TestFirstVersion imports what the first version of the format was written as.
func TestFirstVersion(t *testing.T) {
	everywhere(t, func(t *testing.T, openFresh opener) {
		export, err := os.ReadFile(filepath.Join("testdata", "version1.ndjson"))
		if err != nil {
			t.Fatal(err)
		}
		l := openFresh(t)
		if err := Import(t.Context(), l, bytes.NewReader(export)); err != nil {
			t.Fatal(err)
		}
		at := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
		entry := func(key string, change func(e *ledger.Entry)) *ledger.Entry {
			address := "row" + key + "@example.com"
			e := &ledger.Entry{
				Key: key, ContactID: "contact" + key, Email: address, Identity: address, Origin: ledger.OriginCreated, FirstSeen: at, ChangedAt: at,
			}
			change(e)
			return e
		}
		want := []*ledger.Entry{
			entry("1", func(e *ledger.Entry) { e.Fingerprint = ledger.Fingerprint{Hi: 1 << 63, Lo: 7} }),
			entry("2", func(e *ledger.Entry) { e.Doubt = true }),
			entry("3", func(e *ledger.Entry) {
				e.Doubt = true
				e.Failure = &ledger.Failure{Class: ledger.RetryLater, Category: "internal", Status: 500, Reason: "Owlat failed", Attempts: 2,
					First: at, Last: at, NextTry: at, Fingerprint: ledger.Fingerprint{Hi: 1<<64 - 1, Lo: 1<<63 + 1}}
			}),
			entry("4", func(e *ledger.Entry) {
				e.Fingerprint = ledger.Fingerprint{Hi: 9, Lo: 8}
				e.Failure = &ledger.Failure{Class: ledger.GiveUp, Category: "forbidden", Status: 403, Reason: `refused: "fingerprint":{"Hi":1,"Lo":0}`,
					Attempts: 8, First: at, Last: at, NextTry: at, Parked: true, Absence: true}
			}),
			entry("5", func(e *ledger.Entry) {
				e.Failure = &ledger.Failure{Class: ledger.RetryLater, Category: ledger.CategoryNetwork, Reason: `"fingerprint":{"Hi":1,"Lo":0}`,
					Attempts: 1, First: at, Last: at, NextTry: at, Fingerprint: ledger.Fingerprint{Hi: 1, Lo: 5}}
			}),
			entry("6", func(*ledger.Entry) {}),
		}
		got, err := collect(l.All(t.Context(), "users"))
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("entries: %v (-want +got):\n%s", err, diff)
		}
		runs, err := l.Runs(t.Context(), "", 0)
		var statuses []ledger.Status
		for _, r := range runs {
			statuses = append(statuses, r.Status)
		}
		wantStatuses := []ledger.Status{ledger.StatusRunning, ledger.StatusSuperseded, ledger.StatusFailedRows} // without the plan
		if diff := cmp.Diff(wantStatuses, statuses); err != nil || diff != "" {
			t.Errorf("runs: %v (-want +got):\n%s", err, diff)
		}
		lines, err := l.Changes(t.Context(), 0, 0)
		if err != nil || len(lines) != 6 || lines[0].Number < 1 {
			t.Errorf("changes %+v: %v", lines, err)
		}
		if forgotten, err := l.Forgotten(t.Context(), []string{"row7@example.com", "row1@example.com"}); err != nil || !cmp.Equal(forgotten, map[string]bool{"row7@example.com": true}) {
			t.Errorf("forgotten %v: %v", forgotten, err)
		}
		optOuts, err := l.OptOuts(t.Context(), []string{"contact1"})
		if err != nil || !cmp.Equal(optOuts, []ledger.OptOut{{ContactID: "contact1", Topic: "topic1", At: at}}) {
			t.Errorf("opt-outs %+v: %v", optOuts, err)
		}
	})
}

// TestAFingerprintIsOneSinceTheSecondVersion imports fingerprints that told something else before.
func TestAFingerprintIsOneSinceTheSecondVersion(t *testing.T) {
	everywhere(t, func(t *testing.T, openFresh opener) {
		const print = "00000000000000020000000000000000"
		for version, want := range map[string]ledger.Entry{
			"1": {Key: "1", Doubt: true, Failure: &ledger.Failure{Absence: true}},
			"2": {Key: "1", ContactID: "c", Fingerprint: ledger.Fingerprint{Hi: 2}, Failure: &ledger.Failure{Fingerprint: ledger.Fingerprint{Hi: 1}}},
		} {
			contact := ""
			if want.ContactID != "" {
				contact = `,"contact":"` + want.ContactID + `"`
			} else {
				want.NoteMetBefore() // an import is set back
			}
			l := openFresh(t)
			export := signed(`{"ledger":{"version":`+version+`}}`, `{"entry":{"sync":"users","key":"1"`+contact+`,"changed":"2026-11-23T10:00:00Z","fingerprint":"`+print+
				`","failure":{"fingerprint":{"Hi":1,"Lo":0}}}}`)
			if err := Import(t.Context(), l, bytes.NewReader([]byte(export))); err != nil {
				t.Fatal(err)
			}
			want.ChangedAt = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
			got, err := l.Entries(t.Context(), "users", []string{"1"})
			if diff := cmp.Diff(map[string]*ledger.Entry{"1": &want}, got); err != nil || diff != "" {
				t.Errorf("version %s: %v (-want +got):\n%s", version, err, diff)
			}
		}
	})
}
