package page

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
)

// subject is whom an address of the page is about: a row, or whoever was searched for.
type subject struct {
	Sync string `json:"s,omitempty"`
	Key  string `json:"k,omitempty"`
	Word string `json:"w,omitempty"` // a key or an address that somebody typed
}

// sealer makes ids of subjects that tell nothing to who reads them: proxies and browsers keep addresses, and a key may be an e-mail address. It is safe for
// concurrent use. Another sealer cannot open what this one has sealed.
type sealer struct {
	aead cipher.AEAD
	mix  []byte
}

func newSealer() sealer {
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
	return sealer{aead, mix}
}

// seal returns the id of a subject of a deployment, always the same.
func (s sealer) seal(deployment string, who subject) string {
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

// open returns the subject with the id, and whether this sealer made it for the deployment.
func (s sealer) open(deployment, id string) (who subject, ok bool) {
	sealed, err := base64.RawURLEncoding.DecodeString(id)
	if err != nil || len(sealed) < s.aead.NonceSize() {
		return who, false
	}
	plain, err := s.aead.Open(nil, sealed[:s.aead.NonceSize()], sealed[s.aead.NonceSize():], []byte(deployment))
	return who, err == nil && json.Unmarshal(plain, &who) == nil
}
