package webhooks

import (
	"testing"

	_ "modernc.org/sqlite"
)

// TestNothingAcknowledgedIsLost plays a small part of what is measured.
func TestNothingAcknowledgedIsLost(t *testing.T) {
	t.Parallel()
	r, err := measure(t.Context(), 50, 500)
	if err != nil || r.Acknowledged != 500 || r.Recorded != 500 || len(r.Times) != 500 {
		t.Errorf("%d acknowledged, %d recorded, %v", r.Acknowledged, r.Recorded, err)
	}
}
