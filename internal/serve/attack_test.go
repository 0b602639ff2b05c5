package serve

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"owlatsync/internal/account"
	"owlatsync/internal/page"
	"owlatsync/internal/testbrowser"
	"owlatsync/owlat"
)

const passwordOfAda, passwordOfEve = "correct horse battery", "another horse entirely"

// assault is a service under attack, with the browser of somebody who uses it. Other programs have ports on the same host, and one of them is
// the attacker's.
type assault struct {
	*serving
	p    *testbrowser.Page
	home string // the address of the page
	evil *evil

	number int // of the latest webhook
}

// evil is the attacker's server. A browser takes it for the same site as the page by the address, and for another by the name "localhost".
type evil struct {
	beside, afar string

	mu   sync.Mutex
	held string   // the page's cookies, as a browser last sent them along
	hits []string // what nothing of the attack asks for: a page of the service has led there
}

func newEvil(t *testing.T) *evil {
	t.Helper()
	e := &evil{}
	s := httptest.NewServer(e)
	t.Cleanup(s.Close)
	e.beside, e.afar = s.URL, strings.Replace(s.URL, "127.0.0.1", "localhost", 1)
	return e
}

func (e *evil) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	q := r.URL.Query()
	switch r.URL.Path {
	case "/":
		e.held = r.Header.Get("Cookie")
		fmt.Fprint(w, `<!doctype html><title>A competition</title><link rel="icon" href="data:,">`)
	case "/plant":
		http.SetCookie(w, &http.Cookie{Name: "owlat-sync", Value: q.Get("value"), Path: q.Get("path"), MaxAge: 3600 - 3601*len(q.Get("gone"))})
		fmt.Fprint(w, `<!doctype html><title>A competition</title><link rel="icon" href="data:,">`)
	case "/auto":
		fmt.Fprintf(w, `<!doctype html><title>A competition</title><link rel="icon" href="data:,"><form method="post" action="%s"><input name="form" value="%s"></form><script>document.forms[0].submit()</script>`,
			html.EscapeString(q.Get("to")), html.EscapeString(q.Get("form")))
	default:
		e.hits = append(e.hits, r.URL.Path)
		http.NotFound(w, r)
	}
}

// nasty are texts that a source, Owlat or a person there may fill a field with.
func (e *evil) nasty() []string {
	return []string{
		`"'></title></textarea><script>hit=1</script><img src=` + e.beside + "/led onerror=hit=1><svg onload=hit=1><iframe src=" + e.beside + "/led>",
		"ab\u202edc\u2067fe", "javascript:hit=1\x00", strings.Repeat("w", 10_000),
	}
}

// TestThePageIsAttacked: forged forms, planted cookies, guessed passwords and texts that would be scripts, tried one after another in a real browser.
func TestThePageIsAttacked(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.level = slog.LevelDebug
	a := &assault{evil: newEvil(t)}
	h.behindALiar(a.evil.nasty())
	h.nastySources(a.evil.nasty())
	a.serving = h.begin()
	a.home = "http://" + a.at.Listen
	a.p = testbrowser.Open(t, a.evil.beside, testbrowser.View{})
	a.fixation()
	a.forgery()
	a.scripts()
	a.ending()
	a.guessing()
}

// behindALiar puts a server between the service and Owlat, which refuses some contacts with any text.
func (h *house) behindALiar(nasty []string) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		if i := bytes.Index(body, []byte("refused-")); i >= 0 && r.Method == http.MethodPost {
			text, _ := json.Marshal(nasty[int(body[i+len("refused-")]-'0')%len(nasty)])
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprintf(w, `{"error":{"category":"invalid_input","message":%s}}`, text)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		h.server.ServeHTTP(w, r)
	}))
	h.t.Cleanup(s.Close)
	h.url = s.URL
}

