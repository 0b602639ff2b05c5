package bar

import (
	"bytes"
	"math"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"owlatsync"
	"owlatsync/reconcile"
	"owlatsync/reconcile/progress"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func planned(requests int, takes time.Duration) progress.Planned {
	return progress.Planned{Summary: owlatsync.Summary{Requests: requests, Duration: takes}}
}

func done(outcome owlatsync.Outcome, requests int) progress.RowDone {
	return progress.RowDone{Decision: reconcile.Decision{Outcome: outcome, Requests: requests}}
}

func TestPlainLines(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		d := Start(&out, "users", nil)
		d.Observe(progress.Scanned{Rows: 1000})
		time.Sleep(lineEvery)
		synctest.Wait()
		d.Observe(progress.Scanned{Rows: 1200, Done: true})
		d.Observe(progress.Listed{Contacts: 100, Total: 300})
		time.Sleep(lineEvery)
		synctest.Wait()
		d.Observe(planned(400, 40*time.Second))
		for range 100 {
			d.Observe(done(owlatsync.Created, 1))
		}
		d.Observe(done(owlatsync.Invalid, 0))
		time.Sleep(lineEvery)
		synctest.Wait()
		var refused atomic.Int64
		d.Refused(func() int { return int(refused.Load()) })
		d.Observe(done(owlatsync.Created, 0))
		time.Sleep(lineEvery)
		synctest.Wait()
		refused.Store(12)
		time.Sleep(lineEvery)
		synctest.Wait()
		d.Stop()
		want := "users: reading the source: 1000 rows\n" +
			"users: read 1200 rows\n" +
			"users: comparing with Owlat: 100 of 300 contacts\n" +
			"users: sending 400 requests, about 40s\n" +
			"users: 100 of 400 requests, 10.0/s, about 30s left, created 100, invalid 1\n" +
			"users: 100 of 400 requests, 5.0/s, about 1m00s left, created 101, invalid 1\n" +
			"users: 100 of 400 requests, 3.3/s, about 1m30s left, 12 refused (429), created 101, invalid 1\n"
		if got := out.String(); got != want {
			t.Errorf("got:\n%swant:\n%s", got, want)
		}
	})
}

// TestMembershipsAreRead tells the time left by the limit at first, and then by the pace.
func TestMembershipsAreRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		d := Start(&out, "verify", nil)
		d.Observe(progress.Listed{Contacts: 100, Total: 300})
		d.Observe(progress.Members{Total: 300, PerSecond: 20})
		time.Sleep(time.Second)
		d.show()
		d.Observe(progress.Members{Read: 100, Total: 300, PerSecond: 20})
		time.Sleep(9 * time.Second)
		synctest.Wait()
		d.Observe(progress.Members{Read: 300, Total: 300, PerSecond: math.Inf(1)})
		d.show()
		d.Stop()
		want := "verify: reading memberships: 0 of 300 contacts, about 15s left\n" +
			"verify: reading memberships: 100 of 300 contacts, 10.0/s, about 20s left\n" +
			"verify: reading memberships: 300 of 300 contacts, 30.0/s\n"
		if got := out.String(); got != want {
			t.Errorf("got:\n%swant:\n%s", got, want)
		}
	})
}

// TestTheBarGoesOn reads the source again in the midst of a run: the counts go on, and the rest counts anew.
func TestTheBarGoesOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		d := Start(&out, "users", nil)
		d.Observe(progress.Scanned{Rows: 500, Done: true})
		d.Observe(planned(400, 40*time.Second))
		for range 100 {
			d.Observe(done(owlatsync.Created, 1))
		}
		d.Observe(done(owlatsync.Failed, 0))
		d.Observe(progress.Afresh{Stretch: 2})
		d.Observe(progress.Scanned{Rows: 250})
		time.Sleep(lineEvery)
		synctest.Wait()
		d.Observe(progress.Scanned{Rows: 600, Done: true})
		d.Observe(planned(500, 50*time.Second))
		again := done(owlatsync.Created, 100)
		again.Before = owlatsync.Failed
		d.Observe(again)
		time.Sleep(lineEvery)
		synctest.Wait()
		d.Stop()
		want := "users: read 500 rows\n" +
			"users: sending 400 requests, about 40s\n" +
			"users: reading the source again, because the last reading is too old to act on\n" +
			"users: 100 of 400 requests, 10.0/s, about 30s left, created 100, failed 1\n" +
			"users: read 600 rows\n" +
			"users: sending 500 requests more, about 50s\n" +
			"users: 200 of 600 requests, 10.0/s, about 40s left, created 101\n"
		if got := out.String(); got != want {
			t.Errorf("got:\n%swant:\n%s", got, want)
		}
	})
}

func TestTerminal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		d := Start(&out, "users", func() int { return 90 })
		d.Observe(planned(100, 10*time.Second))
		for range 50 {
			d.Observe(done(owlatsync.Updated, 1))
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		frames := strings.Split(out.String(), "\r")
		if got, want := frames[len(frames)-1],
			"users  [#########.........]  50 of 100 requests  10.0/s  about 5s left  updated 50\x1b[K"; got != want {
			t.Errorf("last frame:\n%q, want\n%q", got, want)
		}
		d.Suspend(func() { out.WriteString("a question\n") })
		d.Stop()
		if !strings.HasSuffix(out.String(), "\r\x1b[Ka question\n") {
			t.Errorf("the line was not cleared once before other output: %q", out.String()[out.Len()-40:])
		}
	})
}

