package model

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"math"
	"strconv"
	"strings"
	"time"
)

// Reason is why a token is refused.
type Reason string

// The reasons.
const (
	InvalidFormat    Reason = "invalid_format"
	MissingParts     Reason = "missing_parts"
	InvalidSignature Reason = "invalid_signature"
	Expired          Reason = "expired"
	ContactNotFound  Reason = "contact_not_found"
)

const (
	// linksAMinute is how often a token is let in within a minute.
	linksAMinute = 30
	// linkLife is how long the tokens of Owlat 0.4.4 are good.
	linkLife = 90 * 24 * time.Hour
)

// Links are what the links in mails stand on: the secret that signs their tokens, and how often each came of late. A minute begins with
// the first request of a token.
type Links struct {
	Default string        // the secret until another one is set
	Life    time.Duration // of a token; 0: 90 days

	set     *string            // the secret that was set
	minutes map[string]*minute // by token, as it was sent
	swept   time.Time
}

type minute struct {
	began time.Time
	used  int
}

// Secret returns the secret in force; with an empty one no token is good.
func (l *Links) Secret() string {
	if l.set != nil {
		return *l.set
	}
	return l.Default
}

// SetSecret replaces the secret.
func (l *Links) SetSecret(secret string) { l.set = &secret }

// Admit counts a request with a token, and returns how long it takes until the next one is let in, 0 if this one is.
func (l *Links) Admit(token string, now time.Time) time.Duration {
	if l.minutes == nil {
		l.minutes = map[string]*minute{}
	}
	if now.Sub(l.swept) >= time.Minute { // tokens are mostly used once
		for t, m := range l.minutes {
			if now.Sub(m.began) >= time.Minute {
				delete(l.minutes, t)
			}
		}
		l.swept = now
	}
	m := l.minutes[token]
	if m == nil || now.Sub(m.began) >= time.Minute {
		m = &minute{began: now}
		l.minutes[token] = m
	}
	if m.used == linksAMinute {
		return m.began.Add(time.Minute).Sub(now)
	}
	m.used++
	return 0
}

// Read returns the contact id in a token whose signature was made with the prefix, or why the token is refused.
func (l *Links) Read(prefix, token string, now time.Time) (contact string, refused Reason) {
	parts := strings.Split(token, ":")
	if len(parts) != 3 {
		return "", InvalidFormat
	}
	contact, made, signature := parts[0], parts[1], parts[2]
	if contact == "" || made == "" || signature == "" {
		return "", MissingParts
	}
	life := l.Life
	if life == 0 {
		life = linkLife
	}
	if age := float64(now.UnixMilli()) - leadingNumber(made); math.IsNaN(age) || age > float64(life.Milliseconds()) {
		return "", Expired
	}
	h := hmac.New(sha256.New, []byte(l.Secret()))
	h.Write([]byte(prefix + contact + ":" + made))
	if l.Secret() == "" || !hmac.Equal([]byte(signature), []byte(base64.RawURLEncoding.EncodeToString(h.Sum(nil)))) {
		return "", InvalidSignature
	}
	return contact, ""
}

// leadingNumber is JavaScript's parseInt of a time: what follows the digits does not count.
func leadingNumber(s string) float64 {
	s = strings.TrimLeft(s, " \t\n\v\f\r")
	end := strings.IndexFunc(strings.TrimLeft(s, "+-"), func(r rune) bool { return r < '0' || r > '9' })
	if end >= 0 {
		s = s[:len(s)-len(strings.TrimLeft(s, "+-"))+end]
	}
	n, err := strconv.ParseFloat(s, 64)
	if err != nil && !math.IsInf(n, 0) {
		return math.NaN()
	}
	return n
}

// OptOut is the person opting out of everything by the link in a mail. It works for an erased contact, too, and returns how many
// topics the person has left.
func (p People) OptOut(c *Contact, now time.Time) (left int) {
	p.d.Changed()
	left = len(c.Topics)
	p.optOut(c, now)
	return left
}
