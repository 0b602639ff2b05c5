package page

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"owlatsync/internal/access"
	"owlatsync/internal/config"
	"owlatsync/internal/page/static"
	"owlatsync/internal/page/telling"
	"owlatsync/internal/session"
	"owlatsync/internal/words"
)

//go:embed templates/*.html
var templateFiles embed.FS

// pages returns the templates by name, each with the layout around it. Programs that show no page need not read them.
var pages = sync.OnceValue(parsePages)

func parsePages() map[string]*template.Template {
	frame := template.Must(template.New("layout.html").Funcs(template.FuncMap{"number": number, "utc": utc, "iso": iso, "tone": toneState, "pair": pair, "straight": straight, "split": split, "flag": flag}).
		ParseFS(templateFiles, "templates/layout.html", "templates/help.html", "templates/nodes.html", "templates/troubles.html"))
	template.Must(frame.ParseFS(templateFiles, "templates/parts.html"))
	all := make(map[string]*template.Template)
	for _, name := range []string{"confirm", "run", "runs", "sync"} {
		all[name] = template.Must(template.Must(frame.Clone()).ParseFS(templateFiles, "templates/"+name+".html", "templates/runrows.html"))
	}
	for _, name := range []string{
		"audit", "deployments", "error", "login", "noaccount", "plan", "overview", "setup", "people", "person", "forget", "lift", "failures", "unsendable", "feedback",
	} {
		all[name] = template.Must(template.Must(frame.Clone()).ParseFS(templateFiles, "templates/"+name+".html"))
	}
	return all
}

// split and flag take a command apart, so that no flag breaks over two lines.
func split(command string) []string { return strings.Split(command, " ") }
func flag(word string) bool         { return strings.HasPrefix(word, "-") }

// view is what every page is made of.
type view struct {
	Title      string
	Static     map[string]string // the addresses of static files by their names
	Who        access.Principal
	SignedIn   bool
	Deployment string
	Several    bool   // the caller reaches several deployments
	Base       string // before the addresses of the deployment's pages
	Nav        []link
	Form       string // what every form sends back
	Version    string
	Typed      words.Typed // for commands, which name the deployment and the configuration file where they must
	Content    any
}

// Says returns a text of the program, with its commands as they are typed here.
func (v view) Says(text string) string { return straight(v.Typed.Complete(text)) }

// needsView is what needs a person, each with the name of its sync if there are several.
type needsView struct {
	view
	Needs []need
	Named bool
}

// NeedsOf returns what needs a person as it is shown.
func (v view) NeedsOf(all []need, named bool) needsView { return needsView{v, all, named} }

// countView is a number, and where what it counts is listed; empty: nowhere.
type countView struct{ Text, Address string }

// Count returns a number that leads to an address below those of the deployment, if it counts anything.
func (v view) Count(n int, address string) countView {
	if n == 0 {
		return countView{Text: number(n)}
	}
	return countView{number(n), v.Base + address}
}

// Command returns a command as it is typed here.
func (v view) Command(command string) string { return v.Typed.Command(command, "") }

// typed says how commands about the deployment are typed, or about the whole service.
func (c *call) typed() words.Typed {
	if c.d == nil {
		return c.parts.typed("")
	}
	return c.parts.typed(c.d.Name)
}

func (p Parts) typed(deployment string) words.Typed {
	return words.Typed{Config: p.Config, Deployment: straight(deployment)}
}

func (p Parts) says(deployment, text string) string { return p.typed(deployment).Complete(text) }

// link is an entry of the navigation.
type link struct {
	Text, Address string
	Here          bool
}

// nav lists the pages of a deployment, with their addresses below its base and who may see them.
var nav = []struct {
	text, address string
	role          config.Role
}{
	{"Overview", "/", config.Viewer},
	{"People", "/people", config.Operator},
	{"Failures", "/failures", config.Viewer},
	{"Feedback", "/feedback", config.Viewer},
	{"Audit", "/audit", config.Operator},
}

// show writes a page.
func (c *call) show(status int, name, title string, content any) {
	if c.id == "" { // a form needs something that its browser holds
		c.id = session.NewID()
		c.parts.Sessions.Give(c.w, c.r, c.id)
	}
	v := view{
		Title: title, Static: static.Addresses(), Who: c.who, SignedIn: c.who.Name != "" && !c.parts.Gate.Open(), Base: c.base, Form: c.parts.Sessions.FormToken(c.id),
		Version: c.parts.Version, Typed: c.typed(), Content: content,
	}
	if c.who.Name != "" {
		v.Several = len(c.reached()) > 1
	}
	if c.d != nil {
		v.Deployment = c.d.Name
		for _, l := range nav {
			if c.who.May(l.role) {
				v.Nav = append(v.Nav, link{l.text, c.base + l.address, c.r.URL.Path == c.base+l.address})
			}
		}
	}
	var page bytes.Buffer
	if err := pages()[name].Execute(&page, v); err != nil {
		c.log.Error("a page cannot be made", "page", name, "error", err)
		http.Error(c.w, "The page cannot be made. The log of the service has more.", http.StatusInternalServerError)
		return
	}
	c.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	c.w.Header().Set("Content-Length", strconv.Itoa(page.Len()))
	c.w.WriteHeader(status)
	_, _ = c.w.Write(page.Bytes()) // a client that has left needs no answer
}

// number returns a number with separators.
func number(n int) string { return telling.Number(n) }

func utc(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }
func iso(t time.Time) string { return t.UTC().Format(time.RFC3339) }
