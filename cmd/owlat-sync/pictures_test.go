package main

import (
	"bytes"
	"encoding/csv"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"owlatsync/internal/termshot"
	"owlatsync/owlat/owlattest"
)

var drawPictures = flag.Bool("pictures", false, "draw docs/images and docs/page anew")

// picturesConfig is what the pictures are taken with.
const picturesConfig = `syncs:
  users:
    source: {dsn: "csv:users.csv"}
    key: id
    fields: {email: email, firstName: first_name, lastName: last_name}
    topics: [{id: %q, when: newsletter}]
`

// TestPictures compares the pictures of a terminal in docs/images with what the program prints, or draws them. Only the
// times may differ.
func TestPictures(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(repository, "docs", "images")
	for name, svg := range pictures(t) {
		file := filepath.Join(folder, name)
		if *drawPictures {
			if err := os.WriteFile(file, []byte(svg), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		kept, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		// A time also decides how long its line is drawn.
		varying := regexp.MustCompile(`textLength="[^"]*"|(under |about )?<?(&lt;)?\b\d+(\.\d+)?m?s\b`)
		if varying.ReplaceAllString(string(kept), "") != varying.ReplaceAllString(svg, "") {
			t.Errorf("docs/images/%s does not show what the program prints; make pictures draws it anew", name)
		}
	}
}

// pictures syncs a thousand invented users, changes a few, and draws what the terminal shows then. On a terminal remarks and
// progress are wiped away in the end, so that standard output is what stays.
func pictures(t *testing.T) map[string]string {
	t.Helper()
	fast := &owlattest.Server{Rate: 5000, Burst: 5000, RandomSeed: 1} // nobody waits for the first run
	var now atomic.Pointer[owlattest.Server]
	now.Store(fast)
	listener := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { now.Load().ServeHTTP(w, r) }))
	t.Cleanup(listener.Close)
	topic := fast.AddTopic("newsletter", false)
	p := &place{dir: t.TempDir(), env: []string{"OWLAT_URL=" + listener.URL, "OWLAT_API_KEY=" + fast.AddKey()}}
	p.write(t, "owlat-sync.yaml", fmt.Sprintf(picturesConfig, topic))
	users := invented(1000)
	p.write(t, "users.csv", usersTable(t, users))
	p.cli(t, 0, "run", "--yes")

	var state bytes.Buffer
	if err := fast.Save(&state); err != nil {
		t.Fatal(err)
	}
	limited := &owlattest.Server{RandomSeed: 2} // with Owlat's limit
	if err := limited.Load(&state); err != nil {
		t.Fatal(err)
	}
	now.Store(limited)
	users[16].last = "Horvat-Weber"
	users[203].email = "yuki.new@example.com"
	users[387].newsletter = "no"
	users[511].newsletter = "yes"
	users[740].email = "no-at-sign.example.com"
	users = append(users, pictured{"noor@example.com", "Noor", "Visser", "yes"}, pictured{"tomas.dvorak@example.com", "Tomáš", "Dvořák", "no"})
	p.write(t, "users.csv", usersTable(t, users))

	shot := func(args ...string) termshot.Command {
		out, _ := p.cli(t, 0, args...)
		return termshot.Command{Line: "owlat-sync " + strings.Join(args, " "), Output: out}
	}
	plan := shot("plan")
	return map[string]string{
		"plan.svg": termshot.SVG("The output of owlat-sync plan: a line for each change, then the requests and the time they take", 130, []termshot.Command{plan}),
		"run.svg":  termshot.SVG("The output of two runs: the first sends what changed, the second sends no request", 84, []termshot.Command{shot("run"), shot("run")}),
	}
}

type pictured struct{ email, first, last, newsletter string }

// invented makes up users, of whom every third wants the newsletter.
func invented(count int) []pictured {
	first := strings.Fields("Ada Alan Grace Linus Margaret Dennis Barbara Edsger Radia Ken Zoë Søren Łucja José Renée Yuki Amara")
	last := strings.Fields("Miller Novak Rossi Silva Kowalski Jensen Dubois Nakamura Okafor Haddad Sharma Chen Lindqvist")
	users := make([]pictured, count)
	for i := range users {
		users[i] = pictured{fmt.Sprintf("user%d@example.com", i+1), first[i%len(first)], last[i%len(last)], "no"}
		if i%3 == 0 {
			users[i].newsletter = "yes"
		}
	}
	return users
}

// usersTable writes users as a CSV file.
func usersTable(t *testing.T, users []pictured) string {
	t.Helper()
	var b strings.Builder
	w := csv.NewWriter(&b)
	records := [][]string{{"id", "email", "first_name", "last_name", "newsletter"}}
	for i, u := range users {
		records = append(records, []string{strconv.Itoa(i + 1), u.email, u.first, u.last, u.newsletter})
	}
	if err := w.WriteAll(records); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
