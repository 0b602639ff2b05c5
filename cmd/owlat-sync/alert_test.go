package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"owlatsync/owlat/owlattest"
)

// TestAlertTest sends test messages to a chat, a place that refuses them, and through Owlat.
func TestAlertTest(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var heard []string
	chat := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		if heard = append(heard, string(body)); strings.HasPrefix(r.URL.Path, "/gone") {
			http.Error(w, "no_service", http.StatusGone)
		}
	}))
	defer chat.Close()
	emulator := &owlattest.Server{NoLimit: true}
	key := emulator.AddKey()
	emulator.AddTemplate("ops-alert", true)
	deployment := httptest.NewServer(emulator)
	defer deployment.Close()
	folder := t.TempDir()
	file := filepath.Join(folder, "owlat-sync.yaml")
	text := fmt.Sprintf(`owlat: {url: %q, api_key: "${KEY}"}
serve: {url: "https://sync.example.com"}
syncs:
  users:
    source: {dsn: "csv:users.csv"}
    fields: {email: email}
alerts:
  - {name: team, slack: {url: "${SLACK_URL}"}}
  - {name: old, discord: {url: "${DISCORD_URL}"}}
  - {name: people, owlat: {slug: ops-alert, to: [ops@example.org, boss@example.net]}}
`, deployment.URL)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	env := []string{"KEY=" + key, "SLACK_URL=" + chat.URL + "/services/secret", "DISCORD_URL=" + chat.URL + "/gone/secret"}
	for _, test := range []struct {
		args     []string
		env      []string
		code     int
		out, err string
	}{
		{[]string{}, env, 1, "team: sent\nold: not sent: send an alert to Discord at 127.0.0.1: it answered 410 Gone: is its URL or token still right?\npeople: sent\npeople 2: sent\n", ""},
		{[]string{"team"}, env[1:], 0, "team: sent\n", ""}, // no key is needed
		{[]string{"old", "--json"}, env, 1, `{"type":"alert","channel":"old","sent":false,"error":"send an alert to Discord at 127.0.0.1: it answered 410 Gone: is its URL or token still right?"}` + "\n", ""},
		{[]string{"team", "--json"}, env, 0, `{"type":"alert","channel":"team","sent":true}` + "\n", ""},
		{[]string{"nobody"}, env, 2, "", "owlat-sync: there is no channel \"nobody\" in " + file + "; it has: team, old, people\n"},
		{[]string{"people"}, env[1:], 2, "", "KEY"},
	} {
		var out, errOut bytes.Buffer
		code := run(t.Context(), append([]string{"alert", "test", "--config", file}, test.args...), test.env, strings.NewReader(""), &out, &errOut)
		if code != test.code || out.String() != test.out || !strings.Contains(errOut.String(), test.err) || test.err == "" && errOut.Len() > 0 {
			t.Errorf("%q: code %d, %q, %q", test.args, code, &out, &errOut)
		}
		if strings.Contains(out.String()+errOut.String(), "secret") {
			t.Errorf("%q tells a secret: %s%s", test.args, &out, &errOut)
		}
	}
	if len(heard) != 5 || !strings.Contains(heard[0], `"text":"*This is a test of owlat-sync*`) || !strings.Contains(heard[0], "<https://sync.example.com|See more>") {
		t.Errorf("the chat heard %q", heard)
	}
	if n := emulator.Stats().Messages; n != 2 {
		t.Errorf("Owlat has %d mails", n)
	}
	if err := os.WriteFile(file, []byte(text[:strings.Index(text, "alerts:")]), 0o600); err != nil {
		t.Fatal(err)
	}
	var errOut bytes.Buffer
	if code := run(t.Context(), []string{"alert", "test", "--config", file}, env, strings.NewReader(""), io.Discard, &errOut); code != 2 || !strings.Contains(errOut.String(), "has no alerts") {
		t.Errorf("without alerts: code %d, %s", code, &errOut)
	}
}
