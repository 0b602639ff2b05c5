package page

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	"owlatsync/internal/access"
	"owlatsync/internal/api"
	"owlatsync/internal/cluster/roll"
	"owlatsync/internal/config"
	"owlatsync/internal/page/begin"
	"owlatsync/internal/page/person"
	"owlatsync/internal/page/static"
	"owlatsync/internal/page/telling"
	"owlatsync/internal/page/warm"
	"owlatsync/internal/session"
)

// Parts is what a page is made of. Log may be nil. Nodes reads which nodes share the work, and is nil where there is one process alone.
type Parts struct {
	Directory api.Directory
	Gate      *access.Gate
	Sessions  *session.Book
	Version   string
	Log       *slog.Logger
	Nodes     func(context.Context) ([]roll.Node, error)
	// Config is the configuration file that commands name; empty: it is found without a name.
	Config string
	// Secret is shared by all pages that are to know each other's addresses of persons. Nil: none other knows those of this page.
	Secret func(context.Context) ([]byte, error)
}

// Page answers browsers. It is an http.Handler, and safe for concurrent use.
type Page struct {
	parts    Parts
	log      *slog.Logger
	refusals refusals
	seals    *person.Seals
	reading  sync.Mutex // of sources and of whole ledgers
	mux      *http.ServeMux
	live     *telling.Feeds
}

// New returns a page.
func New(p Parts) *Page {
	page := &Page{parts: p, log: p.Log, seals: person.NewSeals(p.Secret), mux: http.NewServeMux(), live: telling.NewFeeds(p.says)}
	if page.log == nil {
		page.log = slog.New(slog.DiscardHandler)
	}
	for _, r := range slices.Concat(routes, peopleRoutes, troubleRoutes, runRoutes) {
		page.mux.HandleFunc(r.method+" "+r.path, page.handle(r))
		if r.of != nil {
			page.mux.HandleFunc(r.method+" /deployments/{deployment}"+r.path, page.handle(r))
		}
	}
	page.mux.HandleFunc("GET /static/{file}", static.Serve)
	page.mux.HandleFunc("/", page.handle(route{whole: nothing, anybody: true}))
	return page
}

// Warm reads once what the first looks need, a moment later and until ctx ends. Without it they take longer, and are as right.
func (p *Page) Warm(ctx context.Context) {
	warm.Up(ctx, p.parts.Directory)
}

// route is one address of the page, of one deployment or of the whole service.
type route struct {
	method, path string
	role         config.Role
	of           func(*call) error // of a deployment; nil: it is of the service
	whole        func(*call) error
	anybody      bool // nobody needs to be signed in
}

// routes lists addresses, and other files have more. What is of a deployment has an address with its name, too.
var routes = []route{
	{method: http.MethodGet, path: "/{$}", role: config.Viewer, of: showOverview},
	{method: http.MethodGet, path: "/syncs/{name}", role: config.Viewer, of: showSync},
	{method: http.MethodGet, path: "/audit", role: config.Operator, of: showAudit},
	{method: http.MethodGet, path: "/login", whole: showLogin, anybody: true},
	{method: http.MethodPost, path: "/login", whole: signIn, anybody: true},
	{method: http.MethodPost, path: "/logout", whole: signOut, anybody: true},
}

// Addresses lists what a page answers, each a method and a path as http.ServeMux takes them. What is of a deployment is there below
// /deployments/{deployment}, too.
func Addresses() (all []string) {
	for _, r := range slices.Concat(routes, peopleRoutes, troubleRoutes, runRoutes) {
		all = append(all, r.method+" "+r.path)
	}
	return all
}

// call is one request.
type call struct {
	*Page
	w    http.ResponseWriter
	r    *http.Request
	id   string           // what the browser holds; empty: nothing
	who  access.Principal // who asks; the zero value: nobody who is known
	d    *api.Deployment  // nil: the request is about the whole service
	base string           // before the addresses of the deployment's pages

	marks person.Sealer // of persons in addresses, if the request is about a deployment
}

