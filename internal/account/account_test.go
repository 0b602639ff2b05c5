package account

import (
	"errors"
	"strings"
	"testing"
)

const right = "correct horse battery"

func TestPasswords(t *testing.T) {
	t.Parallel()
	h, err := New(right)
	if err != nil || !h.Matches(right) || h.Matches(right+" ") {
		t.Errorf("%v: a hash that does not fit its password alone", err)
	}
	again, err := New(right)
	if err != nil || again == h {
		t.Error("two hashes of a password are the same")
	}
	if read, err := Parse(h.Text()); err != nil || read != h {
		t.Errorf("%v: read as %v", err, read)
	}
	for _, bad := range []string{"", "elevenchars", "ääääääääääa", strings.Repeat("a", longestPassword+1)} {
		if _, err := New(bad); !errors.Is(err, ErrPassword) || bad != "" && strings.Contains(err.Error(), bad) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
