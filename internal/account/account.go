// Package account has what the configuration keeps of somebody who signs in: a name, and the hash of a password. It knows neither
// configurations nor sessions.
package account

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
)

// A password has at least this many characters, and at most that many bytes.
const (
	ShortestPassword = 12
	longestPassword  = 256
)

// ErrPassword matches the errors of New.
var ErrPassword = errors.New("the password cannot be used")

// Hash is what is kept of a password: argon2id (RFC 9106) with what it costs to compute.
type Hash struct {
	Memory  uint32 // in KiB
	Passes  uint32
	Threads uint8
	Salt    [16]byte
	Key     [32]byte
}

// cost is what hashes of New cost: what OWASP's Password Storage Cheat Sheet names first of those that fit a small container, 19 MiB for
// each sign-in.
var cost = Hash{Memory: 19 << 10, Passes: 2, Threads: 1}

// How much a hash may cost: less is no protection, and more lets a few sign-ins take the machine's memory.
const (
	leastMemory, mostMemory = 7 << 10, 256 << 10 // in KiB
	mostPasses, mostThreads = 16, 16
)

// New returns the hash of a password. It refuses one that is too short or too long, with ErrPassword.
func New(password string) (Hash, error) {
	switch n := utf8.RuneCountInString(password); {
	case n < ShortestPassword:
		return Hash{}, fmt.Errorf("%w: it has fewer than %d characters", ErrPassword, ShortestPassword)
	case len(password) > longestPassword:
		return Hash{}, fmt.Errorf("%w: it has more than %d bytes", ErrPassword, longestPassword)
	}
	return cost.Of(password), nil
}

// Of returns a hash of the password that costs as much as h.
func (h Hash) Of(password string) Hash {
	_, _ = rand.Read(h.Salt[:]) // it never fails
	copy(h.Key[:], h.compute(password))
	return h
}

func (h Hash) compute(password string) []byte {
	return argon2.IDKey([]byte(password), h.Salt[:], h.Passes, h.Memory, h.Threads, uint32(len(h.Key)))
}

// Matches reports whether the password is that of the hash. It takes as long if it is not.
func (h Hash) Matches(password string) bool {
	return subtle.ConstantTimeCompare(h.compute(password), h.Key[:]) == 1
}

// Dearer reports whether the hash costs more than another.
func (h Hash) Dearer(than Hash) bool {
	return uint64(h.Memory)*uint64(h.Passes) > uint64(than.Memory)*uint64(than.Passes)
}

// Text returns the hash as the configuration has it.
func (h Hash) Text() string {
	return fmt.Sprintf("argon2id:m=%d,t=%d,p=%d:%s:%s", h.Memory, h.Passes, h.Threads, base64.RawURLEncoding.EncodeToString(h.Salt[:]), base64.RawURLEncoding.EncodeToString(h.Key[:]))
}

var errForm = errors.New("is no hash of a password")

// Parse reads what Text returns. Its errors do not repeat the text.
func Parse(text string) (h Hash, err error) {
	parts := strings.Split(text, ":")
	if len(parts) != 4 || parts[0] != "argon2id" {
		return h, errForm
	}
	if _, err := fmt.Sscanf(parts[1], "m=%d,t=%d,p=%d", &h.Memory, &h.Passes, &h.Threads); err != nil {
		return h, errForm
	}
	salt, saltErr := base64.RawURLEncoding.DecodeString(parts[2])
	key, keyErr := base64.RawURLEncoding.DecodeString(parts[3])
	if saltErr != nil || keyErr != nil || len(salt) != len(h.Salt) || len(key) != len(h.Key) {
		return h, errForm
	}
	copy(h.Salt[:], salt)
	copy(h.Key[:], key)
	if h.Text() != text { // what stands before or behind the numbers, for Sscanf leaves it unread
		return h, errForm
	}
	if h.Memory < leastMemory || h.Memory > mostMemory || h.Passes < 1 || h.Passes > mostPasses || h.Threads < 1 || h.Threads > mostThreads {
		return h, fmt.Errorf("costs too little or too much: m can be %d to %d, t 1 to %d, p 1 to %d", leastMemory, mostMemory, mostPasses, mostThreads)
	}
	return h, nil
}

// Name returns a name without the blanks around it, or an error if nobody can be called so.
func Name(name string) (string, error) {
	name = strings.TrimSpace(name)
	if name == "" || len(name) > 64 || strings.ContainsFunc(name, func(r rune) bool { return r == '/' || !unicode.IsPrint(r) || r == unicode.ReplacementChar }) {
		return "", fmt.Errorf("%.100q is no name for an account: use at most 64 bytes that can be seen, and no \"/\"", name)
	}
	return name, nil
}
