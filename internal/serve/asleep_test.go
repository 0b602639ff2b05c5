package serve

import (
	"strings"
	"testing"
)

// TestASyncThatNothingRunsIsTold at the start and after a reload; one with a schedule is not.
func TestASyncThatNothingRunsIsTold(t *testing.T) {
	t.Parallel()
	const told = "runs only when somebody asks for it"
	h := newHouse(t)
	h.configure("    schedule: every 24h\n → ")
	l := h.begin()
	if log := h.log.String(); !strings.Contains(log, told) || !strings.Contains(log, "syncs=users") {
		t.Errorf("the log of the start:\n%s", log)
	}
	for _, c := range []struct {
		name    string
		changes []string
		want    bool
	}{
		{"with a schedule", nil, false},
		{"without one again", []string{"    schedule: every 24h\n → "}, true},
	} {
		h.configure(c.changes...)
		before := len(h.log.String())
		l.reload <- struct{}{}
		l.until(c.name, func() bool { return strings.Contains(h.log.String()[before:], "was taken over") })
		if log := h.log.String()[before:]; strings.Contains(log, told) != c.want {
			t.Errorf("%s:\n%s", c.name, log)
		}
	}
}
