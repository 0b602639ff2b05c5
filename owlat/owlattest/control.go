package owlattest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"owlatsync/owlat"
)

// maxControlBody is the most a control request may send.
const maxControlBody = 1 << 20

// controlError is a refusal of the control API.
type controlError struct {
	status  int
	kind    category
	message string
}

func (e *controlError) Error() string { return e.message }

func badRequest(format string, args ...any) error {
	return &controlError{http.StatusBadRequest, invalidInput, fmt.Sprintf(format, args...)}
}

// Control returns the handler of the control API. Its paths begin with /__sandbox/; it needs no key, so that it belongs
// on a loopback address only.
func (s *Server) Control() http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, run func(r *http.Request) (any, error)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			r.Body = http.MaxBytesReader(w, r.Body, maxControlBody)
			out, err := run(r)
			writeControl(w, out, err)
		})
	}
	handle("POST /__sandbox/reset", s.controlReset)
	handle("POST /__sandbox/unsubscribe", s.controlUnsubscribe)
	handle("POST /__sandbox/confirm-double-opt-in", s.controlByEmail(s.ConfirmDoubleOptIn))
	handle("POST /__sandbox/soft-delete", s.controlByEmail(s.SoftDelete))
	handle("POST /__sandbox/delete-topic", s.controlDeleteTopic)
	handle("POST /__sandbox/remove-member", s.controlRemoveMember)
	handle("POST /__sandbox/edit-contact", s.controlEditContact)
	handle("POST /__sandbox/merge", s.controlMerge)
	handle("POST /__sandbox/seed", s.controlSeed)
	handle("POST /__sandbox/faults", s.controlAddFault)
	handle("GET /__sandbox/faults", s.controlFaults)
	handle("DELETE /__sandbox/faults", func(*http.Request) (any, error) { s.ClearFaults(); return struct{}{}, nil })
	handle("GET /__sandbox/contacts", s.controlContacts)
	handle("GET /__sandbox/history", s.controlHistory)
	handle("GET /__sandbox/stats", s.controlStats)
	handle("GET /__sandbox/webhooks", s.controlWebhooks)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if why := trusted(r); why != "" {
			writeControl(w, nil, &controlError{http.StatusForbidden, forbidden, why})
			return
		}
		if _, pattern := mux.Handler(r); pattern == "" {
			writeControl(w, nil, &controlError{http.StatusNotFound, notFound, "the control API has no " + r.Method + " " + r.URL.Path + "; see the documentation of the sandbox"})
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func writeControl(w http.ResponseWriter, out any, err error) {
	w.Header().Set("Content-Type", "application/json")
	status := http.StatusOK
	if err != nil {
		refusal := &controlError{http.StatusInternalServerError, internal, err.Error()}
		_ = errors.As(err, &refusal)
		status = refusal.status
		out = map[string]any{"error": map[string]any{"category": refusal.kind, "message": refusal.message}}
	}
	w.WriteHeader(status)
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(out) // a failed write means that the client is gone
}

// decode reads a JSON object into v and refuses fields that v does not have. An empty body is an empty object.
func decode(r *http.Request, v any) error {
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	err := decoder.Decode(v)
	if errors.Is(err, io.EOF) {
		return nil
	}
	var tooLarge *http.MaxBytesError
	if err == nil {
		if _, end := decoder.Token(); end == nil || !errors.Is(end, io.EOF) {
			return badRequest("the body must be one JSON object and nothing after it")
		}
		return nil
	}
	if errors.As(err, &tooLarge) {
		return badRequest("the body is larger than %d bytes", tooLarge.Limit)
	}
	return badRequest("the body is not what %s takes: %s", r.URL.Path, strings.TrimPrefix(err.Error(), "json: "))
}

// outcome turns the errors of the methods behind the control API into refusals.
func outcome(err error) (any, error) {
	switch {
	case err == nil:
		return struct{}{}, nil
	case errors.Is(err, errNoContact), errors.Is(err, errNoTopic):
		return nil, &controlError{http.StatusNotFound, notFound, err.Error()}
	default:
		return nil, badRequest("%s", err)
	}
}

func (s *Server) controlReset(r *http.Request) (any, error) {
	var given Given
	if err := decode(r, &given); err != nil {
		return nil, err
	}
	for name, k := range given.Keys {
		if k.Scopes == nil {
			return nil, badRequest("key %q: scopes is missing; use [] for a key without any", name)
		}
	}
	made, err := s.Setup(given)
	if err != nil {
		return nil, badRequest("%s", err)
	}
	return made, nil
}

func (s *Server) controlUnsubscribe(r *http.Request) (any, error) {
	var in struct {
		Email string `json:"email"`
		Topic string `json:"topic"`
	}
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	if in.Email == "" {
		return nil, badRequest("email is missing")
	}
	return outcome(s.Unsubscribe(in.Email, in.Topic))
}

func (s *Server) controlByEmail(run func(string) error) func(*http.Request) (any, error) {
	return func(r *http.Request) (any, error) {
		var in struct {
			Email string `json:"email"`
		}
		if err := decode(r, &in); err != nil {
			return nil, err
		}
		if in.Email == "" {
			return nil, badRequest("email is missing")
		}
		return outcome(run(in.Email))
	}
}

func (s *Server) controlDeleteTopic(r *http.Request) (any, error) {
	var in struct {
		Topic string `json:"topic"`
	}
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	if in.Topic == "" {
		return nil, badRequest("topic is missing")
	}
	return outcome(s.DeleteTopic(in.Topic))
}

func (s *Server) controlRemoveMember(r *http.Request) (any, error) {
	var in struct {
		Email string `json:"email"`
		Topic string `json:"topic"`
	}
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	if in.Email == "" || in.Topic == "" {
		return nil, badRequest("email or topic is missing")
	}
	return outcome(s.RemoveMember(in.Email, in.Topic))
}

func (s *Server) controlEditContact(r *http.Request) (any, error) {
	var in struct {
		Email string                     `json:"email"`
		To    owlat.UpdateContactRequest `json:"to"`
	}
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	if in.Email == "" {
		return nil, badRequest("email is missing")
	}
	return outcome(s.EditContact(in.Email, in.To))
}

func (s *Server) controlMerge(r *http.Request) (any, error) {
	var in struct {
		Winner string `json:"winner"`
		Loser  string `json:"loser"`
	}
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	if in.Winner == "" || in.Loser == "" {
		return nil, badRequest("winner or loser is missing")
	}
	return outcome(s.Merge(in.Winner, in.Loser))
}

func (s *Server) controlSeed(r *http.Request) (any, error) {
	var in struct {
		Count  int    `json:"count"`
		Prefix string `json:"prefix"`
	}
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	made, err := s.Seed(in.Count, in.Prefix)
	if err != nil {
		return nil, badRequest("%s", err)
	}
	return map[string]int{"made": made}, nil
}

// controlFault is a Fault with its pauses in milliseconds.
type controlFault struct {
	Kind     FaultKind `json:"kind"`
	Method   string    `json:"method"`
	Route    string    `json:"route"`
	At       int       `json:"at"`
	Count    int       `json:"count"`
	Rate     float64   `json:"rate"`
	Status   int       `json:"status"`
	HTML     bool      `json:"html"`
	After    bool      `json:"after"`
	DelayMS  float64   `json:"delayMs"`
	JitterMS float64   `json:"jitterMs"`

	Seen *int `json:"seen,omitempty"` // matching requests so far; only shown
	Hits *int `json:"hits,omitempty"`
}

func (s *Server) controlAddFault(r *http.Request) (any, error) {
	var f controlFault
	if err := decode(r, &f); err != nil {
		return nil, err
	}
	if f.Seen != nil || f.Hits != nil {
		return nil, badRequest("seen and hits are only shown")
	}
	return outcome(s.InjectFaults(Fault{
		Kind: f.Kind, Method: f.Method, Route: f.Route, At: f.At, Count: f.Count, Rate: f.Rate, Status: f.Status,
		HTML: f.HTML, After: f.After, Delay: millis(f.DelayMS), Jitter: millis(f.JitterMS),
	}))
}

func (s *Server) controlFaults(r *http.Request) (any, error) {
	if err := onlyQuery(r); err != nil {
		return nil, err
	}
	s.lock()
	defer s.mu.Unlock()
	out := []controlFault{}
	for _, f := range s.faults.list {
		out = append(out, controlFault{
			Kind: f.Kind, Method: f.Method, Route: f.Route, At: f.At, Count: f.Count, Rate: f.Rate, Status: f.Status,
			HTML: f.HTML, After: f.After, DelayMS: toMillis(f.Delay), JitterMS: toMillis(f.Jitter), Seen: new(f.seen), Hits: new(f.hits),
		})
	}
	return out, nil
}

func toMillis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func millis(ms float64) time.Duration { return time.Duration(ms * float64(time.Millisecond)) }

// controlContact is a contact as the control API shows it.
type controlContact struct {
	ID           string   `json:"id"`
	Email        *string  `json:"email"`
	FirstName    *string  `json:"firstName"`
	LastName     *string  `json:"lastName"`
	Unsubscribed bool     `json:"unsubscribed"`
	DOIStatus    string   `json:"doiStatus"`
	Topics       []string `json:"topics"`
}

func (s *Server) controlContacts(r *http.Request) (any, error) {
	if err := onlyQuery(r, "email", "id"); err != nil {
		return nil, err
	}
	query := r.URL.Query()
	// No address holds a space, so one stands for a plus sign that was not encoded.
	email := lower(strings.ReplaceAll(query.Get("email"), " ", "+"))
	s.lock()
	defer s.mu.Unlock()
	found := s.contacts.rows
	switch {
	case query.Has("id"):
		found = nil
		if c := s.contacts.byID[query.Get("id")]; c != nil {
			found = []*contact{c}
		}
	case query.Has("email"):
		found = s.contacts.byAddress[email]
	}
	out := []controlContact{}
	for _, c := range found {
		if !c.live() || query.Has("email") && c.email != email {
			continue
		}
		shown := controlContact{
			ID: c.id, FirstName: c.firstName, LastName: c.lastName, Unsubscribed: !c.unsubscribed.IsZero(),
			DOIStatus: c.doiStatus, Topics: c.state().Topics,
		}
		if c.email != "" {
			shown.Email = new(c.email)
		}
		out = append(out, shown)
	}
	return out, nil
}

func (s *Server) controlHistory(r *http.Request) (any, error) {
	if err := onlyQuery(r, "email", "id"); err != nil {
		return nil, err
	}
	entries := s.History(r.URL.Query().Get("email") + r.URL.Query().Get("id"))
	if entries == nil {
		entries = []Entry{}
	}
	return entries, nil
}

func (s *Server) controlStats(r *http.Request) (any, error) {
	if err := onlyQuery(r, "log"); err != nil {
		return nil, err
	}
	stats := s.Stats()
	if r.URL.Query().Get("log") == "false" {
		stats.Log = []Arrival{}
	}
	return stats, nil
}

func (s *Server) controlWebhooks(r *http.Request) (any, error) {
	if err := onlyQuery(r); err != nil {
		return nil, err
	}
	return append([]Delivery{}, s.Deliveries()...), nil
}

// onlyQuery refuses query parameters other than those named.
func onlyQuery(r *http.Request, names ...string) error {
	for name := range r.URL.Query() {
		known := false
		for _, n := range names {
			known = known || n == name
		}
		if !known {
			return badRequest("unknown query parameter %q", name)
		}
	}
	return nil
}
