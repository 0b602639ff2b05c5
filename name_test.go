package owlatsync_test

import (
	"testing"

	"owlatsync"
)

func TestSplitName(t *testing.T) {
	t.Parallel()
	for full, want := range map[string][2]string{
		"Ada Lovelace":                  {"Ada", "Lovelace"},
		"  Ada   King  Lovelace ":       {"Ada", "King  Lovelace"},
		"Ludwig van Beethoven":          {"Ludwig", "van Beethoven"},
		"Éloïse D'Été":                  {"Éloïse", "D'Été"},
		"Ada\u00a0Lovelace":             {"Ada", "Lovelace"},
		"Cher":                          {"Cher", ""},
		"":                              {"", ""},
		" \t":                           {"", ""},
		"Lovelace, Ada King":            {"Ada King", "Lovelace"},
		"van Beethoven,Ludwig":          {"Ludwig", "van Beethoven"},
		"Lovelace, Dr. Ada":             {"Ada", "Lovelace"},
		"Lovelace,":                     {"Lovelace", ""},
		", Ada":                         {"Ada", ""},
		"Dr. Ada Lovelace":              {"Ada", "Lovelace"},
		"Dr.Ada Lovelace":               {"Dr.Ada", "Lovelace"},
		"Prof. Dr. Ada Lovelace":        {"Ada", "Lovelace"},
		"MRS Ada Lovelace":              {"Ada", "Lovelace"},
		"Herr Prof. Dr. Max Born":       {"Max", "Born"},
		"Ada Lovelace, PhD":             {"Ada", "Lovelace"},
		"Ada Lovelace M.D.":             {"Ada", "Lovelace"},
		"Martin Luther King Jr.":        {"Martin", "Luther King"},
		"Martin Luther King, Jr.":       {"Martin", "Luther King"},
		"Ada Lovelace (Analytical Co.)": {"Ada", "Lovelace"},
		"Ada (Countess) Lovelace":       {"Ada", "Lovelace"},
		"(Ada":                          {"(Ada", ""},
		"Dr.":                           {"Dr.", ""},
		"Drake Bell":                    {"Drake", "Bell"},
		"Ma Rainey":                     {"Ma", "Rainey"},
		",":                             {",", ""},
	} {
		first, last := owlatsync.SplitName(owlatsync.Some(full))
		for i, got := range []owlatsync.Field{first, last} {
			if got.Value != want[i] || (got.State == owlatsync.Null) != (want[i] == "") {
				t.Errorf("%q: %+v and %+v, want %q", full, first, last, want)
				break
			}
		}
	}
	for _, state := range []owlatsync.Field{{}, {State: owlatsync.Null}} {
		if first, last := owlatsync.SplitName(state); first != state || last != state {
			t.Errorf("%+v gives %+v and %+v", state, first, last)
		}
	}
}

func FuzzSplitName(f *testing.F) {
	for _, seed := range []string{"Dr. Ada Lovelace", "a, b, c", "()[](", "\xff, \x00", " ,"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, full string) {
		first, last := owlatsync.SplitName(owlatsync.Some(full))
		if (first.State == owlatsync.Null || first.Value == "") && owlatsync.Trim(full) != "" {
			t.Errorf("%q has no first name: %+v, %+v", full, first, last)
		}
	})
}
