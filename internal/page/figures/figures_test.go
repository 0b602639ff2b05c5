package figures_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"owlatsync"
	"owlatsync/internal/page/chart"
	"owlatsync/internal/page/figures"
	"owlatsync/ledger"
)

var now = time.Date(2026, 3, 29, 12, 10, 0, 0, time.UTC)

// made returns a run that ended this long ago and took so long.
func made(ago, took time.Duration, status ledger.Status, requests int, outcomes map[owlatsync.Outcome]int) ledger.Brief {
	r := ledger.Run{Sync: "users", Mode: ledger.ModeRun, Status: status, Started: now.Add(-ago - took), Finished: now.Add(-ago), Report: owlatsync.NewReport("users", "1")}
	for o, n := range outcomes {
		r.Report.Outcomes[o] = n
	}
	r.Report.Requests = owlatsync.RequestCounts{Total: requests, Writes: requests / 2, RateLimited: requests / 10}
	return r.Brief()
}

// of returns the value of a series in the slot that is so many before the last.
func of(t *testing.T, p chart.Plot, name string, before int) float64 {
	t.Helper()
	for _, s := range p.Series {
		if s.Name == name {
			return s.Values[len(s.Values)-1-before]
		}
	}
	t.Fatalf("%s has no series %q", p.Title, name)
	return 0
}

func sum(s chart.Series) (sum float64) {
	for _, v := range s.Values {
		if !math.IsNaN(v) {
			sum += v
		}
	}
	return sum
}

func TestASlotAddsUpItsRuns(t *testing.T) {
	t.Parallel()
	runs := []ledger.Brief{
		made(time.Minute, time.Minute, ledger.StatusOK, 60, map[owlatsync.Outcome]int{owlatsync.Created: 50, owlatsync.Unchanged: 1e6, owlatsync.Failed: 1, owlatsync.Invalid: 2}),
		made(5*time.Minute, 3*time.Minute, ledger.StatusFailedRows, 30, map[owlatsync.Outcome]int{owlatsync.Created: 7, owlatsync.Removed: 2, owlatsync.Failed: 9}),
		made(35*time.Minute, time.Second, ledger.StatusHeld, 0, nil),
	}
	p := figures.Of(runs, figures.Options{Window: figures.Day, Now: now, PerSecond: 10})
	for _, c := range []struct {
		plot   chart.Plot
		name   string
		before int
		want   float64
	}{
		{p.Changes, "created", 0, 57}, {p.Changes, "removed", 0, 2}, {p.Changes, "created", 1, 0},
		{p.Left, "failed", 0, 9}, {p.Left, "invalid", 0, 0}, // those of the run with the most of them
		{p.Endings, "ended well", 0, 1}, {p.Endings, "with failed rows", 0, 1}, {p.Endings, "held for approval", 1, 1},
		{p.Duration, "longest", 0, 180}, {p.Duration, "median", 0, 60},
		{p.Requests, "all", 0, 90}, {p.Requests, "writes", 0, 45}, {p.Requests, "refused for their rate", 0, 9},
		{p.Budget, "used by this sync", 0, 100 * 90 / (10 * 600.0)}, // ten minutes of the slot are over
	} {
		if got := of(t, c.plot, c.name, c.before); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("%s, %s, %d slots ago: %v, want %v", c.plot.Title, c.name, c.before, got, c.want)
		}
	}
	for _, plot := range p.All() {
		if v := plot.Series[0].Values[len(plot.Slots)-3]; !math.IsNaN(v) {
			t.Errorf("%s has %v where there was no run", plot.Title, v)
		}
		if strings.Contains(string(plot.HTML()), "1\u00a0000\u00a0000") {
			t.Errorf("%s draws unchanged rows", plot.Title)
		}
	}
}

// TestRowsThatWaitAreNotSkipped: what a held run left is drawn as held, whatever its plan would leave alone.
func TestRowsThatWaitAreNotSkipped(t *testing.T) {
	t.Parallel()
	for status, want := range map[ledger.Status][2]float64{ledger.StatusHeld: {0, 46}, ledger.StatusApproved: {0, 46}, ledger.StatusOK: {46, 0}} {
		run := made(10*time.Minute, time.Minute, status, 0, map[owlatsync.Outcome]int{owlatsync.Skipped: 46, owlatsync.Failed: 2})
		p := figures.Of([]ledger.Brief{run}, figures.Options{Window: figures.Day, Now: now})
		if got := [2]float64{of(t, p.Left, "skipped", 0), of(t, p.Left, "held for approval", 0)}; got != want || of(t, p.Left, "failed", 0) != 2 {
			t.Errorf("%s: %v, want %v", status, got, want)
		}
	}
}

// TestALongRunIsSpread gives a run of three hours to all the slots in which it sent.
func TestALongRunIsSpread(t *testing.T) {
	t.Parallel()
	run := made(10*time.Minute, 3*time.Hour, ledger.StatusOK, 108_000, map[owlatsync.Outcome]int{owlatsync.Created: 100_000})
	p := figures.Of([]ledger.Brief{run}, figures.Options{Window: figures.Day, Now: now, PerSecond: 10})
	for before := 1; before <= 6; before++ {
		if got := of(t, p.Requests, "all", before); got != 18_000 {
			t.Errorf("%v requests %d slots ago", got, before)
		}
		if got := of(t, p.Budget, "used by this sync", before); math.Abs(got-100) > 1e-9 {
			t.Errorf("%v %% of the budget %d slots ago", got, before)
		}
	}
	if got := of(t, p.Changes, "created", 0); got != 100_000 {
		t.Errorf("%v created when it ended", got)
	}
}

