package cluster

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"owlatsync/internal/turns"
)

// TestSomebodyAsksWithoutBeingANode has a home do something for a process that works nothing, also if there is no home yet.
func TestSomebodyAsksWithoutBeingANode(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n := w.node("a", nil, Deployment{Name: "acme"})
	asks, err := Dial(t.Context(), w.pool, schema, nil)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		answer, err := asks.Call(t.Context(), "acme", json.RawMessage(`"optout"`))
		if want := `"a did \"optout\""`; err != nil || string(answer) != want {
			t.Errorf("%s, %v, want %s", answer, err, want)
		}
	}
	_, err = asks.Call(t.Context(), "acme", json.RawMessage(`"wrong"`))
	if e, ok := errors.AsType[*CallError](err); !ok || !e.NotSent() {
		t.Errorf("%v", err)
	}
	if err := asks.Ask(t.Context(), "acme", turns.Request{Sync: "users", Why: turns.Asked, Run: 1}); err != nil {
		t.Error(err)
	}
	w.until(5*time.Second, "the run", func() bool { return len(w.made()) == 1 })
	if got := w.count("state = 'running' AND attempted_by[1] <> 'a'"); got != 0 {
		t.Errorf("%d jobs are worked by somebody else\n%s", got, w.jobs())
	}
	if got := n.Homes(); len(got) > 1 {
		t.Errorf("homes %q", got)
	}
}