// nastySources writes sources whose every field is nasty, one that can be read and two that cannot, and a configuration for them.
func (h *house) nastySources(nasty []string) {
	h.t.Helper()
	var text strings.Builder
	w := csv.NewWriter(&text)
	key, when := "id"+nasty[0], "news"+nasty[1]
	_ = w.Write([]string{key, "email", "first", "last", when})
	for i, n := range nasty {
		_ = w.Write([]string{n, fmt.Sprintf("n%d@example.com", i), n, n, "true"})
		_ = w.Write([]string{fmt.Sprintf("k%d", i), fmt.Sprintf("refused-%d@example.com", i), n[:min(len(n), 80)], "", "true"})
		_ = w.Write([]string{n + "!", n, "", "", n})                                                                // hardly an address
		_ = w.Write([]string{fmt.Sprintf("m%d", i), strings.ReplaceAll(n, " ", "/") + "@x.example", n, "", "true"}) // mostly one
	}
	if w.Flush(); w.Error() != nil {
		h.t.Fatal(w.Error())
	}
	h.write("users.csv", text.String())
	h.write("app.db", "")
	accounts := ""
	for _, name := range []string{"ada", "eve"} {
		hash := account.Hash{Memory: 7 << 10, Passes: 1, Threads: 1}.Of(map[string]string{"ada": passwordOfAda, "eve": passwordOfEve}[name])
		accounts += fmt.Sprintf("{name: %s, role: operator, hash: %q},", name, hash.Text())
	}
	h.configure("stop_within: 10s → stop_within: 10s, accounts: ["+accounts+"]", "first_run: allow → first_run: ask",
		fmt.Sprintf("key: id → key: %q", key), fmt.Sprintf("when: news → when: %q", when), "{email: email} → {email: email, firstName: first, lastName: last}",
		fmt.Sprintf("  unreadable: {source: {dsn: \"sqlite:app.db\", query: %q}, key: id, fields: {email: email}, schedule: every 24h}", `SELECT * FROM "`+strings.ReplaceAll(nasty[0], `"`, `""`)+nasty[1]+`"`),
		fmt.Sprintf("  other: {source: {dsn: \"csv:users.csv\"}, key: id, fields: {email: %q}, schedule: every 24h}", nasty[0]+nasty[1]))
}

// submit sends a form of the page that is shown, filled in.
func (a *assault) submit(selector string, fields ...string) {
	a.t.Helper()
	a.p.Follow(func() {
		given, _ := json.Marshal(fields)
		a.p.Eval(fmt.Sprintf(`(() => { const form = document.querySelector(%q), given = %s || [];
			for (let i = 0; i < given.length; i += 2) form.elements[given[i]].value = given[i+1];
			setTimeout(() => form.requestSubmit(), 0) })()`, selector, given), new(any))
	})
}

func (a *assault) signIn(name, password string) {
	a.t.Helper()
	a.p.Go(a.home + "/login")
	a.submit("form.login", "name", name, "password", password)
}

// cookies are what the browser holds of the page: it sends that to every port of the host.
func (a *assault) cookies() string {
	a.t.Helper()
	a.p.Go(a.evil.beside)
	a.evil.mu.Lock()
	defer a.evil.mu.Unlock()
	return a.evil.held
}

