package cluster

import (
	"context"
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

func TestOne(t *testing.T) {
	w := try(t, Options{Program: "/tmp/chaos/owlat-sync", Nodes: 1, Rate: 40, Seed: 1})
	w.Live(t.Context())
	<-time.After(10 * time.Second)
	if err := w.Peace(context.Background()); err != nil {
		t.Fatal(err)
	}
	e, err := w.Evidence(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range e.Accounts {
		t.Log(len(a.Requests), len(a.Log), len(a.Contacts), len(a.Hooks), len(a.Runs), len(a.Heard), len(a.Syncs[0].Rows))
	}
	for _, f := range Judge(e) {
		t.Error(f)
	}
}

func TestTwo(t *testing.T) {
	w := try(t, Options{Program: "/tmp/chaos/owlat-sync", Nodes: 2, Rate: 40, Seed: 1})
	w.Live(t.Context())
	<-time.After(10 * time.Second)
	if err := w.Peace(context.Background()); err != nil {
		t.Fatal(err)
	}
	e, err := w.Evidence(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range e.Accounts {
		t.Log(len(a.Requests), len(a.Log), len(a.Contacts), len(a.Hooks), len(a.Runs), len(a.Heard), len(a.Syncs[0].Rows))
	}
	for _, f := range Judge(e) {
		t.Log(f)
	}
}
