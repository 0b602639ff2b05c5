package ledger

import (
	"math/rand/v2"

	"github.com/zeebo/xxh3"
)

// HashText returns the 64-bit hash by which the diff knows keys. Stores keep it.
func HashText(s string) uint64 { return xxh3.HashString(s) }

// seed makes the hashes of MemoryHash differ from process to process, so that nobody can choose addresses that collide.
var seed = rand.Uint64()

// MemoryHash returns the 64-bit hash by which this process knows addresses, and texts that may hold one, in memory. It must not be stored: another process
// has another hash.
func MemoryHash(s string) uint64 { return xxh3.HashStringSeed(s, seed) }
