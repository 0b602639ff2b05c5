package api

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"owlatsync/internal/config"
	"owlatsync/internal/events"
)

const acmeToken = "owlsync_acme_0123456789abcdefghijklmn"

// newCity returns a world of several deployments: acme, which is full, bolt, which has a world of its own, and coil, which is not open.
func newCity(t *testing.T) (acme, bolt *world) {
	t.Helper()
	acme, bolt = newWorld(t), newWorld(t)
	full(acme)
	acme.only.Name, bolt.only.Name = "acme", "bolt"
	acme.only.Webhooks = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "acme's") })
	acme.more = map[string]*Deployment{"bolt": bolt.only, "coil": nil}
	acme.gate.ReplaceAll(tokens(), map[string][]config.Token{"acme": {{Name: "tenant", Role: config.Operator, Hash: sha256.Sum256([]byte(acmeToken))}}}, nil)
	return acme, bolt
}

// TestSeveralDeployments: the same routes below a name, and without one only where it is clear which deployment is meant.
func TestSeveralDeployments(t *testing.T) {
	t.Parallel()
	w, bolt := newCity(t)
	c := start(t, w.api.Handler())
	tenant := []string{"Authorization", "Bearer " + acmeToken}
	for _, test := range []struct {
		who    []string
		method string
		path   string
		status int
		has    string
	}{
		{nil, "GET", "/api/v1/deployments", 200, `{"deployment":"acme","url":"/api/v1/deployments/acme","open":true},{"deployment":"bolt","url":"/api/v1/deployments/bolt","open":true},{"deployment":"coil","url":"/api/v1/deployments/coil","open":false,"why":"its configuration is wrong"}`},
		{nil, "GET", "/api/v1/deployments/acme/runs/7", 200, `"run":7`},
		{nil, "GET", "/api/v1/deployments/bolt/runs/7", 404, `"run"`},
		{nil, "GET", "/api/v1/deployments/coil/status", 503, "not open: its configuration is wrong"},
		{nil, "GET", "/api/v1/deployments/dent/status", 404, `"deployment"`},
		{nil, "GET", "/api/v1/status", 404, "GET /api/v1/deployments lists them"},
		{nil, "GET", "/metrics", 200, "owlat_sync"},
		{nil, "POST", "/webhooks/owlat/acme", 200, "acme's"},
		{nil, "POST", "/webhooks/owlat/bolt", 204, ""},
		{nil, "POST", "/webhooks/owlat/coil", 503, "not open"},
		{nil, "POST", "/webhooks/owlat/dent", 404, "names no deployment"},
		{nil, "POST", "/webhooks/owlat", 404, "names no deployment"},
		{nil, "POST", "/api/v1/deployments/acme/syncs/users/runs", 202, `"url":"/api/v1/deployments/acme/runs/`},
		{tenant, "GET", "/api/v1/deployments", 200, `{"deployments":[{"deployment":"acme","url":"/api/v1/deployments/acme","open":true}]}`},
		{tenant, "GET", "/api/v1/runs/7", 200, `"run":7`},
		{tenant, "GET", "/api/v1/deployments/acme/runs/7", 200, `"run":7`},
		{tenant, "POST", "/api/v1/syncs/users/runs", 202, `"url":"/api/v1/runs/`},
		{tenant, "GET", "/metrics", 403, "one deployment alone"},
	} {
		got := c.ask(test.method, test.path, "", test.who...)
		if got.status != test.status || !strings.Contains(got.body, test.has) {
			t.Errorf("%s %s: %d %s", test.method, test.path, got.status, got.body)
		}
	}
	// What the tenant's token does not reach answers as what is not there.
	for _, r := range w.api.routes() {
		below, ok := strings.CutPrefix(r.path, root)
		if !ok || r.do == nil {
			continue
		}
		below = strings.NewReplacer("{name}", "users", "{id}", "6").Replace(below)
		there, nowhere := c.ask(r.method, root+"/deployments/bolt"+below, "", tenant...), c.ask(r.method, root+"/deployments/dent"+below, "", tenant...)
		if there.status != http.StatusNotFound || there.body != strings.ReplaceAll(nowhere.body, "dent", "bolt") {
			t.Errorf("%s %s: %d %s", r.method, below, there.status, there.body)
		}
	}
	if len(bolt.asked) > 0 {
		t.Errorf("bolt was asked for %v", bolt.asked)
	}
}

