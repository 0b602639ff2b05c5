package faults

import (
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"syscall"
	"time"

	"owlatsync/owlat/owlattest"
)

// answered is a variant in which something else than Owlat answers, or Owlat otherwise.
func answered(name string, status int, contentType, body string, header ...string) variant {
	return variant{name: name, answer: func(_ *world, req *http.Request) (*http.Response, error) {
		h := http.Header{"Content-Type": {contentType}}
		for i := 0; i+1 < len(header); i += 2 {
			h.Set(header[i], header[i+1])
		}
		return &http.Response{
			StatusCode: status, Status: http.StatusText(status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
			Header: h, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: req,
		}, nil
	}}
}

// refused is a variant in which Owlat refuses in its own form.
func refused(status int, category, message string) variant {
	return answered(category, status, "application/json", `{"error":{"category":"`+category+`","message":"`+message+`"}}`)
}

// withKey is a variant in which the key is another one.
func withKey(name string, key func(*world) string) variant {
	return variant{name: name, answer: func(w *world, req *http.Request) (*http.Response, error) {
		req = req.Clone(req.Context())
		req.Header.Set("Authorization", "Bearer "+key(w))
		return w.server.Transport().RoundTrip(req)
	}}
}

// unreached is a variant in which no connection comes about.
func unreached(name string, err error) variant {
	return variant{name: name, answer: func(_ *world, req *http.Request) (*http.Response, error) {
		if trace := httptrace.ContextClientTrace(req.Context()); trace != nil && trace.GetConn != nil {
			trace.GetConn("owlat.example:443")
		}
		return nil, err
	}}
}

func emulated(name string, f owlattest.Fault) variant { return variant{name: name, emulator: &f} }

var (
	errRefused = &net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 443}, Err: syscall.ECONNREFUSED}
	errNoHost  = &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "owlat.example", IsNotFound: true}}
)

const gatewayPage = "<html><head><title>Sign in</title></head><body>Sign in</body></html>"

