package owlattest

import (
	"math"

	"owlatsync/owlat"
)

// TB is the part of a [testing.TB] that Start needs. Every *testing.T, *testing.B and *testing.F is one.
type TB interface {
	// Helper marks Start as a helper of the test.
	Helper()
	// Cleanup has the server closed when the test ends.
	Cleanup(func())
	// Fatalf ends the test if the client cannot be made.
	Fatalf(format string, args ...any)
}

// Start begins a deployment for one test and returns a client of it with all scopes, beside the server. Neither has a rate limit,
// so that the test takes no time; options of the client come on top. The server is closed when the test ends.
//
// For memberships and opt-outs hand in owlat.WithUnsubscribeSecret and give the server the same secret.
//
// To test under Owlat's limit clear the server's NoLimit before the first request, hand in
// owlat.WithLimiter(owlat.NewAutoLimiter()), and run the test in a testing/synctest bubble.
func Start(t TB, opts ...owlat.Option) (*owlat.Client, *Server) {
	t.Helper()
	server := &Server{NoLimit: true}
	t.Cleanup(func() { _ = server.Close() })
	all := append([]owlat.Option{owlat.WithTransport(server.Transport()), owlat.WithoutLimiter(), owlat.WithPreferencesRate(math.Inf(1))}, opts...)
	client, err := owlat.NewClient("https://owlat.example", server.AddKey(), all...)
	if err != nil {
		t.Fatalf("start an emulator: %v", err)
	}
	return client, server
}
