package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const otherKey = "lm_live_ffffffffffffffffffffffffffffffff"

// twoDeployments is a file with two deployments, to which a test can add.
const twoDeployments = `ledger: state/owlat.db
serve: {time_zone: Europe/Berlin}
deployments:
  acme:
    owlat: {url: https://acme.example.com, api_key: "${ACME_KEY}", unsubscribe_secret: "${ACME_SECRET}"}
    history_days: 7
    tokens: [{name: ada, role: viewer, hash: "sha256:0000000000000000000000000000000000000000000000000000000000000000"}]
    syncs:
      users:
        source: {dsn: csv:users.csv}
        fields: {email: email}
        schedule: "0 3 * * *"
  globex:
    owlat: {url: https://globex.example.com, api_key: "${GLOBEX_KEY}"}
    syncs: {people: {source: {dsn: csv:people.csv}, fields: {email: email}}}
`

var twoKeys = map[string]string{"ACME_KEY": testKey, "ACME_SECRET": testSecret, "GLOBEX_KEY": otherKey, EnvURL: "https://wrong.example.com", EnvAPIKey: "lm_live_eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee"}

func TestSeveralDeployments(t *testing.T) {
	t.Parallel()
	set, err := ParseSet("/etc/owlat/f.yaml", []byte(twoDeployments), env(twoKeys))
	if err != nil || !set.Several || len(set.Deployments) != 2 || len(set.Broken) > 0 {
		t.Fatalf("%+v, %v", set, err)
	}
	acme, err := set.Deployment("acme")
	if err != nil {
		t.Fatal(err)
	}
	// The environment's key and address are nobody's among several.
	if acme.Name != "acme" || acme.Owlat.URL != "https://acme.example.com" || acme.Owlat.APIKey.Reveal() != testKey || acme.Owlat.UnsubscribeSecret != testSecret ||
		acme.Ledger.Path != "/etc/owlat/state/owlat.acme.db" || acme.History != 7*24*3600e9 || len(acme.Tokens) != 1 || acme.Syncs[0].Target.Path() != "/etc/owlat/users.csv" ||
		acme.Syncs[0].Schedule.Zone.String() != "Europe/Berlin" || acme.Service.Zone.String() != "Europe/Berlin" || acme.Dir() != "/etc/owlat" {
		t.Errorf("acme is %+v", acme)
	}
	if got := set.Names(); !slices.Equal(got, []string{"acme", "globex"}) {
		t.Errorf("names %v", got)
	}
	for name, want := range map[string]string{
		"":        "there are several deployments in /etc/owlat/f.yaml: acme, globex",
		"initech": `there is no deployment "initech" in /etc/owlat/f.yaml; there are: acme, globex`,
	} {
		if _, err := set.Deployment(name); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", name, err, want)
		}
	}
	if one, err := ParseSet("f.yaml", []byte(valid), env(map[string]string{EnvAPIKey: testKey})); err != nil || one.Several || len(one.Names()) > 0 {
		t.Errorf("a file with one deployment: %+v, %v", one, err)
	} else if cfg, err := one.Deployment(""); err != nil || cfg.Name != "" || cfg.Ledger != one.Ledger {
		t.Errorf("the only deployment: %+v, %v", cfg, err)
	} else if _, err := one.Deployment("acme"); err == nil {
		t.Error("a file with one deployment has one called acme")
	}
}

// TestABrokenDeployment leaves the others in use.
func TestABrokenDeployment(t *testing.T) {
	t.Parallel()
	one := func(lines string) string {
		return twoDeployments + "  initech:\n    owlat: {api_key: lm_live_dddddddddddddddddddddddddddddddd}\n" + lines
	}
	const syncs = "    syncs: {people: {source: {dsn: csv:people.csv}, fields: {email: email}}}\n"
	for name, test := range map[string]struct{ file, broken, want string }{
		"no syncs":    {one(""), "initech", `f.yaml:16: deployments.initech: "syncs" is missing; it must name at least one source ("owlat-sync init DSN" writes an example)`},
		"nothing":     {twoDeployments + "  initech:\n", "initech", "f.yaml:16: deployments.initech"},
		"a text":      {twoDeployments + "  initech: here\n", "initech", "f.yaml:16: deployments.initech: must be a section of keys"},
		"a variable":  {one(strings.Replace(syncs, "csv:people.csv", "'${NONE}'", 1)), "initech", "f.yaml:18: deployments.initech.syncs.people.source.dsn: the environment variable NONE is not set"},
		"a key":       {one(syncs + "    serve: {}\n"), "initech", `f.yaml:19: deployments.initech: unknown key "serve"`},
		"a token":     {one(syncs + "    tokens: [{name: ada, role: boss, hash: x}]\n"), "initech", `f.yaml:19: deployments.initech.tokens[0].role: "boss" is not known`},
		"a webhook":   {one(syncs + "    webhooks: {max_age: 5m}\n"), "initech", `f.yaml:19: deployments.initech.webhooks: "secrets" is missing`},
		"no key":      {strings.Replace(one(syncs), "api_key: lm_live_dddddddddddddddddddddddddddddddd", "url: https://initech.example.com", 1), "initech", `"api_key" is missing; each deployment has a key of its own`},
		"its name":    {strings.Replace(one(syncs), "initech:", "in/tech:", 1), "in/tech", `"in/tech" cannot be the name of a deployment`},
		"letter case": {strings.Replace(one(syncs), "initech:", "ACME:", 1), "ACME", `"ACME" differs from another name only in its letter case`},
		"a key twice": {strings.Replace(one(syncs), "owlat: {api_key: lm_live_dddddddddddddddddddddddddddddddd}", "owlat: {url: https://acme.example.com, api_key: "+testKey+"}", 1), "initech",
			`f.yaml: deployments.initech: has the API key of "acme", too`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			set, err := ParseSet("f.yaml", []byte(test.file), env(twoKeys))
			if err != nil {
				t.Fatal(err)
			}
			if got := set.Broken[test.broken]; got == nil || !strings.Contains(got.Error(), test.want) {
				t.Errorf("broken: %v, want %s", got, test.want)
			}
			if _, err := set.Deployment(test.broken); err == nil || err != set.Broken[test.broken] {
				t.Errorf("the broken deployment: %v", err)
			}
			if len(set.Deployments) != 2 || len(set.Broken) != 1 {
				t.Errorf("%d others, broken %v", len(set.Deployments), set.Broken)
			}
		})
	}
}

