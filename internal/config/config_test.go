package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"owlatsync"
	"owlatsync/internal/config/internal/written"
	"owlatsync/ledger"
	"owlatsync/reconcile"
	"owlatsync/reconcile/policy"
	"owlatsync/source"
)

const testKey = "lm_live_0123456789abcdefghijklmnopqrstuv"

const testSecret = "opt-outs of nobody else"

func env(vars map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		v, ok := vars[name]
		return v, ok
	}
}

// complete is a file with every key.
const complete = `# a comment
owlat:
  url: https://example.convex.site
  api_key: ${OWLAT_KEY}
  requests_per_second: 5
  unsubscribe_secret: ${UNSUBSCRIBE_SECRET}
  preferences_per_second: 2.5
ledger: state/users.db
history_days: 30
syncs:
  users:
    source:
      dsn: ${DATABASE_URL}
      query: |
        SELECT id, email, first_name, last_name, newsletter
        FROM users WHERE note <> '$${x}'
      cursor: changed
      overlap: 90s
      full_every: 7d
    key: id
    fields: {email: email, firstName: first_name, lastName: last_name}
    topics:
      - id: k57aaaaaaaaaaaaaaaaaaaaaaaaaaaaa
        when: newsletter
        existing: add
      - {id: k57bbbbbbbbbbbbbbbbbbbbbbbbbbbbb, name: Offers}
      - name: " Weekly"
    nulls: clear
    duplicates: {consent: any}
    on_missing: leave_topics
    on_remote_delete: recreate
    guards:
      removals: {share: 2.5%, rows: 5}
      updates: {rows: 1000}
      creates: {share: 100%}
      topic_adds: allow
      empty_source: allow
      first_run: allow
    events:
      - {name: user_synced, on: created, properties: {plan: plan_name, Seats used: seats}}
      - name: user_met
        on: appears
        properties: {plan: plan_name}
      - {name: user_changed, on: updated}
  leads:
    source: {dsn: "csv:leads.csv"}
    key: [country, number]
    fields:
      email: E-Mail
    guards: {removals: allow, updates: {share: 0%, rows: 0}, creates: {share: 100%, rows: 0}}
`

