package figures_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"owlatsync"
	"owlatsync/internal/page/chart"
	"owlatsync/internal/page/figures"
	"owlatsync/internal/testbrowser"
	"owlatsync/ledger"
)

func TestMain(m *testing.M) { os.Exit(testbrowser.Main(m)) }

// TestPlotsInABrowser shows all plots with a strict policy, unfolded, to axe-core.
func TestPlotsInABrowser(t *testing.T) {
	t.Parallel()
	var runs []ledger.Brief
	for i := range 100 {
		status := []ledger.Status{ledger.StatusOK, ledger.StatusFailedRows, ledger.StatusHeld, ledger.StatusError}[i%4]
		runs = append(runs, made(time.Duration(i)*11*time.Minute, time.Duration(i%7)*time.Minute, status, i*100, map[owlatsync.Outcome]int{
			owlatsync.Created: i * 1000, owlatsync.Updated: i * 500, owlatsync.Adopted: i * 100, owlatsync.Removed: i % 3, owlatsync.Failed: i % 5, owlatsync.Invalid: 3, owlatsync.Skipped: 2,
		}))
	}
	var plots strings.Builder
	for _, p := range figures.Of(runs, figures.Options{Window: figures.Day, Now: now, PerSecond: 10}).All() {
		plots.WriteString(string(p.HTML()))
	}
	empty := figures.Of(nil, figures.Options{Window: figures.Week, Now: now}).Budget
	empty.ID = "empty"
	plots.WriteString(string(empty.HTML()))
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src data:")
		if r.URL.Path == "/page.css" {
			w.Header().Set("Content-Type", "text/css")
			fmt.Fprint(w, ":root { color-scheme: light dark; font-family: sans-serif; color: CanvasText; background: Canvas } .plot { margin-bottom: 2rem } summary { min-height: 24px }\n", chart.Style)
			return
		}
		fmt.Fprint(w, `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Plots</title>
			<link rel="icon" href="data:,"><link rel="stylesheet" href="/page.css"></head><body><main><h1>Plots</h1>`, plots.String(), `</main></body></html>`)
	}))
	t.Cleanup(s.Close)
	for _, v := range []testbrowser.View{{Width: testbrowser.Narrow, Dark: true}, {Width: testbrowser.Wide}} {
		p := testbrowser.Open(t, s.URL, v)
		p.Eval(`document.querySelectorAll("details").forEach(d => d.open = true)`, new(any))
		p.Accessible()
		p.Fits()
		if problems := p.Problems(); len(problems) > 0 {
			t.Errorf("the browser complains: %q", problems)
		}
		var drawn int
		p.Eval(`[...document.querySelectorAll(".plot-picture use, .plot-picture path.plot-line")].filter(e => e.getBoundingClientRect().height > 0).length`, &drawn)
		if drawn < 12 {
			t.Errorf("only %d shapes can be seen", drawn)
		}
	}
}
