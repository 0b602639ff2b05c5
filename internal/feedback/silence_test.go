package feedback_test

import (
	"testing"
	"testing/synctest"
	"time"

	"owlatsync"
	"owlatsync/internal/feedback"
	"owlatsync/ledger"
	"owlatsync/ledger/memory"
)

// creates records a run that created so many contacts and took a second.
func creates(t *testing.T, l *memory.Ledger, contacts int) {
	t.Helper()
	lock, err := l.Acquire(t.Context(), ledger.Claim{})
	if err != nil {
		t.Fatal(err)
	}
	run := ledger.Run{Sync: "users", Mode: ledger.ModeRun, Started: time.Now()}
	if run.ID, err = lock.BeginRun(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Second)
	run.Finished, run.Status = time.Now(), ledger.StatusOK
	run.Report = &owlatsync.Report{Outcomes: map[owlatsync.Outcome]int{owlatsync.Created: contacts}}
	if err := lock.EndRun(t.Context(), ledger.Ending{Run: run}); err != nil {
		t.Fatal(err)
	}
	if err := lock.Release(); err != nil {
		t.Fatal(err)
	}
}

func TestSilence(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := memory.New()
		const week = 7 * 24 * time.Hour
		expect := func(contacts int, lasts bool) {
			t.Helper()
			s, err := feedback.SilenceOf(t.Context(), l, time.Now())
			if err != nil || s.Contacts != contacts || s.Lasts(time.Now(), week) != lasts || s.Lasts(time.Now(), 0) {
				t.Errorf("%+v, %v; want %d contacts, lasting %v", s, err, contacts, lasts)
			}
		}
		expect(0, false)
		creates(t, l, 0)
		time.Sleep(2 * week)
		expect(0, false) // nothing was to be told
		creates(t, l, 3)
		expect(0, false) // it may still come
		time.Sleep(time.Hour)
		expect(3, false)
		time.Sleep(week)
		creates(t, l, 2)
		time.Sleep(time.Hour)
		expect(5, true)
		f := ledger.Feedback{Event: "test", At: time.Now(), Received: time.Now()}
		if _, err := l.TakeIn(t.Context(), ledger.News{Feedback: f}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(week)
		expect(0, false) // one has come since
		creates(t, l, 1)
		time.Sleep(week)
		expect(1, true)
	})
}
