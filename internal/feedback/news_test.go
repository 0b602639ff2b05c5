package feedback

import (
	"testing"
	"time"

	"owlatsync/ledger"
)

// TestADeliveryIsDueAtOnce, and not since before Owlat told it: how long it has been due is watched.
func TestADeliveryIsDueAtOnce(t *testing.T) {
	t.Parallel()
	now := time.Now()
	deliveries := deliveriesOf(ledger.Feedback{Event: "email.complained", Email: "ann@example.com"}, []Route{{Target: "file", On: []string{"email.complained"}}}, now)
	if len(deliveries) != 1 || !deliveries[0].Due.Equal(now) {
		t.Errorf("the deliveries are %+v", deliveries)
	}
}
