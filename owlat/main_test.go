package owlat

import (
	"strings"
	"testing"

	"go.uber.org/goleak"

	"owlatsync/owlat/internal/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// SetJitter fixes the jitter of a client's pauses: 0.5 means none.
func SetJitter(c *Client, jitter float64) { c.core.random = func() float64 { return jitter } }

// Escape shows the external tests how a path segment is encoded.
func Escape(s string) string {
	var b strings.Builder
	wire.Escape(&b, s)
	return b.String()
}

// Redact shows the external tests what errors leave out.
func Redact(s string) string { return wire.Redact(s) }
