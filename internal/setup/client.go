package setup

import (
	"errors"
	"net/http"
	"sync/atomic"

	"owlatsync/internal/config"
	"owlatsync/internal/problem"
	"owlatsync/owlat"
)

// Limiter returns the limiter of the configured budget: what Owlat allows each key, or less if the configuration says so.
func Limiter(to config.Owlat) *owlat.Limiter {
	l := owlat.NewAutoLimiter()
	if to.RequestsPerSecond > 0 {
		const seconds = float64(owlat.DefaultBurst) / owlat.DefaultRate
		l = owlat.NewLimiter(to.RequestsPerSecond, max(1, int(seconds*to.RequestsPerSecond)))
	}
	return l.ForKeys(1 + len(to.MoreKeys))
}

// unsent is the transport of a client without an API key: it sends nothing.
type unsent struct {
	why   error
	asked atomic.Bool // a request would have been sent
}

// RoundTrip refuses the request.
func (u *unsent) RoundTrip(*http.Request) (*http.Response, error) {
	u.asked.Store(true)
	return nil, u.why
}

// Advise adds a hint to an error of the SDK; it returns other errors as they are.
func Advise(err error, to config.Owlat) error {
	var transport *owlat.TransportError
	several := len(to.MoreKeys) > 0
	switch {
	case err == nil:
		return nil
	case errors.Is(err, owlat.ErrUnauthenticated) && several:
		return problem.Hint(err, "Owlat refuses every key of \"api_keys\": make API keys in Owlat's settings, and put them in their place")
	case errors.Is(err, owlat.ErrForbidden) && several:
		return problem.Hint(err, "no key of \"api_keys\" has this scope: give it to all of them in Owlat's settings, or make keys that have it")
	case errors.Is(err, owlat.ErrUnauthenticated):
		return problem.Hint(err, "make an API key in Owlat's settings and set %s to it", config.EnvAPIKey)
	case errors.Is(err, owlat.ErrForbidden):
		return problem.Hint(err, "give the key this scope in Owlat's settings, or make a key that has it")
	case errors.Is(err, owlat.ErrLimitReached):
		return problem.Hint(err, "the plan of this Owlat deployment allows no more; see its settings")
	case errors.Is(err, owlat.ErrRateLimited):
		return problem.Hint(err, "something else seems to use this API key: give it a key of its own, or set \"requests_per_second\" to a part of the limit")
	case errors.Is(err, owlat.ErrNoRoute):
		return problem.Hint(err, "%s does not lead to Owlat's API; a deployment of your own has an address such as https://example.convex.site", to.URL)
	case errors.Is(err, owlat.ErrParse):
		return problem.Hint(err, "what answers at %s does not speak as Owlat's API does: is that the address of your deployment?", to.URL)
	case errors.As(err, &transport):
		return problem.Hint(err, "is %s the right address of your deployment, and can it be reached from here?", to.URL)
	}
	return err
}
