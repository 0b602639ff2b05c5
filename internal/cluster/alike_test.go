package cluster

import (
	"slices"
	"testing"
	"time"

	"owlatsync/internal/cluster/crew"
)

func TestNodesWithOtherConfigurationsAreNoticed(t *testing.T) {
	t.Parallel()
	var a alike
	acme := Deployment{Name: "acme", Syncs: []string{"users", "leads"}, Timetable: every(t, "users", time.Minute)}
	a.set(map[string]Deployment{"acme": acme})
	shuffled := acme
	shuffled.Syncs = []string{"leads", "users"}
	if same := printOf(map[string]Deployment{"acme": shuffled}); same != a.print() {
		t.Errorf("the order of syncs counts: %s and %s", same, a.print())
	}
	for name, other := range map[string]Deployment{
		"syncs": {Name: "acme", Syncs: []string{"users"}, Timetable: acme.Timetable}, "times": {Name: "acme", Syncs: acme.Syncs, Timetable: every(t, "users", time.Hour)},
		"targets": {Name: "acme", Syncs: acme.Syncs, Timetable: acme.Timetable, Targets: []string{"crm"}}, "always": {Name: "acme", Syncs: acme.Syncs, Timetable: acme.Timetable, Always: true},
	} {
		if printOf(map[string]Deployment{"acme": other}) == a.print() {
			t.Errorf("other %s do not count", name)
		}
	}
	mine, same, other := crew.Node{ID: "a", Print: a.print()}, crew.Node{ID: "b", Print: a.print()}, crew.Node{ID: "c", Print: "other"}
	now := time.Now()
	for _, step := range []struct {
		after time.Duration
		nodes []crew.Node
		tells []string
		again bool
	}{
		{0, []crew.Node{mine, same}, nil, false},
		{time.Second, []crew.Node{mine, same, other}, nil, false}, // it may be the next to be reloaded
		{alikeWithin, []crew.Node{mine, same}, nil, false},
		{alikeWithin + 2*time.Second, []crew.Node{mine, other}, nil, false},
		{2*alikeWithin + 3*time.Second, []crew.Node{mine, same, other}, []string{"c"}, false},
		{9 * alikeWithin, []crew.Node{mine, same, other}, nil, false}, // once
		{10 * alikeWithin, []crew.Node{mine, same}, nil, true},
		{11 * alikeWithin, []crew.Node{mine, same}, nil, false},
	} {
		if tells, again := a.compare(step.nodes, now.Add(step.after)); !slices.Equal(tells, step.tells) || again != step.again {
			t.Errorf("after %s: %v, %t", step.after, tells, again)
		}
	}
}

// TestNodesTellWhatTheyKnow of deployments, so that others can compare.
func TestNodesTellWhatTheyKnow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.node("a", nil, Deployment{Name: "acme"}), w.node("b", nil)
	unlike := func(n *member) bool {
		n.alike.mu.Lock()
		defer n.alike.mu.Unlock()
		return !n.alike.since.IsZero()
	}
	w.until(5*time.Second, "both see it", func() bool { return unlike(a) && unlike(b) })
	if err := b.SetDeployments([]Deployment{{Name: "acme"}}); err != nil {
		t.Fatal(err)
	}
	w.until(5*time.Second, "both see that they are alike", func() bool { return !unlike(a) && !unlike(b) })
}
