package person

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"sync"
	"time"
)

// Subject is whom an address of the page is about: a row, or whoever was searched for.
type Subject struct {
	Sync string `json:"s,omitempty"`
	Key  string `json:"k,omitempty"`
	Word string `json:"w,omitempty"` // a key or an address that somebody typed
}

// Sealer makes ids of subjects that tell nothing to who reads them: proxies and browsers keep addresses, and a key may be an e-mail address. It is safe for
// concurrent use. Only a Sealer with the same secret can open what this one has sealed.
type Sealer struct {
	aead cipher.AEAD
	mix  []byte
}

// NewSealer returns a sealer whose keys follow from a secret.
func NewSealer(secret []byte) (Sealer, error) {
	var keys [2][]byte
	for i, what := range []string{"key", "nonces"} {
		key, err := hkdf.Key(sha256.New, secret, nil, "owlat-sync: ids of persons on the page, "+what, 32)
		if err != nil {
			return Sealer{}, err
		}
		keys[i] = key
	}
	block, err := aes.NewCipher(keys[0])
	if err != nil {
		return Sealer{}, err
	}
	aead, err := cipher.NewGCM(block)
	return Sealer{aead, keys[1]}, err
}

// fresh is how long a secret counts that was read: so long after somebody was forgotten another node may open old ids.
const fresh = 2 * time.Second

// Seals has the sealer of a page. It is safe for concurrent use.
type Seals struct {
	secret func(context.Context) ([]byte, error)

	mu     sync.Mutex
	sealer Sealer
	of     []byte // the secret of the sealer; nil: there is none yet
	at     time.Time
}

// NewSeals returns the seals of a page by its secret. Nil is a secret of this process alone.
func NewSeals(secret func(context.Context) ([]byte, error)) *Seals {
	if secret == nil {
		own := make([]byte, 32)
		_, _ = rand.Read(own) // it never fails
		secret = func(context.Context) ([]byte, error) { return own, nil }
	}
	return &Seals{secret: secret}
}

// Sealer returns the sealer that counts now.
func (s *Seals) Sealer(ctx context.Context) (Sealer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.of != nil && time.Since(s.at) < fresh {
		return s.sealer, nil
	}
	secret, err := s.secret(ctx)
	if err != nil {
		return Sealer{}, err
	}
	if !bytes.Equal(secret, s.of) {
		if s.sealer, err = NewSealer(secret); err != nil {
			return Sealer{}, err
		}
	}
	s.of, s.at = secret, time.Now()
	return s.sealer, nil
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
