package api

import (
	"errors"
	"net/http"
	"regexp"
	"sync"
	"time"
)

// Astray is why a webhook reaches no deployment.
type Astray string

// What a webhook may be told. Owlat tries all of them again: another node may know the deployment, or this one soon.
const (
	AstrayUnknown Astray = "unknown"  // the configuration has no such deployment
	AstrayNotOpen Astray = "not_open" // the deployment has a mistake, or is being opened
)

// astrayEvery is how often the log tells of webhooks that go astray for the same reason: anybody can send some.
const astrayEvery = 10 * time.Minute

// astray tells of webhooks that reach no deployment, now and then. It is safe for concurrent use.
type astray struct {
	mu   sync.Mutex
	came map[Astray]int // since it was told
	told map[Astray]time.Time
}

// count counts one, and returns how many there were since the last time that was told; 0: not yet.
func (s *astray) count(why Astray, now time.Time) (came int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.came == nil {
		s.came, s.told = make(map[Astray]int), make(map[Astray]time.Time)
	}
	s.came[why]++
	if last, told := s.told[why]; told && now.Sub(last) < astrayEvery {
		return 0
	}
	came = s.came[why]
	s.came[why], s.told[why] = 0, now
	return came
}

// harmlessName is a name that may stand in the log, whoever has sent it.
var harmlessName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// webhooks hands a webhook over to the deployment in its address, or to the only one. One that reaches none is never acknowledged, so that
// Owlat sends it again.
func (a *API) webhooks(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("deployment")
	if names := a.parts.Directory.Names(); name == "" && len(names) == 1 {
		name = names[0]
	}
	d, err := a.parts.Directory.Find(name)
	switch {
	case errors.Is(err, ErrNoDeployment):
		a.strays(r, AstrayUnknown, name, "give the webhook in Owlat the address of a deployment, /webhooks/owlat/NAME, and all nodes the same configuration")
		http.Error(w, "the address names no deployment of this service: it is /webhooks/owlat/NAME", http.StatusNotFound)
	case err != nil, d.Webhooks == nil:
		a.strays(r, AstrayNotOpen, name, "set the configuration of the deployment right and let the service read it again; GET /api/v1/deployments says why it is not open")
		http.Error(w, "the deployment is not open now", http.StatusServiceUnavailable)
	default:
		d.Webhooks.ServeHTTP(w, r)
	}
}

// strays counts a webhook that reaches no deployment, and tells of it now and then.
func (a *API) strays(r *http.Request, why Astray, name, hint string) {
	if r.Method != http.MethodPost {
		return // Owlat sends no others
	}
	if a.parts.Astray != nil {
		a.parts.Astray(why)
	}
	if !harmlessName.MatchString(name) {
		name = ""
	}
	if came := a.astray.count(why, time.Now()); came > 0 {
		a.log.Warn("webhooks reach no deployment; Owlat sends each three times, and then it is lost", "why", string(why), "deployment", name, "webhooks", came, "hint", hint)
	}
}