// TestRunsThatAreNotOver count as far as their records tell.
func TestRunsThatAreNotOver(t *testing.T) {
	t.Parallel()
	going := made(0, 20*time.Minute, ledger.StatusRunning, 100, map[owlatsync.Outcome]int{owlatsync.Updated: 3})
	going.Finished = time.Time{}
	died := made(2*time.Hour, time.Minute, ledger.StatusDied, 0, nil)
	died.Heartbeat, died.Finished, died.Counts = died.Finished, time.Time{}, ledger.Counts{}
	queued := ledger.Brief{Status: ledger.StatusQueued}
	cancelled := made(0, 0, ledger.StatusCancelled, 5, map[owlatsync.Outcome]int{owlatsync.Updated: 100})
	p := figures.Of([]ledger.Brief{going, died, queued, cancelled}, figures.Options{Window: figures.Day, Now: now})
	if got := of(t, p.Endings, "goes on", 0); got != 1 {
		t.Errorf("%v runs go on", got)
	}
	if got := of(t, p.Endings, "broke off", 4); got != 1 {
		t.Errorf("%v runs broke off two hours ago", got)
	}
	if got := of(t, p.Changes, "updated", 0); got != 3 {
		t.Errorf("%v updated", got)
	}
	if text := string(p.Budget.HTML()); !strings.Contains(text, "first answer") || strings.Contains(text, "<table") {
		t.Errorf("the share of a budget that is not known:\n%s", text)
	}
}

// TestNothingIsLostOrCountedTwice compares sums of random runs with those of the plots, in every window and in zones whose clocks are set.
func TestNothingIsLostOrCountedTwice(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(5, 6))
	for _, name := range []string{"UTC", "Europe/Berlin", "Asia/Kathmandu", "America/New_York", "Australia/Lord_Howe"} {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Skipf("this machine knows no time zones: %v", err)
		}
		for _, w := range figures.Windows {
			at := now.In(zone)
			reach := at.Sub(w.Since(at))
			var runs []ledger.Brief
			var created, failed, requests int
			for range 300 {
				took := time.Duration(rnd.Int64N(int64(6 * time.Hour)))
				ago := time.Duration(rnd.Int64N(int64(reach - took)))
				n, sent := rnd.IntN(1000), rnd.IntN(100_000)
				runs = append(runs, made(ago, took, ledger.StatusOK, sent, map[owlatsync.Outcome]int{owlatsync.Created: n, owlatsync.Failed: n}))
				created, failed, requests = created+n, max(failed, n), requests+sent
			}
			runs = append(runs, made(reach+time.Second, time.Minute, ledger.StatusOK, 7, map[owlatsync.Outcome]int{owlatsync.Created: 5})) // before the window
			p := figures.Of(runs, figures.Options{Window: w, Now: at, PerSecond: 10})
			if got := sum(p.Changes.Series[0]); got != float64(created) {
				t.Errorf("%s, %s: %v created, want %d", name, w, got, created)
			}
			if got := sum(p.Requests.Series[0]); got != float64(requests) {
				t.Errorf("%s, %s: %v requests, want %d", name, w, got, requests)
			}
			if got := sum(p.Endings.Series[0]); got != 300 {
				t.Errorf("%s, %s: %v runs", name, w, got)
			}
			if got := highest(p.Left.Series[0]); got != float64(failed) {
				t.Errorf("%s, %s: at most %v failed rows, want %d", name, w, got, failed)
			}
			for _, plot := range p.All() {
				if n := len(plot.HTML()); n > 20_000 {
					t.Errorf("%s, %s: %s has %d bytes", name, w, plot.Title, n)
				}
				if len(plot.Ticks) < 4 || len(plot.Ticks) > 9 {
					t.Errorf("%s, %s: %s has the labels %v", name, w, plot.Title, plot.Ticks)
				}
				for i, slot := range plot.Slots {
					if i > 0 && !slot.From.After(plot.Slots[i-1].From) {
						t.Errorf("%s, %s: slot %d begins at %s, after %s", name, w, i, slot.From, plot.Slots[i-1].From)
					}
				}
			}
		}
	}
}

func highest(s chart.Series) (high float64) {
	for _, v := range s.Values {
		if v > high {
			high = v
		}
	}
	return high
}

func TestWithoutRuns(t *testing.T) {
	t.Parallel()
	for w, words := range map[figures.Window]string{figures.Day: "24 hours", figures.Week: "7 days", figures.Quarter: "90 days", "other": "24 hours"} {
		for _, plot := range figures.Of(nil, figures.Options{Window: w, Now: now, PerSecond: 10}).All() {
			if text := string(plot.HTML()); !strings.Contains(text, fmt.Sprintf("No run in the last %s.", words)) || !strings.Contains(text, "will stand here") || strings.Contains(text, "<svg") {
				t.Errorf("%s:\n%s", plot.Title, text)
			}
		}
	}
}

// BenchmarkPlots makes and draws the plots of as many runs as a page is to bear.
func BenchmarkPlots(b *testing.B) {
	var runs []ledger.Brief
	for i := range 10_000 {
		runs = append(runs, made(time.Duration(i)*12*time.Minute, time.Minute, ledger.StatusOK, 100, map[owlatsync.Outcome]int{owlatsync.Created: 3}))
	}
	for b.Loop() {
		for _, plot := range figures.Of(runs, figures.Options{Window: figures.Quarter, Now: now, PerSecond: 10}).All() {
			_ = plot.HTML()
		}
	}
}
