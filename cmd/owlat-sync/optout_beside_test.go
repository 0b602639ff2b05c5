package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"owlatsync/internal/testdb"
	"owlatsync/owlat/owlattest"
)

// byLink is a request by a link, at the deployment.
type byLink struct {
	at      time.Time
	optOut  bool
	contact string
}

// TestAListBesideServices opts people out by a list, from the command line, beside two services with a ledger in PostgreSQL, all of them processes. The
// command is killed in the middle and goes on where it was: everybody is opted out once. Meanwhile everybody says yes in the source: no service puts
// people back on a topic, and nobody sends more by links than half as much again as one may.
func TestAListBesideServices(t *testing.T) {
	t.Parallel()
	const people, listed, rate = 40, 30, 20
	owlat := &owlattest.Server{NoLimit: true, UnsubscribeSecret: crashSecret}
	key, news, all := owlat.AddKey(), owlat.AddTopic("news", false), owlat.AddTopic("all", false)
	var mu sync.Mutex
	var log []byLink
	links := func() []byLink {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(log)
	}
	listener := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if before, token, is := strings.Cut(strings.Replace(r.URL.Path, "/prefs/verify/", "/unsub/", 1), "/unsub/"); is && before == "" {
			contact, _, _ := strings.Cut(token, ":")
			mu.Lock()
			log = append(log, byLink{time.Now(), r.Method == http.MethodPost, contact})
			mu.Unlock()
		}
		owlat.ServeHTTP(w, r)
	}))
	defer listener.Close()

	s := &service{t: t, dir: t.TempDir(), env: []string{"OWLAT_URL=" + listener.URL, "OWLAT_API_KEY=" + key, "LEDGER=" + testdb.Postgres(t)}}
	address := func(n int) string { return fmt.Sprintf("person%d@example.com", n) }
	write := func(name, text string) {
		t.Helper()
		file := filepath.Join(s.dir, name)
		if err := errors.Join(os.WriteFile(file+".new", []byte(text), 0o600), os.Rename(file+".new", file)); err != nil {
			t.Fatal(err)
		}
	}
	say := func(yes bool) {
		t.Helper()
		text := "id,email,newsletter\n"
		for n := range people {
			text += fmt.Sprintf("%d,%s,%v\n", n, address(n), yes)
		}
		write("users.csv", text)
	}
	write("owlat-sync.yaml", fmt.Sprintf(`owlat: {requests_per_second: 1000, preferences_per_second: %d, unsubscribe_secret: %q}
ledger: "${LEDGER}&schema=owlat_sync"
serve: {listen: "127.0.0.1:0"}
syncs:
  users:
    source: {dsn: "csv:users.csv"}
    key: id
    fields: {email: email}
    topics: [{id: %s, when: newsletter}, {id: %s}]
    guards: {first_run: allow, creates: allow, topic_adds: allow, removals: allow}
    schedule: every 24h
`, rate, crashSecret, news, all))
	list := "email\n"
	for n := range listed {
		list += address(n) + "\n"
	}
	write("list.csv", list)
	say(false)
	for range 2 {
		s.begin()
	}
	run := func() {
		t.Helper()
		s.run("--url", fmt.Sprint("http://", s.process.ready["listen"]))
	}
	run()
	on := func(topic string) (n int) {
		for _, c := range owlat.Contacts() {
			if slices.Contains(c.Topics, topic) {
				n++
			}
		}
		return n
	}
	if n := on(all); n != people {
		t.Fatalf("%d people are on the topic", n)
	}
	optout := func() *exec.Cmd {
		cmd := command(t, s.dir, s.env, "optout", "--from", "list.csv", "--yes")
		cmd.Stdout, cmd.Stderr = new(syncBuffer), new(syncBuffer)
		return cmd
	}
	optOuts := func() (n int) {
		for _, l := range links() {
			if l.optOut {
				n++
			}
		}
		return n
	}

	killed := optout()
	if err := killed.Start(); err != nil {
		t.Fatal(err)
	}
	s.until("the first opt-outs", func() bool { return optOuts() >= 8 })
	_ = killed.Process.Signal(syscall.SIGKILL)
	_ = killed.Wait()
	before := optOuts()
	if before >= listed {
		t.Fatalf("the list was done before it was killed: %d opt-outs\n%s", before, killed.Stderr)
	}

	say(true) // a new consent of everybody, which a service acts on while the list goes on
	began := time.Now()
	rest := optout()
	if err := rest.Start(); err != nil {
		t.Fatal(err)
	}
	run()
	if err := rest.Wait(); err != nil {
		t.Fatalf("%v\n%s%s", err, rest.Stdout, rest.Stderr)
	}
	if least := time.Duration(listed-before-5) * time.Second / (rate / 2); time.Since(began) < least {
		t.Errorf("the rest of the list took %v, want at least %v", time.Since(began), least)
	}
	for _, yes := range []bool{false, true} {
		say(yes)
		run()
	}
	times := make(map[string]int)
	for _, l := range links() {
		if l.optOut {
			times[l.contact]++
		}
	}
	again := 0
	for n := range people {
		c, _ := owlat.Contact(address(n))
		if out := n < listed; c.Unsubscribed != out || (len(c.Topics) == 0) != out {
			t.Errorf("%s: opted out %v, on topics %v", c.Email, c.Unsubscribed, c.Topics)
		}
		again += max(0, times[c.ID]-1)
	}
	// What was under way at the kill is sent again, and so is an opt-out that came while an add of the same person was.
	if again > 6 || len(times) != listed {
		t.Errorf("%d people were opted out, %d of them again", len(times), again)
	}
	sent := links()
	for i := range sent {
		within := 0
		for _, l := range sent[i:] {
			if l.at.Sub(sent[i].at) < time.Second {
				within++
			}
		}
		if most := rate*3/2 + 10; within > most { // both may have rested before
			t.Errorf("%d requests by links came within a second, want at most %d", within, most)
			break
		}
	}
	if out, err := command(t, s.dir, s.env, "optout", "--from", "list.csv", "--yes").CombinedOutput(); err != nil || optOuts() != len(slices.DeleteFunc(sent, func(l byLink) bool { return !l.optOut })) {
		t.Errorf("the list sent something a third time: %v\n%s", err, out)
	}
}
