package ledger

import "github.com/zeebo/xxh3"

// HashText returns the 64-bit hash by which the diff knows keys and addresses.
func HashText(s string) uint64 { return xxh3.HashString(s) }
