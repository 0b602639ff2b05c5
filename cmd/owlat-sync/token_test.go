package main

import (
	"crypto/sha256"
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"owlatsync/internal/config"
	"owlatsync/internal/exitcode"
)

// tokenOf runs the command and returns what it printed.
func tokenOf(t *testing.T, args ...string) (code exitcode.Code, stdout, stderr string) {
	t.Helper()
	return printed(t, "", append([]string{"token"}, args...))
}

// TestATokenFitsTheConfiguration pastes what the command prints into a configuration.
func TestATokenFitsTheConfiguration(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		args []string
		name string
		role config.Role
	}{
		{nil, "viewer", config.Viewer},
		{[]string{"--role", "operator"}, "operator", config.Operator},
		{[]string{"ci", "--role", "operator"}, "ci", config.Operator},
		{[]string{`it's "ours": {#1} <b> ⊕`}, `it's "ours": {#1} <b> ⊕`, config.Viewer},
	} {
		code, stdout, stderr := tokenOf(t, test.args...)
		token := regexp.MustCompile(`\n  (owlsync_\S+)\n`).FindStringSubmatch(stdout)
		at := strings.Index(stdout, "\nserve:\n")
		if code != exitcode.OK || stderr != "" || token == nil || at < 0 {
			t.Errorf("%q: code %d, %s%s", test.args, code, stdout, stderr)
			continue
		}
		text := "owlat: {url: \"https://owlat.example.com\", api_key: lm_live_0}\nsyncs: {users: {source: {dsn: \"csv:users.csv\"}, fields: {email: email}}}\n" + stdout[at:]
		cfg, err := config.Parse("owlat-sync.yaml", []byte(text), sampleVariables)
		if err != nil {
			t.Errorf("%q: %v in\n%s", test.args, err, text)
			continue
		}
		got := cfg.Service.Tokens
		if len(got) != 1 || got[0].Name != test.name || got[0].Role != test.role || got[0].Hash != sha256.Sum256([]byte(token[1])) {
			t.Errorf("%q: %+v", test.args, got)
		}
	}
}

func TestATokenForMachines(t *testing.T) {
	t.Parallel()
	code, stdout, _ := tokenOf(t, "ci", "--json")
	var got struct {
		Name, Token, Hash string
		Role              config.Role
	}
	if err := json.Unmarshal([]byte(stdout), &got); err != nil || code != exitcode.OK {
		t.Fatalf("code %d, %v: %s", code, err, stdout)
	}
	if got.Name != "ci" || got.Role != config.Viewer || !strings.HasPrefix(got.Token, "owlsync_") || !strings.HasPrefix(got.Hash, "sha256:") {
		t.Errorf("%+v", got)
	}
}

func TestNoTokenOfBadWords(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		args []string
		says string
	}{
		{[]string{"ci", "--role", "admin"}, `--role "admin" is none of viewer, operator`},
		{[]string{""}, `"" is no name for a token`},
		{[]string{"a\nb"}, `"a\nb" is no name for a token`},
		{[]string{"a", "b"}, "owlat-sync token needs at most one name"},
	} {
		code, stdout, stderr := tokenOf(t, test.args...)
		if code != exitcode.Usage || stdout != "" || !strings.Contains(stderr, test.says) {
			t.Errorf("%q: code %d, %s%s", test.args, code, stdout, stderr)
		}
	}
}
