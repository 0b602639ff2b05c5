package config

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/reconcile"
)

func TestBadPolicies(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, lines, want string }{
		{"on_missing", "on_missing: remove", `on_missing: "remove" is not known; it can be keep, leave_topics or delete`},
		{"on_remote_delete", "on_remote_delete: yes", `on_remote_delete: "yes" is not known; it can be keep or recreate`},

		{"duplicates a word", "duplicates: any", `duplicates: must be a section of keys, such as "consent: …", not a text`},
		{"duplicates of another kind", "duplicates: {names: any}", `duplicates: unknown key "names"; known here: consent`},
		{"consent of all", "duplicates: {consent: all}", `duplicates.consent: "all" is not known; it can be winner or any`},

		{"guards a word", "guards: off", `guards: must be a section of keys, such as "removals: …", not a text`},
		{"unknown guard", "guards: {deletions: allow}", `guards: unknown key "deletions"; known here: removals, updates, creates, topic_adds, opt_outs, events, empty_source, first_run`},
		{"misspelt guard", "guards: {removal: allow}", `guards: unknown key "removal"; did you mean "removals"?`},
		{"empty_source", "guards: {empty_source: ask}", `guards.empty_source: "ask" is not known; it can be hold or allow`},
		{"first_run", "guards: {first_run: hold}", `guards.first_run: "hold" is not known; it can be ask or allow`},
		{"first_run a bool", "guards: {first_run: false}", `guards.first_run: must be a text, not true or false`},
		{"limit a word", "guards: {removals: never}", `guards.removals: must be allow, or a section such as {share: 10%, rows: 20}`},
		{"limit a share", "guards: {updates: 10%}", `guards.updates: must be allow, or a section such as {share: 50%, rows: 100}`},
		{"limit a list", "guards: {updates: [1]}", `guards.updates: must be a text, not a list`},
		{"limit nothing", "guards: {updates: }", `guards.updates: has no value; give it one or remove the line`},
		{"unknown part", "guards: {updates: {percent: 1}}", `guards.updates: unknown key "percent"; known here: share, rows`},
		{"share without sign", "guards: {removals: {share: 10}}", `guards.removals.share: must be a percentage from 0% to 100%, such as 10%`},
		{"share a part", "guards: {removals: {share: 0.1}}", `guards.removals.share: must be a percentage from 0% to 100%, such as 10%`},
		{"share too large", "guards: {removals: {share: 101%}}", `guards.removals.share: must be a percentage from 0% to 100%, such as 10%`},
		{"share negative", "guards: {removals: {share: -1%}}", `guards.removals.share: must be a percentage from 0% to 100%, such as 10%`},
		{"share beyond all bounds", "guards: {removals: {share: " + strings.Repeat("9", 400) + "%}}", `guards.removals.share: must be a percentage from 0% to 100%, such as 10%`},
		{"rows negative", "guards: {removals: {rows: -1}}", `guards.removals.rows: must be a whole number of rows, 0 or more, such as 20`},
		{"rows a share", "guards: {updates: {rows: 10%}}", `guards.updates.rows: must be a whole number of rows, 0 or more, such as 100`},
		{"rows with a point", "guards: {updates: {rows: 1.5}}", `guards.updates.rows: must be a whole number of rows, 0 or more, such as 100`},

		{"events a section", "events: {name: x}", `events: must be a list, each item on a line that begins with "- ", not a section of keys`},
		{"event a word", "events: [user_synced]", `events[0]: must be a section of keys, such as "name: …", not a text`},
		{"event without a name", "events: [{on: created}]", `events[0]: "name" is missing; it is what automations in Owlat wait for, such as user_synced`},
		{"event without on", "events: [{name: x}]", `events[0]: "on" is missing; say when it is sent: created, updated or appears; or name a column in its place, as "when" or "changes"`},
		{"event on two moments", "events: [{name: x, on: created, when: paid}]", `events[0].when: cannot stand beside another moment: an event has one of on, when and changes`},
		{"event on two columns", "events: [{name: x, when: paid, changes: plan}]", `events[0].changes: cannot stand beside another moment: an event has one of on, when and changes`},
		{"event on true", "events: [{name: x, when: true}]", `events[0].when: must be a text, not true or false`},
		{"event on no column", "events: [{name: x, changes: }]", `events[0].changes: has no value; give it one or remove the line`},
		{"from without a change", "events: [{name: x, when: paid, from: [a]}]", `events[0].from[0]: means nothing without "changes", the column that changes`},
		{"to without a change", "events: [{name: x, on: created, to: pro}]", `events[0].to: means nothing without "changes", the column that changes`},
		{"existing without a column", "events: [{name: x, on: created, existing: fire}]", `events[0].existing: means nothing without "when" or "changes"`},
		{"existing in another word", "events: [{name: x, when: paid, existing: add}]", `events[0].existing: "add" is not known; it can be skip or fire`},
		{"existing beside from", "events: [{name: x, changes: plan, from: free, existing: fire}]", `events[0].existing: cannot fire beside "from": nobody knows what the column said before`},
		{"event on a column twice", "events: [{name: x, changes: plan, to: pro}, {name: x, changes: plan, to: team}]", `events[1]: the event x on changes plan is listed twice in this sync`},
		{"event on what", "events: [{name: x, on: deleted}]", `events[0].on: "deleted" is not known; it can be created, updated or appears`},
		{"event with a blank", "events: [{name: user synced, on: created}]", `events[0].name: "user synced" cannot be the name of an event: it is a letter, then at most 99 letters, digits, "_" and "-"`},
		{"event that begins with a digit", "events: [{name: 1st, on: created}]", `events[0].name: "1st" cannot be the name of an event: it is a letter, then at most 99 letters, digits, "_" and "-"`},
		{"event twice", "events: [{name: x, on: created}, {name: x, on: updated}, {name: x, on: created}]", `events[2]: the event x on created is listed twice in this sync`},
		{"contacts in another word", "contacts: update", `contacts: "update" is not known; it can be create or match`},
		{"events only, without events", "contacts: match", `contacts: has nothing to do without "events"`},
		{"events only, with a policy", "on_missing: delete\n    contacts: match\n    events: [{name: x, when: paid}]", `on_missing: means nothing with contacts: match, which creates and changes no contact; remove it`},
		{"events only, on a creation", "events: [{name: x, on: created}]\n    contacts: match", `events[0]: is on created, which happens in no sync with contacts: match; name a column in its place, as "when" or "changes"`},
		{"facts a column", "facts: placed_at\n    key: id\n    events: [{name: x}]", `facts: must be a section of keys, such as "at: …", not a text`},
		{"facts without a time", "facts: {}\n    key: id\n    events: [{name: x}]", `facts: "at" is missing; name the column that says when it happened`},
		{"facts since what", "facts: {at: t, since: yesterday}\n    key: id\n    events: [{name: x}]", `facts.since: must be a date or a time, such as 2026-11-01 or 2026-11-01T08:00:00Z`},
		{"facts without a key", "facts: {at: t}\n    events: [{name: x}]", `facts: needs a "key" beside it, the column that tells one fact from another`},
		{"facts without events", "facts: {at: t}\n    key: id", `facts: has nothing to do without "events"`},
		{"facts with topics", "topics: [{id: k57aaaaaaaaaaaa}]\n    facts: {at: t}\n    key: id\n    events: [{name: x}]", `topics: means nothing with facts, which creates and changes no contact; remove it`},
		{"facts that create", "contacts: create\n    facts: {at: t}\n    key: id\n    events: [{name: x}]", `contacts: cannot be create beside facts, which create no contact; remove it`},
		{"facts with a moment", "events: [{name: x, when: paid}]\n    facts: {at: t}\n    key: id", `events[0].when: means nothing beside "facts": each fact sends the event once; remove it`},
		{"unknown key of an event", "events: [{name: x, on: created, property: {}}]", `events[0]: unknown key "property"; did you mean "properties"?`},
		{"properties a list", "events: [{name: x, on: created, properties: [plan]}]", `events[0].properties: must be a section with a column for each property, such as {plan: plan_name}, not a list`},
		{"property with a dollar", "events: [{name: x, on: created, properties: {$plan: plan}}]", `events[0].properties: "$plan" cannot be the name of a property: Owlat takes ASCII characters, of which the first is neither "$" nor "_"`},
		{"property with an underscore", "events: [{name: x, on: created, properties: {_plan: plan}}]", `events[0].properties: "_plan" cannot be the name of a property: Owlat takes ASCII characters, of which the first is neither "$" nor "_"`},
		{"property that is not ASCII", "events: [{name: x, on: created, properties: {plän: plan}}]", `events[0].properties: "plän" cannot be the name of a property: Owlat takes ASCII characters, of which the first is neither "$" nor "_"`},
		{"property without a column", "events: [{name: x, on: created, properties: {plan: }}]", `events[0].properties.plan: has no value; give it one or remove the line`},
		{"property that is a section", "events: [{name: x, on: created, properties: {plan: {a: b}}}]", `events[0].properties.plan: unknown key "a"; known here: value`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := Parse("f.yaml", []byte(valid+"    "+test.lines+"\n"), env(map[string]string{EnvAPIKey: testKey}))
			if want := "f.yaml:9: syncs.users." + test.want; err == nil || err.Error() != want {
				t.Errorf("got:\n%v\nwant:\n%s", err, want)
			}
		})
	}
}

