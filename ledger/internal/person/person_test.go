package person

import (
	"slices"
	"testing"

	"owlatsync"
)

func FuzzSplitKey(f *testing.F) {
	f.Add("a", "b", "c")
	f.Add("a/b", `\`, "")
	f.Add(`\/`, "//", "ada@example.com")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		if got := splitKey(owlatsync.JoinKey(a, b, c)); !slices.Equal(got, []string{a, b, c}) {
			t.Errorf("%q, %q, %q come back as %q", a, b, c, got)
		}
	})
}

func TestKeyNames(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		key, address string
		want         bool
	}{
		{"ada@example.com", "ada@example.com", true},
		{"ADA@Example.COM", "ada@example.com", true},
		{"user:ada@example.com", "ada@example.com", true},
		{"<ada@example.com>", "ada@example.com", true},
		{"ada@example.com,bob@example.com", "bob@example.com", true},
		{"xada@example.com ada@example.com", "ada@example.com", true},
		{"7/ada@example.com", "ada@example.com", true},
		{`7\/8/ada@example.com/9`, "ada@example.com", true},
		{"7/ada@example.com", "7/ada@example.com", true},
		{"οδος@example.com", "οδοσ@example.com", true}, // the last letter's form depends on what follows
		{"xada@example.com", "ada@example.com", false},
		{"x.ada@example.com", "ada@example.com", false},
		{"x+ada@example.com", "ada@example.com", false},
		{"ßada@example.com", "ada@example.com", false},
		{"ada@example.com.example", "ada@example.com", false},
		{"ada@example.community", "ada@example.com", false},
		{"ada@example.com-x", "ada@example.com", false},
		{"ada", "ada@example.com", false},
		{"", "ada@example.com", false},
		{"\xff@", "ada@example.com", false},
	} {
		if got := KeyNames(c.key, c.address); got != c.want {
			t.Errorf("%q names %q: %v", c.key, c.address, got)
		}
	}
}
