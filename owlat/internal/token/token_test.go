package token

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/quick"
	"testing/synctest"
	"time"
)

const ada = "k5700000000000000000000000000000"

// The signatures were made with openssl dgst -sha256 -hmac.
func TestTokens(t *testing.T) {
	t.Parallel()
	for prefix, want := range map[string]string{
		Preferences:   "dI5BCQfhrrLb0gLZ97GEvEY2vM3vIFiwB5pgGRE2Dk8",
		Unsubscribing: "ATC2cUpScJkLgFzcI7vZ0d6oap6Znuyh3EoMZqzPCd8",
	} {
		m := NewMaker("s3cret")
		m.last = 1767323045677
		synctest.Test(t, func(t *testing.T) { // whose clock stands in the year 2000
			if got := m.Make(prefix, ada); got != ada+":1767323045678:"+want {
				t.Errorf("%q: %s", prefix, got)
			}
		})
	}
}

func TestNoTwoTokensAreAlike(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := NewMaker("s3cret")
		var mu sync.Mutex
		seen := map[string]bool{}
		var group sync.WaitGroup
		for range 4 {
			group.Go(func() {
				for range 25 {
					made := m.Make(Preferences, ada)
					mu.Lock()
					seen[made] = true
					mu.Unlock()
				}
			})
		}
		group.Wait()
		if len(seen) != 100 {
			t.Errorf("%d different tokens of 100 in the same millisecond", len(seen))
		}
		time.Sleep(time.Minute)
		if got, want := strings.Split(m.Make(Preferences, ada), ":")[1], strconv.FormatInt(time.Now().UnixMilli(), 10); got != want {
			t.Errorf("after a rest the time is %s, want %s", got, want)
		}
	})
}

func TestAnySecret(t *testing.T) {
	t.Parallel()
	holds := func(secret []byte, number uint64, preferences bool) bool {
		prefix, contact := Unsubscribing, fmt.Sprintf("k%020d", number)
		if preferences {
			prefix = Preferences
		}
		m := NewMaker(string(secret))
		parts := strings.Split(m.Make(prefix, contact), ":")
		if len(parts) != 3 || parts[0] != contact {
			return false
		}
		h := hmac.New(sha256.New, secret)
		fmt.Fprintf(h, "%s%s:%s", prefix, contact, parts[1])
		signed, err := base64.RawURLEncoding.DecodeString(parts[2])
		shown := fmt.Sprintf("%v %+v %#v", m, m, m)
		return err == nil && hmac.Equal(signed, h.Sum(nil)) && (len(secret) < 9 || !strings.Contains(shown, string(secret)))
	}
	if err := quick.Check(holds, nil); err != nil {
		t.Error(err)
	}
}

func TestIsContact(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]bool{
		ada: true, "0123456789": true, "A-_0123456": true,
		"": false, "012345678": false, "0123456789:": false, "0123 56789": false, "ada@example.com": false, "0123456789é": false, "0123456789\n": false, "0123456789/": false,
	} {
		if got := IsContact(id); got != want {
			t.Errorf("IsContact(%q) = %v", id, got)
		}
	}
}
