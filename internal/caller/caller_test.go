package caller_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"owlatsync/internal/caller"
	"owlatsync/internal/config"
	"owlatsync/internal/exitcode"
	"owlatsync/ledger"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestURL(t *testing.T) {
	t.Parallel()
	for want, s := range map[string]config.Service{
		"http://127.0.0.1:8420":          {Listen: config.DefaultListen},
		"https://127.0.0.1:8420":         {Listen: config.DefaultListen, TLS: config.TLS{Cert: "c", Key: "k"}},
		"https://sync.example.com":       {Listen: config.DefaultListen, URL: "https://sync.example.com"},
		"http://localhost:8420":          {Listen: "0.0.0.0:8420"},
		"http://localhost:8421":          {Listen: "[::]:8421"},
		"http://localhost:8422":          {Listen: ":8422"},
		"http://[::1]:8423":              {Listen: "[::1]:8423"},
		"http://app.internal.example:80": {Listen: "app.internal.example:80"},
	} {
		if got := caller.URL(s); got != want {
			t.Errorf("%+v: %s, want %s", s.Listen, got, want)
		}
		if c, err := caller.New(want, "", "test"); err != nil {
			t.Error(err)
		} else {
			c.Close()
		}
	}
	for _, address := range []string{"", "sync.example.com", "ftp://sync.example.com", "https://", "https://u:p@sync.example.com", "https://sync.example.com/?a=b", "\x00"} {
		if _, err := caller.New(address, "", "test"); exitcode.Of(err) != exitcode.Usage || strings.Contains(err.Error(), "u:p") {
			t.Errorf("%q: %v", address, err)
		}
	}
	for _, token := range []string{"a b", "a\nb", "ä", "\x00"} {
		if _, err := caller.New("https://sync.example.com", token, "test"); exitcode.Of(err) != exitcode.Usage || strings.Contains(err.Error(), token) {
			t.Errorf("%q: %v", token, err)
		}
	}
}

// TestIn asks below the name of a deployment.
func TestIn(t *testing.T) {
	t.Parallel()
	asked := ""
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL.EscapedPath()
		_, _ = fmt.Fprint(w, `{"run":7}`)
	}))
	t.Cleanup(service.Close)
	c, err := caller.New(service.URL, "", "test")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for deployment, want := range map[string]string{"": "/api/v1/syncs/a%2Fb/runs", "acme": "/api/v1/deployments/acme/syncs/a%2Fb/runs", "a/b": "/api/v1/deployments/a%2Fb/syncs/a%2Fb/runs"} {
		if run, err := c.In(deployment).Trigger(t.Context(), "a/b", caller.Asked{}); err != nil || run != 7 || asked != want {
			t.Errorf("deployment %q: asked %s, want %s: run %d, %v", deployment, asked, want, run, err)
		}
	}
}

// TestForeignAnswers come from what is no service: they are refused, the token goes nowhere else, and nothing panics.
func TestForeignAnswers(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { t.Errorf("a redirect was followed with %q", r.Header) }))
	t.Cleanup(elsewhere.Close)
	for _, test := range []struct {
		name string
		to   http.HandlerFunc
		want string
	}{
		{"a page", func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, "<html>") }, "does not speak"},
		{"a page that says no", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusForbidden)
			_, _ = fmt.Fprint(w, "<html>")
		}, "does not speak"},
		{"another run", func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, `{"run":8,"done":true}`) }, "does not speak"},
		{"a run of another form", func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, `{"run":"7"}`) }, "does not speak"},
		{"a redirect", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, http.StatusFound) }, "does not speak"},
		{"a refusal", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNotFound)
			_, _ = fmt.Fprint(w, `{"error":{"code":"run","message":"no such run","hint":"look"}}`)
		}, "the service refuses: no such run"},
	} {
		server := httptest.NewServer(test.to)
		c, err := caller.New(server.URL, "t0ken", "test")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Wait(t.Context(), 7); err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "t0ken") {
			t.Errorf("%s: %v", test.name, err)
		}
		c.Close()
		server.Close()
	}
}

func TestNobodyWaitsAnyMore(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, `{"run":7,"status":"running"}`) }))
	t.Cleanup(server.Close)
	c, err := caller.New(server.URL, "", "test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Wait(ctx, 7); exitcode.Of(err) != exitcode.Interrupted || !strings.Contains(err.Error(), "run 7, which goes on") {
		t.Error(err)
	}
}

// TestCode: the ends of runs have the exit codes of "run".
func TestCode(t *testing.T) {
	t.Parallel()
	for status, want := range map[ledger.Status]exitcode.Code{
		ledger.StatusOK: exitcode.OK, ledger.StatusApproved: exitcode.OK, ledger.StatusFailedRows: exitcode.FailedRows, ledger.StatusHeld: exitcode.Held,
		ledger.StatusSuperseded: exitcode.Held, ledger.StatusStopped: exitcode.Refused, ledger.StatusInterrupted: exitcode.Interrupted,
		ledger.StatusCancelled: exitcode.Interrupted, ledger.StatusError: exitcode.Error, ledger.StatusDied: exitcode.Error, "": exitcode.Error,
	} {
		if got := (caller.Run{Status: status}).Code(); got != want {
			t.Errorf("%q: %d, want %d", status, got, want)
		}
	}
}

// TestOfSeveralDeployments asks for one of them.
func TestOfSeveralDeployments(t *testing.T) {
	t.Parallel()
	asked := make(chan string, 2)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.URL.EscapedPath()
		_, _ = fmt.Fprint(w, `{"run":7}`)
	}))
	t.Cleanup(server.Close)
	c, err := caller.New(server.URL+"/sync", "", "test")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for name, want := range map[string]string{"acme": "/sync/api/v1/deployments/acme/syncs/users/runs", "../x": "/sync/api/v1/deployments/..%2Fx/syncs/users/runs"} {
		if run, err := c.In(name).Trigger(t.Context(), "users", caller.Asked{}); run != 7 || err != nil {
			t.Errorf("run %d, %v", run, err)
		}
		if got := <-asked; got != want {
			t.Errorf("%s was asked, want %s", got, want)
		}
	}
}
