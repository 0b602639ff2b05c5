// Package token makes the tokens of the links in Owlat's mails: "<contact>:<milliseconds>:<signature>", the signature being
// HMAC-SHA256 with the deployment's secret over a prefix, the contact and the milliseconds, in base64url without padding.
package token

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"sync"
	"time"
)

// The prefixes of what is signed. A token of one is none of the other.
const (
	Preferences   = "pref:"
	Unsubscribing = ""
)

// Maker makes tokens with one secret. It is safe for concurrent use.
type Maker struct {
	sign func(string) []byte // holds the secret, where fmt does not show it

	mu   sync.Mutex
	last int64 // milliseconds of the latest token
}

// NewMaker returns a maker with that secret.
func NewMaker(secret string) *Maker {
	return &Maker{sign: func(text string) []byte {
		h := hmac.New(sha256.New, []byte(secret))
		h.Write([]byte(text))
		return h.Sum(nil)
	}}
}

// Make returns a token for the contact. No two are alike: the time of each is later than that of the one before, if need be by running
// ahead, because Owlat lets a token in 30 times a minute and takes times in the future.
func (m *Maker) Make(prefix, contact string) string {
	m.mu.Lock()
	m.last = max(m.last+1, time.Now().UnixMilli())
	text := contact + ":" + strconv.FormatInt(m.last, 10)
	m.mu.Unlock()
	return text + ":" + base64.RawURLEncoding.EncodeToString(m.sign(prefix+text))
}

// IsContact reports whether id can be that of a contact: letters, digits, "_" and "-", at least ten.
func IsContact(id string) bool {
	for i := range len(id) {
		c := id[i]
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != '_' && c != '-' {
			return false
		}
	}
	return len(id) >= 10
}