// maxForm is the largest form, in bytes.
const maxForm = 64 << 10

// ServeHTTP implements http.Handler.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "+
		"form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	// With no-referrer a browser says that a form comes from nowhere, which cannot be told from another site.
	h.Set("Referrer-Policy", "same-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	p.mux.ServeHTTP(w, r)
}

// handle answers requests to one route.
func (p *Page) handle(route route) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c := &call{Page: p, w: w, r: r, id: p.parts.Sessions.ID(r)}
		err := c.enter(route)
		if err == nil {
			err = c.serve(route)
		}
		if err != nil && r.Context().Err() == nil { // else the client has left
			c.refuse(err)
		}
	}
}

// enter finds out who asks, and refuses who may not.
func (c *call) enter(route route) (err error) {
	if site := c.r.Header.Get("Sec-Fetch-Site"); (site == "cross-site" || site == "same-site") && c.r.Header.Get("Sec-Fetch-Mode") != "navigate" {
		return &access.Refusal{Status: http.StatusForbidden, Code: access.CodeOrigin, Message: "the page of another site asks for this one", Hint: "open it by its own address"}
	}
	if c.parts.Sessions.Doubled(c.r) {
		return &access.Refusal{Status: http.StatusForbidden, Code: "cookie", Message: "the browser sends two cookies of this page, one of which another program on this host has set",
			Hint: "let the browser delete the cookies of this host, and sign in again"}
	}
	c.who, err = c.principal()
	if _, unknown := errors.AsType[*unknownError](err); err != nil && (!route.anybody || !unknown) {
		return err
	}
	if route.role != "" && !c.who.May(route.role) {
		return &access.Refusal{Status: http.StatusForbidden, Code: access.CodeRole, Message: "this needs the role of an operator, and " + c.who.Name + " is a viewer"}
	}
	if c.r.Method == http.MethodGet || c.r.Method == http.MethodHead {
		return nil
	}
	return c.checkForm()
}

// checkForm refuses what another site may have made the browser send.
func (c *call) checkForm() error {
	if err := c.parts.Gate.SameSite(c.r); err != nil {
		return err
	}
	c.r.Body = http.MaxBytesReader(c.w, c.r.Body, maxForm)
	if err := c.r.ParseForm(); err != nil {
		return &access.Refusal{Status: http.StatusBadRequest, Code: "form", Message: "the form cannot be read", Hint: "load the page again, and send it once more"}
	}
	if !c.parts.Sessions.FormFits(c.id, c.r.PostForm.Get("form")) {
		return &access.Refusal{Status: http.StatusForbidden, Code: "form", Message: "the form is not of a page that this browser was shown, or it is too old",
			Hint: "load the page again, and send it once more; the browser must take cookies"}
	}
	return nil
}

// unknownError says that nobody is signed in. Without accounts nobody can be.
type unknownError struct{ accounts bool }

func (*unknownError) Error() string { return "nobody is signed in" }

// principal returns who asks: who has signed in, or whoever is on this machine if the service needs neither tokens nor accounts.
func (c *call) principal() (access.Principal, error) {
	if who, ok, err := c.parts.Sessions.Who(c.r.Context(), c.id); ok || err != nil {
		return who, err
	}
	if c.parts.Gate.Open() {
		return c.parts.Gate.Enter(c.r)
	}
	return access.Principal{}, &unknownError{!c.parts.Sessions.Empty()}
}

