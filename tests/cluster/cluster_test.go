package cluster

import (
	"errors"
	"os"
	"testing"
	"time"
)

func try(t *testing.T, o Options) *World {
	t.Helper()
	dir, err := os.MkdirTemp("", "cluster-")
	if err != nil {
		t.Fatal(err)
	}
	_ = os.Chmod(dir, 0o755)
	o.Dir = dir
	t.Cleanup(func() {
		if !t.Failed() {
			_ = os.RemoveAll(dir)
		} else {
			t.Logf("everything is kept in %s", dir)
		}
	})
	o.Log = t.Logf
	w, err := New(t.Context(), o)
	if errors.Is(err, ErrNoPostgres) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}


// judged plays to the end and returns what the judge finds.
func judged(t *testing.T, w *World) []string {
	t.Helper()
	if err := w.Peace(t.Context()); err != nil {
		t.Fatal(err)
	}
	e, err := w.Evidence(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range e.Accounts {
		t.Logf("%q: %d requests, %d contacts, %d webhooks, %d runs", a.Name, len(a.Requests), len(a.Contacts), len(a.Hooks), len(a.Runs))
	}
	return Judge(e)
}

// TestOneNode kills, freezes and cuts off a service that is alone with its ledger.
func TestOneNode(t *testing.T) {
	t.Parallel()
	w := try(t, Options{Program: "/tmp/chaos/owlat-sync", Nodes: 1, Rate: 40, Seed: 1})
	w.Live(t.Context())
	if err := w.Trouble(t.Context(), Plan{For: 20 * time.Second, Longest: 3 * time.Second, Breather: time.Second, Kinds: []TroubleKind{Killed, Frozen, Stopped, CutSource, CutOwlat}}); err != nil {
		t.Fatal(err)
	}
	for _, found := range judged(t, w) {
		t.Error(found)
	}
}

// TestTheJudgeSeesAnUnfencedNode lets two services work as if each were alone.
func TestTheJudgeSeesAnUnfencedNode(t *testing.T) {
	t.Parallel()
	w := try(t, Options{Program: "/tmp/chaos/owlat-sync", Nodes: 2, Rate: 40, Seed: 1})
	w.Live(t.Context())
	<-time.After(5 * time.Second)
	for _, found := range judged(t, w) {
		t.Log(found)
	}
}
