package serve

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"owlatsync/internal/access"
	"owlatsync/internal/testdb"
	"owlatsync/owlat/owlattest"
)

// city is a house whose configuration has several deployments in one Owlat, each with a key of its own.
type city struct {
	*house
	keys map[string]string
}

func newCity(t *testing.T, names ...string) *city {
	t.Helper()
	c := &city{newHouse(t), make(map[string]string)}
	for _, name := range names {
		c.keys[name] = c.server.AddKey()
		c.write(name+".csv", "id,email,news\n1,"+name+"@example.com,true\n")
	}
	return c
}

// of returns the part of a configuration that is a deployment's, with changes as those of house.configure.
func (c *city) of(name string, changes ...string) string {
	text := fmt.Sprintf(`  %[1]s:
    owlat: {url: %[2]s, api_key: %[3]s, requests_per_second: 1000}
    webhooks: {secrets: [whsec_0123456789abcdef]}
    write_back: [{name: lines, on: [topic.unsubscribed], file: %[1]s.ndjson}]
    syncs:
      users:
        source: {dsn: "csv:%[1]s.csv"}
        key: id
        fields: {email: email}
        topics: [{id: %[4]s, when: news}]
        guards: {first_run: allow}
        schedule: every 24h
`, name, c.url, c.keys[name], c.topic)
	for _, change := range changes {
		from, to, replaces := strings.Cut(change, " → ")
		if !replaces {
			text += change + "\n"
			continue
		}
		if !strings.Contains(text, from) {
			c.t.Fatalf("the configuration does not have %q", from)
		}
		text = strings.Replace(text, from, to, 1)
	}
	return text
}

// configure writes a configuration of deployments.
func (c *city) configure(deployments ...string) {
	c.write("owlat-sync.yaml", "serve: {listen: \"127.0.0.1:0\", stop_within: 10s}\ndeployments:\n"+strings.Join(deployments, ""))
}

// reloads has the service read its configuration, and returns what it logs until it has.
func (l *serving) reloads(want string) string {
	l.t.Helper()
	before := len(l.log.String())
	l.reload <- struct{}{}
	l.until(want, func() bool { return strings.Contains(l.log.String()[before:], want) })
	return l.log.String()[before:]
}

