package page

import (
	"strings"
	"testing"

	"owlatsync/internal/api"
)

// TestWhatTheOverviewCounts: people who opted out, and the budget in use, as far as this process knows it.
func TestWhatTheOverviewCounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	all := w.all[""]
	all.states = full()
	for name, c := range map[string]struct {
		budget      api.Budget
		here        bool
		want, lacks string
	}{
		"in use":                  {api.Budget{Limit: 10, Used: 3.14}, true, "<dd>3.1 a second</dd>", "Another node"},
		"the share":               {api.Budget{Limit: 10, Used: 3.14}, true, "<dd>31 %</dd>", "not known"},
		"at rest":                 {api.Budget{Limit: 2.5}, true, "<dd>0 a second</dd>", "not known"},
		"before the first answer": {api.Budget{}, true, "known after Owlat", "In use"},
		"on another node":         {api.Budget{Limit: 10}, false, "Another node sends", "In use"},
		"several keys":            {api.Budget{Limit: 10, Used: 3, Keys: []api.KeyBudget{{Limit: 10, Used: 3}, {Refused: true}}}, true, "<dt>Key 1</dt><dd>3 of 10 a second</dd>", "not known"},
		"a refused key":           {api.Budget{Limit: 10, Used: 3, Keys: []api.KeyBudget{{Limit: 10, Used: 3}, {Refused: true}}}, true, "<dt>Key 2</dt><dd>refused", "not known"},
		"nothing known":           {api.Budget{}, false, "4,321", ">Requests to Owlat<"},
	} {
		all.budget, all.here = c.budget, c.here
		if got := w.browser().get("/").body; !strings.Contains(got, c.want) || strings.Contains(got, c.lacks) || !strings.Contains(got, "4,321") {
			t.Errorf("%s:\n%s", name, got)
		}
	}
}
