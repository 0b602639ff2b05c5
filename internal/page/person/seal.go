package person

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
)

// Subject is whom an address of the page is about: a row, or whoever was searched for.
type Subject struct {
	Sync string `json:"s,omitempty"`
	Key  string `json:"k,omitempty"`
	Word string `json:"w,omitempty"` // a key or an address that somebody typed
}

// Sealer makes ids of subjects that tell nothing to who reads them: proxies and browsers keep addresses, and a key may be an e-mail address. It is safe for
// concurrent use. Another Sealer cannot open what this one has sealed.
type Sealer struct {
	aead cipher.AEAD
	mix  []byte
}

// NewSealer returns a sealer with a key of its own.
func NewSealer() Sealer {
	key, mix := make([]byte, 32), make([]byte, 32)
	_, _ = rand.Read(key) // it never fails
	_, _ = rand.Read(mix)
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // the key has the right size
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return Sealer{aead, mix}
}

// Seal returns the id of a subject of a deployment, always the same.
func (s Sealer) Seal(deployment string, who Subject) string {
	plain, err := json.Marshal(who)
	if err != nil {
		panic(err) // texts can be encoded
	}
	mac := hmac.New(sha256.New, s.mix)
	mac.Write([]byte(deployment + "\x00"))
	mac.Write(plain)
	nonce := mac.Sum(nil)[:s.aead.NonceSize()]
	return base64.RawURLEncoding.EncodeToString(s.aead.Seal(nonce, nonce, plain, []byte(deployment)))
}

// Open returns the subject with the id, and whether this sealer made it for the deployment.
func (s Sealer) Open(deployment, id string) (who Subject, ok bool) {
	sealed, err := base64.RawURLEncoding.DecodeString(id)
	if err != nil || len(sealed) < s.aead.NonceSize() {
		return who, false
	}
	plain, err := s.aead.Open(nil, sealed[:s.aead.NonceSize()], sealed[s.aead.NonceSize():], []byte(deployment))
	return who, err == nil && json.Unmarshal(plain, &who) == nil
}