// TestWhatConcernsAllDeployments is refused as a whole.
func TestWhatConcernsAllDeployments(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ file, want string }{
		"a sync beside them":  {twoDeployments + "syncs: {}\n", `f.yaml:16: syncs: cannot stand beside "deployments": put it under the deployment it belongs to`},
		"a key beside them":   {twoDeployments + "owlat: {url: https://x.example.com}\n", `f.yaml:16: owlat: cannot stand beside "deployments"`},
		"tokens beside them":  {twoDeployments + "tokens: []\n", `f.yaml:16: unknown key "tokens"`},
		"a list":              {"deployments: [acme]\n", "f.yaml:1: deployments: must be a section with a key for each deployment"},
		"nothing":             {"deployments:\n", "f.yaml:1: deployments: must be a section with a key for each deployment"},
		"no folder":           {"deployments: nowhere.d\n", "f.yaml:1: deployments: the folder of the deployments cannot be read"},
		"its service":         {twoDeployments[:strings.Index(twoDeployments, "serve")] + "serve: {listen: x}\n" + twoDeployments[strings.Index(twoDeployments, "deployments"):], "f.yaml:2: serve.listen"},
		"a name twice":        {twoDeployments + "  acme: {}\n", `f.yaml:16: key "acme" stands here for the second time`},
		"a ledger of another": {"ledger: mysql://db.example.com/x\n" + strings.Replace(twoDeployments, "ledger: state/owlat.db\n", "", 1), "f.yaml:1: ledger: must be the path of a file, or a URL that begins with postgres://"},
	} {
		if _, err := ParseSet("f.yaml", []byte(test.file), env(twoKeys)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %s", name, err, test.want)
		}
	}
}

func TestDeploymentsInAFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const good = "owlat: {api_key: KEY}\nsyncs: {people: {source: {dsn: csv:people.csv}, fields: {email: email}}}\n"
	write("f.yaml", "ledger: postgres://sync:topsecret@db.example.com/sync?sslmode=require&schema=teams\ndeployments: d\n")
	write("d/globex.yaml", strings.Replace(good, "KEY", otherKey, 1))
	write("d/acme.yaml", strings.Replace(good, "KEY", testKey, 1))
	write("d/broken.yaml", "owlat: {\n")
	write("d/empty.yaml", "")
	write("d/.hidden.yaml", "x: y\n")
	write("d/notes.txt", "x: y\n")
	write("d/acme.yaml~", "x: y\n")
	set, err := LoadSet(filepath.Join(dir, "f.yaml"), UseAll, env(nil))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := set.Names(), []string{"acme", "broken", "empty", "globex"}; !slices.Equal(got, want) || len(set.Deployments) != 2 {
		t.Fatalf("names %v, want %v", got, want)
	}
	acme := set.Deployments[0]
	if acme.Name != "acme" || acme.Syncs[0].Target.Path() != filepath.Join(dir, "d", "people.csv") || acme.Dir() != filepath.Join(dir, "d") || acme.Ledger != set.Ledger {
		t.Errorf("acme is %+v", acme)
	}
	if err := set.Broken["broken"]; err == nil || !strings.Contains(err.Error(), filepath.Join(dir, "d", "broken.yaml")+":2: not valid YAML") {
		t.Errorf("broken: %v", err)
	}
	if cfg, err := LoadDeployment(filepath.Join(dir, "f.yaml"), "globex", UseAll, env(nil)); err != nil || cfg.Name != "globex" {
		t.Errorf("globex alone: %+v, %v", cfg, err)
	}
	if _, err := LoadDeployment(filepath.Join(dir, "f.yaml"), "initech", UseAll, env(nil)); err == nil || !strings.Contains(err.Error(), "there are: acme, broken, empty, globex") {
		t.Errorf("a deployment that is not there: %v", err)
	}
	if _, err := Load(filepath.Join(dir, "f.yaml"), UseAll, env(nil)); err == nil || !strings.Contains(err.Error(), "there are several deployments") {
		t.Errorf("no name: %v", err)
	}
}

