package schedule

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func must(t *testing.T, name string, spec Spec) *Schedule {
	t.Helper()
	s, err := New(name, spec)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// watch runs a loop for a time, and returns what was due when, counted from its begin.
func watch(t *testing.T, l *Loop, told *[]string, d time.Duration) []string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); l.Run(ctx) }()
	time.Sleep(d)
	synctest.Wait()
	cancel()
	<-done
	return *told
}

func loop(told *[]string) *Loop {
	began := time.Now()
	return NewLoop(func(sync string) { *told = append(*told, fmt.Sprint(sync, "+", time.Since(began))) })
}

func TestLoop(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		last time.Duration // before the begin; 0: never
		spec Spec
		want string
	}{
		{"every, never run", 0, Spec{Every: 20 * time.Minute}, "users+0s users+20m0s users+40m0s"},
		{"every, lately run", time.Second, Spec{Every: 20 * time.Minute}, "users+0s users+20m0s users+40m0s"},
		{"cron, never run", 0, Spec{Cron: "0,30 * * * *"}, "users+30m0s"},
		{"cron, a time was missed", time.Hour, Spec{Cron: "0,30 * * * *"}, "users+0s users+30m0s"},
		{"many times were missed", 100 * time.Hour, Spec{Cron: "*/25 * * * *"}, "users+0s users+25m0s users+50m0s"},
		{"the last run is to come, as it seems", -24 * time.Hour, Spec{Every: 20 * time.Minute}, "users+20m0s users+40m0s"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var told []string
				l := loop(&told)
				e := Entry{Sync: "users", Schedule: must(t, "users", test.spec)}
				if test.last != 0 {
					e.Last = time.Now().Add(-test.last)
				}
				l.Set([]Entry{e})
				if got := strings.Join(watch(t, l, &told, 59*time.Minute), " "); got != test.want {
					t.Errorf("got %s, want %s", got, test.want)
				}
			})
		})
	}
}

// TestSetKeepsWhatIsTheSame: a configuration that is read again makes nothing due that was not, and forgets nothing that is.
func TestSetKeepsWhatIsTheSame(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var told []string
		l := loop(&told)
		set := func(users, leads time.Duration) {
			l.Set([]Entry{
				{Sync: "users", Schedule: must(t, "users", Spec{Every: users})}, {Sync: "leads", Schedule: must(t, "leads", Spec{Every: leads})},
			})
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); l.Run(ctx) }()
		set(10*time.Minute, 10*time.Minute)
		time.Sleep(time.Minute)
		set(10*time.Minute, 2*time.Minute) // leads was taken up a minute ago
		time.Sleep(4*time.Minute + time.Second)
		if next := l.Next("users"); time.Until(next) != 5*time.Minute-time.Second {
			t.Errorf("users are due in %s", time.Until(next))
		}
		l.Set(nil)
		if next := l.Next("users"); !next.IsZero() {
			t.Errorf("without a schedule users are due at %s", next)
		}
		time.Sleep(time.Hour)
		cancel()
		<-done
		slices.SortStableFunc(told, func(a, b string) int { return strings.Compare(a[:5], b[:5]) })
		if got := strings.Join(told, " "); got != "leads+0s leads+2m0s leads+4m0s users+0s" {
			t.Error(got)
		}
	})
}

// TestClockThatIsSet hands the loop the times that a clock shows which is set, or which stood still while the machine slept.
func TestClockThatIsSet(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	l := NewLoop(func(string) {})
	l.entries["users"] = begin(Entry{Sync: "users", Schedule: must(t, "users", Spec{Every: 10 * time.Minute}), Last: noon}, nil, noon)
	for _, step := range []struct {
		now  time.Time
		due  int
		next time.Time
	}{
		{noon, 0, noon.Add(10 * time.Minute)},
		{noon.Add(10 * time.Minute), 1, noon.Add(20 * time.Minute)},
		{noon.Add(5 * time.Hour), 1, noon.Add(5*time.Hour + 10*time.Minute)}, // slept: once, not 29 times
		{noon.Add(5*time.Hour + time.Minute), 0, noon.Add(5*time.Hour + 10*time.Minute)},
		{noon.Add(time.Minute), 0, noon.Add(10 * time.Minute)}, // put back
		{noon.Add(10 * time.Minute), 1, noon.Add(20 * time.Minute)},
	} {
		due, wait := l.take(step.now)
		if len(due) != step.due || !l.Next("users").Equal(step.next) {
			t.Errorf("at %s: due %v, then %s", step.now, due, l.Next("users"))
		}
		if wait > glance || wait < 1 {
			t.Errorf("at %s: waits %s", step.now, wait)
		}
	}
}
