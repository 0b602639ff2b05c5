package cluster

import (
	"testing"
	"time"
)

// TestCutOffFromWhatIsSynced makes the way of the node that does most go silent, first to the source and then to Owlat, so that nothing
// fails but all that is read and sent hangs. Another node goes on with the work. Then it keeps back what is sent to Owlat for as long
// as the work stays where it is: nobody exceeds the budget when all of it arrives in one piece.
func TestCutOffFromWhatIsSynced(t *testing.T) {
	t.Parallel()
	w := world(t, Options{Nodes: 2, Rate: rate, Seed: 5, Shared: true, Within: onABusyMachine})
	w.Live(t.Context())
	<-time.After(3 * time.Second)
	for _, kind := range []TroubleKind{CutSource, CutOwlat} {
		if err := w.Mischief.StrikeUntilTaken(t.Context(), kind, Dropped); err != nil {
			t.Fatal(err)
		}
		<-time.After(2 * time.Second)
	}
	if _, err := w.Mischief.Strike(t.Context(), CutOwlat, Held, 4*time.Second); err != nil {
		t.Fatal(err)
	}
	<-time.After(2 * time.Second)
	for _, found := range judged(t, w) {
		t.Error(found)
	}
}
