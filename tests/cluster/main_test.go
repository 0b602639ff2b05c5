package cluster

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"owlatsync/tests/cluster/programs"
)

func TestMain(m *testing.M) {
	code := m.Run()
	for _, b := range []*build{&plain, &watched} {
		if b.folder != "" {
			_ = os.RemoveAll(b.folder)
		}
	}
	os.Exit(code)
}

// build is a program that is built once.
type build struct {
	once   sync.Once
	folder string
	path   string
	err    error
}

var plain, watched build

func (b *build) program(t *testing.T, race bool) string {
	t.Helper()
	b.once.Do(func() {
		if b.folder, b.err = os.MkdirTemp("", "owlat-sync-built-"); b.err == nil {
			b.err = look(root(t))
		}
		if b.err == nil {
			b.path, b.err = programs.Build(b.folder, race, "")
		}
	})
	if b.err != nil {
		t.Fatal(b.err)
	}
	return b.path
}

// look has go test know what the program is made of: it keeps no result of tests that have looked at a file which has changed since.
func look(folder string) error {
	return filepath.WalkDir(folder, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.IsDir() && (strings.HasPrefix(e.Name(), ".") || e.Name() == "docs" || e.Name() == "bin" || e.Name() == "dist") {
			return fs.SkipDir
		}
		if err == nil {
			_, err = os.Stat(path)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil // another test made it and took it away
		}
		return err
	})
}

// program builds owlat-sync. In "make test" it has no race detector, with which a node takes several times as long: TestCluster has one that does.
func program(t *testing.T) string {
	t.Helper()
	if os.Getenv(soakVariable) != "" {
		return watchedProgram(t)
	}
	return plain.program(t, false)
}

// watchedProgram builds owlat-sync with the race detector, if the tests have it.
func watchedProgram(t *testing.T) string {
	t.Helper()
	return watched.program(t, withRace)
}

// changed builds a program that is other than it should be.
func changed(t *testing.T, changes ...programs.Change) string {
	t.Helper()
	folder := t.TempDir()
	overlay, err := programs.Overlay(folder, changes...)
	if err != nil {
		t.Fatal(err)
	}
	path, err := programs.Build(folder, withRace, overlay)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// root returns the folder of the module.
func root(t *testing.T) string {
	t.Helper()
	folder, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return folder
}

// world makes a world that ends with the test. What the nodes wrote is kept if the test fails.
func world(t *testing.T, o Options) *World {
	t.Helper()
	if !programs.HasPostgres() {
		if os.Getenv("CI") == "true" {
			t.Fatal(programs.ErrNoPostgres)
		}
		t.Skip(programs.ErrNoPostgres)
	}
	dir, err := os.MkdirTemp("", "owlat-sync-cluster-")
	if err == nil {
		err = os.Chmod(dir, 0o755) // the user of PostgreSQL must reach its folder
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("what the nodes wrote is in %s", dir)
			return
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	o.Dir, o.Log = dir, t.Logf
	if o.Program == "" {
		o.Program = program(t)
	}
	w, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

// judged waits for peace and returns what the judge finds then.
func judged(t *testing.T, w *World) []string {
	t.Helper()
	if err := w.Peace(t.Context()); err != nil {
		t.Fatal(err)
	}
	e, err := w.Evidence(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(worthJudging(e)...); err != nil {
		t.Error(err)
	}
	tell(t, e)
	return Judge(e)
}

// tell logs what happened, in numbers.
func tell(t *testing.T, e *Evidence) {
	t.Helper()
	for _, a := range e.Accounts {
		by := make(map[int]int)
		for _, r := range a.Requests {
			by[r.Node]++
		}
		homes := ""
		for _, l := range e.Leases {
			if l.Deployment == a.Name && l.Kind == home {
				homes += fmt.Sprintf(" %s node %d,", clock(l.From), l.Node)
			}
		}
		t.Logf("%q: requests by node %v, %d contacts, %d webhooks, %d runs, homes%s", a.Name, by, len(a.Contacts), len(a.Hooks), len(a.Runs), homes)
	}
	t.Logf("the work of a lost node was another's after %v", TakeOvers(e))
}

// worthJudging returns what did not happen at all, so that nothing can be said about it.
func worthJudging(e *Evidence) (lacks []error) {
	for _, a := range e.Accounts {
		acked := 0
		for _, h := range a.Hooks {
			if !h.Acked.IsZero() {
				acked++
			}
		}
		if len(a.Requests) < 50 || acked == 0 || len(a.Runs) == 0 || len(a.Contacts) == 0 {
			lacks = append(lacks, fmt.Errorf("%q had only %d requests, %d acknowledged webhooks and %d runs", a.Name, len(a.Requests), acked, len(a.Runs)))
		}
	}
	return lacks
}
