package owlattest

import (
	"context"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"owlatsync/owlat/owlattest/internal/connection"
	"owlatsync/owlat/owlattest/internal/control"
	"owlatsync/owlat/owlattest/internal/faults"
	"owlatsync/owlat/owlattest/internal/model"
	"owlatsync/owlat/owlattest/internal/webhooks"
)

// Server is an Owlat deployment in memory. The zero value is ready, with no key, topic or contact. All methods may be
// called at any time from any goroutine; the exported fields are set before the first request.
type Server struct {
	// Rate is how many requests a second one key may send, Burst how many at once from rest. 0 means Owlat's 10 and 15.
	Rate  float64
	Burst int
	// NoLimit lets every request pass. The X-RateLimit headers stay as they are.
	NoLimit bool

	// ClockAhead is how far the deployment's clock is ahead of this machine's; negative: behind.
	ClockAhead time.Duration

	// UnsubscribeSecret signs the links in mails until [Server.SetUnsubscribeSecret] or a setup or a saved state with another one. Without
	// one every token is refused as if it were another deployment's.
	UnsubscribeSecret string
	// LinkLife is how old a token of such a link may be; 0 means Owlat's 90 days.
	LinkLife time.Duration

	// BasePath is a path such as "/owlat" under which the API stands instead of the root.
	BasePath string

	// RandomSeed makes ids, keys and the choices of faults repeatable. 0 means a fresh seed.
	RandomSeed uint64

	// OnRequest, if set, is called for every request to the API and for those by links before anything is looked at, and OnAnswer after the
	// request took effect and before its answer is sent, with the status, or 0 where no answer reaches the client. Both run
	// on the request's goroutine without a lock held.
	OnRequest func(Request)
	OnAnswer  func(Request, int)

	// WebhookClient delivers webhooks; nil means a client of the package's own. Whatever the client, redirects are not
	// followed and an attempt ends after 30 s.
	WebhookClient *http.Client

	mu     sync.Mutex        // guards all below but hooks, which have a lock of their own
	model  *model.Deployment // nil until the first lock
	stats  recorder
	faults faults.Table
	hooks  webhooks.Sender
}

// Request describes a request to a hook.
type Request struct {
	Number int       // counts from 1 since the last reset
	Time   time.Time // when it arrived
	Method string
	Route  string // such as "/contacts/{contact}"; empty for what is not routed
	Path   string // as sent, without query
	Body   []byte // not to be changed
}

// now is the time on the deployment's clock.
func (s *Server) now() time.Time { return time.Now().Add(s.ClockAhead) }

// lock takes the lock and returns what lets it go.
func (s *Server) lock() (unlock func()) {
	s.hold()
	return s.mu.Unlock
}

// hold takes the lock and makes the deployment at the first call. Requests use it because lock allocates.
func (s *Server) hold() {
	s.mu.Lock()
	if s.model == nil {
		s.hooks.Client = func() *http.Client { return s.WebhookClient }
		s.model = model.New(model.NewRandom(s.RandomSeed), &s.hooks)
		s.stats.reset()
	}
	s.model.Links.Default, s.model.Links.Life = s.UnsubscribeSecret, s.LinkLife
}

// clear forgets everything but the sequence of ids.
func (s *Server) clear() {
	s.model.Clear()
	s.stats.reset()
	s.faults.Clear()
	s.hooks.Clear()
}

// SetUnsubscribeSecret replaces the secret that signs the links in mails, as whoever hosts a deployment does; tokens made with another
// one are refused from then on. With an empty one all are.
func (s *Server) SetUnsubscribeSecret(secret string) {
	defer s.lock()()
	s.model.Links.SetSecret(secret)
	s.model.Changed()
}

// ServeHTTP answers one request to the API, or one by a link.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { connection.Serve(gate{s}, w, r) }

// Transport returns a RoundTripper that reaches the server in process, whatever the host: without sockets and without
// goroutines, so that it works in a testing/synctest bubble. It honours the request's context and shows faults as a
// client of a socket sees them.
func (s *Server) Transport() http.RoundTripper {
	return connection.InProcess{Exchanger: gate{s}, Now: s.now}
}

// Control returns the handler of the control API. Its paths begin with /__sandbox/; it needs no key, so that it belongs
// on a loopback address only.
func (s *Server) Control() http.Handler { return controlAPI(s) }

// Sandbox returns a handler for the API, the control API under /__sandbox/ and a welcome page at /.
func (s *Server) Sandbox() http.Handler { return control.Sandbox(s, s.Control(), s.basePath) }

// Serve serves the sandbox on l until ctx ends, then gives requests under way a second to finish. It closes l.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	return connection.ServeUntil(ctx, l, s.Sandbox())
}

// Listener returns a listener whose connections let odd request targets through to the server, such as those with a
// malformed percent-encoding, which net/http by itself answers with a 400 of its own. It belongs to servers that serve
// a Server or its Sandbox; all else passes unchanged.
func Listener(l net.Listener) net.Listener { return connection.Listener(l) }

// basePath is BasePath with one slash in front and none at the end, or empty.
func (s *Server) basePath() string {
	if base := strings.Trim(s.BasePath, "/"); base != "" {
		return "/" + base
	}
	return ""
}
