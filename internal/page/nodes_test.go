package page

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"owlatsync/internal/api"
	"owlatsync/internal/cluster/roll"
	"owlatsync/internal/config"
	"owlatsync/internal/testbrowser"
)

// TestNodesOfACluster: who reaches the whole service sees what each does, and nobody else does.
func TestNodesOfACluster(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	all := []roll.Node{
		{ID: nasty, Host: nasty, PID: 17, Version: nasty, Since: at, Seen: at, Homes: 1234, Slots: 2000, Runs: []string{nasty, "acme"}},
		{ID: "b", Host: "app-2", PID: 18, Version: "1.2.3", Since: at, Seen: at, Homes: 1, Doubts: true},
		{ID: "c", Host: "app-3", PID: 19, Version: "1.2.3", Since: at, Seen: at, Silent: true},
		{ID: "d", Host: "app-4", PID: 20, Version: "1.2.3", Since: at, Seen: at, Homes: 1, Runs: []string{""}},
	}
	var fails error
	w := newWorld(t, nil)
	page := New(Parts{
		Directory: w, Gate: w.gate, Sessions: w.people, Version: "1.2.3",
		Nodes: func(context.Context) ([]roll.Node, error) { return all, fails },
	})
	server := httptest.NewServer(api.New(api.Parts{Directory: w, Gate: w.gate, Page: page, Ready: func(context.Context) error { return nil }}).Handler())
	t.Cleanup(server.Close)
	w.url = server.URL
	testbrowser.Everywhere(t, func(t *testing.T, v testbrowser.View) {
		p := testbrowser.Open(t, w.url, v)
		p.Fits()
		p.Accessible()
		if problems := p.Problems(); len(problems) > 0 {
			t.Error(problems)
		}
	})
	got := w.browser().get("/").body
	for _, want := range []string{"1,234 of 2,000", "makes runs of", "waits for what is due", "stands by", "makes a run<", ">silent<", ">in doubt<", "app-2, process 18"} {
		if !strings.Contains(got, want) {
			t.Errorf("the overview lacks %s", want)
		}
	}
	if bare.MatchString(got) {
		t.Errorf("%q stands there as it is", bare.FindString(got))
	}
	w.all = map[string]*stands{"acme": {}, "bolt": {}}
	if got := w.browser().get("/"); got.status != http.StatusOK || !strings.Contains(got.body, ">silent<") {
		t.Error("the list of deployments lacks the nodes")
	}
	w.gate.Replace([]config.Token{token}, nil)
	w.people.ReplaceAll([]config.Account{accountOf("ada", config.Viewer)}, map[string][]config.Account{"acme": {accountOf("eve", config.Operator)}})
	ada, eve := w.browser(), w.browser()
	ada.signIn("ada", password)
	eve.signIn("acme/eve", password)
	if got := eve.get("/"); got.status != http.StatusOK || strings.Contains(got.body, "app-2") || strings.Contains(got.body, ">Nodes<") {
		t.Errorf("an account of one deployment sees the nodes of all: %d", got.status)
	}
	if got := ada.get("/"); !strings.Contains(got.body, "app-2") {
		t.Errorf("a viewer of the whole service sees no nodes: %d", got.status)
	}
	fails = errors.New("the server is away")
	if got := ada.get("/").body; strings.Contains(got, "is away") || !strings.Contains(got, "cannot be read now") {
		t.Error("the page tells what is for the log, or nothing")
	}
}