// TestEventsOnColumns reads events that depend on what columns say, and maps each column once.
func TestEventsOnColumns(t *testing.T) {
	t.Parallel()
	cfg, err := Parse("f.yaml", []byte(valid+`    events:
      - {name: ends, when: ends_soon, properties: {days: days, plan: plan}}
      - {name: plan, changes: plan, existing: fire, to: [pro, 3, true]}
      - {name: up, changes: plan, from: free}
`), env(map[string]string{EnvAPIKey: testKey}))
	if err != nil {
		t.Fatal(err)
	}
	users := &cfg.Syncs[0]
	want := []reconcile.EventRule{
		{Name: "ends", On: ledger.OnWhen, Column: "ends_soon", Properties: map[string]string{"days": "days", "plan": "plan"}},
		{Name: "plan", On: ledger.OnChanges, Column: "plan", To: []string{"pro", "3", "true"}, Existing: true},
		{Name: "up", On: ledger.OnChanges, Column: "plan", From: []string{"free"}},
	}
	engine := users.Reconcile(nil)
	if diff := cmp.Diff(want, engine.Events); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
	if err := engine.Policies().Validate(); err != nil || !users.Watches() {
		t.Errorf("the engine refuses the rules: %v; they watch columns: %v", err, users.Watches())
	}
	var columns []string
	for _, p := range users.Mapping().Properties {
		columns = append(columns, p.Column)
	}
	if diff := cmp.Diff([]string{"days", "plan", "ends_soon"}, columns); diff != "" {
		t.Errorf("columns (-want +got):\n%s", diff)
	}
}

