package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"owlatsync/internal/account"
	"owlatsync/internal/config"
	"owlatsync/internal/exitcode"
)

const goodPassword = "correct horse battery"

// accountOf runs the command with a standard input and returns what it printed.
func accountOf(t *testing.T, stdin string, args ...string) (code exitcode.Code, stdout, stderr string) {
	t.Helper()
	return printed(t, stdin, append([]string{"account"}, args...))
}

// printed runs a command with a standard input and without an environment, and returns what it printed.
func printed(t *testing.T, stdin string, args []string) (code exitcode.Code, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	got := run(t.Context(), args, nil, strings.NewReader(stdin), &out, &errs)
	return exitcode.Code(got), out.String(), errs.String()
}

// TestAnAccountFitsTheConfiguration pastes what the command prints into a configuration.
func TestAnAccountFitsTheConfiguration(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		args []string
		name string
		role config.Role
	}{
		{[]string{"ada", "--role", "operator"}, "ada", config.Operator},
		{[]string{` it's "ours": {#1} <b> ⊕ `}, `it's "ours": {#1} <b> ⊕`, config.Viewer},
	} {
		code, stdout, stderr := accountOf(t, goodPassword+"\r\nmore\n", test.args...)
		at := strings.Index(stdout, "\nserve:\n")
		if code != exitcode.OK || at < 0 || strings.Contains(stdout+stderr, goodPassword) || !strings.Contains(stderr, "The name to sign in with is "+test.name) {
			t.Errorf("%q: code %d, %s%s", test.args, code, stdout, stderr)
			continue
		}
		text := "owlat: {url: \"https://owlat.example.com\", api_key: lm_live_0}\nsyncs: {users: {source: {dsn: \"csv:users.csv\"}, fields: {email: email}}}\n" + stdout[at:]
		cfg, err := config.Parse("owlat-sync.yaml", []byte(text), sampleVariables)
		if err != nil {
			t.Errorf("%q: %v in\n%s", test.args, err, text)
			continue
		}
		got := cfg.Service.Accounts
		if len(got) != 1 || got[0].Name != test.name || got[0].Role != test.role || got[0].Hash.Memory == 0 {
			t.Errorf("%q: %+v", test.args, got)
		}
	}
}

func TestAnAccountForMachines(t *testing.T) {
	t.Parallel()
	code, stdout, stderr := accountOf(t, goodPassword, "ada", "--json")
	var got struct {
		Type, Name, Hash string
		Role             config.Role
		SignIn           string `json:"sign_in"`
	}
	if err := json.Unmarshal([]byte(stdout), &got); err != nil || code != exitcode.OK || stderr != "" {
		t.Fatalf("code %d, %v: %s%s", code, err, stdout, stderr)
	}
	if _, err := account.Parse(got.Hash); err != nil || got.Type != "account" || got.Name != "ada" || got.SignIn != "ada" || got.Role != config.Viewer {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestNoAccountOfBadWords(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		stdin string
		args  []string
		says  string
	}{
		{goodPassword, nil, "owlat-sync account needs one name"},
		{goodPassword, []string{"ada", "--role", "admin"}, `--role "admin" is none of viewer, operator`},
		{goodPassword, []string{"acme/ada"}, `"acme/ada" is no name for an account`},
		{"elevenchars\n", []string{"ada"}, "it has fewer than 12 characters"},
		{"", []string{"ada"}, "it has fewer than 12 characters"},
		{strings.Repeat("a", 300), []string{"ada"}, "it has more than 256 bytes"},
	} {
		code, stdout, stderr := accountOf(t, test.stdin, test.args...)
		if code != exitcode.Usage || stdout != "" || !strings.Contains(stderr, test.says) || strings.Contains(stderr, "elevenchars") {
			t.Errorf("%q: code %d, %s%s", test.args, code, stdout, stderr)
		}
	}
}