func TestComplete(t *testing.T) {
	t.Parallel()
	vars := map[string]string{"OWLAT_KEY": testKey, "DATABASE_URL": "postgres://app:pw@db.example.com/app", "UNSUBSCRIBE_SECRET": testSecret + "\n"}
	cfg, err := Parse("/etc/owlat/owlat-sync.yaml", []byte(complete), env(vars))
	if err != nil {
		t.Fatal(err)
	}
	want := &Config{
		File:   "/etc/owlat/owlat-sync.yaml",
		Owlat:  Owlat{URL: "https://example.convex.site", APIKey: testKey, RequestsPerSecond: 5, UnsubscribeSecret: testSecret, PreferencesPerSecond: 2.5},
		Ledger: Ledger{Path: "/etc/owlat/state/users.db"}, History: 30 * 24 * time.Hour,
		Service:  Service{Listen: DefaultListen, Zone: time.UTC, StopWithin: DefaultStopWithin},
		Webhooks: Webhooks{MaxAge: 5 * time.Minute, SilentAfter: DefaultSilentAfter},
		Syncs: []Sync{{
			Name: "users", Line: 11, DSN: "postgres://app:pw@db.example.com/app",
			Query:  "SELECT id, email, first_name, last_name, newsletter\nFROM users WHERE note <> '${x}'",
			Cursor: source.Cursor{Column: "changed", Overlap: 90 * time.Second, Database: "postgres://app:xxxxx@db.example.com/app"}, FullEvery: 7 * 24 * time.Hour, Fresh: 10 * time.Minute,
			Key:    []string{"id"},
			Fields: Fields{Email: "email", Others: owlatsync.Texts{owlatsync.FirstName: "first_name", owlatsync.LastName: "last_name"}},
			Topics: []Topic{
				{ID: "k57aaaaaaaaaaaaaaaaaaaaaaaaaaaaa", When: "newsletter", Existing: reconcile.ExistingAdd},
				{ID: "k57bbbbbbbbbbbbbbbbbbbbbbbbbbbbb", Name: "Offers", Existing: reconcile.ExistingSkip},
				{Name: "Weekly", Existing: reconcile.ExistingSkip},
			},
			Nulls: reconcile.NullsClear, Duplicates: reconcile.ConsentAny, OnMissing: reconcile.MissingLeave, OnRemoteDelete: reconcile.RemoteDeleteRecreate,
			Guards: reconcile.Guards{
				Removals: reconcile.Limit{Share: 0.025, Rows: 5}, Updates: reconcile.Limit{Share: 0.5, Rows: 1000},
				Creates: reconcile.Limit{Share: 1, Rows: 20}, TopicAdds: reconcile.NoLimit, OptOuts: policy.DefaultOptOuts, Events: policy.DefaultEvents, EmptySource: true, FirstRun: true,
			},
			Events: []Event{
				{Name: "user_synced", On: ledger.OnCreated, Properties: []Property{{Name: "plan", Column: "plan_name"}, {Name: "Seats used", Column: "seats"}}},
				{Name: "user_met", On: ledger.OnAppears, Properties: []Property{{Name: "plan", Column: "plan_name"}}},
				{Name: "user_changed", On: ledger.OnUpdated},
			},
		}, {
			Name: "leads", Line: 45, DSN: "csv:leads.csv", Key: []string{"country", "number"}, Fresh: 10 * time.Minute,
			Fields: Fields{Email: "E-Mail"}, Nulls: reconcile.NullsKeep, Duplicates: reconcile.ConsentWinner, OnMissing: reconcile.MissingKeep, OnRemoteDelete: reconcile.RemoteDeleteKeep,
			Guards: reconcile.Guards{Removals: reconcile.Limit{Share: 1}, Updates: reconcile.Limit{Share: math.SmallestNonzeroFloat64},
				Creates: reconcile.Limit{Share: math.Nextafter(1, 0)}, TopicAdds: policy.DefaultTopicAdds, OptOuts: policy.DefaultOptOuts, Events: policy.DefaultEvents},
		}},
	}
	if diff := cmp.Diff(want, cfg, cmpopts.IgnoreFields(Sync{}, "Target"), cmpopts.IgnoreUnexported(time.Location{})); diff != "" {
		t.Errorf("the configuration differs (-want +got):\n%s", diff)
	}
	m := cfg.Syncs[0].Mapping()
	if diff := cmp.Diff([]string{"newsletter", "", ""}, m.Topics); diff != "" {
		t.Errorf("mapping of topics (-want +got):\n%s", diff)
	}
	wantProperties := []source.Property{{Name: "plan_name", Column: "plan_name"}, {Name: "seats", Column: "seats"}}
	if diff := cmp.Diff(wantProperties, m.Properties); diff != "" {
		t.Errorf("mapping of properties (-want +got):\n%s", diff)
	}
	if err := m.Validate(); err != nil {
		t.Errorf("the source refuses the mapping: %v", err)
	}
	users := &cfg.Syncs[0]
	wantSync := reconcile.Sync{
		Name: "users",
		Topics: []reconcile.Topic{
			{ID: "k57aaaaaaaaaaaaaaaaaaaaaaaaaaaaa", When: true, Existing: reconcile.ExistingAdd},
			{ID: "k57bbbbbbbbbbbbbbbbbbbbbbbbbbbbb", Existing: reconcile.ExistingSkip},
			{Existing: reconcile.ExistingSkip},
		},
		Named:     []owlatsync.NamedTopic{{ID: "k57bbbbbbbbbbbbbbbbbbbbbbbbbbbbb", Name: "Offers"}, {Name: "Weekly"}},
		FullEvery: 7 * 24 * time.Hour, Fresh: 10 * time.Minute,
		Nulls: users.Nulls, Duplicates: reconcile.ConsentAny, OnMissing: users.OnMissing, OnRemoteDelete: users.OnRemoteDelete, Guards: users.Guards,
		Events: []reconcile.EventRule{
			{Name: "user_synced", On: ledger.OnCreated, Properties: map[string]string{"plan": "plan_name", "Seats used": "seats"}},
			{Name: "user_met", On: ledger.OnAppears, Properties: map[string]string{"plan": "plan_name"}},
			{Name: "user_changed", On: ledger.OnUpdated},
		},
	}
	if diff := cmp.Diff(wantSync, users.Reconcile(nil)); diff != "" {
		t.Errorf("sync for the engine (-want +got):\n%s", diff)
	}
}

// valid is the shortest file that works; a test case changes one place of it.
const valid = `owlat:
  api_key: ${OWLAT_API_KEY}
syncs:
  users:
    source:
      dsn: sqlite:app.db
      query: SELECT * FROM users
    fields: {email: email}
`

func TestDefaultsAndPrecedence(t *testing.T) {
	t.Parallel()
	cfg, err := Parse("/srv/owlat-sync.yaml", []byte(valid), env(map[string]string{EnvAPIKey: " " + testKey + "\n"}))
	if err != nil {
		t.Fatal(err)
	}
	standard := reconcile.Guards{Removals: policy.DefaultRemovals, Updates: policy.DefaultUpdates, Creates: policy.DefaultCreates, TopicAdds: policy.DefaultTopicAdds, OptOuts: policy.DefaultOptOuts, Events: policy.DefaultEvents}
	if users := cfg.Syncs[0]; users.Guards != standard || users.OnMissing != reconcile.MissingKeep ||
		users.OnRemoteDelete != reconcile.RemoteDeleteKeep || users.Events != nil || cfg.History != 90*24*time.Hour {
		t.Errorf("defaults: %+v, history %v", users, cfg.History)
	}
	if cfg.Owlat.URL != "https://api.owlat.app" || cfg.Ledger.Path != "/srv/owlat-sync.db" || cfg.Owlat.APIKey.Reveal() != testKey {
		t.Errorf("defaults: url %q, ledger %q", cfg.Owlat.URL, cfg.Ledger)
	}
	other := strings.Repeat("z", 32)
	cfg, err = Parse("f.yaml", []byte(strings.Replace(valid, "${OWLAT_API_KEY}", "${NOT_SET}\n  url: https://file.example.com", 1)),
		env(map[string]string{EnvAPIKey: "lm_live_" + other, EnvURL: "https://env.example.com"}))
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Owlat.URL != "https://env.example.com" || cfg.Owlat.APIKey.Reveal() != "lm_live_"+other {
		t.Errorf("the environment must win over the file, got %q", cfg.Owlat.URL)
	}
	if _, err := FromEnvironment(env(nil)); err == nil {
		t.Error("an empty environment makes no configuration")
	}
	cfg, err = FromEnvironment(env(map[string]string{EnvAPIKey: testKey}))
	if err != nil || cfg.Owlat.URL != "https://api.owlat.app" {
		t.Errorf("from the environment: %+v, %v", cfg, err)
	}
}

