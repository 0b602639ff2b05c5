package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"owlatsync/internal/demo"
)

// TestDemo plays the whole demo with Owlat's real limit, which takes as long as it does for a person.
func TestDemo(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("the demo takes about 20 seconds")
	}
	var out, errOut bytes.Buffer
	// What a person has set for the real deployment must not lead the demo there.
	env := []string{"OWLAT_URL=http://127.0.0.1:1", "OWLAT_API_KEY=lm_live_" + strings.Repeat("x", 40), "OWLAT_SYNC_CONFIG=none.yaml"}
	if code := run(t.Context(), []string{"demo", "--json"}, env, strings.NewReader(""), &out, &errOut); code != 0 {
		t.Fatalf("exit code %d\n%s%s", code, out.Bytes(), errOut.Bytes())
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	var got struct {
		Type string     `json:"type"`
		Runs []demo.Act `json:"runs"`
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &got); err != nil {
		t.Fatalf("%v: %s", err, lines[len(lines)-1])
	}
	if len(got.Runs) != 3 || got.Type != "demo" {
		t.Fatalf("got %+v", got)
	}
	first, second, third := got.Runs[0], got.Runs[1], got.Runs[2]
	if first.RateLimited+second.RateLimited+third.RateLimited != 0 {
		t.Errorf("requests were refused for being too fast: %+v", got.Runs)
	}
	// One page of what Owlat has, 120 creations, 43 topic adds, and one contact that gets its name.
	if want := (demo.Act{Requests: 165, Writes: 164, Changed: 123}); first != want {
		t.Errorf("the first run: %+v, want %+v", first, want)
	}
	// Three updates of which one only leaves the topic, a rename, three creations, two topic adds: each one request.
	if want := (demo.Act{Requests: 9, Writes: 9, Changed: 7, Unchanged: 119}); second != want {
		t.Errorf("the second run: %+v, want %+v", second, want)
	}
	if want := (demo.Act{Unchanged: 126}); third != want {
		t.Errorf("the third run: %+v, want %+v", third, want)
	}
}
