// Package signature is how Owlat signs the body of a webhook: HMAC-SHA256 with the secret, in lower-case hexadecimal.
package signature

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
)

// Length is how long a signature is.
const Length = 2 * sha256.Size

// Of returns the signature of the body.
func Of(secret string, body []byte) string { return hex.EncodeToString(mac(secret, body)) }

// ByOne reports whether the signature is that of one of the secrets. It compares in constant time, and with every secret
// whichever matches.
func ByOne(secrets []string, signature string, body []byte) bool {
	claimed, err := hex.DecodeString(signature)
	if err != nil {
		return false
	}
	signed := false
	for _, secret := range secrets {
		if hmac.Equal(claimed, mac(secret, body)) {
			signed = true
		}
	}
	return signed
}

func mac(secret string, body []byte) []byte {
	h := hmac.New(sha256.New, []byte(secret))
	h.Write(body)
	return h.Sum(nil)
}