// serve does what a route can do, for the deployment that the request is about.
func (c *call) serve(route route) error {
	if route.of == nil {
		return route.whole(c)
	}
	name, given := c.r.PathValue("deployment"), c.r.PathValue("deployment") != ""
	if !given {
		switch names := c.reached(); len(names) {
		case 0:
			return c.noneReached()
		case 1:
			name = names[0]
		default:
			return showDeployments(c, names)
		}
	}
	if !c.who.Reaches(name) {
		return noDeployment()
	}
	d, err := c.parts.Directory.Find(name)
	switch {
	case errors.Is(err, api.ErrNoDeployment):
		return noDeployment()
	case err != nil:
		return &access.Refusal{Status: http.StatusServiceUnavailable, Code: "unavailable", Message: "this deployment is not open: " + err.Error(),
			Hint: "set its configuration right, and let the service read it again with SIGHUP"}
	}
	if c.d = d; given {
		c.base = "/deployments/" + url.PathEscape(name)
	}
	if c.marks, err = c.seals.Sealer(c.r.Context()); err != nil {
		return err
	}
	return route.of(c)
}

// reached lists the deployments that the caller reaches.
func (c *call) reached() (names []string) {
	for _, name := range c.parts.Directory.Names() {
		if c.who.Reaches(name) {
			names = append(names, name)
		}
	}
	return names
}

// noneReached shows how a service begins that has no deployment. Whoever reaches none of those that there are learns no more.
func (c *call) noneReached() error {
	if len(c.parts.Directory.Names()) > 0 {
		return noDeployment()
	}
	c.show(http.StatusOK, "setup", "Set up", begin.NoDeployment(c.typed()))
	return nil
}

func noDeployment() error {
	return &access.Refusal{Status: http.StatusNotFound, Code: "deployment", Message: "there is no such deployment, or you do not reach it", Hint: "the first page lists the deployments that you reach"}
}

func nothing(*call) error {
	return &access.Refusal{Status: http.StatusNotFound, Code: "route", Message: "there is nothing at this address", Hint: "the link may be old; begin at the first page"}
}

// refuse shows what is wrong, or the way in.
func (c *call) refuse(err error) {
	if unknown, ok := errors.AsType[*unknownError](err); ok {
		if !unknown.accounts {
			c.show(http.StatusNotFound, "noaccount", "No account yet", nil)
			return
		}
		to := "/login"
		if c.r.Method == http.MethodGet && c.r.URL.Path != "/" {
			to += "?next=" + url.QueryEscape(c.r.URL.RequestURI())
		}
		http.Redirect(c.w, c.r, to, http.StatusSeeOther)
		return
	}
	refusal := api.RefusalOf(err)
	level := slog.LevelDebug
	if refusal.Status == http.StatusInternalServerError {
		level = slog.LevelError
	}
	c.log.Log(c.r.Context(), level, "a page was refused", "method", c.r.Method, "client", c.parts.Gate.Client(c.r).String(), "account", c.who.Name, "error", err)
	if refusal.After > 0 {
		c.w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(refusal.After.Seconds()))))
	}
	c.show(refusal.Status, "error", titleOf(refusal.Status), problemView{sentence(refusal.Message), sentence(hintOf(refusal)), refusal.Status})
}

// problemView is what is wrong, and what to do.
type problemView struct {
	What, Do string
	Status   int
}

func titleOf(status int) string {
	switch status {
	case http.StatusNotFound:
		return "Not found"
	case http.StatusForbidden:
		return "Not allowed"
	case http.StatusTooManyRequests:
		return "Too many attempts"
	case http.StatusServiceUnavailable:
		return "Not now"
	case http.StatusInternalServerError:
		return "Something went wrong"
	}
	return "That did not work"
}

// hintOf returns the advice of a refusal. Where it speaks of the API, it is for programs.
func hintOf(r *access.Refusal) string {
	switch {
	case r.Code == access.CodeRole:
		return "sign in with an account that has the role operator"
	case strings.HasPrefix(r.Hint, "GET /api/"):
		return "begin at the first page, which shows what is there"
	}
	return r.Hint
}

// straight takes from a text what would turn the words around it, too. Where a text stands alone, <bdi> does that.
func straight(text string) string { return telling.Straight(text) }

// sentence makes an error a sentence.
func sentence(text string) string { return telling.Sentence(text) }
