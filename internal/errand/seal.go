package errand

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
)

// errSeal says that an errand cannot be opened.
var errSeal = errors.New("it was not sealed with the API key of this configuration: give all machines the same key")

// seal closes and opens errands.
type seal struct{ aead cipher.AEAD }

func newSeal(apiKey string) (seal, error) {
	key, err := hkdf.Key(sha256.New, []byte(apiKey), nil, "owlat-sync errand 1", 32)
	if err != nil {
		return seal{}, fmt.Errorf("make the key of errands: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return seal{}, fmt.Errorf("make the key of errands: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return seal{}, fmt.Errorf("make the key of errands: %w", err)
	}
	return seal{aead}, nil
}

// close returns v sealed, as a text of JSON. What names the kind, so that an answer is never taken for an errand.
func (s seal) close(what string, v any) (json.RawMessage, error) {
	plain, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return json.Marshal(s.aead.Seal(nil, nil, plain, []byte(what)))
}

func (s seal) open(what string, sealed json.RawMessage, into any) error {
	var b []byte
	if err := json.Unmarshal(sealed, &b); err != nil {
		return errSeal
	}
	plain, err := s.aead.Open(nil, nil, b, []byte(what))
	if err != nil {
		return errSeal
	}
	return json.Unmarshal(plain, into)
}
