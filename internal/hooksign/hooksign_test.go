package hooksign_test

import (
	"net/http"
	"testing"
	"time"

	"owlatsync/internal/hooksign"
)

// TestSeal checks the example that standardwebhooks.com gives.
func TestSeal(t *testing.T) {
	t.Parallel()
	const id = "msg_p5jXN8AQM9LWM0D4loKWxJek"
	for secret, want := range map[string]string{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", "": ""} {
		h := http.Header{}
		hooksign.Seal(h, hooksign.Key(secret), id, time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`))
		if h.Get("Webhook-Signature") != want || h.Get("Webhook-Id") != id || h.Get("Webhook-Timestamp") != "1614265330" {
			t.Errorf("with the secret %q: %v", secret, h)
		}
	}
}

func TestKey(t *testing.T) {
	t.Parallel()
	for secret, want := range map[string]string{"plain": "plain", "whsec_no base64!": "whsec_no base64!", "whsec_": "whsec_", "whsec_cGxhaW4=": "plain", "": ""} {
		if got := string(hooksign.Key(secret)); got != want {
			t.Errorf("the key of %q is %q", secret, got)
		}
	}
}
