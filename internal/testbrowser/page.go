package testbrowser

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	browserlog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// Narrow and Wide are the widths of a telephone and of a desk, in CSS pixels.
const Narrow, Wide = 390, 1280

// View is how somebody looks at a page. The zero value is a wide, light page with scripts, in UTC.
type View struct {
	Width    int // 0: Wide
	Dark     bool
	NoScript bool   // JavaScript is off
	Zone     string // IANA name of the viewer's time zone; empty: UTC
}

// String names the view, such as "390-dark".
func (v View) String() string {
	name := fmt.Sprintf("%d-light", v.width())
	if v.Dark {
		name = fmt.Sprintf("%d-dark", v.width())
	}
	if v.NoScript {
		name += "-noscript"
	}
	return name
}

func (v View) width() int { return cmp.Or(v.Width, Wide) }

// Views are the widths and colour schemes in which pages are looked at.
var Views = []View{{Width: Narrow}, {Width: Narrow, Dark: true}, {Width: Wide}, {Width: Wide, Dark: true}}

// soakVariable is set by "make soak".
const soakVariable = "OWLATSYNC_SOAK"

// Everywhere runs a test at both widths and in both colour schemes, one after another: in two of the Views, and with "make soak" in each.
func Everywhere(t *testing.T, do func(t *testing.T, v View)) {
	for _, v := range Views {
		if v.Dark != (v.Width == Narrow) && os.Getenv(soakVariable) == "" {
			continue
		}
		t.Run(v.String(), func(t *testing.T) { do(t, v) })
	}
}

// Page is an open page. Its methods fail the test with what the browser says, and none may be called from another goroutine than the
// test's.
type Page struct {
	t    testing.TB
	ctx  context.Context
	view View

	mu       sync.Mutex
	problems []string
}

// Open opens an address in a browser context of its own, without cookies. The page is closed when the test ends. Without Chromium Open skips
// the test, or fails it if CI=true.
func Open(t testing.TB, url string, v View) *Page {
	t.Helper()
	p := &Page{t: t, view: v}
	ctx, cancel := chromedp.NewContext(browser(t), chromedp.WithNewBrowserContext(), chromedp.WithListener(p.hear))
	t.Cleanup(cancel)
	late := time.AfterFunc(startTimeout, cancel)
	defer late.Stop()
	p.ctx = ctx
	if err := chromedp.Do(ctx, chromedp.Func(v.set)); err != nil {
		t.Fatalf("open a page: %v", err)
	}
	p.Go(url)
	return p
}

// set makes the browser show pages as the view says.
func (v View) set(ctx context.Context, target *chromedp.Target) error {
	var options []chromedp.EmulateViewportOption
	height := int64(900)
	if v.width() <= 600 {
		height, options = 844, append(options, chromedp.EmulatePortrait, chromedp.EmulateMobile)
	}
	if _, err := chromedp.EmulateViewport(int64(v.width()), height, options...)(ctx, target); err != nil {
		return err
	}
	scheme := "light"
	if v.Dark {
		scheme = "dark"
	}
	media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}}}
	if _, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, media); err != nil {
		return err
	}
	zone := emulation.SetTimezoneOverrideParams{TimezoneID: cmp.Or(v.Zone, "UTC")}
	if _, err := cdp.Call(ctx, target, emulation.SetTimezoneOverride, zone); err != nil {
		return err
	}
	return scripts(ctx, target, !v.NoScript)
}

// scripts turns JavaScript on or off for pages that are opened from now on.
func scripts(ctx context.Context, target *chromedp.Target, on bool) error {
	_, err := cdp.Call(ctx, target, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !on})
	return err
}

// hear notes what the browser complains of.
func (p *Page) hear(event any) {
	problem := ""
	switch e := event.(type) {
	case *browserlog.EventEntryAdded:
		if e.Entry.Level == browserlog.EntryLevelError {
			problem = strings.TrimSpace(e.Entry.Text + " " + e.Entry.URL)
		}
	case *runtime.EventExceptionThrown:
		problem = e.ExceptionDetails.Text
		if e.ExceptionDetails.Exception != nil {
			problem += " " + e.ExceptionDetails.Exception.Description
		}
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError {
			problem = "console.error"
			for _, arg := range e.Args {
				problem += " " + strings.TrimSpace(string(arg.Value)+" "+arg.Description)
			}
		}
	}
	if problem == "" {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.problems = append(p.problems, problem)
}

// Problems returns what the browser has complained of since the last call: errors of scripts, what the Content-Security-Policy refused, and
// addresses that answered with an error.
func (p *Page) Problems() []string {
	p.Eval("0", new(int)) // what happened before is heard before the answer
	p.mu.Lock()
	defer p.mu.Unlock()
	problems := p.problems
	p.problems = nil
	return problems
}

// do runs steps within stepTimeout.
func (p *Page) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, stepTimeout)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		p.t.Fatalf("%s: %v", what, err)
	}
}

// Go opens an address and waits until it is loaded.
func (p *Page) Go(url string) {
	p.t.Helper()
	p.do("open "+url, chromedp.Navigate(url))
}

// Eval stores the value of a JavaScript expression, a promise's once it is there. It works with JavaScript off, too.
func (p *Page) Eval(expression string, into any) {
	p.t.Helper()
	if err := p.eval(expression, into); err != nil {
		p.t.Fatalf("%s: %v", short(expression), err)
	}
}

func short(text string) string {
	if len(text) > 100 {
		return text[:100] + "…"
	}
	return text
}

// Screenshot writes a picture of the whole page into a folder, as NAME-VIEW.png, and returns its path.
func (p *Page) Screenshot(folder, name string) string {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, stepTimeout)
	defer cancel()
	picture, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err != nil {
		p.t.Fatalf("take a screenshot: %v", err)
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		p.t.Fatal(err)
	}
	file := filepath.Join(folder, fmt.Sprintf("%s-%s.png", name, p.view))
	if err := os.WriteFile(file, picture, 0o644); err != nil {
		p.t.Fatal(err)
	}
	return file
}

// Fits fails the test if the page must be moved sideways to be read.
func (p *Page) Fits() {
	p.t.Helper()
	var wide []string
	p.Eval(`(() => { const e = document.documentElement; if (e.scrollWidth <= e.clientWidth) return [];
		return [...document.body.querySelectorAll('*')].filter(x => x.getBoundingClientRect().right > e.clientWidth + 1).slice(0, 5).map(x => x.outerHTML.slice(0, 120)) })()`, &wide)
	var over int
	p.Eval(`document.documentElement.scrollWidth - document.documentElement.clientWidth`, &over)
	if over > 0 {
		p.t.Errorf("at %d pixels the page is %d too wide: %s", p.view.width(), over, strings.Join(wide, "\n"))
	}
}
