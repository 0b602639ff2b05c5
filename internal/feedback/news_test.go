package feedback

import (
	"testing"
	"time"

	"owlatsync/ledger"
)

// TestADeliveryIsDueOnEveryNode also on one whose clock is behind that of the node which took it in.
func TestADeliveryIsDueOnEveryNode(t *testing.T) {
	t.Parallel()
	now := time.Now()
	deliveries := deliveriesOf(ledger.Feedback{Event: "email.complained", Email: "ann@example.com"}, []Route{{Target: "file", On: []string{"email.complained"}}}, now)
	if len(deliveries) != 1 || deliveries[0].Due.After(now.Add(-time.Hour)) {
		t.Errorf("the deliveries are %+v", deliveries)
	}
}
