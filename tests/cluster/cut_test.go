package cluster

import (
	"testing"
	"time"
)

// TestCutOffFromWhatIsSynced makes the way of the node that does most go silent, first to the source and then to Owlat, so that nothing
// fails but all that is read and sent hangs. Another node goes on with the work in time, and nobody exceeds the budget when the way lets
// through what it has kept back.
func TestCutOffFromWhatIsSynced(t *testing.T) {
	t.Parallel()
	w := world(t, Options{Nodes: 2, Rate: rate, Seed: 5, Shared: true})
	w.Live(t.Context())
	<-time.After(3 * time.Second)
	for _, s := range []struct {
		kind TroubleKind
		cut  Cut
	}{{CutSource, Dropped}, {CutOwlat, Held}} {
		if _, err := w.Mischief.Strike(t.Context(), s.kind, s.cut, takenOverWithin+2*underway); err != nil {
			t.Fatal(err)
		}
		<-time.After(3 * time.Second)
	}
	for _, found := range judged(t, w) {
		t.Error(found)
	}
}