// TestStreamsOfSeveralDeployments: each has its own events, one cannot take all places, and a token that is taken away ends its streams.
func TestStreamsOfSeveralDeployments(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, single *world, c client) {
		single.only.Name = "acme"
		other := newWorld(t)
		single.more = map[string]*Deployment{"bolt": other.only}
		of := func(name string) map[string][]config.Token {
			return map[string][]config.Token{name: {{Name: "tenant", Role: config.Viewer, Hash: sha256.Sum256([]byte(acmeToken))}}}
		}
		single.gate.ReplaceAll(tokens(), of("acme"), nil)
		other.only.Name = "bolt"
		single.api.streams.most = 16
		acme, tenant := c.listen("/api/v1/deployments/acme/events"), c.listen("/api/v1/events", "Authorization", "Bearer "+acmeToken)
		bolt := c.listen("/api/v1/deployments/bolt/events")
		if third := c.listen("/api/v1/deployments/acme/events"); third.status != http.StatusServiceUnavailable {
			t.Errorf("one deployment takes more than an eighth: %d", third.status)
		}
		other.hub.Publish(events.Event{Kind: events.Reload})
		synctest.Wait()
		if got := fmt.Sprint(len(acme.events), len(tenant.events), len(bolt.events)); got != "0 0 1" {
			t.Errorf("events of acme, the tenant, and bolt: %s", got)
		}
		single.gate.ReplaceAll(tokens(), of("bolt"), nil)
		synctest.Wait()
		if got := tenant.kinds(); got != "end" {
			t.Errorf("whose token is another deployment's now still follows: %s", got)
		}
		single.api.Close()
		for _, l := range []*listening{acme, bolt} {
			for range l.events { // until it has ended
			}
		}
	})
}

// TestWebhooksAstray: whoever reaches no deployment is told that nothing was taken in, is counted, and does not fill the log.
func TestWebhooksAstray(t *testing.T) {
	t.Parallel()
	w, _ := newCity(t)
	var mu sync.Mutex
	counted := make(map[Astray]int)
	w.api.parts.Astray = func(why Astray) {
		mu.Lock()
		defer mu.Unlock()
		counted[why]++
	}
	c := start(t, w.api.Public())
	for range 20 {
		for path, status := range map[string]int{"dent": 404, "coil": 503, "eve@example.com": 404} {
			if got := c.ask(http.MethodPost, "/webhooks/owlat/"+path, "{}", "Authorization", ""); got.status != status {
				t.Errorf("%s: %d %s", path, got.status, got.body)
			}
		}
	}
	c.ask(http.MethodGet, "/webhooks/owlat/dent", "", "Authorization", "") // somebody looks
	mu.Lock()
	defer mu.Unlock()
	if counted[AstrayUnknown] != 40 || counted[AstrayNotOpen] != 20 {
		t.Errorf("%v", counted)
	}
	if log := w.logged(); logged(log, "level=WARN", "reach no deployment", "why=unknown") != 1 || logged(log, "level=WARN", "why=not_open", "deployment=coil") != 1 || strings.Contains(log, "eve@") {
		t.Errorf("the log is %s", log)
	}
}

// TestTheLogTellsHowManyWentAstray since it last did.
func TestTheLogTellsHowManyWentAstray(t *testing.T) {
	t.Parallel()
	var s astray
	now := time.Now()
	got := []int{s.count(AstrayUnknown, now), s.count(AstrayUnknown, now), s.count(AstrayNotOpen, now), s.count(AstrayUnknown, now.Add(astrayEvery-1)), s.count(AstrayUnknown, now.Add(astrayEvery))}
	if want := []int{1, 0, 1, 0, 3}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