// TestSeveralDeploymentsInOneProcess: each has its own ledger, runs, webhooks and write-backs; one that is wrong is left out.
func TestSeveralDeploymentsInOneProcess(t *testing.T) {
	t.Parallel()
	c := newCity(t, "acme", "bolt", "coil")
	c.configure(c.of("acme"), c.of("bolt"), c.of("coil", "key: id → keys: id"))
	l := c.begin()
	l.until("both first runs", func() bool { return c.member("acme@example.com") && c.member("bolt@example.com") })
	if c.member("coil@example.com") {
		t.Error("a deployment whose configuration is wrong has run")
	}
	for path, want := range map[string]int{
		"/readyz": 200, "/api/v1/status": 404, "/api/v1/deployments/acme/status": 200, "/api/v1/deployments/acme/runs/1": 200,
		"/api/v1/deployments/bolt/runs/1": 200, "/api/v1/deployments/coil/status": 503, "/api/v1/deployments/dent/status": 404,
	} {
		if status, answer := l.call("GET", path, ""); status != want {
			t.Errorf("%s: %d %v", path, status, answer)
		}
	}
	_, all := l.call("GET", "/api/v1/deployments", "")
	if got := fmt.Sprint(all); !strings.Contains(got, "coil") || !strings.Contains(got, "keys") {
		t.Errorf("%v", got)
	}
	if _, err := c.server.AddWebhook("http://"+l.at.Listen+"/webhooks/owlat/bolt", "whsec_0123456789abcdef", owlattest.WebhookTopicUnsubscribed); err != nil {
		t.Fatal(err)
	}
	if err := c.server.Unsubscribe("bolt@example.com", ""); err != nil {
		t.Fatal(err)
	}
	has := func(file string) bool {
		text, _ := os.ReadFile(filepath.Join(c.dir, file))
		return strings.Contains(string(text), "bolt@example.com")
	}
	l.until("the write-back", func() bool { return has("bolt.ndjson") })
	if has("acme.ndjson") {
		t.Error("what Owlat told bolt was written back for acme")
	}
	body := l.text("/metrics")
	for _, want := range []string{
		`owlat_sync_runs_total{deployment="acme",status="ok",sync="users"} 1`, `owlat_sync_runs_total{deployment="bolt",status="ok",sync="users"} 1`,
		`owlat_sync_feedback_total{deployment="bolt",event="topic.unsubscribed"} 1`, `owlat_sync_held_runs{deployment="acme",sync="users"} 0`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
	for _, name := range []string{"acme", "bolt"} {
		if _, err := os.Stat(filepath.Join(c.dir, "owlat-sync."+name+".db")); err != nil {
			t.Error(err)
		}
	}
	l.end()
	if log := c.log.String(); !strings.Contains(log, "deployment=coil") || strings.Contains(log, "acme@example.com") || strings.Contains(log, c.keys["acme"]) {
		t.Errorf("%s", log)
	}
}

func (l *serving) text(path string) string {
	l.t.Helper()
	_, text := l.ask(http.MethodGet, path, "")
	return string(text)
}

// TestReloadOfSeveralDeployments: each goes over by itself, is opened anew where that is needed, comes, goes, or stays as it was.
func TestReloadOfSeveralDeployments(t *testing.T) {
	t.Parallel()
	c := newCity(t, "acme", "bolt", "coil")
	c.configure(c.of("acme"), c.of("bolt"))
	l := c.begin()
	l.until("both first runs", func() bool { return c.member("acme@example.com") && c.member("bolt@example.com") })
	l.until("their ends", func() bool { return strings.Count(c.log.String(), "run ended") == 2 })
	schedule := func(name string) any {
		_, s := l.call("GET", "/api/v1/deployments/"+name+"/syncs/users", "")
		return s["schedule"]
	}
	// A mistake in one keeps that one as it was, also one that only the deployment finds.
	for _, change := range []string{"every 24h → every day", `file: bolt.ndjson → dsn: "sqlite:app.db", statement: "UPDATE users SET a == 0 WHEREVER WHERE email = :email"`} {
		c.write("app.db", "")
		c.configure(c.of("acme", "every 24h → every 12h"), c.of("bolt", change))
		if log := l.reloads("was taken over"); !strings.Contains(log, "stays as it was") || strings.Contains(log, "deployment=acme") {
			t.Errorf("%s", log)
		}
		if a, b := schedule("acme"), schedule("bolt"); a != "every 12h" || b != "every 24h" {
			t.Errorf("acme has %v, bolt %v", a, b)
		}
	}
	// One comes, with others left alone.
	c.configure(c.of("acme", "every 24h → every 12h"), c.of("bolt"), c.of("coil"))
	if log := l.reloads("was taken over"); strings.Contains(log, "deployment=acme") {
		t.Errorf("a deployment that is as it was is told of: %s", log)
	}
	l.until("the first run of the new one", func() bool { return c.member("coil@example.com") })
	// Another key: it is opened anew, and goes on from its ledger.
	c.keys["bolt"] = c.server.AddKey()
	c.write("bolt.csv", "id,email,news\n1,bolt@example.com,true\n2,bob@example.com,true\n")
	c.configure(c.of("acme", "every 24h → every 12h"), c.of("bolt"), c.of("coil"))
	l.reloads("a deployment is open")
	if status, taken := l.call("POST", "/api/v1/deployments/bolt/syncs/users/runs", "{}"); status != http.StatusAccepted || fmt.Sprint(taken["run"]) != "2" {
		t.Errorf("%d %v", status, taken)
	}
	l.until("a run with the new key", func() bool { return c.member("bob@example.com") })
	// More keys: it is opened anew, too.
	second := c.server.AddKey()
	c.write("bolt.csv", "id,email,news\n1,bolt@example.com,true\n2,bob@example.com,true\n3,eve@example.com,true\n4,joe@example.com,true\n")
	c.configure(c.of("acme", "every 24h → every 12h"), c.of("bolt", "api_key: "+c.keys["bolt"]+" → api_keys: ["+c.keys["bolt"]+", "+second+"]"), c.of("coil"))
	if log := l.reloads("a deployment is open"); strings.Contains(log, "stays as it was") || strings.Contains(log, second) {
		t.Errorf("%s", log)
	}
	if status, taken := l.call("POST", "/api/v1/deployments/bolt/syncs/users/runs", "{}"); status != http.StatusAccepted {
		t.Errorf("%d %v", status, taken)
	}
	l.until("a run with both keys", func() bool { return c.member("eve@example.com") && c.member("joe@example.com") })
	l.until("requests with the second key", func() bool {
		return slices.ContainsFunc(c.server.Stats().Keys, func(k owlattest.KeyCount) bool { return k.Key == second && k.Total > 0 })
	})
	// One goes.
	c.configure(c.of("acme", "every 24h → every 12h"), c.of("bolt"))
	l.reloads("a deployment is gone")
	if status, _ := l.call("GET", "/api/v1/deployments/coil/status", ""); status != http.StatusNotFound {
		t.Errorf("what is gone answers %d", status)
	}
	if strings.Contains(l.text("/metrics"), `deployment="coil"`) {
		t.Error("what is gone still has metrics")
	}
	// A mistake outside of them keeps all as they were; from several to one needs a restart.
	for change, want := range map[string]string{"serve: {listen: nowhere}\n": "listen", "ledger: other.db\n": "ledger: this setting only changes with a restart"} {
		c.write("owlat-sync.yaml", change+"deployments:\n"+c.of("acme"))
		if log := l.reloads("not taken over"); !strings.Contains(log, want) || schedule("acme") != "every 12h" {
			t.Errorf("%s", log)
		}
	}
	c.house.configure()
	if log := l.reloads("not taken over"); !strings.Contains(log, "deployments: this setting only changes with a restart") {
		t.Errorf("%s", log)
	}
}

// TestTokensOfADeployment: each reaches its own alone, and a mistake that hides tokens opens no door.
func TestTokensOfADeployment(t *testing.T) {
	t.Parallel()
	c := newCity(t, "acme", "bolt")
	token := access.NewToken()
	tokens := `    tokens: [{name: tenant, role: operator, hash: "` + access.HashToken(token) + `"}]`
	c.configure(c.of("acme", tokens), c.of("bolt"))
	l := c.begin()
	as := func(token, path string) int {
		status, _ := l.ask("GET", path, "", "Authorization", "Bearer "+token)
		return status
	}
	check := func(when string) {
		t.Helper()
		for path, want := range map[string]int{"/api/v1/status": 200, "/api/v1/deployments/acme/status": 200, "/api/v1/deployments/bolt/status": 404, "/metrics": 403} {
			if got := as(token, path); got != want {
				t.Errorf("%s: %s answers %d", when, path, got)
			}
		}
		if got, _ := l.ask("GET", "/api/v1/deployments/bolt/status", ""); got != http.StatusUnauthorized {
			t.Errorf("%s: without a token: %d", when, got)
		}
	}
	check("at first")
	c.configure(c.of("acme", tokens, "key: id → keys: id"), c.of("bolt"))
	l.reloads("was taken over")
	check("with a mistake")
	l.end()
	l = c.begin() // with the mistake
	if got, _ := l.ask("GET", "/api/v1/deployments/bolt/status", ""); got != http.StatusUnauthorized {
		t.Errorf("after a restart, without a token: %d", got)
	}
}

// TestAnotherServiceHasTheLedgerOfOne leaves out that one.
func TestAnotherServiceHasTheLedgerOfOne(t *testing.T) {
	t.Parallel()
	c := newCity(t, "acme", "bolt")
	release, err := alsoOnly(filepath.Join(c.dir, "owlat-sync.bolt.db"))
	if err != nil {
		t.Fatal(err)
	}
	c.configure(c.of("acme"), c.of("bolt"))
	l := c.begin()
	l.until("the run of acme", func() bool { return c.member("acme@example.com") })
	if status, _ := l.call("GET", "/api/v1/deployments/bolt/status", ""); status != http.StatusServiceUnavailable {
		t.Errorf("bolt answers %d", status)
	}
	if err := release(); err != nil {
		t.Fatal(err)
	}
	l.reloads("a deployment is open")
	l.until("the run of bolt", func() bool { return c.member("bolt@example.com") })
}

// TestAServiceWithoutDeployments waits for some to come.
func TestAServiceWithoutDeployments(t *testing.T) {
	t.Parallel()
	c := newCity(t, "acme")
	if err := os.Mkdir(filepath.Join(c.dir, "deployments.d"), 0o700); err != nil {
		t.Fatal(err)
	}
	c.write("owlat-sync.yaml", "serve: {listen: \"127.0.0.1:0\"}\ndeployments: deployments.d\n")
	l := c.begin()
	if status, _ := l.call("GET", "/readyz", ""); status != http.StatusOK {
		t.Errorf("it answers %d", status)
	}
	lines := strings.Split(strings.Replace(c.of("acme"), "csv:acme.csv", "csv:../acme.csv", 1), "\n")[1:]
	for i, line := range lines {
		lines[i] = strings.TrimPrefix(line, "    ")
	}
	c.write("deployments.d/acme.yaml", strings.Join(lines, "\n"))
	l.reloads("a deployment is open")
	l.until("its run", func() bool { return c.member("acme@example.com") })
}

// TestAMistakeInOneDeploymentIsTold to those whom that deployment tells what is wrong, while the others go on.
func TestAMistakeInOneDeploymentIsTold(t *testing.T) {
	t.Parallel()
	for name, ledger := range map[string]string{"alone": "", "as a node": "ledger: " + testdb.Postgres(t) + "&schema=owlat_sync\n"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCity(t, "acme", "bolt")
			told := make(chan string, 100)
			channel := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				text, _ := io.ReadAll(r.Body)
				told <- string(text)
			}))
			defer channel.Close()
			alerts := "    alerts: [{name: ours, webhook: {url: " + channel.URL + ", secret: whsec_0123456789abcdef}}]"
			configure := func(acme ...string) {
				c.write("owlat-sync.yaml", ledger+"serve: {listen: \"127.0.0.1:0\", stop_within: 10s}\ndeployments:\n"+c.of("acme", append(acme, alerts)...)+c.of("bolt"))
			}
			configure()
			l := c.begin()
			defer l.end()
			l.until("both first runs", func() bool { return c.member("acme@example.com") && c.member("bolt@example.com") })
			configure("key: id → keys: id")
			l.reloads("a deployment stays as it was")
			select {
			case text := <-told:
				if !strings.Contains(text, "acme: The new configuration is not taken over") || !strings.Contains(text, "owlat-sync.yaml:") || !strings.Contains(text, "keys") || strings.Contains(text, c.keys["acme"]) {
					t.Errorf("told %s", text)
				}
			case <-time.After(time.Minute):
				t.Fatalf("nothing is told\n%s", &c.log)
			}
			c.write("bolt.csv", "id,email,news\n1,bolt@example.com,true\n2,beth@example.com,true\n")
			for _, deployment := range []string{"acme", "bolt"} {
				if status, answer := l.call("POST", "/api/v1/deployments/"+deployment+"/syncs/users/runs", "{}"); status != http.StatusAccepted {
					t.Errorf("%s: %d %v", deployment, status, answer)
				}
			}
			l.until("the run of the other", func() bool { return c.member("beth@example.com") })
			if len(told) > 0 {
				t.Errorf("told once more: %s", <-told)
			}
		})
	}
}

