package config

import (
	"strings"
	"testing"
)

const passwordHash = "argon2id:m=19456,t=2,p=1:AAECAwQFBgcICQoLDA0ODw:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"

func TestAccounts(t *testing.T) {
	t.Parallel()
	cfg, err := Parse("f.yaml", []byte(served("serve: {listen: '0.0.0.0:1', accounts: [{name: ' Ada ', role: operator, hash: \""+passwordHash+"\"}, {name: 'wall', role: viewer, hash: \""+passwordHash+"\"}]}\n", "", "")), env(map[string]string{EnvAPIKey: testKey}))
	if err != nil {
		t.Fatal(err)
	}
	got := cfg.Service.Accounts
	if len(got) != 2 || got[0].Name != "Ada" || got[0].Role != Operator || got[1].Role != Viewer || got[0].Hash.Memory != 19456 || got[0].Hash.Passes != 2 || got[0].Hash.Threads != 1 ||
		got[0].Hash.Salt[15] != 15 || got[0].Hash.Key[31] != 31 || got[0].Hash.Text() != passwordHash {
		t.Errorf("%+v", got)
	}
}

func TestBadAccounts(t *testing.T) {
	t.Parallel()
	const wrong = `serve.accounts[0].hash: is no hash of a password; "owlat-sync account" prints it. The password itself does not belong here`
	const cost = `serve.accounts[0].hash: costs too little or too much: m can be 7168 to 262144, t 1 to 16, p 1 to 16; "owlat-sync account" prints it. The password itself does not belong here`
	with := func(old, now string) string {
		return "{name: a, role: viewer, hash: '" + strings.Replace(passwordHash, old, now, 1) + "'}"
	}
	for accounts, want := range map[string]string{
		"{role: viewer, hash: '" + passwordHash + "'}":                     `serve.accounts[0]: "name" is missing; say who signs in with it`,
		"{name: a, hash: '" + passwordHash + "'}":                          `serve.accounts[0]: "role" is missing; viewer or operator`,
		"{name: a, role: viewer}":                                          `serve.accounts[0]: "hash" is missing; "owlat-sync account" asks for a password and prints this line`,
		"{name: a, role: boss, hash: '" + passwordHash + "'}":              `serve.accounts[0].role: "boss" is not known; it can be viewer or operator`,
		"{name: acme/a, role: viewer, hash: '" + passwordHash + "'}":       `serve.accounts[0].name: "acme/a" is no name for an account: use at most 64 bytes that can be seen, and no "/"`,
		"{name: \"a\\u202e\", role: viewer, hash: '" + passwordHash + "'}": `serve.accounts[0].name: "a\u202e" is no name for an account: use at most 64 bytes that can be seen, and no "/"`,
		"{name: a, role: viewer, hash: secretpart}":                        wrong,
		with("argon2id", "argon2i"):                                        wrong,
		with("m=19456", "m=019456"):                                        wrong,
		with("p=1", "p=1x"):                                                wrong,
		with("m=19456", "m=-1"):                                            wrong,
		with("Hh8", "Hh"):                                                  wrong,
		with("m=19456", "m=1024"):                                          cost,
		with("m=19456", "m=4194304"):                                       cost,
		with("t=2", "t=0"):                                                 cost,
		with("p=1", "p=255"):                                               cost,
		with("", "") + ", " + with("", ""):                                 `serve.accounts[1].name: "a" is the name of an account above, too`,
	} {
		_, err := Parse("f.yaml", []byte(served("serve: {accounts: ["+accounts+"]}\n", "", "")), env(map[string]string{EnvAPIKey: testKey}))
		if err == nil {
			t.Errorf("no error for %s", accounts)
			continue
		}
		if _, after, _ := strings.Cut(strings.TrimPrefix(err.Error(), "f.yaml:"), ": "); after != want || strings.Contains(after, "secretpart") {
			t.Errorf("%s:\n got %s\nwant %s", accounts, after, want)
		}
	}
}

// TestAccountsOfDeployments: each has its own, and a broken one that has some keeps the service from being open.
func TestAccountsOfDeployments(t *testing.T) {
	t.Parallel()
	account := "accounts: [{name: a, role: viewer, hash: '" + passwordHash + "'}]"
	of := func(more string) string {
		return "deployments:\n  acme: {owlat: {url: \"https://a.example\", api_key: lm_live_" + strings.Repeat("a", 40) + "}, syncs: {users: {source: {dsn: \"csv:u.csv\"}, fields: {email: email}}}, " + more + "}\n"
	}
	for _, test := range []struct {
		file     string
		accounts int
		guarded  bool
	}{
		{of(account), 1, false},
		{of(account + ", oddity: 1"), 0, true},
		{of("oddity: 1"), 0, false},
	} {
		set, err := parse("f.yaml", []byte(test.file), UseEverything, "", env(nil))
		if err != nil {
			t.Fatal(err)
		}
		accounts := 0
		for _, d := range set.Deployments {
			accounts += len(d.Accounts)
		}
		if accounts != test.accounts || set.Guarded != test.guarded {
			t.Errorf("%s: %d accounts, guarded %v", test.file, accounts, set.Guarded)
		}
	}
}