// stuck is a terminal that takes nothing, as one does whose user pressed Ctrl-S, until it is let go.
type stuck struct {
	bytes.Buffer
	release chan struct{}
}

func (s *stuck) Write(p []byte) (int, error) {
	<-s.release
	return s.Buffer.Write(p)
}

func TestAStuckTerminalHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	for name, width := range map[string]func() int{"terminal": func() int { return 90 }, "pipe": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				out := &stuck{release: make(chan struct{})}
				d := Start(out, "users", width)
				time.Sleep(2 * lineEvery) // something is being written
				synctest.Wait()
				start := time.Now()
				d.Observe(progress.Scanned{Rows: 7, Done: true})
				d.Observe(planned(100, 10*time.Second))
				d.Observe(done(owlatsync.Created, 1))
				d.Refused(func() int { return 0 })
				if waited := time.Since(start); waited > 0 {
					t.Errorf("the run waited %v for the terminal", waited)
				}
				close(out.release)
				time.Sleep(lineEvery)
				synctest.Wait()
				d.Stop()
				for _, want := range map[string][]string{"terminal": {"1 of 100 requests"}, "pipe": {"users: read 7 rows\nusers: sending 100 requests, about 10s\n", "1 of 100 requests"}}[name] {
					if !strings.Contains(out.String(), want) {
						t.Errorf("%q is lost: %q", want, out.String())
					}
				}
			})
		})
	}
}

// TestStopShowsWhatIsLeft ends a display before its next turn.
func TestStopShowsWhatIsLeft(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		d := Start(&out, "users", nil)
		d.Observe(progress.Scanned{Rows: 1, Done: true})
		d.Suspend(func() { out.WriteString("a question\n") })
		d.Observe(planned(2, time.Second))
		d.Stop()
		if got, want := out.String(), "users: read 1 row\na question\nusers: sending 2 requests, about 1s\n"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

func TestTerminalOfUnknownSize(t *testing.T) {
	t.Parallel()
	d := &Display{sync: "users", stage: sending, expected: 10, sent: 5, began: time.Now()}
	if line := d.draw(0); !strings.Contains(line, "5 of 10 requests") || len(line) >= 80 {
		t.Errorf("a terminal that does not tell its size, such as a serial line, shows %q", line)
	}
}

func TestNarrowTerminal(t *testing.T) {
	t.Parallel()
	d := &Display{sync: "users", stage: sending, expected: 100000, sent: 1, began: time.Now(), estimate: time.Hour,
		outcomes: map[owlatsync.Outcome]int{owlatsync.Created: 12345, owlatsync.Failed: 17}}
	for columns := 1; columns < 120; columns++ {
		if line := d.draw(columns); len(line) >= columns {
			t.Errorf("%d columns: a line of %d would wrap: %q", columns, len(line), line)
		}
	}
	if line := d.draw(50); strings.Contains(line, "[") {
		t.Errorf("50 columns have no room for a bar: %q", line)
	}
}

func TestTimeLeftFollowsThePace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &Display{expected: 100, estimate: 10 * time.Second, began: time.Now(), sent: 10}
		time.Sleep(2 * time.Second)
		if got := d.left(time.Since(d.began)); got != 8*time.Second {
			t.Errorf("after 2s: %v left, want the plan's 8s", got)
		}
		time.Sleep(8 * time.Second)
		if got := d.left(time.Since(d.began)); got != 90*time.Second {
			t.Errorf("after 10s with a tenth done: %v left, want 90s", got)
		}
	})
}

func TestTimeLeftHeedsTheBudget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &Display{expected: 100, estimate: 10 * time.Second, began: time.Now(), sent: 50}
		d.Budget(func(n int) time.Duration { return time.Duration(n) * 100 * time.Millisecond })
		time.Sleep(4 * time.Second)
		if got := d.left(time.Since(d.began)); got != 5*time.Second {
			t.Errorf("ahead of the budget: %v left, want the budget's 5s", got)
		}
		time.Sleep(6 * time.Second)
		if got := d.left(time.Since(d.began)); got != 10*time.Second {
			t.Errorf("slower than the budget: %v left, want 10s at the pace so far", got)
		}
	})
}

func TestDuration(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "under 1s", 400 * time.Millisecond: "under 1s", 1400 * time.Millisecond: "1s", 14600 * time.Millisecond: "15s", 59900 * time.Millisecond: "1m00s",
		200 * time.Second: "3m20s", 167 * time.Minute: "2h47m", 3599*time.Second + 700*time.Millisecond: "1h00m",
	} {
		if got := Duration(d); got != want {
			t.Errorf("Duration(%v) = %q, want %q", d, got, want)
		}
	}
	if got := About(400*time.Millisecond) + ", " + About(90*time.Second); got != "under 1s, about 1m30s" {
		t.Errorf("About says %q", got)
	}
}
