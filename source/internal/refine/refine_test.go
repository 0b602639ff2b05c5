package refine

import (
	"testing"
	"unicode/utf8"
)

func TestTitle(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"ADA":                  "Ada",
		"ada lovelace":         "Ada Lovelace",
		"JEAN-LUC":             "Jean-Luc",
		"o'neill":              "O'Neill",
		"o’neill":              "O’Neill",
		"LUDWIG VAN BEETHOVEN": "Ludwig van Beethoven",
		"VAN DER BERG":         "Van der Berg",
		"JOHN E SMITH":         "John E Smith",
		"NGUYEN VAN":           "Nguyen Van",
		"von":                  "Von",
		"LE":                   "Le",
		"McDonald":             "McDonald",
		"deVries":              "deVries",
		"ÉMILE":                "Émile",
		"ŁUKASZ":               "Łukasz",
		"straße":               "Straße",
		"ǆ":                    "ǅ",
		"李小龍":                  "李小龍",
		"  ada   lovelace ":    "Ada Lovelace",
		"":                     "",
		"-'":                   "-'",
		"d'arc":                "D'Arc",
		"x\xffy":               "X\xffy",
	} {
		if got := Title(name); got != want && utf8.ValidString(name) {
			t.Errorf("Title(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestPart(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		text, separator string
		number          int
		want            string
	}{
		{"Lovelace; Ada", ";", 1, "Lovelace"},
		{"Lovelace; Ada", ";", 2, "Ada"},
		{"Lovelace; Ada", ";", 3, ""},
		{"Lovelace; Ada", ";", -1, "Ada"},
		{"Lovelace; Ada", ";", -2, "Lovelace"},
		{"Lovelace; Ada", ";", -3, ""},
		{"Ada", ";", 1, "Ada"},
		{"", ";", 1, ""},
		{"a, b", "", 2, "a, b"},
		{"a -> b -> c", "->", 2, "b"},
	} {
		if got := Part(test.text, test.separator, test.number); got != test.want {
			t.Errorf("Part(%q, %q, %d) = %q, want %q", test.text, test.separator, test.number, got, test.want)
		}
	}
}

func TestTrim(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ text, set, want string }{
		{"  'Ada' ", "'", "Ada"},
		{"*** Ada *", "*", "Ada"},
		{"“Ada”", "“”", "Ada"},
		{"''", "'", ""},
		{" Ada ", "", "Ada"},
		{"A'da", "'", "A'da"},
	} {
		if got := Trim(test.text, test.set); got != test.want {
			t.Errorf("Trim(%q, %q) = %q, want %q", test.text, test.set, got, test.want)
		}
	}
}
