package testbrowser

import (
	"errors"
	"fmt"
	"image/png"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestMain(m *testing.M) { os.Exit(Main(m)) }

const head = `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>A page</title>
<link rel="stylesheet" href="/page.css"><link rel="icon" href="data:,"></head><body><main><h1>A page</h1>`

// pages are small pages for the rig itself, under as strict a policy as ours.
var pages = map[string]string{
	"/": head + `<p id="scheme"></p><p id="width"></p><p id="zone"></p><script src="/page.js"></script>
		<a id="next" href="/next">go on</a> <button id="unseen">cannot be seen</button>
		<form action="/next"><label>Name <input name="name"></label> <button id="send">Send</button></form></main></body></html>`,
	"/next":  head + `<p>here you are</p></main></body></html>`,
	"/bad":   head + `<p class="pale">pale</p><img src="data:image/gif;base64,R0lGODlhAQABAAAAACw="></main></body></html>`,
	"/wide":  head + `<p class="wide">wide</p></main></body></html>`,
	"/error": head + `<p>in vain</p><script src="/error.js"></script><script>document.title = "inline"</script></main></body></html>`,
	"/page.css": `:root { color-scheme: light dark; font-family: sans-serif; background: Canvas; color: CanvasText } button, input { min-height: 24px } .pale { color: #ccc; background: #fff } .wide { width: 3000px }
		:focus-visible { outline: 3px solid } #unseen:focus { outline: none }`,
	"/page.js": `document.querySelector("#scheme").textContent = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
		document.querySelector("#width").textContent = innerWidth;
		document.querySelector("#zone").textContent = Intl.DateTimeFormat().resolvedOptions().timeZone;`,
	"/error.js": `console.error("complains"); throw new Error("thrown")`,
}

func serve(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, there := pages[r.URL.Path]
		switch filepath.Ext(r.URL.Path) {
		case ".css":
			w.Header().Set("Content-Type", "text/css")
		case ".js":
			w.Header().Set("Content-Type", "text/javascript")
		}
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; img-src data:; form-action 'self'")
		if !there {
			w.WriteHeader(http.StatusNotFound)
			text = pages["/next"]
		}
		fmt.Fprint(w, text)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// TestViews shows a page in every view: what the page sees of it, a screenshot as wide, and that nothing is wrong with it.
func TestViews(t *testing.T) {
	t.Parallel()
	url, folder := serve(t), t.TempDir()
	var widths, schemes []string
	Everywhere(t, func(_ *testing.T, v View) {
		widths, schemes = append(widths, fmt.Sprint(v.Width)), append(schemes, fmt.Sprint(v.Dark))
	})
	if os.Getenv(soakVariable) == "" && (len(widths) != 2 || widths[0] == widths[1] || schemes[0] == schemes[1]) {
		t.Errorf("everywhere is at the widths %v, dark %v", widths, schemes)
	}
	for _, v := range Views {
		v.Zone = "Asia/Tokyo"
		p := Open(t, url, v)
		scheme := "light"
		if v.Dark {
			scheme = "dark"
		}
		if got := [3]string{p.Text("#scheme"), p.Text("#width"), p.Text("#zone")}; got != [3]string{scheme, fmt.Sprint(v.Width), "Asia/Tokyo"} {
			t.Errorf("the page sees %q", got)
		}
		p.Accessible()
		p.Fits()
		if problems := p.Problems(); len(problems) > 0 {
			t.Errorf("the browser complains: %q", problems)
		}
		f, err := os.Open(p.Screenshot(folder, "start"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if picture, err := png.Decode(f); err != nil || picture.Bounds().Dx() != v.Width || !strings.HasSuffix(f.Name(), "start-"+v.String()+".png") {
			t.Errorf("%s: %v", f.Name(), err)
		}
	}
}

// TestPlantedViolationsAreFound gives axe-core something to find, with scripts and without.
func TestPlantedViolationsAreFound(t *testing.T) {
	t.Parallel()
	for _, v := range []View{{}, {Width: Narrow, NoScript: true}} {
		found := Open(t, serve(t)+"/bad", v).Violations()
		for _, want := range []string{"color-contrast (serious)", "image-alt (critical)"} {
			if !slices.ContainsFunc(found, func(text string) bool { return strings.HasPrefix(text, want) }) {
				t.Errorf("%s: %s is not among %q", v, want, found)
			}
		}
		if len(found) != 2 {
			t.Errorf("%s: %q", v, found)
		}
	}
}

// failed runs a part of a test that is to fail, and returns what it says.
type failed struct {
	testing.TB
	said []string
}

func (f *failed) Helper()                        {}
func (f *failed) Errorf(format string, a ...any) { f.said = append(f.said, fmt.Sprintf(format, a...)) }

func TestWhatIsWrongIsTold(t *testing.T) {
	t.Parallel()
	p := Open(t, serve(t)+"/wide", View{Width: Narrow})
	tb := &failed{TB: t}
	p.t = tb
	p.Fits()
	p.Go(serve(t) + "/bad")
	p.Accessible()
	p.Go(serve(t))
	p.TabTo("#unseen")
	p.t = t
	all := strings.Join(tb.said, "\n")
	for _, want := range []string{"too wide", `<p class="wide">`, "390-light: color-contrast", "insufficient color contrast", `the focus cannot be seen on <button id="unseen">`} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is not told:\n%s", want, all)
		}
	}
}

func TestTheBrowsersComplaintsAreHeard(t *testing.T) {
	t.Parallel()
	url := serve(t)
	p := Open(t, url+"/error", View{})
	p.Go(url + "/missing")
	all := strings.Join(p.Problems(), "\n")
	for _, want := range []string{"complains", "thrown", "Content Security Policy", "404"} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is not heard:\n%s", want, all)
		}
	}
	if again := p.Problems(); len(again) > 0 {
		t.Errorf("heard twice: %q", again)
	}
}

