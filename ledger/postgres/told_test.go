package postgres

import (
	"errors"
	"testing"
)

// TestWhichAlertsWereTold: each deployment has its own, and of two nodes that record at once, one is told.
func TestWhichAlertsWereTold(t *testing.T) {
	t.Parallel()
	d := openDatabase(t, migrated.Postgres(t))
	acme, bolt := openLedger(t, d, "acme"), openLedger(t, d, "bolt")
	for step, test := range []struct {
		state   string
		version int64
		want    error
	}{
		{"never", 7, ErrToldMeanwhile}, {"a", 0, nil}, {"b", 0, ErrToldMeanwhile}, {"b", 1, nil}, {"c", 1, ErrToldMeanwhile}, {"c\x00\xff", 2, nil},
	} {
		if err := acme.Tell(t.Context(), []byte(test.state), test.version); !errors.Is(err, test.want) {
			t.Errorf("step %d: %v", step, err)
		}
	}
	if state, version, err := acme.Told(t.Context()); string(state) != "c\x00\xff" || version != 3 || err != nil {
		t.Errorf("%q, version %d, %v", state, version, err)
	}
	if state, version, err := bolt.Told(t.Context()); state != nil || version != 0 || err != nil {
		t.Errorf("of another deployment: %q, version %d, %v", state, version, err)
	}
}
