package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"

	"owlatsync"
	"owlatsync/owlat/owlattest"
)

// TestRowsThatARunDoesNotComeToAreTold ends runs between reading and applying: each row is told with the reason, and try
// compares the numbers.
func TestRowsThatARunDoesNotComeToAreTold(t *testing.T) {
	t.Parallel()
	var list []owlatsync.Row
	for i := range 700 { // more than are kept at once
		list = append(list, user(fmt.Sprint(i), fmt.Sprintf("row%d@example.com", i), "Row"))
	}
	list = append(list, user("bad", "nobody", "No"), user("twin", "row1@example.com", "Twin"))
	refusing := func(t *testing.T, w *world) {
		if err := w.server.InjectFaults(owlattest.Fault{Kind: owlattest.StatusError, Status: http.StatusServiceUnavailable, Method: http.MethodGet}); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name     string
		given    func(t *testing.T, w *world)
		source   error
		options  runOptions
		want     string
		category string
	}{
		{"the first listing fails", refusing, nil, runOptions{}, "invalid 1, skipped 701", "unreached"},
		{"the key is refused", func(_ *testing.T, w *world) { w.key = "lm_live_" + "0000000000000000000000000000000000000000" }, nil,
			runOptions{}, "invalid 1, skipped 701", "unreached"},
		{"the source breaks off", nil, errors.New("lost"), runOptions{}, "invalid 1, skipped 701", "unreached"},
		{"a guard holds it", func(_ *testing.T, w *world) { w.sync.Guards.FirstRun = false }, nil, runOptions{}, "invalid 1, duplicate 1, skipped 700", "held"},
		{"a question fails", func(_ *testing.T, w *world) { w.sync.Guards.FirstRun = false }, nil,
			runOptions{Confirm: func(owlatsync.Summary) (bool, error) { return false, errors.New("no terminal") }},
			"invalid 1, duplicate 1, skipped 700", "unreached"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			if c.given != nil {
				c.given(t, w)
			}
			report, err := w.try(context.Background(), c.options, rows{list: list, err: c.source})
			if err == nil {
				t.Fatal("the run did not end early")
			}
			expect(t, report, c.want)
			if d := w.done("699"); string(d.Category) != c.category || d.Reason == "" || d.Address() != "row699@example.com" {
				t.Errorf("row 699 was told as %+v", d)
			}
		})
	}
}
