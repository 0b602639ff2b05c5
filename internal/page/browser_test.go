package page

import (
	"strings"
	"testing"
	"time"

	"owlatsync/internal/config"
	"owlatsync/internal/testbrowser"
)

// TestPagesInTheBrowser: every page fits a telephone and a desk in both colour schemes, and shuts nobody out.
func TestPagesInTheBrowser(t *testing.T) {
	t.Parallel()
	open, several, closed, tokens := newWorld(t, nil), newWorld(t, nil), newWorld(t, nil, accountOf("ada", config.Operator)), newWorld(t, []config.Token{token})
	closed.gate.Replace([]config.Token{token}, nil)
	open.all[""].states, open.all[""].runs = full(), runsBefore(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), 300)
	open.all[""].lines = 10
	several.all = map[string]*stands{"acme": {states: full()}, "bolt": {}, "coil": nil}
	look := func(t *testing.T, v testbrowser.View, urls ...string) {
		p := testbrowser.Open(t, urls[0], v)
		for i, url := range urls {
			if i > 0 {
				p.Go(url)
			}
			p.Fits()
			p.Accessible()
			fails := strings.HasSuffix(url, "/nothing") || url == tokens.url // the page answers with an error
			for _, problem := range p.Problems() {
				if !fails || strings.Contains(problem, "Content") {
					t.Errorf("%s: %s", url, problem)
				}
			}
		}
	}
	testbrowser.Everywhere(t, func(t *testing.T, v testbrowser.View) { look(t, v, open.url, open.url+"/syncs/leads") })
	look(t, testbrowser.View{Width: testbrowser.Narrow, Dark: true}, closed.url, several.url, several.url+"/deployments/bolt/", open.url+"/audit", open.url+"/nothing", tokens.url)
}

// TestByKeyboardWithoutScripts: signing in, looking at a sync and signing out.
func TestByKeyboardWithoutScripts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, []config.Token{token}, accountOf("ada", config.Operator))
	w.all[""].states = full()
	p := testbrowser.Open(t, w.url, testbrowser.View{NoScript: true})
	p.TabTo("#name")
	p.Type("ada")
	p.TabTo("#password")
	p.Type(password)
	p.Follow(func() { p.Press("Enter") })
	p.UntilText("Needs you")
	p.UntilText("2026-03-01 13:00:00 UTC")
	p.TabTo(`a[href="/syncs/leads"]`)
	p.Follow(func() { p.Press("Enter") })
	p.UntilText("The sync has never run")
	p.TabTo("form.who button")
	p.Follow(func() { p.Press("Enter") })
	p.UntilText("Password")
}

func TestTimesAreInTheZoneOfTheViewer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.all[""].states = full()
	p := testbrowser.Open(t, w.url, testbrowser.View{Zone: "Asia/Kolkata"})
	p.Until("half past six in India", `/6:30/.test(document.querySelector('time[datetime="2026-03-01T13:00:00Z"]').textContent)`)
	p.Until("UTC in the title", `document.querySelector('time').title.endsWith("UTC")`)
}
