package config_test

import (
	"strings"
	"testing"

	"owlatsync/internal/config"
)

func TestCollection(t *testing.T) {
	t.Parallel()
	load := func(source string) (*config.Config, error) {
		return config.Parse("f.yaml", []byte("owlat: {api_key: lm_live_"+strings.Repeat("a", 40)+"}\nsyncs:\n  users:\n    source:\n"+source+"    fields: {email: email}\n"),
			func(name string) (string, bool) { return `o"k`, name == "WORD" })
	}
	const mongo = "      dsn: mongodb://127.0.0.1/shop\n"
	for filter, want := range map[string]string{
		"": "",
		`filter: {active: true, deletedAt: null}`:                                                     `{"active": true, "deletedAt": null}`,
		`filter: {"a.b": {$in: [x, 1, 1.5, -2e3]}, word: "${WORD}", yes: "yes", empty: {}, none: []}`: `{"a.b": {"$in": ["x", 1, 1.5, -2e3]}, "word": "o\"k", "yes": "yes", "empty": {}, "none": []}`,
		`filter: ' {"team": {"$oid": "64b7f0c2a1d3e4f506172839"}} '`:                                  `{"team": {"$oid": "64b7f0c2a1d3e4f506172839"}}`,
	} {
		line := ""
		if filter != "" {
			line = "      " + filter + "\n"
		}
		cfg, err := load(mongo + "      collection: people\n" + line)
		if err != nil {
			t.Errorf("%s: %v", filter, err)
			continue
		}
		if s := cfg.Syncs[0]; s.Collection != "people" || s.Filter != want {
			t.Errorf("%s: collection %q with the filter %s, want %s", filter, s.Collection, s.Filter, want)
		}
	}
	const sqlite = "      dsn: sqlite:app.db\n      query: SELECT 1\n"
	for text, want := range map[string]string{
		mongo: `f.yaml:5: syncs.users.source: "collection" is missing; name the collection`,
		mongo + "      collection: people\n      query: SELECT 1\n":          "f.yaml:7: syncs.users.source.query: a MongoDB source has no query",
		mongo + "      collection: people\n      filter: active\n":           "f.yaml:7: syncs.users.source.filter: must be a section of keys such as {active: true}",
		mongo + "      collection: people\n      filter: [active]\n":         "f.yaml:7: syncs.users.source.filter: must be a section of keys",
		mongo + "      collection: people\n      filter: {a: 0x10}\n":        `f.yaml:7: syncs.users.source.filter.a: "0x10" is no value of JSON`,
		mongo + "      collection: people\n      filter: {a: \"${NOPE}\"}\n": "f.yaml:7: syncs.users.source.filter.a: the environment variable NOPE is not set",
		sqlite + "      collection: people\n":                                "f.yaml:7: syncs.users.source.collection: means nothing but with a mongodb:// source",
		sqlite + "      filter: {a: 1}\n":                                    "f.yaml:7: syncs.users.source.filter: means nothing but with a mongodb:// source",
	} {
		if _, err := load(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want it to say %s", text, err, want)
		}
	}
}