// get asks for a page with cookies, and returns where that leads and what is there.
func (a *assault) get(path, cookies string) (at, body string) {
	a.t.Helper()
	r, err := http.NewRequestWithContext(a.t.Context(), http.MethodGet, a.home+path, nil)
	if err != nil {
		a.t.Fatal(err)
	}
	r.Header.Set("Cookie", cookies)
	answer, err := caller.Transport.RoundTrip(r)
	if err != nil {
		a.t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	return answer.Header.Get("Location"), string(text)
}

// fixation plants cookies before and after a sign-in.
func (a *assault) fixation() {
	t := a.t
	planted := strings.Repeat("A", 43)
	plant := func(value, path, gone string) {
		t.Helper()
		a.p.Go(a.evil.beside + "/plant?" + url.Values{"value": {value}, "path": {path}, "gone": {gone}}.Encode())
	}
	plant(planted, "/", "")
	if got := a.cookies(); got != "owlat-sync="+planted {
		t.Fatalf("the cookie was not planted: %q", got)
	}
	a.signIn("ada", passwordOfAda)
	a.p.UntilText("ada")
	if got := a.cookies(); got == "" || strings.Contains(got, planted) {
		t.Errorf("after the sign-in the browser holds %q", got)
	}
	if at, _ := a.get("/", "owlat-sync="+planted); at != "/login" {
		t.Errorf("whoever planted the cookie is led to %q", at)
	}

	// The attacker has an account, and puts the victim's searches into it.
	v := a.visitor()
	if at, _ := v.send("/login", "/login", "name", "eve", "password", passwordOfEve); at != "/" {
		t.Fatalf("eve is at %s", at)
	}
	here, err := url.Parse(a.home)
	if err != nil {
		t.Fatal(err)
	}
	hers := v.http.Jar.Cookies(here)[0].Value
	plant(hers, "/people", "")
	a.p.Go(a.home + "/people")
	a.p.UntilText("two cookies")
	plant(hers, "/people", "1")
	a.p.Go(a.home + "/people")
	a.p.UntilText("ada")
}

// forgery sends forms from pages of the attacker.
func (a *assault) forgery() {
	t := a.t
	a.p.Go(a.home + "/people")
	a.submit("form[action='/people']", "word", "nobody")
	var person, token string
	a.p.Eval(`location.pathname`, &person)
	a.p.Eval(`document.querySelector('input[name=form]').value`, &token)
	if !strings.HasPrefix(person, "/people/") {
		t.Fatalf("the browser is at %s", person)
	}
	var held []string
	cookies := a.cookies()
	a.until("the first runs", func() bool {
		_, now := a.get("/", cookies)
		held = regexp.MustCompile(`href="/runs/(\d+)"`).FindStringSubmatch(now)
		return held != nil && strings.Count(now, `data-state="failing"`) == 2
	})
	var posts, gets []string
	for _, address := range page.Addresses() {
		method, path, _ := strings.Cut(address, " ")
		path = strings.NewReplacer("/people/{id}", person, "/runs/{id}", "/runs/"+held[1], "{name}", "users", "{$}", "").Replace(path)
		all := []string{path}
		if strings.Contains(path, "{order}") {
			all = nil
			for _, order := range []string{"approve", "dismiss", "cancel"} {
				all = append(all, strings.Replace(path, "{order}", order, 1))
			}
		}
		if strings.Contains(all[0], "{") {
			t.Fatalf("nobody knows what %s is", address)
		}
		if method == http.MethodPost {
			posts = append(posts, all...)
		} else if !strings.HasSuffix(path, "/live") && !strings.HasSuffix(path, ".csv") { // the one does not end, and no frame tells of the other
			gets = append(gets, all...)
		}
	}
	state := func() string {
		return a.see("/audit") + a.see("/syncs/users/runs") + fmt.Sprint(a.server.Stats().Total)
	}
	before := state()
	for _, from := range []string{a.evil.afar, a.evil.beside} {
		nobody, ada := a.refused()
		a.p.Go(from)
		var sent int
		tokens := []string{token, "", strings.Repeat("A", 43)} // the right one, as if it was stolen
		if from == a.evil.afar {
			tokens = tokens[:1]
		}
		given, _ := json.Marshal(map[string]any{"home": a.home, "posts": posts, "gets": gets, "tokens": tokens})
		a.p.Eval(`(async (given) => {
			const fields = {word: 'nobody', sync: 'users', what: 'all', name: 'eve', password: '`+passwordOfEve+`'};
			const arrives = (e, act) => new Promise(done => { e.onload = e.onerror = done; act() });
			let sent = 0;
			const post = async (to, token) => {
				const frame = document.createElement('iframe'), form = document.createElement('form');
				frame.name = 'frame' + sent++;
				document.body.append(frame, form);
				Object.assign(form, {method: 'post', target: frame.name}).setAttribute('action', given.home + to);
				for (const [name, value] of Object.entries({...fields, form: token})) {
					const input = document.createElement('input');
					Object.assign(input, {name, value, type: 'hidden'});
					form.append(input);
				}
				await arrives(frame, () => HTMLFormElement.prototype.submit.call(form));
				frame.remove();
			};
			for (const token of given.tokens) await Promise.all(given.posts.map(to => post(to, token)));
			await Promise.all(given.posts.map(to => { sent++; return fetch(given.home + to, {method: 'POST', mode: 'no-cors', credentials: 'include', body: new URLSearchParams({...fields, form: given.tokens[0]})}).catch(() => 0) }));
			await Promise.all([...given.posts, ...given.gets].map(to => { const i = new Image(); return arrives(i, () => { i.src = given.home + to }) }));
			const frame = document.createElement('iframe');
			await arrives(frame, () => { frame.src = given.home + given.posts[0]; document.body.append(frame) });
			return sent })(`+string(given)+`)`, &sent)
		for _, to := range []string{"/syncs/users/run", "/runs/" + held[1] + "/approve"} {
			a.p.Follow(func() {
				a.p.Eval(`setTimeout(() => { location = `+fmt.Sprintf("%q", from+"/auto?"+url.Values{"to": {a.home + to}, "form": {token}}.Encode())+` }, 0)`, new(any))
			})
			if from == a.evil.afar { // without its cookie: the browser is not signed in there, and the page leads to one that anybody may see
				a.p.Until("a page of the service", `location.origin === "`+a.home+`" && ['/', '/login'].includes(location.pathname)`)
			} else {
				a.p.UntilText("Not allowed")
			}
			sent++
		}
		if want := len(posts)*(len(tokens)+1) + 2; sent != want {
			t.Errorf("%s: %d forms were sent, want %d", from, sent, want)
		}
		if from == a.evil.beside { // the same site to the browser: it sends the cookie along, and a script's requests are refused before anybody looks at it
			if n, of := a.refused(); n-nobody != len(posts) || of-ada != sent-len(posts) {
				t.Errorf("of %d forms %d were refused as ada's, and %d before", sent, of-ada, n-nobody)
			}
		}
	}
	if after := state(); after != before {
		t.Errorf("something happened:\n%s\nbefore:\n%s", after, before)
	}
	a.p.Problems() // the browser says what it kept the attacker from
	a.p.Go(a.home + "/runs/" + held[1] + "/approve")
	a.p.UntilText("ada")
	a.submit("form.orders")
	a.p.Until("the end of the run", `['ok', 'failed rows'].includes(document.querySelector('.lead .state')?.dataset.state)`)
	if !a.member("n0@example.com") {
		t.Error("the page's own form does nothing")
	}
}

// see returns a page as the browser gets it.
func (a *assault) see(path string) string {
	a.t.Helper()
	_, body := a.get(path, a.cookies())
	return body
}

// refused counts the forms that were refused: as nobody's, and as ada's.
func (a *assault) refused() (nobody, ada int) {
	for line := range strings.SplitSeq(a.log.String(), "\n") {
		switch refused := strings.Contains(line, "a page was refused") && strings.Contains(line, "method=POST"); {
		case refused && strings.Contains(line, "account=ada"):
			ada++
		case refused && strings.Contains(line, `account=""`):
			nobody++
		}
	}
	return nobody, ada
}

// scripts fills what Owlat can fill, and visits every page.
func (a *assault) scripts() {
	t, nasty := a.t, a.evil.nasty()
	for i, n := range nasty {
		a.tells("email.bounced", map[string]any{"email": fmt.Sprintf("n%d@example.com", i), "bounceType": "hard", "message": n, "timestamp": "2026-03-01T12:00:00.000Z"})
		a.tells("email.complained", map[string]any{"email": n + "@x.example", "timestamp": "2026-03-01T12:00:00.000Z"})
		topics, _ := json.Marshal([]map[string]string{{"topicId": a.topic, "topicName": n}, {"topicId": n, "topicName": n}})
		c, _ := a.server.Contact(fmt.Sprintf("n%d@example.com", i))
		for _, id := range []string{cmp.Or(c.ID, "somebody"), n + "x"} {
			a.tells("topic.unsubscribed", map[string]any{"contactId": id, "email": n + "@y.example", "unsubscribedAt": 1772366400000 + i, "listsRemoved": string(topics)})
		}
		a.tells("contact.created", map[string]any{"contactId": n, "email": n, "source": n, "timestamp": "2026-03-01T12:00:00.000Z"})
		first := "Owlat's " + n[:min(len(n), 80)]
		if err := a.server.EditContact(fmt.Sprintf("n%d@example.com", i), owlat.UpdateContactRequest{FirstName: &first}); err != nil && i < 2 {
			t.Errorf("the row of %q was not sent: %v", short(n), err)
		}
	}
	a.write("users.csv", strings.ReplaceAll(a.read("users.csv"), "k1,", "k10,"))
	a.p.Go(a.home + "/syncs/users")
	a.submit("form[action$='/plan']")
	a.p.Until("the plan", `document.querySelector('.lead .state')?.dataset.state === 'held'`)
	a.crawl()
	if a.evil.mu.Lock(); len(a.evil.hits) > 0 {
		t.Errorf("pages led to the attacker: %q", a.evil.hits)
	}
	a.evil.mu.Unlock()
}

func (h *house) read(name string) string {
	h.t.Helper()
	text, err := os.ReadFile(filepath.Join(h.dir, name))
	if err != nil {
		h.t.Fatal(err)
	}
	return string(text)
}

// tells sends the service a webhook as Owlat does.
func (a *assault) tells(event string, data map[string]any) {
	a.t.Helper()
	body, err := json.Marshal(map[string]any{"event": event, "timestamp": "2026-03-01T12:00:00.000Z", "data": data})
	if err != nil {
		a.t.Fatal(err)
	}
	a.number++
	signed := owlat.SignWebhook("whsec_0123456789abcdef", fmt.Sprint(a.number), time.Now(), body)
	var header []string
	for name := range signed {
		header = append(header, name, signed.Get(name))
	}
	if status, text := a.ask(http.MethodPost, "/webhooks/owlat", string(body), header...); status != http.StatusNoContent {
		a.t.Errorf("%s: %d %s", event, status, text)
	}
}

// shown is what is wrong with the page that is shown, and where it leads.
type shown struct {
	At                  string
	Wrong, Links, Forms []string
}

// look looks at the page that is shown.
func (a *assault) look() (s shown) {
	t := a.t
	t.Helper()
	nasty, _ := json.Marshal(a.evil.nasty())
	a.p.Eval(`((nasty) => {
		const marks = /[\u202a-\u202e\u2066-\u2069]/, wrong = [], here = e => e.outerHTML.slice(0, 200);
		if (window.hit) wrong.push('a script ran');
		for (const e of document.querySelectorAll('*')) {
			if (['img', 'iframe', 'object', 'embed', 'base'].includes(e.localName) || e.localName === 'script' && !e.src || e.localName === 'svg' && !e.closest('.plot')) wrong.push('an element that is not the page\'s: ' + here(e));
			for (const a of e.attributes) {
				if (/^on|^style$|^srcdoc$/i.test(a.name)) wrong.push('an attribute that is not the page\'s: ' + here(e));
				if (marks.test(a.value) && a.name !== 'value') wrong.push(a.name + ' has a mark that turns it: ' + here(e));
				if (['href', 'src', 'action', 'formaction'].includes(a.name)) {
					const to = new URL(a.value, location.href);
					if (to.origin !== location.origin && to.protocol !== 'data:') wrong.push('it leads away: ' + here(e));
				}
			}
		}
		const texts = document.createTreeWalker(document, NodeFilter.SHOW_TEXT);
		for (let text; text = texts.nextNode();) {
			if (!marks.test(text.data)) continue;
			const apart = text.parentElement.closest('bdi');
			if (apart && apart.closest('.settings code')) continue; // it stands alone
			if (!apart || !nasty.some(n => apart.textContent.trim().replace(/[@!].*/s, '') === n)) wrong.push('a mark turns the words around it: ' + here(apart || text.parentElement));
		}
		const local = (query, name) => [...document.querySelectorAll(query)].map(e => new URL(e.getAttribute(name), location.href)).filter(to => to.origin === location.origin).map(to => to.pathname + to.search);
		if (document.documentElement.scrollWidth > document.documentElement.clientWidth) wrong.push('it is too wide');
		return {At: location.pathname + ' ' + document.title, Wrong: wrong, Links: local('a[href]', 'href'), Forms: local('form[method=post]', 'action')} })(`+string(nasty)+`)`, &s)
	for _, problem := range a.p.Problems() {
		if !strings.Contains(problem, "the server responded with a status") {
			s.Wrong = append(s.Wrong, "the browser complains: "+problem)
		}
	}
	for _, wrong := range s.Wrong {
		t.Errorf("%s: %s", short(s.At), wrong)
	}
	return s
}

func short(text string) string { return text[:min(len(text), 100)] }

// harmless are the forms that change nothing: what they show is looked at, too.
var harmless = []string{"POST /people/{id}/now", "POST /people/{id}/sources", "POST /failures/unsendable"}

// crawl follows every link from the first page, sends the forms that change nothing, and searches for everybody. No address of the page is left out.
func (a *assault) crawl() {
	t := a.t
	mux := http.NewServeMux()
	for _, address := range page.Addresses() {
		mux.Handle(address, http.NotFoundHandler())
	}
	pattern := func(method, to string) string {
		_, p := mux.Handler(httptest.NewRequest(method, to, nil))
		return p
	}
	visits, met, known, next := map[string]int{}, map[string]bool{}, map[string]bool{"/": true}, []string{"/"}
	note := func(s shown) {
		for _, to := range s.Links {
			if !known[to] && pattern(http.MethodGet, to) != "" {
				known[to] = true
				next = append(next, to)
			}
		}
	}
	try := func(at string, s shown) {
		note(s)
		for _, action := range s.Forms {
			p := pattern(http.MethodPost, action)
			if visits[p]++; !slices.Contains(harmless, p) || visits[p] > 2 {
				continue
			}
			met[p] = true
			a.p.Go(a.home + at)
			a.submit(fmt.Sprintf("form[action=%q]", action))
			note(a.look())
		}
	}
	visit := func() {
		for len(next) > 0 {
			to := next[0]
			next = next[1:]
			p := pattern(http.MethodGet, to)
			if visits[p]++; visits[p] > 2 && (p != "GET /runs/{id}" || visits[p] > 8) {
				continue
			}
			met[p] = true
			if strings.HasSuffix(p, ".csv") { // a file
				continue
			}
			a.p.Go(a.home + to)
			try(to, a.look())
		}
	}
	visit()
	for i, n := range a.evil.nasty() {
		for _, word := range []string{n, n + "@x.example", fmt.Sprintf("k%d", i)}[:2+i%2] {
			a.p.Go(a.home + "/people")
			a.submit("form[action='/people']", "word", word)
			found := a.look()
			at, _, _ := strings.Cut(found.At, " ")
			try(at, found)
		}
	}
	clear(visits)
	visit()
	for _, address := range page.Addresses() {
		visited := strings.HasPrefix(address, "GET ") && address != "GET /login" && !strings.HasSuffix(address, "/live") || slices.Contains(harmless, address)
		if visited && !met[address] {
			t.Errorf("nothing led to %s", address)
		}
	}
}

// ending signs out: what the browser held is of no use afterwards.
func (a *assault) ending() {
	held := a.cookies()
	if at, _ := a.get("/", held); at != "" {
		a.t.Errorf("before, the cookie leads to %s", at)
	}
	a.p.Go(a.home + "/")
	a.submit("form.who")
	a.p.UntilText("Password")
	if at, _ := a.get("/", held); at != "/login" {
		a.t.Errorf("after a sign-out the cookie leads to %q", at)
	}
	if now := a.cookies(); now == held {
		a.t.Error("the browser still holds the cookie")
	}
}

// guessing guesses passwords, until not even the right one counts.
func (a *assault) guessing() {
	t := a.t
	said := func() string {
		t.Helper()
		return a.p.Text("#refused")
	}
	answers := map[string]bool{}
	for _, name := range slices.Concat([]string{"ada", "nobody", "acme/ada"}, a.evil.nasty()[:3]) { // no more than a place may try at once
		a.signIn(name, "wrong")
		a.look()
		answers[said()] = true
	}
	if len(answers) != 1 {
		t.Errorf("the answers tell who exists: %v", answers)
	}
	// A place that waits gets another try in time, which may come between two forms of a slow browser.
	for tries := 0; ; tries++ {
		a.signIn("ada", "wrong")
		if !strings.Contains(said(), "Too many wrong passwords") {
			continue
		}
		a.signIn("ada", passwordOfAda)
		var refused bool
		if a.p.Eval(`document.querySelector('#refused') !== null`, &refused); refused {
			break
		}
		if tries > 10 {
			t.Fatal("the right password counts at a place that has guessed")
		}
		a.submit("form.who")
	}
	elsewhere := &http.Client{Timeout: caller.Timeout, Transport: &http.Transport{DisableKeepAlives: true, DialContext: (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}).DialContext}}
	for name, password := range map[string]string{"ada": passwordOfAda, "eve": passwordOfEve} {
		v := a.visitor()
		v.http.Transport = elsewhere.Transport
		if at, text := v.send("/login", "/login", "name", name, "password", password); at != "/" {
			t.Errorf("%s is locked out elsewhere, at %s: %s", name, at, text)
		}
	}
}