func TestLedgers(t *testing.T) {
	t.Parallel()
	const secret = "topsecret"
	type parsed struct {
		Shown, Folder string
		Postgres      bool
		OfAcme        string
	}
	for text, want := range map[string]parsed{
		"state/x.db":    {"/etc/state/x.db", "/etc/state", false, "/etc/state/x.acme.db"},
		"/srv/../x":     {"/x", "/", false, "/x.acme"},
		"./port=1.db":   {"/etc/port=1.db", "/etc", false, "/etc/port=1.acme.db"},
		"sub dir/a.b.c": {"/etc/sub dir/a.b.c", "/etc/sub dir", false, "/etc/sub dir/a.b.acme.c"},
		"postgres://u:topsecret@db.example.com:5433/x?sslmode=require":                 {"postgres://u:xxxxx@db.example.com:5433/x", "", true, "postgres://u:xxxxx@db.example.com:5433/x"},
		"postgresql://u:topsecret@db.example.com/x?schema=teams&sslpassword=topsecret": {"postgres://u:xxxxx@db.example.com/x?schema=teams", "", true, "postgres://u:xxxxx@db.example.com/x?schema=teams"},
		" postgres://u@db.example.com/x?schema=owlat_sync\n":                           {"postgres://u@db.example.com/x", "", true, "postgres://u@db.example.com/x"},
	} {
		l, err := ParseLedger(text, "/etc")
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if diff := cmp.Diff(want, parsed{l.String(), l.Folder(), l.Postgres(), l.Of("acme").String()}); diff != "" || strings.Contains(l.String(), secret) {
			t.Errorf("%s: %s", text, diff)
		}
	}
	for _, text := range []string{
		"https://u:topsecret@db.example.com/x", "sqlite://topsecret", "postgres://u:topsecret@@db.example.com/x", "postgres://u:topsecret@db.example.com/x?schema=Team",
		"postgres://u:topsecret@db.example.com/x?schema=pg_x", "postgres://u:topsecret@db.example.com/x?schema=a&schema=b", "postgres://u:topsecret@db.example.com/x?schema=",
		"postgres://u:topsecret@db.example.com/x?schema=%zz", "postgres://u:topsecret@db.example.com:topsecret/x",
		"host=db.example.com user=u password=topsecret dbname=x", "dbname = x password = topsecret", "postgres:u:topsecret@db.example.com/x",
	} {
		if l, err := ParseLedger(text, "/etc"); err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v, %v", text, l, err)
		}
	}
}

// TestTokensThatAreNotKnown: a set says if a broken deployment has tokens, or may have.
func TestTokensThatAreNotKnown(t *testing.T) {
	t.Parallel()
	tokens := `tokens: [{name: a, role: viewer, hash: "sha256:7590edb8b7b004b4d883c9a4276874a27a5d60b7d828c60ffccd9992cd9798db"}]`
	for _, test := range []struct {
		name, text string
		want       bool
	}{
		{"nothing is wrong", "deployments:\n  acme: {owlat: {url: \"https://a.example\", api_key: lm_live_" + strings.Repeat("a", 40) + "}, syncs: {users: {source: {dsn: \"csv:u.csv\"}, fields: {email: email}}}, " + tokens + "}\n", false},
		{"a mistake, and no tokens", "deployments:\n  acme: {owlat: 1}\n", false},
		{"a mistake beside tokens", "deployments:\n  acme: {owlat: 1, " + tokens + "}\n", true},
		{"a deployment that is no section", "deployments:\n  acme: [" + "]\n", true},
	} {
		set, err := ParseSet("owlat-sync.yaml", []byte(test.text), func(string) (string, bool) { return "", false })
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if set.Guarded != test.want {
			t.Errorf("%s: %v, broken %v", test.name, set.Guarded, set.Broken)
		}
	}
}

// TestWhomABrokenDeploymentTells is known where no mistake is in that.
func TestWhomABrokenDeploymentTells(t *testing.T) {
	t.Parallel()
	text := `deployments:
  acme: {alerts: [{webhook: {url: "https://hooks.example.com/acme", secret: whsec_0123456789abcdef}}], syncs: {}}
  bolt: {alerts: [{webhook: {url: "hooks"}}], syncs: {}}
  coil: {syncs: {}}
`
	path := filepath.Join(t.TempDir(), "owlat-sync.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	set, err := LoadSet(path, UseEverything, func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	if len(set.Broken) != 3 || len(set.Alerts["acme"]) != 1 || len(set.Alerts["bolt"])+len(set.Alerts["coil"]) != 0 {
		t.Errorf("broken %v, and whom they tell %v", set.Broken, set.Alerts)
	}
}
