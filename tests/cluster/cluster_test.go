package cluster

import (
	"strings"
	"testing"
	"time"
)

// rate is what each Owlat of the short tests allows, in requests a second: four times the usual, so that enough happens.
const rate = 40

// TestOneNode kills, freezes and cuts off a service that is alone with its ledger in a file.
func TestOneNode(t *testing.T) {
	t.Parallel()
	w := world(t, Options{Nodes: 1, Rate: rate, Seed: 1})
	w.Live(t.Context())
	if err := w.Trouble(t.Context(), Plan{For: 12 * time.Second, Longest: 2 * time.Second, Breather: time.Second, Kinds: []TroubleKind{Killed, Frozen, Stopped, CutSource, CutOwlat}}); err != nil {
		t.Fatal(err)
	}
	for _, found := range judged(t, w) {
		t.Error(found)
	}
}

// TestTheJudgeSeesNodesWithoutFencing lets two services work for one deployment, each with a ledger of its own: neither knows of
// the other, and each has a budget of its own.
func TestTheJudgeSeesNodesWithoutFencing(t *testing.T) {
	t.Parallel()
	w := world(t, Options{Nodes: 2, Rate: rate, Seed: 1})
	w.Live(t.Context())
	<-time.After(8 * time.Second)
	if err := w.Quieten(); err != nil {
		t.Fatal(err)
	}
	e, err := w.Evidence(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	found := strings.Join(Judge(e), "\n")
	for _, sees := range []string{"the budget was exceeded", "came twice", "while node 1 had it"} {
		if !strings.Contains(found, sees) {
			t.Errorf("the judge does not see %q, but:\n%s", sees, found)
		}
	}
}