func TestAnchorsAndMergeKeys(t *testing.T) {
	t.Parallel()
	const file = `owlat: {api_key: "${OWLAT_API_KEY}"}
syncs:
  a: &base
    source: &src {dsn: "sqlite:a.db", query: SELECT 1}
    fields: {email: email}
    nulls: clear
  b:
    <<: *base
    nulls: keep
  c:
    source: *src
    fields: {email: mail}
`
	cfg, err := Parse("f.yaml", []byte(file), env(map[string]string{EnvAPIKey: testKey}))
	if err != nil {
		t.Fatal(err)
	}
	b, c := cfg.Sync("b"), cfg.Sync("c")
	if b.DSN != "sqlite:a.db" || b.Nulls != reconcile.NullsKeep || b.Fields.Email != "email" {
		t.Errorf("b = %#v", b)
	}
	if c.Query != "SELECT 1" || c.Fields.Email != "mail" {
		t.Errorf("c = %#v", c)
	}
	if got := cfg.Names(); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("names %v are not in the order of the file", got)
	}
}

// TestAliasesOfAliases has a file that would be of 10^9 values if each alias were written out.
func TestAliasesOfAliases(t *testing.T) {
	t.Parallel()
	file := "a0: &a0 [x]\n"
	for i := range 30 {
		file += fmt.Sprintf("a%d: &a%[1]d [*a%[2]d, *a%[2]d]\n", i+1, i)
	}
	if _, err := Parse("f.yaml", []byte(file+valid), env(map[string]string{EnvAPIKey: testKey})); err == nil || !strings.Contains(err.Error(), `f.yaml:31: unknown key "a30"`) {
		t.Errorf("got %v", err)
	}
}

