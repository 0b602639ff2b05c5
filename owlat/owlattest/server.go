package owlattest

import (
	"crypto/rand"
	"encoding/binary"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Scopes an API key can have.
const (
	ScopeContactsRead      = "contacts:read"
	ScopeContactsWrite     = "contacts:write"
	ScopeTopicsWrite       = "topics:write"
	ScopeEventsWrite       = "events:write"
	ScopeTransactionalSend = "transactional:send"
)

// AllScopes returns the five scopes.
func AllScopes() []string {
	return []string{ScopeContactsRead, ScopeContactsWrite, ScopeTopicsWrite, ScopeEventsWrite, ScopeTransactionalSend}
}

// Server is an Owlat deployment in memory. The zero value is ready, with no key, topic or contact. All methods may be
// called at any time from any goroutine; the exported fields are set before the first request.
type Server struct {
	// Rate is how many requests a second one key may send, Burst how many at once from rest. 0 means Owlat's 10 and 15.
	Rate  float64
	Burst int
	// NoLimit lets every request pass. The X-RateLimit headers stay as they are.
	NoLimit bool

	// BasePath is a path such as "/owlat" under which the API stands instead of the root.
	BasePath string

	// RandomSeed makes ids, keys and the choices of faults repeatable. 0 means a fresh seed.
	RandomSeed uint64

	// OnRequest, if set, is called for every request to the API before anything is looked at, and OnAnswer after the
	// request took effect and before its answer is sent, with the status, or 0 where no answer reaches the client. Both run
	// on the request's goroutine without a lock held.
	OnRequest func(Request)
	OnAnswer  func(Request, int)

	// WebhookClient delivers webhooks; nil means a client of the package's own. Whatever the client, redirects are not
	// followed and an attempt ends after 30 s.
	WebhookClient *http.Client

	mu         sync.Mutex
	ready      bool
	random     uint64
	drawn      uint64
	revision   uint64
	contacts   contactTable
	topics     map[string]*topic
	keys       map[string]*apiKey
	templates  map[string]*template
	blocked    map[string]bool
	unverified bool
	history    history
	stats      recorder
	faults     faultTable
	hooks      hookTable
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

func (s *Server) lock() {
	s.mu.Lock()
	if !s.ready {
		s.ready = true
		s.random = s.RandomSeed
		if s.random == 0 {
			var seed [8]byte
			_, _ = rand.Read(seed[:]) // never fails
			s.random = binary.LittleEndian.Uint64(seed[:])
		}
		s.clear()
	}
}

// clear empties every table but keeps the seed, so that ids of before the reset are never given out again.
func (s *Server) clear() {
	s.contacts = contactTable{}
	s.contacts.init()
	s.topics = map[string]*topic{}
	s.keys = map[string]*apiKey{}
	s.templates = map[string]*template{}
	s.blocked = map[string]bool{}
	s.unverified = false
	s.history = history{}
	s.stats.reset()
	s.faults.clear()
	s.hooks.clear()
}

// changed marks that there is something new to save.
func (s *Server) changed() { s.revision++ }

// Revision grows with every change that Save would show.
func (s *Server) Revision() uint64 {
	s.lock()
	defer s.mu.Unlock()
	return s.revision
}

// draw returns the next number of a splitmix64 sequence.
func (s *Server) draw() uint64 {
	s.drawn++
	z := s.random + s.drawn*0x9E3779B97F4A7C15
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

// drawText returns n random lower-case letters and digits.
func (s *Server) drawText(n int) string {
	const alphabet = "abcdefghijklmnopqrstuvwxyz0123456789"
	b := make([]byte, n)
	for i := 0; i < n; {
		for bits, k := s.draw(), 0; k < 12 && i < n; k++ {
			b[i] = alphabet[bits%36]
			bits /= 36
			i++
		}
	}
	return string(b)
}

func (s *Server) newID() string { return s.drawText(32) }

// ServeHTTP answers one request to the API.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := readBody(r)
	if err != nil {
		panic(http.ErrAbortHandler) // the body broke off: there is nothing to judge
	}
	s.exchange(r.Context(), r.Method, requestTarget(r), r.Header.Get("Authorization"), body).serve(w, r)
}

func readBody(r *http.Request) ([]byte, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return nil, nil
	}
	return io.ReadAll(r.Body)
}

func (s *Server) rate() float64 {
	if s.Rate > 0 {
		return s.Rate
	}
	return 10
}

func (s *Server) burst() float64 {
	if s.Burst > 0 {
		return float64(s.Burst)
	}
	return 15
}

// basePath is BasePath with one slash in front and none at the end, or empty.
func (s *Server) basePath() string {
	if base := strings.Trim(s.BasePath, "/"); base != "" {
		return "/" + base
	}
	return ""
}
