package owlattest

import (
	"slices"
	"strings"
	"time"
)

// apiKey is one API key with its token bucket.
type apiKey struct {
	value  string
	scopes []string
	off    bool
	late   bool

	tokens float64
	filled time.Time // when tokens was true; zero: the bucket is full
}

// AddKey makes an active key with the given scopes, or with all five, and returns its value.
func (s *Server) AddKey(scopes ...string) string {
	s.lock()
	defer s.mu.Unlock()
	if len(scopes) == 0 {
		scopes = AllScopes()
	}
	s.changed()
	return s.addKey("", scopes, true, false).value
}

func (s *Server) addKey(value string, scopes []string, active, expired bool) *apiKey {
	if value == "" {
		value = "lm_live_" + s.drawText(40)
	}
	k := &apiKey{value: value, scopes: slices.Clone(scopes), off: !active, late: expired}
	s.keys[value] = k
	return k
}

// validKey reports whether value has the form of a key: at least 40 characters, letters and digits after the prefix.
func validKey(value string) bool {
	rest, found := strings.CutPrefix(value, "lm_live_")
	if !found || len(value) < 40 {
		return false
	}
	for _, c := range []byte(rest) {
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}

// authenticate finds the key an Authorization header names, or returns the answer that refuses it.
func (s *Server) authenticate(header string) (*apiKey, *answer) {
	header = strings.Trim(header, " \t")
	words := strings.Split(header, " ")
	value := words[0]
	switch {
	case header == "", len(words) > 2, len(words) == 2 && !strings.EqualFold(words[0], "bearer"):
		return nil, fail(unauthenticated, "Missing or invalid Authorization header. Use: Authorization: Bearer <api_key>")
	case len(words) == 2:
		value = words[1]
	}
	if !validKey(value) {
		return nil, fail(unauthenticated, "Invalid API key format")
	}
	k := s.keys[value]
	if k == nil || k.off || k.late {
		return nil, fail(unauthenticated, "Invalid API key")
	}
	return k, nil
}

// take takes a token from the key's bucket and reports whether there was one.
func (s *Server) take(k *apiKey, now time.Time) bool {
	if s.NoLimit {
		return true
	}
	if k.filled.IsZero() {
		k.tokens = s.burst()
	} else {
		k.tokens = min(s.burst(), k.tokens+max(0, now.Sub(k.filled).Seconds())*s.rate())
	}
	k.filled = now
	// A client that paces itself exactly must not fail on the last bit of a sum of fractions.
	const grain = 1e-6
	if k.tokens < 1-grain {
		return false
	}
	k.tokens = max(0, k.tokens-1)
	return true
}