// answerFaults are answers that are not what was hoped for.
func answerFaults() []fault {
	return []fault{
		{
			id: "rate-limit", title: "Too many requests (429)", everything: true,
			means: "Something else uses the same API key: a script, or a second installation with a ledger of its own. A " +
				"refused request has no effect. The run repeats it for a minute and longer, and every refusal slows all its " +
				"requests down. So a run takes longer before it fails.",
			todo: "Find what else uses the key and give it a key of its own: the limit is per key. Or set " +
				"`requests_per_second` in the configuration to a part of the limit.",
			variants: []variant{emulated("429", owlattest.Fault{Kind: owlattest.RateLimited})},
			many:     endsSoon, took: 41 * time.Minute,
			lines: parseLines(`
				create | created; 0; create ×2 | failed (rate_limited); 3; create ×60 | created; 0; create
				update | updated; 0; update ×2 | failed (rate_limited); 3; update ×60 | updated; 0; update
				rename | renamed; 0; update ×2 | failed (rate_limited); 3; update ×60 | renamed; 0; update
				topic add | updated; 0; topic add ×2 | failed (rate_limited); 3; topic add ×60 | updated; 0; topic add
				topic remove | updated; 0; topic remove ×2 | failed (rate_limited); 3; topic remove ×60 | updated; 0; topic remove
				delete | removed; 0; delete ×2 | failed (rate_limited); 3; delete ×60 | removed; 0; delete
				event | updated; 0; update, event ×2 | failed (rate_limited); 3; update, event ×60 | updated; 0; event
				list | created; 0; list ×2, create ×6 | skipped; 1; list ×60 | created; 0; list, create ×6
				opt-out | updated; 0; opt-out ×2 | failed (never mail); 3; opt-out ×30 | updated; 0; opt-out
				round, list | found 1; 0; list ×3, members, read | found 0, broke off; 1; list ×63 | found 1; 0; list ×2, members, read
				round, members | found 1; 0; list ×2, members ×2, read | found 0; 0; list ×2, members ×3 | found 1; 0; list ×2, members, read
				round, opt-out | found 0; 0; list ×2, opt-out ×2, read | found 0; 0; list ×2, opt-out ×3 | found 0; 0; list ×2, opt-out, read
			`),
		},
		{
			id: "server-error", title: "A server error without effect (500, 502, 503)",
			means: "The deployment restarts, is overloaded, or a gateway before it cannot reach it. The answer does not tell " +
				"whether the request took effect; here it did not. The run repeats what may be repeated twice, within a few " +
				"seconds.",
			todo: "Nothing, if it passes: the next run takes up what is left. If it stays, look at the deployment.",
			variants: []variant{
				emulated("500 empty", owlattest.Fault{Kind: owlattest.StatusError, Status: 500}),
				emulated("502 HTML", owlattest.Fault{Kind: owlattest.StatusError, Status: 502, HTML: true}),
				emulated("503 empty", owlattest.Fault{Kind: owlattest.StatusError, Status: 503}),
				emulated("503 HTML", owlattest.Fault{Kind: owlattest.StatusError, Status: 503, HTML: true}),
			},
			many: endsSoon, took: 11 * time.Second,
			lines: parseLines(`
				create | created; 0; create ×2, read | failed (internal); 3; create ×3, read ×2 | created; 0; read, create
				update | updated; 0; update ×2 | failed (internal); 3; update ×3 | updated; 0; read, update
				rename | renamed; 0; update ×2 | failed (internal); 3; update ×3 | renamed; 0; read, update
				topic add | updated; 0; topic add ×2, read | failed (internal); 3; topic add ×3, read ×2 | updated; 0; read, topic add
				topic add, with the secret | updated; 0; members ×2, topic add ×2, read | failed (internal); 3; members ×3, topic add ×3, read ×2 | updated; 0; members, read, topic add
				members | updated; 0; members ×2, topic add | updated; 0; members ×3, topic add | unchanged; 0; nothing
				topic remove | updated; 0; topic remove ×2 | failed (internal); 3; topic remove ×3 | updated; 0; topic remove
				delete | removed; 0; delete ×2 | failed (internal); 3; delete ×3 | removed; 0; read, delete
				event | failed (event); 3; update, event | failed (event); 3; update, event | unchanged; 0; nothing | the event was never sent
				list | created; 0; list ×2, create ×6 | skipped; 1; list ×3 | created; 0; list, create ×6
				opt-out | updated; 0; opt-out ×2 | failed (internal); 3; opt-out ×3 | updated; 0; opt-out
				round, list | found 1; 0; list ×3, members, read | found 0, broke off; 1; list ×6 | found 1; 0; list ×2, members, read
				round, members | found 1; 0; list ×2, members ×2, read | found 0; 0; list ×2, members ×3 | found 1; 0; list ×2, members, read
				round, opt-out | found 0; 0; list ×2, opt-out ×2, read | found 0; 0; list ×2, opt-out ×3 | found 0; 0; list ×2, opt-out, read
			`),
		},
		{
			id: "server-error-after", title: "A server error after the request took effect",
			means: "Owlat did what was asked, and the answer was lost on the way back, for example by a gateway that gave up waiting. " +
				"owlat-sync cannot tell this from the fault above. So it looks whether the contact is there now, repeats what " +
				"does no harm twice, and never repeats an event.",
			todo: todoLost,
			variants: []variant{
				emulated("502 HTML", owlattest.Fault{Kind: owlattest.StatusError, Status: 502, HTML: true, After: true}),
				emulated("500 empty", owlattest.Fault{Kind: owlattest.StatusError, Status: 500, After: true}),
			},
			many: endsSoon, took: 11 * time.Second,
			lines: parseLines(`
				create | created; 0; create, read | created; 0; create, read | unchanged; 0; nothing
				update | updated; 0; update ×2 | failed (internal); 3; update ×3 | unchanged; 0; read
				rename | renamed; 0; update ×2 | failed (internal); 3; update ×3 | unchanged; 0; read
				topic add | updated; 0; topic add ×2, read | failed (internal); 3; topic add ×3, read ×2 | updated; 0; read, topic add
				topic add, with the secret | updated; 0; members ×2, topic add | updated; 0; members ×2, topic add | unchanged; 0; nothing
				topic remove | updated; 0; topic remove ×2 | failed (internal); 3; topic remove ×3 | updated; 0; topic remove
				delete | removed; 0; delete ×2 | failed (internal); 3; delete ×3 | unchanged; 0; read ×2
				event | failed (event); 3; update, event | failed (event); 3; update, event | unchanged; 0; nothing
				list | created; 0; list ×2, create ×6 | skipped; 1; list ×3 | created; 0; list, create ×6
				opt-out | updated; 0; opt-out ×2, read | failed (internal); 3; opt-out ×3 | updated; 0; opt-out, read
				round, list | found 1; 0; list ×3, members, read | found 0, broke off; 1; list ×6 | found 1; 0; list ×2, members, read
				round, members | found 1; 0; list ×2, members ×2, read | found 0; 0; list ×2, members ×3 | found 1; 0; list ×2, members, read
				round, opt-out | found 0; 0; list ×2, opt-out ×2, read | found 0; 0; list ×2, opt-out ×3 | found 0; 0; list ×2, opt-out, read
			`),
		},
		{
			id: "bad-request", title: "A valid row is refused (400)",
			means: "Owlat gives this answer to a write that lost a race against another. Nothing is wrong with the row: " +
				"owlat-sync checks rows by Owlat's rules before it sends them.",
			todo: "Nothing: the next runs try the row again, after pauses that grow, eight times in all. " +
				"`owlat-sync failures` shows a row that is refused each time.",
			variants: []variant{refused(400, "invalid_input", "Documents read from or written to the table changed while this mutation was being run")},
			many:     goesOn,
			lines: parseLines(`
				create | failed (invalid_input); 3; create | failed (invalid_input); 3; create | created; 0; create
				update | failed (invalid_input); 3; update | failed (invalid_input); 3; update | updated; 0; update
				rename | failed (invalid_input); 3; update | failed (invalid_input); 3; update | renamed; 0; update
				topic add | failed (invalid_input); 3; topic add | failed (invalid_input); 3; topic add | updated; 0; topic add
				topic remove | failed (invalid_input); 3; topic remove | failed (invalid_input); 3; topic remove | updated; 0; topic remove
				delete | failed (invalid_input); 3; delete | failed (invalid_input); 3; delete | removed; 0; delete
				event | failed (invalid_input); 3; update, event | failed (invalid_input); 3; update, event | updated; 0; event
				list | skipped; 1; list | skipped; 1; list | created; 0; list, create ×6
				opt-out | failed (invalid_input); 3; opt-out | failed (invalid_input); 3; opt-out | updated; 0; opt-out
				round, list | found 1; 0; list ×2, members, read | found 0, broke off; 1; list ×2 | found 1; 0; list ×2, members, read
				round, members | found 0; 0; list ×2, members | found 0; 0; list ×2, members | found 1; 0; list ×2, members, read
			`),
		},
		{
			id: "key", title: "The API key is revoked or wrong (401)", everything: true,
			means:    "The key was deleted, has expired, or was never right. No request would pass, so the run ends.",
			todo:     "Make a key in Owlat's settings and set `OWLAT_API_KEY` to it. `owlat-sync check` tests it.",
			variants: []variant{withKey("unknown", func(*world) string { return "lm_live_" + strings.Repeat("x", 40) })},
			many:     endsAtOnce + "4",
			lines: parseLines(`
				create | failed (unauthenticated); 4; create | failed (unauthenticated); 4; create | created; 0; create
				update | failed (unauthenticated); 4; update | failed (unauthenticated); 4; update | updated; 0; update
				rename | failed (unauthenticated); 4; update | failed (unauthenticated); 4; update | renamed; 0; update
				topic add | failed (unauthenticated); 4; topic add | failed (unauthenticated); 4; topic add | updated; 0; topic add
				topic remove | failed (unauthenticated); 4; topic remove | failed (unauthenticated); 4; topic remove | updated; 0; topic remove
				delete | failed (unauthenticated); 4; delete | failed (unauthenticated); 4; delete | removed; 0; delete
				event | failed (unauthenticated); 4; update, event | failed (unauthenticated); 4; update, event | updated; 0; event
				list | skipped; 4; list | skipped; 4; list | created; 0; list, create ×6
				opt-out | updated; 0; opt-out | updated; 0; opt-out | unchanged; 0; nothing
				round, list | found 1; 0; list ×2, members, read | found 0, broke off; 4; list ×2 | found 1; 0; list ×2, members, read
				round, members | found 1; 0; list ×2, members, read | found 0, broke off; 4; list ×2, members, read | found 1; 0; list ×2, members, read
			`),
		},
		{
			id: "scope", title: "The API key lacks a scope (403)",
			means: "The key is good, but may not do this. A sync needs `contacts:write`, with topics `topics:write`, and with " +
				"events `events:write`. A first run should also have `contacts:read`: without it the run meets contacts that exist " +
				"already one by one.",
			todo: "Give the key the scope in Owlat's settings, or make one that has it. `owlat-sync check` names the scopes " +
				"that are missing.",
			variants: []variant{withKey("none", func(w *world) string { return w.server.AddKey(owlattest.ScopeTransactionalSend) })},
			many:     endsAtOnce + "4",
			lines: parseLines(`
				create | failed (forbidden); 4; create | failed (forbidden); 4; create | created; 0; create
				update | failed (forbidden); 4; update | failed (forbidden); 4; update | updated; 0; update
				rename | failed (forbidden); 4; update | failed (forbidden); 4; update | renamed; 0; update
				topic add | failed (forbidden); 4; topic add | failed (forbidden); 4; topic add | updated; 0; topic add
				topic remove | failed (forbidden); 4; topic remove | failed (forbidden); 4; topic remove | updated; 0; topic remove
				delete | failed (forbidden); 4; delete | failed (forbidden); 4; delete | removed; 0; delete
				event | failed (forbidden); 4; update, event | failed (forbidden); 4; update, event | updated; 0; event
				list | created; 0; list, create ×6 | created; 0; list, create ×6 | unchanged; 0; nothing
				opt-out | updated; 0; opt-out | updated; 0; opt-out | unchanged; 0; nothing
				round, list | found 1; 0; list ×2, members, read | found 1; 0; list ×2, members, read | found 0; 0; list ×2
				round, members | found 1; 0; list ×2, members, read | found 1; 0; list ×2, members, read | found 0; 0; list ×2
			`),
		},
		{
			id: "plan-limit", title: "The deployment's plan is exhausted (402)", everything: true,
			means:    "The plan of the Owlat deployment allows no more contacts. What was sent before stays.",
			todo:     "Look at the plan in Owlat's settings, or narrow the query.",
			variants: []variant{refused(402, "limit_reached", "Contact limit reached")},
			many:     endsAtOnce + "4",
			lines: parseLines(`
				create | failed (limit_reached); 4; create | failed (limit_reached); 4; create | created; 0; create
				update | failed (limit_reached); 4; update | failed (limit_reached); 4; update | updated; 0; update
				rename | failed (limit_reached); 4; update | failed (limit_reached); 4; update | renamed; 0; update
				topic add | failed (limit_reached); 4; topic add | failed (limit_reached); 4; topic add | updated; 0; topic add
				topic remove | failed (limit_reached); 4; topic remove | failed (limit_reached); 4; topic remove | updated; 0; topic remove
				delete | failed (limit_reached); 4; delete | failed (limit_reached); 4; delete | removed; 0; delete
				event | failed (limit_reached); 4; update, event | failed (limit_reached); 4; update, event | updated; 0; event
				list | skipped; 4; list | skipped; 4; list | created; 0; list, create ×6
				opt-out | failed (limit_reached); 4; opt-out | failed (limit_reached); 4; opt-out | updated; 0; opt-out
				round, list | found 1; 0; list ×2, members, read | found 0, broke off; 4; list ×2 | found 1; 0; list ×2, members, read
				round, members | found 0; 0; list ×2, members | found 0; 0; list ×2, members | found 1; 0; list ×2, members, read
			`),
		},
		{
			id: "no-route", title: "The address is not Owlat's (404 without Owlat's form)", everything: true,
			means: "Something answers at the configured address, and it is not Owlat's API. A missing contact or topic " +
				"looks different, and the program tells them apart.",
			todo: "Correct `owlat.url`: the address of the deployment, without `/api/v1`.",
			variants: []variant{
				answered("text", 404, "text/plain", "No matching routes found"),
				answered("HTML", 404, "text/html", "<html><body>Not found</body></html>"),
			},
			many: endsAtOnce + "1",
			lines: parseLines(`
				create | failed (route); 1; create | failed (route); 1; create | created; 0; create
				update | failed (route); 1; update | failed (route); 1; update | updated; 0; update
				rename | failed (route); 1; update | failed (route); 1; update | renamed; 0; update
				topic add | failed (route); 1; topic add | failed (route); 1; topic add | updated; 0; topic add
				topic remove | failed (route); 1; topic remove | failed (route); 1; topic remove | updated; 0; topic remove
				delete | failed (route); 1; delete | failed (route); 1; delete | removed; 0; delete
				event | failed (route); 1; update, event | failed (route); 1; update, event | updated; 0; event
				list | skipped; 1; list | skipped; 1; list | created; 0; list, create ×6
				opt-out | failed (never mail); 3; opt-out | failed (never mail); 3; opt-out | updated; 0; opt-out
				round, list | found 1; 0; list ×2, members, read | found 0, broke off; 1; list ×2 | found 1; 0; list ×2, members, read
				round, members | found 0, broke off; 1; list ×2, members | found 0, broke off; 1; list ×2, members | found 1; 0; list ×2, members, read
			`),
		},
		{
			id: "redirect", title: "A redirect to another host", everything: true,
			means: "The address leads elsewhere, such as to a sign-in page. owlat-sync does not follow it, because the API key would " +
				"travel along.",
			todo: "If the place it leads to is your deployment, make that `owlat.url`. Else ask who runs the network.",
			variants: []variant{
				answered("302", 302, "text/html", "", "Location", "https://login.example/"),
				answered("308", 308, "text/html", "", "Location", "https://login.example/"),
			},
			many: endsAtOnce + "1",
			lines: parseLines(`
				create | failed (route); 1; create | failed (route); 1; create | created; 0; create
				update | failed (route); 1; update | failed (route); 1; update | updated; 0; update
				rename | failed (route); 1; update | failed (route); 1; update | renamed; 0; update
				topic add | failed (route); 1; topic add | failed (route); 1; topic add | updated; 0; topic add
				topic remove | failed (route); 1; topic remove | failed (route); 1; topic remove | updated; 0; topic remove
				delete | failed (route); 1; delete | failed (route); 1; delete | removed; 0; delete
				event | failed (route); 1; update, event | failed (route); 1; update, event | updated; 0; event
				list | skipped; 1; list | skipped; 1; list | created; 0; list, create ×6
				opt-out | failed (never mail); 3; opt-out | failed (never mail); 3; opt-out | updated; 0; opt-out
				round, list | found 1; 0; list ×2, members, read | found 0, broke off; 1; list ×2 | found 1; 0; list ×2, members, read
				round, members | found 0, broke off; 1; list ×2, members | found 0, broke off; 1; list ×2, members | found 1; 0; list ×2, members, read
			`),
		},
		{
			id: "not-json", title: "A page instead of an answer (200)",
			means: "Something between here and Owlat answers in its place, such as the sign-in page of a network or a " +
				"gateway's maintenance page.",
			todo:     "Open the address in a browser on the same machine. When Owlat answers again, the next run goes on.",
			variants: []variant{answered("HTML", 200, "text/html", gatewayPage), answered("empty", 200, "", "")},
			many:     endsSoon, took: 3 * time.Second,
			lines: parseLines(`
				create | created; 0; create ×2, read | failed (answer); 3; create ×3, read ×2 | created; 0; read, create
				update | failed (answer); 3; update | failed (answer); 3; update | updated; 0; read, update
				rename | failed (answer); 3; update | failed (answer); 3; update | renamed; 0; read, update
				topic add | updated; 0; topic add ×2, read | failed (answer); 3; topic add ×3, read ×2 | updated; 0; read, topic add
				members | updated; 0; members, topic add | updated; 0; members, topic add | unchanged; 0; nothing
				topic remove | failed (answer); 3; topic remove | failed (answer); 3; topic remove | updated; 0; topic remove
				delete | failed (answer); 3; delete | failed (answer); 3; delete | removed; 0; read, delete
				event | failed (event); 3; update, event | failed (event); 3; update, event | unchanged; 0; nothing | the event was never sent
				list | skipped; 1; list | skipped; 1; list | created; 0; list, create ×6
				opt-out | failed (answer); 3; opt-out | failed (answer); 3; opt-out | updated; 0; opt-out
				round, list | found 1; 0; list ×2, members, read | found 0, broke off; 1; list ×2 | found 1; 0; list ×2, members, read
				round, members | found 0; 0; list ×2, members | found 0; 0; list ×2, members | found 1; 0; list ×2, members, read
			`),
		},
		{
			id: "secret", title: "The unsubscribe secret is refused",
			means: "The deployment signs its links with another secret. The run " +
				"says so once in its log and goes on as without the secret: what it would have read stays as uncertain as it is without.",
			todo:     "Compare `owlat.unsubscribe_secret` with `UNSUBSCRIBE_SECRET` of this very deployment: `owlat-sync check` tries it.",
			variants: []variant{refusedToken("invalid_signature")},
			many:     "goes on with the other rows; exit code 0",
			lines: parseLines(`
				members | updated; 0; members, topic add | updated; 0; members, topic add | unchanged; 0; nothing
				opt-out | failed (never mail); 3; opt-out | failed (never mail); 3; opt-out | updated; 0; opt-out
				round, members | found 0, broke off; 2; list ×2, members | found 0, broke off; 2; list ×2, members | found 1; 0; list ×2, members, read
				round, opt-out | found 0, broke off; 2; list ×2, opt-out | found 0, broke off; 2; list ×2, opt-out | found 0; 0; list ×2, opt-out, read
			`),
		},
		{
			id: "links", title: "Links are taken for expired, or arrive changed",
			means: "This machine's clock is off by more than the 90 days for which a link is good, or a proxy changes the paths of links. The run " +
				"says so once in its log and goes on as without the secret: what it would have read stays as uncertain as it is without.",
			todo:     "Set the clock, best by NTP, and look for a proxy that changes paths: `owlat-sync check` tries a link, and tells how far the clocks are apart.",
			variants: []variant{refusedToken("expired"), refusedToken("invalid_format")},
			many:     "goes on with the other rows; exit code 0",
			lines: parseLines(`
				members | updated; 0; members, topic add | updated; 0; members, topic add | unchanged; 0; nothing
				opt-out | failed (never mail); 3; opt-out | failed (never mail); 3; opt-out | updated; 0; opt-out
				round, members | found 0, broke off; 1; list ×2, members | found 0, broke off; 1; list ×2, members | found 1; 0; list ×2, members, read
				round, opt-out | found 0, broke off; 1; list ×2, opt-out | found 0, broke off; 1; list ×2, opt-out | found 0; 0; list ×2, opt-out, read
			`),
		},
	}
}

// refusedToken is what Owlat answers to a token that it does not take.
func refusedToken(reason string) variant {
	get, post := answered(reason, 200, "application/json", `{"ok":false,"reason":"`+reason+`"}`),
		answered(reason, 400, "application/json", `{"error":{"category":"invalid_input","message":"The link is invalid or has expired","data":{"reason":"`+reason+`"}}}`)
	return variant{name: reason, answer: func(w *world, req *http.Request) (*http.Response, error) {
		if req.Method == http.MethodPost {
			return post.answer(w, req)
		}
		return get.answer(w, req)
	}}
}