// TestFacts reads a sync of things that happened.
func TestFacts(t *testing.T) {
	t.Parallel()
	cfg, err := Parse("f.yaml", []byte(valid+`    key: id
    facts: {at: placed_at, since: 2026-11-01}
    events: [{name: order_placed, properties: {total: total}}, {name: bought}]
`), env(map[string]string{EnvAPIKey: testKey}))
	if err != nil {
		t.Fatal(err)
	}
	engine := cfg.Syncs[0].Reconcile(nil)
	want := []reconcile.EventRule{
		{Name: "order_placed", On: ledger.OnFact, Column: "placed_at", Properties: map[string]string{"total": "total"}},
		{Name: "bought", On: ledger.OnFact, Column: "placed_at"},
	}
	if diff := cmp.Diff(want, engine.Events); diff != "" || !engine.Match || !engine.Since.Equal(time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("match %v, since %s, rules (-want +got):\n%s", engine.Match, engine.Since, diff)
	}
	if err := engine.Policies().Validate(); err != nil {
		t.Errorf("the engine refuses it: %v", err)
	}
}

func TestTooManyProperties(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString(valid + "    events:\n      - name: x\n        on: created\n        properties:\n")
	for i := range maxProperties + 1 {
		b.WriteString("          p" + strings.Repeat("x", i) + ": plan\n")
	}
	_, err := Parse("f.yaml", []byte(b.String()), env(map[string]string{EnvAPIKey: testKey}))
	if err == nil || !strings.HasSuffix(err.Error(), "syncs.users.events[0].properties: has 1025 properties; Owlat takes at most 1024") {
		t.Errorf("%v", err)
	}
}

