package page

import (
	"net/http"
	"strings"
	"testing"

	"owlatsync/internal/config"
	"owlatsync/internal/testbrowser"
)

// TestHowToBegin: where nothing is yet, the page says how to go on, with the commands of this very sync.
func TestHowToBegin(t *testing.T) {
	t.Parallel()
	empty, none, fresh := newWorld(t, nil), newWorld(t, nil), newWorld(t, nil)
	none.all = nil
	fresh.all = map[string]*stands{"acme": {states: full()}}
	fresh.all["acme"].states[1].Sync.Sync.Name = `it's "new"`
	for _, c := range []struct {
		w     *world
		path  string
		wants []string
	}{
		{none, "/", []string{"No deployment yet", "deployments:\n  acme:", "owlat-sync check --deployment acme"}},
		{empty, "/", []string{"owlat-sync init", "syncs:\n  users:", "owlat-sync check<", "kill -HUP"}},
		{fresh, "/syncs/it's%20%22new%22", []string{"owlat-sync plan --sync &#39;it&#39;\\&#39;&#39;s &#34;new&#34;&#39; --deployment acme", "owlat-sync run --sync", "schedule: every 15m", "Press “Plan now” above", "Press “Run now” above"}},
	} {
		got := c.w.browser().get(c.path)
		for _, want := range c.wants {
			if got.status != http.StatusOK || !strings.Contains(got.body, want) {
				t.Errorf("%s: %d, lacks %s:\n%s", c.path, got.status, want, got.body)
			}
		}
	}
	fresh.all["acme"].states[1].Sync.Sync.Schedule = config.Schedule{Text: "every 5m", Every: 1}
	if got := fresh.browser().get("/syncs/it's%20%22new%22"); strings.Contains(got.body, "every 15m") {
		t.Error("a sync with a schedule is told to have one")
	}
	testbrowser.Everywhere(t, func(t *testing.T, v testbrowser.View) {
		p := testbrowser.Open(t, empty.url, v)
		p.Fits()
		p.Accessible()
		p.Go(none.url)
		p.Fits()
		p.Accessible()
		if problems := p.Problems(); len(problems) > 0 {
			t.Error(problems)
		}
	})
}
