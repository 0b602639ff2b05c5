package main

import (
	"context"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"owlatsync/internal/exitcode"
	"owlatsync/ledger"
	"owlatsync/owlat"
	"owlatsync/owlat/owlattest"
)

// TestKilledWhileItExports kills an export for Owlat's importer at its requests, and before and after each commit of its ledger. Nobody is in a file that
// somebody could import and not in the ledger. The same command goes on, its file has everybody once, and the run after the import takes all over,
// writes nothing, and puts nobody back.
func TestKilledWhileItExports(t *testing.T) {
	program := os.Getenv(programVariable)
	if program == "" {
		t.Parallel()
		testApart(t)
		return
	}
	const people, most = 25, 40
	s := newStation(t, program)
	for _, at := range []string{"request before", "request after", "commit before", "commit after"} {
		kind, when, _ := strings.Cut(at, " ")
		for n := 1; n <= most; n++ {
			ended := false
			t.Run(fmt.Sprint(at, " ", n), func(t *testing.T) {
				s.t, s.folder = t, t.TempDir()
				made, err := s.server.Setup(owlattest.Given{
					Keys:   map[string]owlattest.GivenKey{"all": {Scopes: owlattest.AllScopes()}},
					Topics: map[string]owlattest.GivenTopic{"news": {}},
				})
				if err != nil {
					t.Fatal(err)
				}
				s.crashStart = &crashStart{key: made.Keys["all"], news: made.Topics["news"]}
				s.write("owlat-sync.yaml", fmt.Appendf(nil, "owlat: {requests_per_second: 1000}\nsyncs:\n  users: {source: {dsn: \"csv:users.csv\"}, key: id, fields: {email: email}, topics: [{id: %s, existing: add}]}\n", s.news))
				rows := "id,email\n"
				for n := range people {
					rows += fmt.Sprintf("%d,user%d@example.com\n", n, n)
				}
				s.write("users.csv", []byte(rows))
				args := []string{"export", "--for-import", "import"}
				g, env := gate{at: n, after: when == "after"}, []string(nil)
				if kind == "commit" {
					g, env = gate{}, []string{fmt.Sprintf("%s=%s %d", crashVariable, when, n)}
				}
				victim := s.begin(g, env, args...)
				ended = !s.killed(victim)
				if on := s.imported(); len(on) > 0 {
					t.Logf("%d people are in files", len(on))
					s.allExported(on)
				}
				if !ended {
					if p, code := s.run(args...); code != int(exitcode.OK) {
						t.Fatalf("the same command ends with %d\n%s%s", code, &p.stdout, &p.stderr)
					}
				}
				on := s.imported()
				if len(on) != people || len(slices.Compact(slices.Sorted(slices.Values(on)))) != people {
					t.Fatalf("%d people are in the files", len(on))
				}
				s.allExported(on)
				s.imports(on)
				if err := s.server.Unsubscribe(on[0], ""); err != nil {
					t.Fatal(err)
				}
				before := s.server.Stats().Writes
				p, code := s.run("run", "--yes")
				if writes := s.server.Stats().Writes - before; writes > 0 || code != int(exitcode.OK) {
					t.Errorf("the run ends with %d after %d writes\n%s%s", code, writes, &p.stdout, &p.stderr)
				}
				if c, ok := s.server.Contact(on[0]); !ok || len(c.Topics) > 0 {
					t.Error("somebody was put back who had left")
				}
			})
			if ended || t.Failed() {
				break
			}
			if n == most {
				t.Errorf("%s: %d kills, and it is not at its end", at, n)
			}
		}
	}
}

// imported returns the addresses in the files that the importer would take.
func (s *station) imported() (all []string) {
	s.t.Helper()
	files, err := filepath.Glob(filepath.Join(s.folder, "import", "*.csv"))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			s.t.Fatal(err)
		}
		lines, err := csv.NewReader(strings.NewReader(string(text))).ReadAll()
		if err != nil {
			s.t.Fatal(err)
		}
		for _, line := range lines[1:] {
			all = append(all, line[0])
		}
	}
	return all
}

// allExported wants the ledger to have the people as exported.
func (s *station) allExported(addresses []string) {
	s.t.Helper()
	l, err := openLedger(context.Background(), filepath.Join(s.folder, "owlat-sync.db"))
	if err != nil {
		s.t.Fatal(err)
	}
	defer l.Close()
	held, err := l.Holders(context.Background(), addresses)
	if err != nil || len(held) != len(addresses) {
		s.t.Errorf("the ledger has %d of %d people, %v", len(held), len(addresses), err)
	}
	for _, h := range held {
		if h.Entry.Origin != ledger.OriginExported || h.Entry.Memberships[0].State != ledger.MemberImported {
			s.t.Errorf("the ledger has %+v", h.Entry)
		}
	}
}

// imports makes the contacts, and puts them on the topic, as Owlat's importer does.
func (s *station) imports(addresses []string) {
	s.t.Helper()
	client, err := owlat.NewClient("https://owlat.example", s.key, owlat.WithTransport(s.server.Transport()), owlat.WithoutLimiter())
	if err != nil {
		s.t.Fatal(err)
	}
	for _, address := range addresses {
		id, err := s.server.AddContact(owlattest.ContactState{Email: address})
		if err == nil {
			_, err = client.Topics.Add(context.Background(), s.news, owlat.AddMemberRequest{ContactID: id})
		}
		if err != nil {
			s.t.Fatal(err)
		}
	}
}
