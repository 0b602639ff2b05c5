package main

import (
	"strings"

	"owlatsync/internal/exitcode"
)

// badConfigurations are mistakes in the file and in what the environment adds to it.
func badConfigurations() []badInput {
	changed := func(name, old, replacement string) badInput {
		return badInput{name: name, code: exitcode.Usage, change: []string{old, replacement}}
	}
	whole := func(name, text string) badInput {
		return badInput{name: name, code: exitcode.Usage, files: map[string]string{"owlat-sync.yaml": text}}
	}
	return []badInput{
		whole("an empty file", ""),
		whole("only a comment", "# nothing\n"),
		whole("UTF-16", "\xff\xfeo\x00"),
		changed("a byte that is not UTF-8", "history_days: 90", "history_days: 90 # caf\xe9"),
		whole("a huge file", strings.Repeat("#", 1<<20+1)),
		whole("a list", "- owlat\n"),
		whole("a text", "owlat\n"),
		changed("two documents", "  leads:", "---\n  leads:"),
		changed("a tab", "  url:", "\turl:"),
		changed("a quote that is not closed", "csv:users.csv", `"csv:users.csv`),
		changed("a tag", "dsn: csv:users.csv", "dsn: !!str csv:users.csv"),
		changed("an alias of nothing", "csv:users.csv", "*users"),
		changed("a key twice", "nulls: keep", "key: email"),
		changed("an unknown key", "history_days: 90", "schedule: daily"),
		changed("a misspelt key", "history_days:", "history_day:"),
		changed("a misspelt key of owlat", "requests_per_second:", "request_per_second:"),
		changed("a misspelt key of a sync", "nulls:", "null:"),
		changed("a misspelt key of a source", "dsn: csv:users.csv", "dns: csv:users.csv"),
		changed("another program's key", "key: id", "primary_key: id\n    key: id"),
		{name: "no file", code: exitcode.Usage, remove: "owlat-sync.yaml"},
		{name: "a folder", code: exitcode.Usage, files: map[string]string{"owlat-sync.yaml/": ""}},
		{name: "another file that is not there", code: exitcode.Usage, args: []string{"run", "--config", "WORK/other.yaml"}},
		{name: "a file that the environment names", code: exitcode.Usage, args: []string{"plan", "--config", "WORK/owlat-sync.yaml", "--sync", "none"}, env: map[string]string{"OWLAT_SYNC_CONFIG": "/nowhere.yaml"}},

		whole("no syncs", "owlat: {url: \"${OWLAT_URL}\"}\n"),
		whole("syncs without one", "syncs: {}\n"),
		whole("syncs in a list", "syncs: [users]\n"),
		changed("a sync without anything", "  leads:\n    source: {dsn: \"csv:leads.csv\"}\n    fields: {email: email}\n", "  leads:\n"),
		changed("a name with a blank", "leads:", "cold leads:"),
		changed("a name that is too long", "leads:", strings.Repeat("l", 65)+":"),
		changed("no source", "    source:\n      dsn: csv:users.csv\n", ""),
		changed("a source that is a text", "    source:\n      dsn: csv:users.csv\n", "    source: csv:users.csv\n"),
		changed("a query for a file", "dsn: csv:users.csv", "dsn: csv:users.csv\n      query: SELECT 1"),
		changed("a cursor for a file", "dsn: csv:users.csv", "dsn: csv:users.csv\n      cursor: updated_at"),
		changed("no query", "csv:users.csv", "sqlite:app.db"),
		changed("a comma within braces", "source: {dsn: \"csv:leads.csv\"}", "source: {dsn: \"sqlite:app.db\", query: SELECT id, email FROM users}"),
		changed("no fields", "    fields: {email: email, firstName: first, lastName: last}\n", ""),
		changed("no address", "email: email, firstName", "firstName"),
		changed("fields in a list", "{email: email, firstName: first, lastName: last}", "[email, first, last]"),
		changed("an unknown field", "lastName: last", "phone: last"),
		changed("a column twice in the key", "key: id", "key: [id, id]"),
		changed("a key that is a section", "key: id", "key: {column: id}"),
		changed("a topic without an id", "id: ${TOPIC}", "name: news"),
		changed("a topic's name for its id", "${TOPIC}", "news"),
		changed("a topic twice", "- id: ${TOPIC}", "- id: ${TOPIC}\n      - id: ${TOPIC}"),
		changed("a consent that is no column", "when: news", "when: true"),
		changed("topics that are no list", "topics:\n      - id", "topics:\n        id"),

		{name: "no key", code: exitcode.Usage, env: map[string]string{"OWLAT_API_KEY": ""}},
		{name: "a malformed key", code: exitcode.Usage, env: map[string]string{"OWLAT_API_KEY": "sk_live_" + dsnPassword}},
		{name: "a key that is too short", code: exitcode.Usage, env: map[string]string{"OWLAT_API_KEY": "lm_live_" + dsnPassword}},
		{name: "a key in the file that no variable holds", code: exitcode.Usage, change: []string{"owlat:\n", "owlat:\n  api_key: ${NO_SUCH_KEY}\n"}, env: map[string]string{"OWLAT_API_KEY": ""}},
		{name: "a URL with a password", code: exitcode.Usage, env: map[string]string{"OWLAT_URL": "https://me:" + dsnPassword + "@example.com"}},
		{name: "a URL of another protocol", code: exitcode.Usage, env: map[string]string{"OWLAT_URL": "ftp://example.com"}},
		{name: "a URL without a host", code: exitcode.Usage, env: map[string]string{"OWLAT_URL": "https://"}},
		{name: "a URL with a query", code: exitcode.Usage, env: map[string]string{"OWLAT_URL": "https://example.com/?key=1"}},
		{name: "a URL in the file", code: exitcode.Usage, change: []string{"url: ${OWLAT_URL}", "url: example.com"}, env: map[string]string{"OWLAT_URL": ""}},
		changed("no request a second", "requests_per_second: 1000", "requests_per_second: 0"),
		changed("requests a second in words", "requests_per_second: 1000", "requests_per_second: ten"),
		changed("a ledger that is a URL", "ledger: owlat-sync.db", "ledger: mysql://app:"+dsnPassword+"@db.example.com/app"),
		changed("a ledger without a name", "ledger: owlat-sync.db", "ledger:"),
		changed("a variable that is not set", "csv:users.csv", "csv:${NO_SUCH_FILE}"),
		changed("a variable that is empty", "csv:users.csv", "${EMPTY}"),
		changed("a variable that is not closed", "csv:users.csv", "csv:${FILE"),
		changed("a variable with a default", "csv:users.csv", "csv:${FILE:-users.csv}"),
		changed("several mistakes", "history_days: 90", "history_days: 0\nretries: 3"),
	}
}

