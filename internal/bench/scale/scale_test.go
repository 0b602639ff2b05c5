package scale

import (
	"testing"
	"time"
)

func TestWeigh(t *testing.T) {
	t.Parallel()
	from := time.Unix(1_000_000, 0)
	at := func(seconds float64) time.Time { return from.Add(time.Duration(seconds * float64(time.Second))) }
	all := func(string) bool { return true }
	runs := []begun{{deployment: "a", sync: "x", at: at(1), took: time.Second}, {deployment: "a", sync: "y", at: at(2), took: 3 * time.Second}, {deployment: "a", sync: "x", at: at(5)}, {deployment: "b", sync: "x", at: at(6), took: time.Hour}}
	dues := []due{{"a", "x", at(0)}, {"a", "x", at(2)}, {"a", "y", at(1.5)}}
	ofA := weigh(dues, runs, 2, from, at(9), func(deployment string) bool { return deployment == "a" })
	if want := (waits{Syncs: 2, Runs: 3, Fewest: 1, Most: 2, Median: time.Second, Worst: 3 * time.Second, Fair: 6 * time.Second, Run: 3 * time.Second}); ofA != want {
		t.Errorf("%+v, not %+v", ofA, want)
	}
	// Who has not begun has waited until now, and one whose every turn is another's is starved.
	starved := weigh(append(dues, due{"a", "z", at(0)}), runs, 4, from, at(30), all)
	if starved.Worst != 30*time.Second || starved.Fewest != 0 || !waitGoal("syncs", starved).Missed {
		t.Errorf("%+v", starved)
	}
	if w := weigh(dues[:1], runs, 3, from, at(3), all); waitGoal("syncs", w).Missed {
		t.Errorf("%+v misses the goal", w)
	}
	late := weigh([]due{{"a", "x", at(0)}, {"b", "x", at(0)}}, []begun{{deployment: "a", sync: "x", at: at(0.1)}, {deployment: "a", sync: "x", at: at(0.2)},
		{deployment: "a", sync: "x", at: at(0.3)}, {deployment: "a", sync: "x", at: at(0.4)}, {deployment: "b", sync: "x", at: at(9)}}, 2, from, at(10), all)
	if !waitGoal("deployments", late).Missed {
		t.Errorf("a sync waits %s where %s are fair, and the goal is met", late.Worst, late.Fair)
	}
}

func TestUneven(t *testing.T) {
	t.Parallel()
	of := func(runs ...int) float64 {
		r := result{}
		for _, n := range runs {
			r.Spread = append(r.Spread, share{Single: n})
		}
		return r.uneven(func(s share) float64 { return float64(s.Single) })
	}
	if even, odd, one, none := of(5, 5, 5), of(4, 5, 9), of(3, 0, 0), of(0, 0, 0); even != 1 || odd != 1.5 || one != 3 || !evenGoal("runs", none).Missed {
		t.Error(even, odd, one, none)
	}
}

func TestSizesFromTheEnvironment(t *testing.T) {
	t.Setenv(Variable, "contacts=7 busy=2m")
	got, err := Short.fromEnvironment()
	if err != nil || got.Contacts != 7 || got.Busy != 2*time.Minute || got.Deployments != Short.Deployments {
		t.Errorf("%+v, %v", got, err)
	}
	for _, bad := range []string{"contact=7", "contacts=x", "contacts=0", "busy=10ms", "busy"} {
		t.Setenv(Variable, bad)
		if _, err := Short.fromEnvironment(); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
