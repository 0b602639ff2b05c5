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
	testbrowser.Everywhere(t, func(t *testing.T, v testbrowser.View) {
		look(t, v, open.url, open.url+"/syncs/leads", open.url+"/audit", closed.url, several.url, several.url+"/deployments/bolt/", open.url+"/nothing", tokens.url)
	})
	look(t, testbrowser.View{Width: 2560}, open.url, open.url+"/syncs/leads")
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

// TestOnATelephone: the header takes two lines, numbers stand beside each other, and no time breaks within its day.
func TestOnATelephone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, []config.Token{token}, accountOf("ada", config.Operator))
	w.all[""].states, w.all[""].runs = full(), runsBefore(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), 30)
	p := testbrowser.Open(t, w.url, testbrowser.View{Width: 390})
	p.Click("#name")
	p.Type("ada")
	p.Click("#password")
	p.Type(password)
	p.Follow(func() { p.Press("Enter") })
	p.UntilText("Needs you")
	var seen struct{ Header, Lines float64 }
	p.Eval(`(() => { const box = (s) => document.querySelector(s).getBoundingClientRect();
		const rows = [...document.querySelectorAll('tbody tr:first-child td.count')].map(c => c.getBoundingClientRect().top);
		return {Header: box('.top').height, Lines: new Set(rows).size / rows.length} })()`, &seen)
	if seen.Header > 100 || seen.Lines > 0.7 {
		t.Errorf("%+v", seen)
	}
	p.Until("no page of the navigation and no flag is cut", `[...document.querySelectorAll('.bar nav, .bar nav a, code .word')].every(e => e.scrollWidth <= e.clientWidth + 1 && e.getClientRects().length === 1 && e.getBoundingClientRect().right <= innerWidth)`)
	p.Go(w.url + "/syncs/leads")
	p.UntilText("Latest runs")
	p.Eval(`(() => { const lines = [...document.querySelectorAll('.facts dd')].map(d => d.getBoundingClientRect().top);
		return {Header: 0, Lines: new Set(lines).size / lines.length} })()`, &seen)
	if seen.Lines > 0.7 {
		t.Errorf("of a sync %+v", seen)
	}
	p.Until("a day and a time in one piece each", `[...document.querySelectorAll('.stack tbody time')].every(t => t.textContent.split(" ").length === 2 && /\d:\d\d:\d\d/.test(t.textContent))`)
	p.Fits()
	p.Accessible()
}

// TestNumbersUnderThePointer: with JavaScript a plot shows the numbers of the step under the pointer, the same as its table has.
func TestNumbersUnderThePointer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.all[""].states, w.all[""].runs = full(), runsBefore(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), 300)
	p := testbrowser.Open(t, w.url+"/syncs/leads", testbrowser.View{})
	var seen struct{ Tip, Row, First string }
	p.Eval(`(() => { const plot = document.querySelector('.plot'), picture = plot.querySelector('.plot-picture'), box = picture.getBoundingClientRect();
		const rows = [...plot.querySelectorAll('tbody tr')], at = rows.findLastIndex(row => row.children.length > 2);
		picture.dispatchEvent(new PointerEvent('pointermove', {clientX: box.left + box.width * (at + .5) / rows.length, clientY: box.top + 5}));
		const tip = plot.querySelector('.plot-tip');
		return {Tip: tip.hidden ? '' : tip.textContent, Row: rows[at].children[0].textContent.trim(), First: plot.querySelectorAll('thead th')[1].textContent + ' ' + rows[at].children[1].textContent.trim()} })()`, &seen)
	if seen.Row == "" || !strings.HasPrefix(seen.Tip, seen.Row+": "+seen.First) {
		t.Errorf("%+v", seen)
	}
	p.Eval(`document.querySelector('.plot-picture').dispatchEvent(new PointerEvent('pointerleave'))`, new(any))
	p.Until("no numbers", `document.querySelector('.plot-tip').hidden`)
	p.Accessible()
	if problems := p.Problems(); len(problems) > 0 {
		t.Error(problems)
	}
}
