package initialise_test

import (
	"bytes"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"owlatsync/internal/config"
	"owlatsync/internal/console"
	"owlatsync/internal/initialise"
	"owlatsync/internal/setup"
	"owlatsync/owlat/owlattest"
)

// deployment is an emulator with topics, and the question that init asks beside it.
func deployment(t *testing.T) (*owlattest.Server, initialise.Question) {
	t.Helper()
	s := &owlattest.Server{NoLimit: true, UnsubscribeSecret: "secret of links"}
	listener := httptest.NewServer(s)
	t.Cleanup(listener.Close)
	folder := t.TempDir()
	users := filepath.Join(folder, "users.csv")
	if err := os.WriteFile(users, []byte("id,email,newsletter,offers_opt_in\n1,ann@example.com,true,false\n2,bob@example.com,false,true\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return s, initialise.Question{Path: filepath.Join(folder, "owlat-sync.yaml"), DSN: "csv:" + users, URL: listener.URL, APIKey: s.AddKey(), Secret: "secret of links"}
}

// written writes the configuration, and returns it and what is said of it.
func written(t *testing.T, q initialise.Question, ask *console.Asker) (text, said string) {
	t.Helper()
	result, err := initialise.Write(t.Context(), setup.Opener{}, q, ask)
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(q.Path)
	if err != nil {
		t.Fatal(err)
	}
	env := map[string]string{config.EnvAPIKey: q.APIKey, initialise.EnvSecret: q.Secret}
	if _, err := config.Load(q.Path, config.UseAll, func(name string) (string, bool) { v, ok := env[name]; return v, ok }); err != nil {
		t.Errorf("what was written cannot be read: %v\n%s", err, file)
	}
	if err := os.Remove(q.Path); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	result.Print(&out)
	return string(file), out.String()
}

func contains(t *testing.T, what, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%s lacks %q:\n%s", what, part, text)
		}
	}
}

func TestTopicsAreWrittenByTheirNames(t *testing.T) {
	t.Parallel()
	s, q := deployment(t)
	news, offers, again := s.AddTopic("Newsletter", false), s.AddTopic("Offers: \u202e #1", false), s.AddTopic("Twice", false)
	s.AddTopic("twice", false)
	s.AddTopic("Twice", false)
	by := q
	by.Topics = []string{"newsletter=newsletter"}
	// Nobody is there by whom Owlat could be asked, so that it is as without the secret, and what is given counts as an id.
	text, said := written(t, by, nil)
	contains(t, "without contacts the file", text, "- id: newsletter", "api_key: ${OWLAT_API_KEY}")
	if strings.Contains(text+said, "UNSUBSCRIBE_SECRET") {
		t.Errorf("without contacts the secret is named:\n%s%s", text, said)
	}
	if _, err := s.AddContact(owlattest.ContactState{Email: "ada@example.com"}); err != nil {
		t.Fatal(err)
	}
	text, said = written(t, by, nil)
	contains(t, "the file", text, "  unsubscribe_secret: ${UNSUBSCRIBE_SECRET} #", "- name: Newsletter # "+news, "# To use a topic, put its name here", `#   "Offers: \u202e #1" (`+offers+")", "#   - name: TOPIC_NAME")
	contains(t, "what is said", said, "when newsletter: Newsletter ("+news+")", "export UNSUBSCRIBE_SECRET=")
	if strings.Contains(text+said, q.Secret) || strings.Contains(text+said, q.APIKey) {
		t.Error("a secret is shown")
	}
	// A name of several topics is a mistake; the id is not, and says what it is called.
	twice := q
	twice.Topics = []string{"TWICE=newsletter"}
	if _, err := initialise.Write(t.Context(), setup.Opener{}, twice, nil); err == nil || !strings.Contains(err.Error(), `3 topics in Owlat are called "TWICE"`) {
		t.Errorf("a name of several: %v", err)
	}
	twice.Topics = []string{again}
	text, _ = written(t, twice, nil)
	contains(t, "the file", text, "- id: "+again+` # "Twice"`)
	// A person is shown the topics, and answers with a name or a number.
	var shown strings.Builder
	text, _ = written(t, q, console.NewAsker(t.Context(), strings.NewReader("none\nnewsletter\n2\n"), &shown))
	contains(t, "the question", shown.String(), "  1  Newsletter ("+news+")", `no topic called "none" is in Owlat`)
	contains(t, "the file", text, "- name: Newsletter # "+news, offers)
}

// TestWithoutNamesInitWorksAsBefore says why names are not known.
func TestWithoutNamesInitWorksAsBefore(t *testing.T) {
	t.Parallel()
	s, q := deployment(t)
	s.AddTopic("Newsletter", false)
	if _, err := s.AddContact(owlattest.ContactState{Email: "ada@example.com"}); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		change func(*initialise.Question)
		says   string
	}{
		"no secret":       {func(q *initialise.Question) { q.Secret = "" }, ""},
		"no key":          {func(q *initialise.Question) { q.APIKey = "" }, ""},
		"another secret":  {func(q *initialise.Question) { q.Secret = "of another deployment" }, "the topics that Owlat has are not known: owlat: GET /prefs/verify/{token}: 200 invalid_signature"},
		"a key of nobody": {func(q *initialise.Question) { q.APIKey = "lm_live_" + strings.Repeat("0", 40) }, "the topics that Owlat has are not known: owlat: GET /contacts: 401"},
	} {
		other := q
		test.change(&other)
		before := s.Stats().Total
		result, err := initialise.Write(t.Context(), setup.Opener{}, other, nil)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var out bytes.Buffer
		result.Print(&out)
		text, err := os.ReadFile(q.Path)
		if err != nil {
			t.Fatal(err)
		}
		_ = os.Remove(q.Path)
		contains(t, name, string(text), "#   - id: TOPIC_ID")
		if strings.Contains(string(text), "unsubscribe_secret") || !strings.Contains(out.String(), test.says) || test.says == "" && strings.Contains(out.String(), "not known") {
			t.Errorf("%s:\n%s\n%s", name, text, out.String())
		}
		if asked := s.Stats().Total > before; asked != (test.says != "") {
			t.Errorf("%s: Owlat was asked: %v", name, asked)
		}
	}
}