// badPolicies are mistakes in what the file says of rows that are gone, guards, events and history.
func badPolicies() []badInput {
	changed := func(name, old, replacement string) badInput {
		return badInput{name: name, code: exitcode.Usage, change: []string{old, replacement}}
	}
	guards := func(name, replacement string) badInput {
		return changed(name, "guards: {removals: {share: 10%, rows: 20}}", "guards: "+replacement)
	}
	event := func(name, old, replacement string) badInput { return changed(name, old, replacement) }
	return []badInput{
		changed("an unknown word for NULL", "nulls: keep", "nulls: erase"),
		changed("an unknown word for duplicates", "nulls: keep", "duplicates: {consent: all}"),
		changed("an unknown policy for missing rows", "on_missing: delete", "on_missing: remove"),
		changed("an unknown policy for deleted contacts", "on_remote_delete: keep", "on_remote_delete: restore"),
		changed("an unknown word for existing contacts", "when: news", "when: news\n        existing: maybe"),
		guards("guards that are off", "off"),
		guards("an unknown guard", "{deletions: allow}"),
		guards("a limit in words", "{removals: never}"),
		guards("a limit that is a number", "{removals: 20}"),
		guards("a share without its sign", "{removals: {share: 10}}"),
		guards("a share beyond the whole", "{removals: {share: 110%}}"),
		guards("a negative number of rows", "{updates: {rows: -1}}"),
		guards("a part of a row", "{updates: {rows: 0.5}}"),
		guards("an unknown part of a limit", "{updates: {percent: 5}}"),
		guards("an empty source that asks", "{empty_source: ask}"),
		guards("a first run that holds", "{first_run: hold}"),
		event("an event without a name", "- name: user_changed\n        on: updated", "- on: updated"),
		event("an event's name with a blank", "user_changed", "user changed"),
		event("an event's name that is too long", "user_changed", strings.Repeat("e", 101)),
		event("an event without a moment", "on: updated\n        ", ""),
		event("an unknown moment", "on: updated", "on: deleted"),
		event("an event on a column that is none", "on: updated", "when: true"),
		event("an event on two moments", "on: updated", "on: updated\n        changes: plan"),
		event("what a column changes to, without a change", "on: updated", "when: paid\n        to: pro"),
		event("an event that fires for what is there, without a column", "on: updated", "on: updated\n        existing: fire"),
		event("an event twice", "- name: user_changed", "- {name: user_changed, on: updated}\n      - name: user_changed"),
		event("a property that begins with a dollar", "{plan: plan}", "{$plan: plan}"),
		event("a property without a column", "{plan: plan}", "{plan: }"),
		event("properties in a list", "{plan: plan}", "[plan]"),
		changed("no day of history", "history_days: 90", "history_days: 0"),
		changed("days of history in words", "history_days: 90", "history_days: forever"),
	}
}
