package access

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
)

// tokenPrefix lets people and scanners of secrets recognise a token.
const tokenPrefix = "owlsync_"

// A token that is shorter or longer, in bytes, is no token: a short one can be guessed, and a long one is looked at for nothing.
const minToken, maxToken = 32, 512

// NewToken returns a token of 256 random bits. HashToken gives what the configuration keeps of it.
func NewToken() string {
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // it never fails
	return tokenPrefix + base64.RawURLEncoding.EncodeToString(raw)
}

// HashToken returns the text that stands in the configuration for a token. A fast hash is enough, because nobody can guess a token of
// NewToken.
func HashToken(token string) string {
	sum := sha256.Sum256([]byte(token))
	return "sha256:" + hex.EncodeToString(sum[:])
}
