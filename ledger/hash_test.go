package ledger

import "testing"

// TestTheHashOfAddressesHasASeed: a hash that is kept stays the same for ever; the one in memory is not that, so that collisions
// cannot be worked out beforehand.
func TestTheHashOfAddressesHasASeed(t *testing.T) {
	t.Parallel()
	if got := HashText("p@example.com"); got != 0xf24f5eb1737899d1 {
		t.Errorf("the kept hash is %#x", got)
	}
	same := 0
	for _, text := range []string{"p1@example.com", "p2@example.com", "p3@example.com"} {
		hash := MemoryHash(text)
		if again := MemoryHash(text); again != hash {
			t.Errorf("%s has two hashes", text)
		}
		if hash == HashText(text) {
			same++
		}
	}
	if same > 0 {
		t.Errorf("%d addresses have the hash that anybody can work out", same)
	}
}
