package testbrowser

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// eval evaluates an expression that gives what JSON can hold.
func (p *Page) eval(expression string, into any) error {
	ctx, cancel := context.WithTimeout(p.ctx, stepTimeout)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string]("Promise.resolve("+expression+"\n).then(v => JSON.stringify(v === undefined ? null : v))", chromedp.EvalAwaitPromise))
	if err != nil {
		return err
	}
	return json.Unmarshal([]byte(text), into)
}

// keys are what Press knows by name.
var keys = map[string]string{
	"Tab": kb.Tab, "Enter": kb.Enter, "Escape": kb.Escape, "Space": " ", "Backspace": kb.Backspace, "ArrowUp": kb.ArrowUp, "ArrowDown": kb.ArrowDown,
	"ArrowLeft": kb.ArrowLeft, "ArrowRight": kb.ArrowRight, "Home": kb.Home, "End": kb.End,
}

// Press presses keys one after another: "Tab", "Enter", "Escape", "Space", "Backspace", "Home", "End", an arrow such as "ArrowDown", or any of
// these with Shift, such as "Shift+Tab".
func (p *Page) Press(names ...string) {
	p.t.Helper()
	for _, name := range names {
		plain, shift := strings.CutPrefix(name, "Shift+")
		key, known := keys[plain]
		if !known {
			p.t.Fatalf("there is no key %q", name)
		}
		var options []chromedp.KeyOption
		if shift {
			options = append(options, chromedp.KeyModifiers(kb.ModifierShift))
		}
		p.do("press "+name, chromedp.KeyEvent(key, options...))
	}
}

// Type types a text where the focus is.
func (p *Page) Type(text string) {
	p.t.Helper()
	p.do("type", chromedp.KeyEvent(text))
}

// mostTabs is how often TabTo presses a key before it gives up.
const mostTabs = 200

// TabTo presses Tab until the focus is on an element that a CSS selector names, as somebody without a mouse gets there. It fails the test if
// that never happens, or if the focus cannot be seen there.
func (p *Page) TabTo(selector string) {
	p.t.Helper()
	var passed []string
	for range mostTabs {
		p.Press("Tab")
		if what, there, seen := p.focus(selector); !there {
			passed = append(passed, what)
			continue
		} else if !seen {
			p.t.Errorf("the focus cannot be seen on %s", what)
		}
		return
	}
	p.t.Fatalf("Tab never leads to %s, but to:\n%s", selector, strings.Join(passed[:min(len(passed), 20)], "\n"))
}

// focus says what has the focus, whether the selector names it, and whether that is seen.
func (p *Page) focus(selector string) (what string, there, seen bool) {
	p.t.Helper()
	var f struct {
		What  string
		There bool
		Seen  bool
	}
	p.Eval(`(() => { const e = document.activeElement, s = getComputedStyle(e);
		return {What: e.outerHTML.slice(0, 120), There: e.matches(`+strconv.Quote(selector)+`),
			Seen: s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) > 0 || s.boxShadow !== 'none'} })()`, &f)
	return f.What, f.There, f.Seen
}

// Click clicks with the mouse on the first element that a CSS selector names.
func (p *Page) Click(selector string) {
	p.t.Helper()
	p.do("click on "+selector, chromedp.Click(chromedp.CSS(selector)))
}

// Follow does what leads to another page, such as p.Press("Enter") on a link, and waits until that is loaded.
func (p *Page) Follow(step func()) {
	p.t.Helper()
	p.Eval(`window.leftByTest = true`, new(bool))
	step()
	p.Until("another page", `!window.leftByTest && document.readyState === 'complete'`)
}

// Text returns the text of the first element that a CSS selector names, as it is shown.
func (p *Page) Text(selector string) string {
	p.t.Helper()
	var text *string
	p.Eval(`document.querySelector(`+strconv.Quote(selector)+`)?.innerText`, &text)
	if text == nil {
		p.t.Fatalf("the page has no %s", selector)
	}
	return *text
}

// Until waits until a JavaScript expression is true, and fails the test with what was waited for if it does not become so.
func (p *Page) Until(what, expression string) {
	p.t.Helper()
	deadline := time.NewTimer(stepTimeout)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	var last error
	for {
		var held bool
		// While one page gives way to another there is nothing to ask.
		if last = p.eval("!!("+expression+")", &held); last == nil && held {
			return
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			p.t.Fatalf("waited in vain for %s (%v); the page:\n%s", what, last, p.body())
		case <-p.ctx.Done():
			p.t.Fatalf("waited for %s: %v", what, context.Cause(p.ctx))
		}
	}
}

// UntilText waits until the text of the page has what is wanted.
func (p *Page) UntilText(want string) {
	p.t.Helper()
	p.Until(fmt.Sprintf("the text %q", want), `document.body.innerText.includes(`+strconv.Quote(want)+`)`)
}

// body returns what the page says, for messages.
func (p *Page) body() string {
	var text string
	if err := p.eval(`document.body.innerText`, &text); err != nil {
		return err.Error()
	}
	return short(text)
}