// TestADeploymentThatIsNotOpenIsTold to those whom it names, also after a restart, and that this is over, by itself.
func TestADeploymentThatIsNotOpenIsTold(t *testing.T) {
	t.Parallel()
	c := newCity(t, "acme", "bolt")
	told := make(chan string, 100)
	channel := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		told <- string(text)
	}))
	defer channel.Close()
	configure := func(acme ...string) {
		alerts := "    alerts: [{name: ours, webhook: {url: " + channel.URL + ", secret: whsec_0123456789abcdef}}]"
		c.write("owlat-sync.yaml", "serve: {listen: \"127.0.0.1:0\", stop_within: 10s}\ndeployments:\n"+c.of("acme", append(acme, alerts)...)+c.of("bolt"))
	}
	expect := func(wants ...string) {
		t.Helper()
		select {
		case text := <-told:
			for _, want := range wants {
				if !strings.Contains(text, want) || strings.Contains(text, c.keys["acme"]) {
					t.Errorf("told %s\nwant %s", text, want)
				}
			}
		case <-time.After(time.Minute):
			t.Fatalf("nothing is told\n%s", &c.log)
		}
	}
	configure("key: id → keys: id")
	l := c.begin()
	expect("acme: The deployment is not open", `"kind":"failure"`, "owlat-sync.yaml:", "keys", `--deployment acme check`)
	l.until("the run of the other", func() bool { return c.member("bolt@example.com") })
	l.end()

	// A restart tells nothing anew but another reason.
	l = c.begin()
	configure("key: id → kex: id")
	l.reloads("a deployment is left out")
	expect("acme: The deployment is not open", "kex")
	configure()
	l.reloads("a deployment is open")
	l.until("its run", func() bool { return c.member("acme@example.com") })
	l.end()
	if len(told) > 0 {
		t.Errorf("told once more: %s", <-told)
	}
	record, err := os.ReadFile(filepath.Join(c.dir, "owlat-sync.acme.alerts.json"))
	if err != nil || !strings.Contains(string(record), `"gone"`) {
		t.Errorf("that it is over is not about to be told: %s, %v", record, err)
	}
}