// TestKeysAndMouse goes on with the keyboard and with the mouse, and waits for what comes of it, with JavaScript and without.
func TestKeysAndMouse(t *testing.T) {
	t.Parallel()
	for _, v := range []View{{}, {NoScript: true}} {
		url := serve(t)
		p := Open(t, url, v)
		if got := p.Text("#scheme"); (got == "") != v.NoScript {
			t.Errorf("%s: a script wrote %q", v, got)
		}
		p.TabTo("#next")
		p.Follow(func() { p.Press("Enter") })
		p.UntilText("here you are")
		p.Go(url)
		p.TabTo("input")
		p.Type("Ada <b>")
		p.Press("Backspace", "Tab", "Shift+Tab")
		p.Follow(func() { p.Press("Enter") })
		var query string
		if p.Eval(`location.search`, &query); query != "?name=Ada+%3Cb" {
			t.Errorf("%s: the form sent %q", v, query)
		}
		p.Go(url)
		p.Follow(func() { p.Click("#next") })
		if got := p.Text("p"); got != "here you are" {
			t.Errorf("%s: %q", v, got)
		}
	}
}

// TestPagesShareNothing keeps cookies of one page from another.
func TestPagesShareNothing(t *testing.T) {
	t.Parallel()
	url := serve(t)
	first, second := Open(t, url, View{}), Open(t, url, View{})
	var cookie string
	first.Eval(`document.cookie = "a=b"`, &cookie)
	if second.Eval(`document.cookie`, &cookie); cookie != "" {
		t.Errorf("another page has the cookie %q", cookie)
	}
	if first.Eval(`document.cookie`, &cookie); cookie != "a=b" {
		t.Errorf("the page has the cookie %q", cookie)
	}
}

// TestTheBrowserReachesNobodyElse asks for a host that is not this one.
func TestTheBrowserReachesNobodyElse(t *testing.T) {
	t.Parallel()
	p := Open(t, serve(t), View{})
	err := p.eval(`fetch("http://owlat.example/", {mode: "no-cors"})`, new(any))
	if err == nil {
		t.Error("the host was reached")
	}
}

// TestAnotherArchiveIsNotRun keeps what is not the pinned release from being used, and a broken copy from staying.
func TestAnotherArchiveIsNotRun(t *testing.T) {
	t.Parallel()
	if err := checkAxe([]byte("another")); err == nil || !strings.Contains(err.Error(), "checksum") {
		t.Errorf("%v", err)
	}
	if _, err := unpackAxe([]byte("no archive")); err == nil {
		t.Error("unpacked what is no archive")
	}
	source, err := axeSource()
	if errors.Is(err, errNoNpm) {
		missing(t, err.Error())
	}
	if err != nil || !strings.Contains(source, "axe v"+axeVersion) {
		t.Fatalf("%d bytes, %v", len(source), err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Skip(err)
	}
	whole, err := os.ReadFile(filepath.Join(cache, "owlatsync", "axe-core-"+axeVersion+".tgz"))
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "axe-core-"+axeVersion+".tgz"), whole, 0o600); err != nil {
		t.Fatal(err)
	}
	if again, err := axeIn(folder); err != nil || again != source {
		t.Errorf("from a cache: %d bytes, %v", len(again), err)
	}
}