func TestBadHistory(t *testing.T) {
	t.Parallel()
	for _, days := range []string{"0", "-1", "1.5", "36501", "long", "99999999999999999999"} {
		_, err := Parse("f.yaml", []byte("history_days: "+days+"\n"+valid), env(map[string]string{EnvAPIKey: testKey}))
		if want := "f.yaml:1: history_days: must be a whole number of days from 1 to 36500, such as 90"; err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", days, err, want)
		}
	}
}

// TestLimitsAreWhatTheFileSays asks the engine what it makes of limits at their edges.
func TestLimitsAreWhatTheFileSays(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		limit    string
		removals int
		held     bool
		reason   string
	}{
		{"{share: 10 %, rows: 3}", 10, false, ""},
		{"{share: 10 %, rows: 3}", 11, true, "11 of 100 rows would leave a topic or be deleted; the limit is 10 % and 3 rows"},
		{"{share: 0.5%}", 21, true, "21 of 100 rows would leave a topic or be deleted; the limit is 0.5 % and 20 rows"},
		{"{share: 0%, rows: 0}", 1, true, "1 of 100 rows would leave a topic or be deleted; the limit is 0 % and 0 rows"},
		{"{share: 100%}", 100, false, ""},
		{"{share: 10 %, rows: 90}", 50, false, ""},
		{"{share: 10 %, rows: 90}", 51, true, "51 of 100 rows would leave a topic or be deleted; more than 50 % and 5 rows are always held"},
		{"{share: 80 %, rows: 90}", 80, false, ""},
		{"{share: 80 %, rows: 90}", 81, true, "81 of 100 rows would leave a topic or be deleted; more than 80 % and 5 rows are always held"},
		{"allow", 100, false, ""},
	} {
		cfg, err := Parse("f.yaml", []byte(valid+"    guards: {removals: "+test.limit+"}\n"), env(map[string]string{EnvAPIKey: testKey}))
		if err != nil {
			t.Fatal(err)
		}
		hits := cfg.Syncs[0].Reconcile(nil).Guards.Hits(owlatsync.Summary{Rows: 100, Entries: 100, Removals: test.removals})
		if held := len(hits) > 0; held != test.held || held && hits[0].Reason != test.reason {
			t.Errorf("%s with %d removals: %+v", test.limit, test.removals, hits)
		}
	}
}

func TestFresh(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{"": 10 * time.Minute, "fresh: 10m": 10 * time.Minute, "fresh: 1h30m": 90 * time.Minute, "fresh: 1d": 24 * time.Hour, "fresh: off": -1} {
		cfg, err := Parse("f.yaml", []byte(valid+"    "+text+"\n"), env(map[string]string{EnvAPIKey: testKey}))
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if got := cfg.Syncs[0].Reconcile(nil).Fresh; got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
	for _, text := range []string{"0", "0s", "-10m", "10", "never"} {
		_, err := Parse("f.yaml", []byte(valid+"    fresh: "+text+"\n"), env(map[string]string{EnvAPIKey: testKey}))
		if err == nil || !strings.Contains(err.Error(), "fresh: must be a duration such as 10m or 1h, or off") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestSchemaPatterns shows that the patterns of the schema are whole, and take what the program takes.
func TestSchemaPatterns(t *testing.T) {
	t.Parallel()
	raw, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]bool)
	for _, m := range regexp.MustCompile(`"pattern": ("[^\n]*"),?\n`).FindAllStringSubmatch(string(raw), -1) {
		var pattern string
		if err := json.Unmarshal([]byte(m[1]), &pattern); err != nil {
			t.Fatal(err)
		}
		compiled, err := regexp.Compile(pattern)
		if err != nil {
			t.Errorf("pattern %q: %v", pattern, err)
			continue
		}
		for _, sample := range []string{"10%", "2.5 %", "user_synced", "${DAYS}"} {
			if compiled.MatchString(sample) {
				found[sample] = true
			}
		}
	}
	if len(found) != 4 {
		t.Errorf("only %v are taken by a pattern", found)
	}
	if text := string(raw); !strings.Contains(text, `"default": 90`) || !strings.Contains(text, `"maximum": 36500`) {
		t.Error("the schema does not know the days of history")
	}
}
