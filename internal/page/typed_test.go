package page

import (
	"errors"
	"html"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"owlatsync/internal/words"
	"owlatsync/ledger"
)

// flags are those that stand in one piece.
var flags = regexp.MustCompile(`<span class="word">([^<]*)</span>`)

// shown finds commands of the program on a page.
var shown = regexp.MustCompile("owlat-sync (approve|check|explain|failures|feedback|plan|retry|run|status|topic|verify)[^<\"`]*")

// TestCommandsAreTypedHere looks for commands on every page that has some: each names the deployment and the configuration file, so that it does what it says.
func TestCommandsAreTypedHere(t *testing.T) {
	t.Parallel()
	w, f := newPeople(t)
	w.page.parts.Config = "my file.yaml"
	w.all = map[string]*stands{"acme": f.stands, "other": nil}
	f.leaves()
	f.stands.states = full()
	f.stands.states[0].Why = "the row is refused: `owlat-sync retry` tries at once"
	f.stands.notReady = errors.New("the ledger is elsewhere: look at \"owlat-sync status\"")
	f.stands.runs = runsBefore(noon, 1)
	f.stands.runs[0].Message = "it failed: \"owlat-sync verify --repair\" sets it right"
	f.fails("users", "7", "fay@example.com", false, ledger.CategoryAddress, "`owlat-sync topic add` adds it")
	held := f.holds("users")
	b := w.browser()
	b.signIn("ada", password)
	const base = "/deployments/acme"
	person := b.send(base+"/people", base+"/people", "word", "7")
	has := map[string]reply{
		"/": b.get(base + "/"), "a person": person, "Owlat now": b.send(person.path, person.path+"/now"), "/failures": b.get(base + "/failures"), "a sync": b.get(base + "/syncs/leads"),
		"a held run": b.get(base + "/runs/1"), "runs": b.get(base + "/syncs/leads/runs"), "a long word": b.send(base+"/people", base+"/people", "word", strings.Repeat("x", longestWord+1)),
	}
	if held != 1 {
		t.Fatal(held)
	}
	for name, want := range map[string]int{"/": 6, "a person": 4, "Owlat now": 4, "/failures": 2, "a sync": 1, "runs": 1, "a long word": 1} {
		found := shown.FindAllString(html.UnescapeString(flags.ReplaceAllString(has[name].body, "$1")), -1)
		if len(found) < want {
			t.Errorf("%s (%d) has %d commands, and should have %d:\n%s", name, has[name].status, len(found), want, wordsOf(has[name].body))
		}
		for _, command := range found {
			if !strings.Contains(command, " --deployment acme --config 'my file.yaml'") {
				t.Errorf("%s shows %s", name, command)
			}
		}
	}
	if got := b.get(base + "/syncs/nobody"); got.status != http.StatusNotFound {
		t.Errorf("a refusal: %d", got.status)
	}
	if got := (view{Typed: words.Typed{Deployment: "acme"}}).Says("\"owlat-sync check\""); got != "\"owlat-sync check --deployment acme\"" {
		t.Errorf("a text is shown as %q", got)
	}
}
