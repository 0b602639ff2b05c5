// Package hooksign signs the webhooks that this program sends, as Standard Webhooks (standardwebhooks.com) says.
package hooksign

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Key returns the key of a secret: what follows "whsec_" is decoded if it is base64, and any other secret is taken as it is. It is nil
// for an empty one.
func Key(secret string) []byte {
	if secret == "" {
		return nil
	}
	if rest, found := strings.CutPrefix(secret, "whsec_"); found {
		if key, err := base64.StdEncoding.DecodeString(rest); err == nil && len(key) > 0 {
			return key
		}
	}
	return []byte(secret)
}

// Seal sets the headers with the message's id, the time of the attempt and, unless the key is nil, the signature.
func Seal(h http.Header, key []byte, id string, at time.Time, body []byte) {
	seconds := strconv.FormatInt(at.Unix(), 10)
	h.Set("Webhook-Id", id)
	h.Set("Webhook-Timestamp", seconds)
	if key != nil {
		h.Set("Webhook-Signature", "v1,"+Sign(key, id, seconds, body))
	}
}

// Sign returns the signature: the base64 of HMAC-SHA256 over the id, the Unix time of the attempt in seconds and the body, with dots
// between.
func Sign(key []byte, id, at string, body []byte) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + at + "."))
	mac.Write(body)
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}