func TestBadFiles(t *testing.T) {
	t.Parallel()
	change := func(old, replacement string) string {
		if !strings.Contains(valid, old) {
			t.Fatalf("the valid file does not hold %q", old)
		}
		return strings.Replace(valid, old, replacement, 1)
	}
	topics := func(lines string) string { return valid + "    topics:\n" + lines }
	const id = "k57aaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	for _, test := range []struct{ name, file, want string }{
		{"empty", "", `f.yaml: is empty; "owlat-sync init DSN" writes a configuration file`},
		{"only a comment", "# nothing\n", `f.yaml: is empty; "owlat-sync init DSN" writes a configuration file`},
		{"UTF-16", "\xff\xfeo\x00", `f.yaml: is UTF-16 text; save it as UTF-8`},
		{"Latin-1", valid + "# caf\xe9\n", `f.yaml:9: holds bytes that are not UTF-8 text; save the file as UTF-8`},
		{"huge", strings.Repeat("#", maxFile+1), `f.yaml: is larger than 1 MiB and so no configuration file`},
		{"a list", "- a\n", `f.yaml:1: must be a section of keys, such as "owlat: …", not a list`},
		{"a text", "hello\n", `f.yaml:1: must be a section of keys, such as "owlat: …", not a text`},
		{"two documents", valid + "---\na: 1\n", `f.yaml:10: a second YAML document begins here; the file must hold one`},
		{"a tab", change("  api_key", "\tapi_key"), `f.yaml:2: not valid YAML: a tab stands where YAML wants blanks; indent with blanks`},
		{"a tag", change("SELECT * FROM users", "!!str SELECT 1"), `f.yaml:7: tags such as !!str are not supported; remove it`},
		{"unknown alias", change("{email: email}", "*other"), `f.yaml:8: not valid YAML: there is no anchor &other above`},
		{"key twice", valid + "ledger: a\nledger: b\n", `f.yaml:10: key "ledger" stands here for the second time; remove one of them`},
		{"unclosed quote", change("sqlite:app.db", `"sqlite:app.db`), `f.yaml:6: not valid YAML: the quote that opens here is not closed`},
		{"unclosed quote before another document", change("sqlite:app.db", `'sqlite:app.db`) + "---\n", `f.yaml:6: not valid YAML: the quote that opens here is not closed`},
		{"unclosed bracket", change("{email: email}", "{email: email") + "    key: id\n", `f.yaml:8: not valid YAML: the bracket that opens here is not closed, or a text within it that holds a bracket needs quotes`},
		{"variable within braces", change("{email: email}", "{email: ${X}, firstName: name}"), `f.yaml:8: not valid YAML: the bracket that opens here is not closed, or a text within it that holds a bracket needs quotes`},
		{"a tab before a dash", valid + "    topics:\n    - id: x\n\t- id: y\n", `f.yaml:11: not valid YAML: a tab stands where YAML wants blanks; indent with blanks`},
		{"reserved character", change("sqlite:app.db", "@app.db"), `f.yaml:6: not valid YAML: a text cannot begin with this character; put the text in quotes`},
		{"two values", change("sqlite:app.db", "'sqlite:app.db' x"), `f.yaml:6: not valid YAML: this cannot stand here; is a quote above it not closed, or the indentation wrong?`},
		{"indentation", change("      query:", "     query:"), `f.yaml:7: not valid YAML: this cannot stand here; is a quote above it not closed, or the indentation wrong?`},
		{"control character", change("sqlite:app.db", "sqlite:\x00app.db"), `f.yaml:6: not valid YAML: a control character stands here; remove it`},
		{"an anchor within itself", change("{email: email}", "&f {email: *f}"), `f.yaml:8: not valid YAML: what the anchor &f names holds itself`},
		{"a list for a key", change("{email: email}", "{[email]: email}"), `f.yaml:8: a key must be a text, not a list`},
		{"a merge of a text", change("{email: email}", "{<<: email}"), `f.yaml:8: not valid YAML: <<: must be followed by a section of keys`},
		{"a merge in quotes", change("{email: email}", "{'<<': {email: email}}"),
			"the configuration has 2 problems:\n" +
				"  f.yaml:8: syncs.users.fields: unknown key \"<<\"; known here: email, firstName, lastName, fullName\n" +
				"  f.yaml:8: syncs.users.fields: \"email\" is missing; name the column that holds the address"},

		{"unknown key", change("owlat:", "schedule: x\nowlat:"), `f.yaml:1: unknown key "schedule"; known here: owlat, ledger, history_days, serve, webhooks, feedback, write_back, alerts, syncs, deployments`},
		{"misspelt key", change("query:", "qurey:"),
			"the configuration has 2 problems:\n" +
				"  f.yaml:6: syncs.users.source: \"query\" is missing; write the SELECT that gives one row per contact\n" +
				"  f.yaml:7: syncs.users.source: unknown key \"qurey\"; did you mean \"query\"?"},
		{"other spelling", change("api_key: ${OWLAT_API_KEY}", "apiKey: x\n  api_key: ${OWLAT_API_KEY}"), `f.yaml:2: owlat: unknown key "apiKey"; did you mean "api_key"?`},
		{"bad word for who owns", valid + "    overwrite: mine\n", `f.yaml:9: syncs.users.overwrite: "mine" is not known; it can be always, if_ours, if_empty or never`},
		{"bad word for who owns a field", change("{email: email}", "\n      email: email\n      firstName:\n        column: first\n        overwrite: if_our"),
			`f.yaml:12: syncs.users.fields.firstName.overwrite: "if_our" is not known; it can be always, if_ours, if_empty or never`},
		{"who owns no column", change("{email: email}", "{email: email, lastName: {overwrite: never}}"),
			`f.yaml:8: syncs.users.fields.lastName: names no column; add one, such as {column: name, title: true}`},
		{"bad word", valid + "    nulls: erase\n", `f.yaml:9: syncs.users.nulls: "erase" is not known; it can be keep or clear`},

		{"comma in braces", change("source:\n      dsn: sqlite:app.db\n      query: SELECT * FROM users", "source: {dsn: 'sqlite:app.db', query: SELECT id, email FROM users}"), `f.yaml:5: syncs.users.source: unknown key "email FROM users"; within { } a text that holds a comma must stand in quotes`},

		{"no owlat section", change("owlat:\n  api_key: ${OWLAT_API_KEY}\n", ""), `f.yaml: owlat: "api_key" is missing; add the line "api_key: ${OWLAT_API_KEY}" and set that variable, or only set it`},
		{"no key", change("api_key: ${OWLAT_API_KEY}", "url: https://example.com"), `f.yaml:2: owlat: "api_key" is missing; add the line "api_key: ${OWLAT_API_KEY}" and set that variable, or only set it`},
		{"unset variable", change("${OWLAT_API_KEY}", "${MY_KEY}"), `f.yaml:2: owlat.api_key: the environment variable MY_KEY is not set`},
		{"empty variable", change("${OWLAT_API_KEY}", "${EMPTY}"), `f.yaml:2: owlat.api_key: is empty: the environment variable EMPTY is set to nothing`},
		{"unclosed variable", change("${OWLAT_API_KEY}", "${KEY"), `f.yaml:2: owlat.api_key: a ${ is never closed by }; to write ${ itself, write $${`},
		{"odd variable", change("${OWLAT_API_KEY}", "${KEY:-x}"), `f.yaml:2: owlat.api_key: between ${ and } must stand the name of an environment variable and nothing else, such as ${DATABASE_URL}; to write ${ itself, write $${`},
		{"malformed key", change("${OWLAT_API_KEY}", "sk_secret_topsecret"), `f.yaml:2: owlat.api_key: the API key is malformed: it must be lm_live_ and letters or digits, at least 40 characters in all`},
		{"both kinds of keys", change("owlat:", "owlat:\n  api_keys: [a]"), `f.yaml:2: owlat.api_keys: cannot stand beside "api_key": put that key into this list, too, and remove the line "api_key"`},
		{"one text for keys", change("api_key: ${OWLAT_API_KEY}", "api_keys: ${OWLAT_API_KEY}"), `f.yaml:2: owlat.api_keys: must be a list of keys, such as ["${OWLAT_API_KEY}", "${OWLAT_API_KEY_2}"]`},
		{"no keys", change("api_key: ${OWLAT_API_KEY}", "api_keys: []"), `f.yaml:2: owlat.api_keys: must be a list of keys, such as ["${OWLAT_API_KEY}", "${OWLAT_API_KEY_2}"]`},
		{"the same key twice", change("api_key: ${OWLAT_API_KEY}", "url: https://example.com\n  api_keys: [\"${OWLAT_API_KEY}\", "+otherKey+", "+testKey+"]"),
			`f.yaml:3: owlat.api_keys[2]: is the same key as owlat.api_keys[0]: each key has one budget, so name it once, or make another one in Owlat's settings`},
		{"a malformed key of several", change("api_key: ${OWLAT_API_KEY}", "url: https://example.com\n  api_keys:\n    - "+otherKey+"\n    - sk_secret_topsecret"),
			`f.yaml:5: owlat.api_keys[1]: the API key is malformed: it must be lm_live_ and letters or digits, at least 40 characters in all`},
		{"an unset variable of several", change("api_key: ${OWLAT_API_KEY}", "url: https://example.com\n  api_keys: [\"${OWLAT_API_KEY}\", \"${MY_KEY}\"]"),
			`f.yaml:3: owlat.api_keys[1]: the environment variable MY_KEY is not set`},
		{"several keys of the hosted service", change("api_key: ${OWLAT_API_KEY}", "api_keys: [\"${OWLAT_API_KEY}\", "+otherKey+"]"),
			`f.yaml:2: owlat.api_keys: several API keys are for a deployment of your own: the limit of Owlat's hosted service keeps it available for everybody on it, and is not for its users to multiply; use one key there`},
		{"url with password", change("owlat:", "owlat:\n  url: https://me:topsecret@example.com"), `f.yaml:2: owlat.url: the base URL must not contain credentials; hand in the API key on its own`},
		{"ftp url", change("owlat:", "owlat:\n  url: ftp://example.com"), `f.yaml:2: owlat.url: the base URL must start with https:// or http://`},
		{"rate 0", change("owlat:", "owlat:\n  requests_per_second: 0"), `f.yaml:2: owlat.requests_per_second: must be a number above 0, such as 5 or 0.5`},
		{"rate not a number", change("owlat:", "owlat:\n  requests_per_second: fast"), `f.yaml:2: owlat.requests_per_second: must be a number above 0, such as 5 or 0.5`},
		{"pace of preferences 0", change("owlat:", "owlat:\n  preferences_per_second: 0"), `f.yaml:2: owlat.preferences_per_second: must be a number above 0, such as 5 or 0.5`},
		{"unsubscribe secret of nobody", change("owlat:", "owlat:\n  unsubscribe_secret: ${UNSUBSCRIBE_SECRET}"), `f.yaml:2: owlat.unsubscribe_secret: the environment variable UNSUBSCRIBE_SECRET is not set`},
		{"key for unsubscribe secret", change("owlat:", "owlat:\n  unsubscribe_secret: "+testKey), `f.yaml:2: owlat.unsubscribe_secret: holds an API key; the unsubscribe secret is what the deployment itself has as its variable UNSUBSCRIBE_SECRET`},
		{"webhook's secret for unsubscribe secret", change("owlat:", "owlat:\n  unsubscribe_secret: whsec_0123456789"), `f.yaml:2: owlat.unsubscribe_secret: holds the secret of a webhook; the unsubscribe secret is what the deployment itself has as its variable UNSUBSCRIBE_SECRET`},
		{"unsubscribe secret that is a list", change("owlat:", "owlat:\n  unsubscribe_secret: [one, two]"), `f.yaml:2: owlat.unsubscribe_secret: must be a text, not a list`},
		{"rate nan", change("owlat:", "owlat:\n  requests_per_second: .nan"), `f.yaml:2: owlat.requests_per_second: must be a number above 0, such as 5 or 0.5`},
		{"ledger url", change("owlat:", "ledger: mysql://db.example.com/x\nowlat:"), `f.yaml:1: ledger: must be the path of a file, or a URL that begins with postgres://`},
		{"ledger empty", change("owlat:", "ledger:\nowlat:"), `f.yaml:1: ledger: has no value; give it one or remove the line`},
		{"ledger blank", change("owlat:", "ledger: ' '\nowlat:"), `f.yaml:1: ledger: is empty; give it a value or remove the line`},
		{"ledger list", change("owlat:", "ledger: [a]\nowlat:"), `f.yaml:1: ledger: must be a text, not a list`},

		{"no syncs", "owlat:\n  api_key: ${OWLAT_API_KEY}\n", `f.yaml:1: "syncs" is missing; it must name at least one source ("owlat-sync init DSN" writes an example)`},
		{"syncs empty", "owlat:\n  api_key: ${OWLAT_API_KEY}\nsyncs:\n", `f.yaml:3: syncs: must be a section with a key for each sync, its name, such as "users:", not nothing`},
		{"syncs a list", "owlat:\n  api_key: ${OWLAT_API_KEY}\nsyncs:\n  - source: x\n", `f.yaml:4: syncs: must be a section with a key for each sync, its name, such as "users:", not a list`},
		{"sync empty", "owlat:\n  api_key: ${OWLAT_API_KEY}\nsyncs:\n  users:\n",
			"the configuration has 2 problems:\n" +
				"  f.yaml:4: syncs.users: \"source\" is missing; say where the rows come from\n" +
				"  f.yaml:4: syncs.users: \"fields\" is missing; say which column holds the address, such as \"fields: {email: email}\""},
		{"sync a text", "owlat:\n  api_key: ${OWLAT_API_KEY}\nsyncs:\n  users: x\n",
			`f.yaml:4: syncs.users: must be a section of keys, such as "source: …", not a text`},
		{"sync name", change("users:", "my users:"), `f.yaml:4: syncs: "my users" cannot be the name of a sync: use letters, digits, ".", "_" and "-", at most 64, and begin with a letter or digit`},
		{"no dsn", change("dsn: sqlite:app.db\n", "\n"), `f.yaml:7: syncs.users.source: "dsn" is missing; name the database or file, such as postgres://user:${PASSWORD}@host/database or csv:users.csv`},
		{"dsn a number", change("sqlite:app.db", "[1]"), `f.yaml:6: syncs.users.source.dsn: must be a text, not a list`},
		{"no query", change("      query: SELECT * FROM users\n", ""), `f.yaml:6: syncs.users.source: "query" is missing; write the SELECT that gives one row per contact`},
		{"query for a file", change("sqlite:app.db", "csv:a.csv"), `f.yaml:7: syncs.users.source.query: a file has no query; remove it`},
		{"no email", change("{email: email}", "{firstName: name}"), `f.yaml:8: syncs.users.fields: "email" is missing; name the column that holds the address`},
		{"email nothing", change("{email: email}", "{email: }"), `f.yaml:8: syncs.users.fields.email: has no value; give it one or remove the line`},
		{"two names", change("{email: email}", "{email: email, fullName: name, lastName: x}"), `f.yaml:8: syncs.users.fields.fullName: makes both names; remove it, or firstName and lastName`},
		{"fields a list", change("{email: email}", "[email]"),
			`f.yaml:8: syncs.users.fields: must be a section of keys, such as "email: …", not a list`},
		{"unknown field", change("{email: email}", "{email: email, first_name: x}"), `f.yaml:8: syncs.users.fields: unknown key "first_name"; did you mean "firstName"?`},
		{"key twice in the list", valid + "    key: [id, id]\n", `f.yaml:9: syncs.users.key[1]: names the column "id" twice`},
		{"key a section", valid + "    key: {a: b}\n", `f.yaml:9: syncs.users.key: must be a text, not a section of keys`},

		{"topics a section", topics("      id: x\n"), `f.yaml:10: syncs.users.topics: must be a list, each item on a line that begins with "- ", not a section of keys`},
		{"topic without id", topics("      - when: x\n"), `f.yaml:10: syncs.users.topics[0]: "id" is missing; copy it from the topic's page in Owlat, or give the topic's "name", which needs owlat.unsubscribe_secret`},
		{"topic by name without the secret", topics("      - name: News\n"), `f.yaml:10: syncs.users.topics[0].name: Owlat tells the names of topics only to those who have owlat.unsubscribe_secret; set that, or give the topic's id as "id"`},
		{"topic twice by name", topics("      - {id: " + id + ", name: News}\n      - {id: " + id + "b, name: ' News'}\n"), `f.yaml:11: syncs.users.topics[1].name: the topic "News" is listed twice in this sync`},
		{"name of a topic too long", topics("      - {id: " + id + ", name: " + strings.Repeat("x", 1001) + "}\n"), `f.yaml:10: syncs.users.topics[0].name: is longer than 1000 bytes, and so no name of a topic`},
		{"name of a topic that is a list", topics("      - name: [a]\n"), `f.yaml:10: syncs.users.topics[0].name: must be a text, not a list`},
		{"topic id too short", topics("      - id: k57\n"), `f.yaml:10: syncs.users.topics[0].id: "k57" is not a topic id: that has at least 10 letters and digits; copy it from the topic's page in Owlat, or give its name as "name"`},
		{"topic twice", topics("      - id: " + id + "\n      - id: " + id + "\n"), `f.yaml:11: syncs.users.topics[1].id: the topic ` + id + ` is listed twice in this sync`},
		{"when true", topics("      - id: " + id + "\n        when: true\n"), `f.yaml:11: syncs.users.topics[0].when: must name a column that holds the consent; leave it out to put every row on the topic`},
		{"yes without when", topics("      - id: " + id + "\n        yes: [ja]\n"), `f.yaml:11: syncs.users.topics[0].yes: means nothing without "when", the column that holds the consent`},
		{"no words", topics("      - id: " + id + "\n        when: status\n        no: []\n"), `f.yaml:12: syncs.users.topics[0].no: lists nothing; list values of the column, or remove the line`},
		{"yes and no", topics("      - id: " + id + "\n        when: status\n        yes: [Ja, 1]\n        no: [nein, 1.0]\n"), `f.yaml:13: syncs.users.topics[0].no[1]: "1.0" means yes and no`},
		{"a section of words", topics("      - id: " + id + "\n        when: status\n        yes: {a: b}\n"), `f.yaml:12: syncs.users.topics[0].yes: must be a text, not a section of keys`},
		{"existing", topics("      - id: " + id + "\n        existing: yes\n"), `f.yaml:11: syncs.users.topics[0].existing: "yes" is not known; it can be skip or add`},
		{"topic a text", topics("      - " + id + "\n"),
			`f.yaml:10: syncs.users.topics[0]: must be a section of keys, such as "id: …", not a text`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			vars := map[string]string{"EMPTY": ""}
			if strings.Contains(test.file, "${OWLAT_API_KEY}") {
				// Only under another name: the environment's own variables would win over the file.
				test.file = strings.Replace(test.file, "${OWLAT_API_KEY}", "${TEST_KEY}", 1)
				vars["TEST_KEY"] = testKey
			}
			cfg, err := Parse("f.yaml", []byte(test.file), env(vars))
			if err == nil {
				t.Fatalf("no error, but %+v", cfg)
			}
			if got := err.Error(); got != test.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, test.want)
			}
			if problems, ok := errors.AsType[*Error](err); !ok || len(problems.Problems) == 0 {
				t.Errorf("the error is a %T, want *Error with problems", err)
			}
			if strings.Contains(err.Error(), "topsecret") {
				t.Error("the error holds a secret of the file")
			}
		})
	}
}

