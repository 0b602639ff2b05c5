package model

import (
	"crypto/rand"
	"encoding/binary"
)

// Random is a splitmix64 sequence: the same seed gives the same ids and keys.
type Random struct {
	Seed  uint64
	Drawn uint64 // how many numbers were drawn
}

// NewRandom begins the sequence of a seed, or of a fresh one for 0.
func NewRandom(seed uint64) Random {
	if seed == 0 {
		var fresh [8]byte
		_, _ = rand.Read(fresh[:]) // never fails
		seed = binary.LittleEndian.Uint64(fresh[:])
	}
	return Random{Seed: seed}
}

// Draw returns the next number.
func (r *Random) Draw() uint64 {
	r.Drawn++
	z := r.Seed + r.Drawn*0x9E3779B97F4A7C15
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

// Text returns n random lower-case letters and digits.
func (r *Random) Text(n int) string {
	const alphabet = "abcdefghijklmnopqrstuvwxyz0123456789"
	b := make([]byte, n)
	for i := 0; i < n; {
		for bits, k := r.Draw(), 0; k < 12 && i < n; k++ {
			b[i] = alphabet[bits%36]
			bits /= 36
			i++
		}
	}
	return string(b)
}

// ID returns an id such as every table has them.
func (r *Random) ID() string { return r.Text(32) }