func TestBadDSN(t *testing.T) {
	t.Parallel()
	for _, dsn := range []string{"oracle://u:topsecret@db.example.com/x", "postgres://u:topsecret@:bad:/x", "topsecret"} {
		file := strings.Replace(valid, "sqlite:app.db", fmt.Sprintf("%q", dsn), 1)
		_, err := Parse("f.yaml", []byte(file), env(map[string]string{EnvAPIKey: testKey}))
		if err == nil || !strings.HasPrefix(err.Error(), "f.yaml:6: syncs.users.source.dsn: ") || strings.Contains(err.Error(), "topsecret") {
			t.Errorf("%v", err)
		}
	}
}

func TestVariablesCannotChangeTheStructure(t *testing.T) {
	t.Parallel()
	const evil = "x\nsyncs: {}\n# ${OTHER}"
	file := strings.Replace(valid, "SELECT * FROM users", "${QUERY}", 1)
	cfg, err := Parse("f.yaml", []byte(file), env(map[string]string{EnvAPIKey: testKey, "QUERY": evil}))
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Syncs[0].Query != evil {
		t.Errorf("query %q, want the variable as it is", cfg.Syncs[0].Query)
	}
}

func TestLoad(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "owlat-sync.yaml")
	lookup := env(map[string]string{EnvAPIKey: testKey})
	if _, err := Load(path, UseAll, lookup); !errors.Is(err, ErrNoFile) {
		t.Errorf("a missing file: %v, want ErrNoFile", err)
	}
	if _, err := Load(dir, UseAll, lookup); err == nil || errors.Is(err, ErrNoFile) {
		t.Errorf("a folder: %v", err)
	}
	if err := os.WriteFile(path, []byte("\ufeff"+strings.ReplaceAll(valid, "\n", "\r\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := Load(path, UseAll, lookup)
	if err != nil {
		t.Fatalf("a file with a byte order mark and CRLF: %v", err)
	}
	if want := filepath.Join(dir, "owlat-sync.db"); cfg.Ledger.Path != want || cfg.Dir() != dir {
		t.Errorf("ledger %q, want %q", cfg.Ledger, want)
	}
	if q := cfg.Syncs[0].Query; q != "SELECT * FROM users" {
		t.Errorf("query %q", q)
	}
}

func TestSecretsStayHidden(t *testing.T) {
	t.Parallel()
	cfg := Config{Owlat: Owlat{APIKey: testKey, UnsubscribeSecret: testSecret}, Syncs: []Sync{{DSN: "postgres://u:topsecret@db.example.com/x"}},
		Ledger: Ledger{DSN: "postgres://u:topsecret@db.example.com/x"}}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "key", cfg.Owlat.APIKey, "cfg", cfg)
	encoded, err := json.Marshal(cfg.Owlat)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{fmt.Sprintf("%v %+v %#v %s %q", cfg, cfg, cfg, cfg.Owlat.APIKey, cfg.Owlat.APIKey), log.String(), string(encoded)} {
		if strings.Contains(text, testKey) || strings.Contains(text, testSecret) || strings.Contains(text, "topsecret") {
			t.Errorf("a secret is shown: %s", text)
		}
	}
}

func TestSchemaHasTheKeysOfTheFile(t *testing.T) {
	t.Parallel()
	raw, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	type schema struct {
		Properties           map[string]*schema
		AdditionalProperties any
		Items                *schema
		Required             []string
		Description          string
		OneOf                []any
	}
	var root schema
	if err := json.Unmarshal(raw, &root); err != nil {
		t.Fatal(err)
	}
	raw, err = DeploymentSchema()
	if err != nil {
		t.Fatal(err)
	}
	var one schema
	if err := json.Unmarshal(raw, &one); err != nil {
		t.Fatal(err)
	}
	sync := func() *schema {
		b, _ := json.Marshal(root.Properties["syncs"].AdditionalProperties)
		var s schema
		if err := json.Unmarshal(b, &s); err != nil {
			t.Fatal(err)
		}
		return &s
	}()
	for name, section := range map[string]struct {
		got      *schema
		keys     []string
		required []string
	}{
		"file":           {&root, written.KeysOf[written.File](), nil}, // it needs syncs or deployments
		"one of several": {&one, written.KeysOf[written.Deployment](), []string{"owlat", "syncs"}},
		"owlat":          {root.Properties["owlat"], written.KeysOf[written.Owlat](), nil},
		"sync":           {sync, written.KeysOf[written.Sync](), []string{"source", "fields"}},
		"source":         {sync.Properties["source"], written.KeysOf[written.Source](), []string{"dsn"}},
		"fields":         {sync.Properties["fields"], written.KeysOf[written.Fields](), []string{"email"}},
		"topic":          {sync.Properties["topics"].Items, written.KeysOf[written.Topic](), nil}, // an id or a name
		"guards":         {sync.Properties["guards"], written.KeysOf[written.Guards](), nil},
		"event":          {sync.Properties["events"].Items, written.KeysOf[written.Event](), []string{"name"}},
	} {
		if section.got.AdditionalProperties != false && name != "file" {
			t.Errorf("%s: the schema allows unknown keys", name)
		}
		var keys []string
		for key, s := range section.got.Properties {
			keys = append(keys, key)
			if s.Description == "" {
				t.Errorf("%s.%s has no description", name, key)
			}
		}
		slices.Sort(keys)
		slices.Sort(section.keys)
		if !slices.Equal(keys, section.keys) {
			t.Errorf("%s: the schema has %v, the file %v", name, keys, section.keys)
		}
		if !slices.Equal(section.got.Required, section.required) {
			t.Errorf("%s: required %v, want %v", name, section.got.Required, section.required)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{complete, valid, "", "a: &a [*a]", "<<: 1", "syncs: {a: {topics: [{id: }]}}", "? x\n: y", "a: !!binary x", "%YAML 1.2\n---\na: b"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		cfg, err := Parse("f.yaml", data, env(map[string]string{EnvAPIKey: testKey}))
		if (cfg == nil) == (err == nil) {
			t.Errorf("configuration %v with error %v", cfg, err)
		}
		if err == nil && len(cfg.Syncs) == 0 {
			t.Error("a configuration without syncs is accepted")
		}
	})
}

func TestEveryFieldOfAContactHasAKey(t *testing.T) {
	t.Parallel()
	want := []string{"email"}
	for _, f := range owlatsync.ContactFields {
		want = append(want, f.Name())
	}
	if diff := cmp.Diff(append(want, "fullName"), written.KeysOf[written.Fields]()); diff != "" {
		t.Errorf("keys of fields (-want +got):\n%s", diff)
	}
}

// TestWordsOfAConsent reads lists and single values of every kind that YAML knows.
func TestWordsOfAConsent(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		lines string
		want  source.Words
	}{
		{"", source.Words{}},
		{"        yes: [subscribed, Ja, 1, true, yes, on]\n        no: [off, 3, \"\\u00a0nein\"]\n",
			source.Words{Yes: []string{"subscribed", "Ja", "1", "true", "yes", "on"}, No: []string{"off", "3", "\u00a0nein"}}},
		{"        yes: 1\n        no: false\n", source.Words{Yes: []string{"1"}, No: []string{"false"}}},
		{"        yes: [\"${WORD}\"]\n", source.Words{Yes: []string{"abonniert"}}},
	} {
		cfg, err := Parse("f.yaml", []byte(valid+"    topics:\n      - id: k57newsletter0000000000000000000\n        when: status\n"+test.lines),
			env(map[string]string{"WORD": "abonniert", "OWLAT_API_KEY": testKey}))
		if err != nil {
			t.Errorf("%s: %v", test.lines, err)
			continue
		}
		if got := cfg.Syncs[0].Mapping().Words; !cmp.Equal(got, []source.Words{test.want}, cmpopts.EquateEmpty()) {
			t.Errorf("%s: %q, want %q", test.lines, got, test.want)
		}
	}
}

// TestSeveralKeys counts the list alone, in its order, whatever the environment has. A list of one is good for the hosted service, too.
func TestSeveralKeys(t *testing.T) {
	t.Parallel()
	file := func(owlat string) []byte {
		return []byte(strings.Replace(valid, "api_key: ${OWLAT_API_KEY}", owlat, 1))
	}
	environment := env(map[string]string{EnvAPIKey: testKey, "SECOND": otherKey})
	cfg, err := Parse("f.yaml", file("url: https://example.com\n  api_keys: [\"${SECOND}\", \" ${OWLAT_API_KEY} \"]"), environment)
	if err != nil {
		t.Fatal(err)
	}
	if want := []Secret{otherKey, testKey}; !slices.Equal(cfg.Owlat.Keys(), want) || strings.Contains(fmt.Sprintf("%+v", cfg.Owlat), otherKey) {
		t.Errorf("%d keys, shown as %+v", len(cfg.Owlat.Keys()), cfg.Owlat)
	}
	cfg, err = Parse("f.yaml", file("api_keys: [\"${SECOND}\"]"), environment)
	if err != nil || len(cfg.Owlat.Keys()) != 1 || cfg.Owlat.APIKey != otherKey {
		t.Errorf("%+v, %v", cfg, err)
	}
	text := strings.Replace(twoDeployments, `url: https://globex.example.com, api_key: "${GLOBEX_KEY}"`, `url: https://acme.example.com, api_keys: ["${GLOBEX_KEY}", "${ACME_KEY}"]`, 1)
	set, err := ParseSet("f.yaml", []byte(text), env(twoKeys))
	const want = `has in owlat.api_keys[1] an API key of "acme", too: what shares a key shares its budget`
	if err != nil || len(set.Deployments) != 1 || set.Broken["globex"] == nil || !strings.Contains(set.Broken["globex"].Error(), want) {
		t.Errorf("%+v, %v", set, err)
	}
}
